#include "producer/producer_state.h"

#include "amqp/amqp_broker.h"
#include "base/memory.h"
#include "redis/redis_stock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(BURSAR_DEDUCTED == (int)DEDUCT_DONE && BURSAR_REPEAT == (int)DEDUCT_REPEAT &&
                   BURSAR_INSUFFICIENT == (int)DEDUCT_INSUFFICIENT &&
                   BURSAR_NOT_INITIALISED == (int)DEDUCT_NOT_INITIALISED &&
                   BURSAR_CONFLICT == (int)DEDUCT_CONFLICT && BURSAR_INVALID == (int)DEDUCT_INVALID &&
                   BURSAR_REFUNDED == (int)DEDUCT_REFUNDED && BURSAR_CLOSED == (int)DEDUCT_CLOSED,
               "the public numbers are the script's");

static const char *text_or(const char *text, const char *fallback)
{
    return text == NULL ? fallback : text;
}

static int number_or(int number, int fallback)
{
    return number == 0 ? fallback : number;
}

static enum status open_ports(struct bursar_producer *producer, const struct bursar_producer_options *options,
                              struct error *error)
{
    struct redis_stock_options stock = {
        .url = text_or(options->redis_url, "redis://127.0.0.1:6379/0"),
        .prefix = text_or(options->redis_prefix, "budget:"),
        .done_window_s = 600, /* of no effect here: only who settles or releases needs it */
        .timeout_ms = number_or(options->redis_timeout_ms, 2000),
    };
    enum status status = redis_stock_open(&stock, &producer->stock, error);
    if (status != STATUS_OK) return status;
    struct amqp_options broker = {
        .url = text_or(options->amqp_url, "amqp://guest:guest@127.0.0.1:5672/%2f"),
        .declare = false,
        .exchange = producer->exchange,
        .queue = producer->queue,
        .routing_key = producer->routing_key,
        .dead_letter_exchange =
            "bursar.dlx", /* this and the next: of no effect here, a producer only publishes */
        .dead_letter_queue = "bursar.deductions.dlq",
        .delivery_limit = 50,
        .heartbeat_s = 30,
        .connect_timeout_ms = number_or(options->connect_timeout_ms, 5000),
        .confirm_timeout_ms = number_or(options->confirm_timeout_ms, 30000),
        .time_runs_while_blocked = true, /* a customer waits; the same id may be tried again later */
        .prefetch = 1,
        .connection_name = text_or(options->connection_name, "bursar-producer"),
        .cancel = &producer->cancelled,
    };
    return amqp_publisher_open(&broker, &producer->publisher, error);
}

enum bursar_code bursar_producer_open(const struct bursar_producer_options *options,
                                      struct bursar_producer **producer, char *error)
{
    struct bursar_producer *opened = memory_alloc_zero(1, sizeof *opened);
    opened->exchange = memory_copy_string(text_or(options->exchange, "bursar"));
    opened->routing_key = memory_copy_string(text_or(options->routing_key, "deduction"));
    opened->queue = memory_copy_string(text_or(options->queue, "bursar.deductions"));
    struct error reason;
    *producer = opened;
    if (open_ports(opened, options, &reason) == STATUS_OK) return BURSAR_OK;
    bursar_producer_close(opened);
    *producer = NULL;
    if (error != NULL) snprintf(error, BURSAR_ERROR_SIZE, "%.*s", BURSAR_ERROR_SIZE - 1, reason.text);
    return BURSAR_BAD_SETUP;
}

enum bursar_code bursar_producer_deduct(struct bursar_producer *producer,
                                        const struct bursar_request *requests, size_t count,
                                        struct bursar_result *results)
{
    producer->error.text[0] = '\0';
    size_t to_do = 0;
    for (size_t i = 0; i < count; i++) to_do += producer_request_check(&requests[i], &results[i]);
    if (to_do == 0) return BURSAR_OK;
    enum bursar_code code = BURSAR_OK;
    for (size_t first = 0; first < count; first += PRODUCER_CHUNK) {
        size_t size = count - first < PRODUCER_CHUNK ? count - first : PRODUCER_CHUNK;
        if (code == BURSAR_OK) {
            code = producer_chunk_deduct(producer, requests + first, size, results + first);
            continue;
        }
        for (size_t i = first; i < first + size; i++) {
            if (results[i].status == BURSAR_UNAVAILABLE)
                producer_result_explain(&results[i], "not tried, for an earlier one failed");
        }
    }
    return code;
}

const char *bursar_producer_error(const struct bursar_producer *producer)
{
    return producer->error.text;
}

void bursar_producer_cancel(struct bursar_producer *producer)
{
    atomic_store(&producer->cancelled, true);
}

void bursar_producer_close(struct bursar_producer *producer)
{
    if (producer == NULL) return;
    publisher_close(producer->publisher);
    stock_close(producer->stock);
    arena_free(&producer->arena);
    free(producer->exchange);
    free(producer->routing_key);
    free(producer->queue);
    free(producer);
}

const char *bursar_status_name(enum bursar_status status)
{
    switch (status) {
    case BURSAR_DEDUCTED: return "deducted";
    case BURSAR_REPEAT: return "repeat";
    case BURSAR_INSUFFICIENT: return "insufficient";
    case BURSAR_NOT_INITIALISED: return "not-initialised";
    case BURSAR_CONFLICT: return "conflict";
    case BURSAR_INVALID: return "invalid";
    case BURSAR_REFUNDED: return "refunded";
    case BURSAR_CLOSED: return "closed";
    case BURSAR_UNAVAILABLE: return "unavailable";
    case BURSAR_UNKNOWN: return "unknown";
    }
    return "?";
}
