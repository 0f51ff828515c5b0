#include "amqp/settings.h"

#include "amqp/vendor.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static enum status check_name(const char *what, const char *name, struct error *error)
{
    size_t size = name == NULL ? 0 : strlen(name);
    if (size >= 1 && size <= BROKER_SHORT_STRING_MAX) return STATUS_OK;
    return error_set(error, STATUS_CONFIG, "the broker's %s needs a name of 1 to %d bytes, this one has %zu",
                     what, BROKER_SHORT_STRING_MAX, size);
}

static enum status check_range(const char *what, int value, int least, int most, struct error *error)
{
    if (value >= least && value <= most) return STATUS_OK;
    return error_set(error, STATUS_CONFIG, "the broker's %s is %d, outside of %d to %d", what, value, least,
                     most);
}

static const char *consume_queue(const struct amqp_options *options)
{
    return options->consume_queue == NULL ? options->queue : options->consume_queue;
}

static enum status check_values(const struct amqp_options *options, struct error *error)
{
    const struct {
        const char *what, *name;
    } names[] = {
        {"exchange", options->exchange},
        {"queue", options->queue},
        {"routing key", options->routing_key},
        {"dead-letter exchange", options->dead_letter_exchange},
        {"dead-letter queue", options->dead_letter_queue},
        {"consumed queue", consume_queue(options)},
    };
    const struct {
        const char *what;
        int value, least, most;
    } ranges[] = {
        {"delivery limit", options->delivery_limit, 0, INT32_MAX},
        {"heartbeat in seconds", options->heartbeat_s, 1, 3600},
        {"connect timeout in milliseconds", options->connect_timeout_ms, 1, INT32_MAX},
        {"confirm timeout in milliseconds", options->confirm_timeout_ms, 1, INT32_MAX},
        {"prefetch", options->prefetch, 1, UINT16_MAX},
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < sizeof names / sizeof names[0]; i++)
        status = check_name(names[i].what, names[i].name, error);
    for (size_t i = 0; status == STATUS_OK && i < sizeof ranges / sizeof ranges[0]; i++)
        status = check_range(ranges[i].what, ranges[i].value, ranges[i].least, ranges[i].most, error);
    return status;
}

enum status broker_settings_copy(const struct amqp_options *options, struct broker_settings *settings,
                                 struct error *error)
{
    *settings = (struct broker_settings){0};
    enum status status = check_values(options, error);
    if (status == STATUS_OK) status = broker_url_list_parse(options->url, &settings->hosts, error);
    if (status != STATUS_OK) return status;
    settings->declare = options->declare;
    settings->exchange = memory_copy_string(options->exchange);
    settings->queue = memory_copy_string(options->queue);
    settings->routing_key = memory_copy_string(options->routing_key);
    settings->dead_letter_exchange = memory_copy_string(options->dead_letter_exchange);
    settings->dead_letter_queue = memory_copy_string(options->dead_letter_queue);
    settings->consume_queue = memory_copy_string(consume_queue(options));
    settings->delivery_limit = options->delivery_limit;
    settings->heartbeat_s = options->heartbeat_s;
    settings->connect_timeout_ms = options->connect_timeout_ms;
    settings->confirm_timeout_ms = options->confirm_timeout_ms;
    settings->time_runs_while_blocked = options->time_runs_while_blocked;
    settings->prefetch = options->prefetch;
    settings->connection_name =
        memory_copy_string(options->connection_name == NULL ? "bursar" : options->connection_name);
    settings->cancel = options->cancel;
    return STATUS_OK;
}

void broker_settings_free(struct broker_settings *settings)
{
    broker_url_list_free(&settings->hosts);
    free(settings->exchange);
    free(settings->queue);
    free(settings->routing_key);
    free(settings->dead_letter_exchange);
    free(settings->dead_letter_queue);
    free(settings->consume_queue);
    free(settings->connection_name);
    *settings = (struct broker_settings){0};
}

enum status amqp_options_check(const struct amqp_options *options, struct error *error)
{
    struct broker_settings settings;
    enum status status = broker_settings_copy(options, &settings, error);
    if (status == STATUS_OK) broker_settings_free(&settings);
    return status;
}
