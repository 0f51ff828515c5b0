/* What a configuration's texts mean: URLs of the broker, of Redis and of the ledger, the address to listen
 * on, names. One input is each of them in turn.
 *
 * A `$` in the input stands for a secret. No error repeats it, and a URL that is shown does not hold it. */
#include "amqp/url.h"
#include "base/buffer.h"
#include "config/config.h"
#include "config/config_check.h"
#include "fuzz/target.h"
#include "redis/redis_url.h"

/* For what it keeps to itself: where the host ends and the port begins. */
#include "http/http_listen.c"

#define SECRET "hunter2-hunter2"

static bool tells(const char *text)
{
    return text != NULL && strstr(text, SECRET) != NULL;
}

/* What is wrong goes on from "KEY: ". */
static void hold_complaint(const char *complaint)
{
    if (complaint == NULL) return;
    hold_error_line(complaint);
    HOLDS(!tells(complaint));
}

static bool has_space_or_control(const char *url)
{
    for (const char *c = url; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f) return true;
    return false;
}

static void hold_redacted(const char *url, bool shown)
{
    char *redacted = config_url_redact(url);
    HOLDS(redacted != NULL && (shown || !tells(redacted)));
    free(redacted);
}

static void hold_broker_url(const struct broker_url *url)
{
    HOLDS(url->user != NULL && url->password != NULL && url->host != NULL && url->vhost != NULL);
    HOLDS(url->host[0] != '\0' && url->port >= 1 && url->port <= 65535);
    HOLDS(strlen(url->vhost) <= 255);
    HOLDS(url->tls || (url->ca_file == NULL && url->certificate_file == NULL && url->key_file == NULL));
    HOLDS((url->certificate_file == NULL) == (url->key_file == NULL));
}

static void check_broker(const char *text)
{
    struct broker_url_list list;
    struct error error = {""};
    const char *complaint = config_check_amqp_url(text);
    enum status status = broker_url_list_parse(text, &list, &error);
    hold_complaint(complaint);
    if (status != STATUS_OK) {
        HOLDS(status == STATUS_CONFIG && list.count == 0 && list.urls == NULL);
        hold_error_line(error.text);
        HOLDS(!tells(error.text));
        /* What the configuration lets through, the adapter refuses for few reasons of its own. */
        HOLDS(complaint != NULL || strstr(error.text, "parameter") != NULL ||
              strstr(error.text, "keyfile") != NULL || strstr(error.text, "255 bytes") != NULL ||
              strstr(error.text, "TLS") != NULL);
        return;
    }
    HOLDS(list.count >= 1 && (complaint == NULL || has_space_or_control(text)));
    bool shown = false;
    for (size_t i = 0; i < list.count; i++) {
        const struct broker_url *url = &list.urls[i];
        hold_broker_url(url);
        shown = shown || tells(url->user) || tells(url->host) || tells(url->vhost) || tells(url->ca_file) ||
                tells(url->certificate_file) || tells(url->key_file);
    }
    hold_redacted(text, shown);
    broker_url_list_free(&list);
}

static void check_redis(const char *text)
{
    struct redis_address address;
    struct error error = {""};
    const char *complaint = config_check_redis_url(text);
    enum status status = redis_url_parse(text, &address, &error);
    hold_complaint(complaint);
    HOLDS((status == STATUS_OK) == (complaint == NULL) || has_space_or_control(text));
    if (status != STATUS_OK) {
        HOLDS(status == STATUS_CONFIG && address.host == NULL && address.password == NULL);
        hold_error_line(error.text);
        HOLDS(!tells(error.text));
        return;
    }
    HOLDS((address.host == NULL) != (address.path == NULL));
    HOLDS(address.host == NULL || (address.host[0] != '\0' && address.port >= 1 && address.port <= 65535));
    HOLDS(address.path == NULL || address.path[0] == '/');
    HOLDS(address.user == NULL || address.password != NULL);
    HOLDS(address.password == NULL || address.password[0] != '\0');
    HOLDS(address.database >= 0 && address.name != NULL);
    bool shown = tells(address.user) || tells(address.host) || tells(address.path);
    HOLDS(shown || !tells(address.name));
    hold_redacted(text, shown);
    redis_address_free(&address);
}

static void check_listen(const char *text)
{
    char host[HOST_SIZE_MAX], port[6];
    struct error error = {""};
    const char *complaint = config_check_listen(text);
    hold_complaint(complaint);
    if (strcmp(text, "off") == 0) return;
    enum status status = split_address(text, host, port, &error);
    if (status == STATUS_OK) {
        HOLDS(complaint == NULL || has_space_or_control(text));
        HOLDS(host[0] != '\0' && atoi(port) >= 0 && atoi(port) <= 65535);
        HOLDS(strlen(host) + strlen(port) + 1 <= strlen(text));
        return;
    }
    HOLDS(status == STATUS_CONFIG && (complaint != NULL || strlen(text) >= HOST_SIZE_MAX));
    hold_error_line(error.text);
}

static void check_names(const char *text)
{
    hold_complaint(config_check_ledger_url(text));
    hold_complaint(config_check_name(text));
    hold_complaint(config_check_prefix(text));
    if (config_check_prefix(text) == NULL) HOLDS(!has_space_or_control(text) && strchr(text, '{') == NULL);
    if (config_check_ledger_url(text) == NULL)
        HOLDS(strncmp(text, "sqlite:", 7) == 0 || strncmp(text, "mysql://", 8) == 0);
}

int LLVMFuzzerInitialize(int *argument_count, char ***arguments)
{
    (void)argument_count;
    (void)arguments;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer text = {0};
    buffer_append_string(&text, "");
    for (size_t i = 0; i < size && data[i] != '\0'; i++)
        buffer_append(&text,
                      data[i] == '$' ? TEXT_LITERAL(SECRET) : (struct text){(const char *)data + i, 1});
    check_broker(text.data);
    check_redis(text.data);
    check_listen(text.data);
    check_names(text.data);
    buffer_free(&text);
    return 0;
}
