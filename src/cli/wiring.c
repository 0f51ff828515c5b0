#include "cli/wiring.h"

#include "redis/redis_stock.h"
#include "sqlite/sqlite_ledger.h"

#include <string.h>

#define MILLISECONDS_PER_SECOND 1000

/* The table of keys keeps every time far below what an int of milliseconds holds. */
static int milliseconds(int64_t seconds)
{
    return (int)(seconds * MILLISECONDS_PER_SECOND);
}

enum status wiring_ledger(const struct config *config, enum wiring_role role, struct ledger **ledger,
                          struct error *error)
{
    static const char scheme[] = "sqlite:";
    if (strncmp(config->ledger.url, scheme, sizeof scheme - 1) != 0) {
        return error_set(error, STATUS_CONFIG,
                         "ledger.url: this bursar was built without MariaDB and MySQL; use sqlite:PATH, or "
                         "one that has them");
    }
    struct sqlite_ledger_options options = {
        .path = config->ledger.url + sizeof scheme - 1,
        .role = role == WIRING_WORKER ? SQLITE_LEDGER_WORKER : SQLITE_LEDGER_TOOL,
        .busy_timeout_ms = milliseconds(config->ledger.busy_timeout),
    };
    enum status status = sqlite_ledger_open(&options, ledger, error);
    return status == STATUS_OK ? STATUS_OK : error_wrap(error, status, "ledger.url");
}

bool wiring_ledger_is_taken(const struct config *config)
{
    struct ledger *ledger = NULL;
    struct error ignored;
    enum status status = wiring_ledger(config, WIRING_TOOL, &ledger, &ignored);
    if (status == STATUS_OK) status = ledger_ping(ledger, &ignored);
    ledger_close(ledger);
    return status != STATUS_CONFIG;
}

enum status wiring_stock(const struct config *config, struct stock **stock, struct error *error)
{
    struct redis_stock_options options = {
        .url = config->redis.url,
        .prefix = config->redis.prefix,
        .done_window_s = config->redis.done_window,
        .timeout_ms = milliseconds(config->redis.timeout),
    };
    return redis_stock_open(&options, stock, error); /* its texts begin with the key */
}

struct amqp_options wiring_amqp_options(const struct config *config, const char *connection_name,
                                        const atomic_bool *cancel)
{
    return (struct amqp_options){
        .url = config->amqp.url,
        .declare = config->amqp.declare,
        .exchange = config->amqp.exchange,
        .queue = config->amqp.queue,
        .routing_key = config->amqp.routing_key,
        .dead_letter_exchange = config->amqp.dead_letter_exchange,
        .dead_letter_queue = config->amqp.dead_letter_queue,
        .delivery_limit = (int)config->amqp.delivery_limit,
        .heartbeat_s = (int)config->amqp.heartbeat,
        .connect_timeout_ms = milliseconds(config->amqp.connect_timeout),
        .confirm_timeout_ms = milliseconds(config->amqp.confirm_timeout),
        .prefetch = (int)config->worker.prefetch,
        .connection_name = connection_name,
        .cancel = cancel,
    };
}

enum status wiring_publisher(const struct config *config, const char *connection_name,
                             const atomic_bool *cancel, struct publisher **publisher, struct error *error)
{
    struct amqp_options options = wiring_amqp_options(config, connection_name, cancel);
    enum status status = amqp_publisher_open(&options, publisher, error);
    return status == STATUS_OK ? STATUS_OK : error_wrap(error, status, "amqp.url");
}

enum status wiring_consumer(const struct config *config, const char *connection_name,
                            const atomic_bool *cancel, struct consumer **consumer, struct error *error)
{
    struct amqp_options options = wiring_amqp_options(config, connection_name, cancel);
    enum status status = amqp_consumer_open(&options, consumer, error);
    return status == STATUS_OK ? STATUS_OK : error_wrap(error, status, "amqp.url");
}
