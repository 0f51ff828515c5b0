#include "redis/redis_stock.h"

#include "base/memory.h"
#include "core/identifier.h"
#include "redis/redis_reply.h"
#include "redis/redis_stock_private.h"
#include "redis/redis_tls.h"

#include <stdlib.h>

#define PREFIX_SIZE_MAX 64
#define TIMEOUT_MS_MAX  INT64_C(600000)

enum status redis_stock_check_ids(struct text budget_id, struct text message_id, struct error *error)
{
    if (!budget_id_is_valid(budget_id)) {
        return error_set(error, STATUS_REFUSED, "a budget id is not 1 to 128 of A-Z a-z 0-9 . _ : -");
    }
    if (!message_id_is_valid(message_id)) {
        return error_set(error, STATUS_REFUSED,
                         "an id of budget " TEXT_FORMAT " is not 1 to 128 visible ASCII characters",
                         TEXT_ARGUMENTS(budget_id));
    }
    return STATUS_OK;
}

static enum status ping(struct stock *stock, struct error *error)
{
    struct redis_link *link = &redis_stock_of(stock)->pipeline.link;
    enum status status = redis_link_open(link, error);
    if (status != STATUS_OK) return status;
    struct text words[] = {TEXT_LITERAL("PING")};
    redisReply *reply = NULL;
    status = redis_link_ask(link, words, 1, &reply, error);
    if (status != STATUS_OK) return STATUS_RETRY; /* a ping that got lost did nothing */
    status = redis_reply_check(reply, link->address.name, "PING", error);
    if (status != STATUS_OK && redis_reply_wants_reconnect(reply)) redis_link_drop(link);
    freeReplyObject(reply);
    return status;
}

static enum status load_scripts(struct stock *stock, struct error *error)
{
    return redis_pipeline_load_scripts(&redis_stock_of(stock)->pipeline, error);
}

static void stock_free(struct stock *stock)
{
    struct redis_stock *redis = redis_stock_of(stock);
    redis_pipeline_free(&redis->pipeline);
    free(redis->order);
    free(redis->groups);
    free(redis);
}

static uint64_t stock_connection_count(const struct stock *stock)
{
    return ((const struct redis_stock *)stock)->pipeline.link.connections;
}

static const struct stock_audit_ops redis_audit_ops = {
    .server = redis_stock_server,
    .audit = redis_stock_audit,
    .credits_scan = redis_stock_credits_scan,
    .amend = redis_stock_amend,
};

static const struct stock_ops redis_ops = {
    .audit = &redis_audit_ops,
    .ping = ping,
    .load_scripts = load_scripts,
    .settle = redis_stock_settle,
    .connections = stock_connection_count,
    .release = redis_stock_release,
    .forget_guards = redis_stock_forget_guards,
    .credit = redis_stock_credit,
    .deduct = redis_stock_deduct,
    .query = redis_stock_query,
    .levels = redis_stock_levels,
    .state_set = redis_stock_state_set,
    .pending_scan = redis_stock_pending_scan,
    .close = stock_free,
};

static bool prefix_is_valid(struct text prefix)
{
    if (prefix.size > PREFIX_SIZE_MAX) return false;
    for (size_t i = 0; i < prefix.size; i++) {
        char c = prefix.data[i];
        if (c < '!' || c > '~' || c == '{' || c == '}') return false;
    }
    return true;
}

enum status redis_stock_open(const struct redis_stock_options *options, struct stock **stock,
                             struct error *error)
{
    const char *prefix = options->prefix == NULL ? "budget:" : options->prefix;
    if (!prefix_is_valid(text_of(prefix))) {
        return error_set(
            error, STATUS_CONFIG,
            "redis.prefix is not up to %d visible ASCII characters without braces (the hash tag has them)",
            PREFIX_SIZE_MAX);
    }
    if (options->done_window_s < 1 || options->done_window_s > DONE_WINDOW_S_MAX) {
        return error_set(error, STATUS_CONFIG, "redis.done_window is not from 1 to %lld seconds",
                         (long long)DONE_WINDOW_S_MAX);
    }
    if (options->timeout_ms < 1 || options->timeout_ms > TIMEOUT_MS_MAX) {
        return error_set(error, STATUS_CONFIG, "redis.timeout is not from 1 ms to %lld ms",
                         (long long)TIMEOUT_MS_MAX);
    }
    struct redis_address address;
    enum status status = redis_url_parse(options->url, &address, error);
    if (status != STATUS_OK) return status;
    if (address.tls && !redis_tls_available()) {
        redis_address_free(&address);
        return error_set(error, STATUS_CONFIG,
                         "redis.url: rediss:// needs TLS, and this build has none: use redis://, or build "
                         "with hiredis 1.0 "
                         "or later and its hiredis_ssl");
    }
    struct redis_stock *redis = memory_alloc_zero(1, sizeof *redis);
    redis->stock.ops = &redis_ops;
    redis->pipeline.link.address = address;
    redis->pipeline.link.timeout_ms = options->timeout_ms;
    redis->pipeline.prefix = memory_copy_string(prefix);
    redis->done_window_s = options->done_window_s;
    *stock = &redis->stock;
    return STATUS_OK;
}
