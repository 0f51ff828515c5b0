/* A budget as a whole: its levels, its state, its pending entries. */
#include "redis/redis_stock_private.h"

#include "core/amount.h"
#include "core/identifier.h"
#include "redis/redis_reply.h"

#include <inttypes.h>
#include <stdio.h>

static enum status check_budget(struct text budget_id, struct error *error)
{
    return redis_stock_check_ids(budget_id, TEXT_LITERAL("-"), error);
}

static enum status levels_encode(struct redis_pipeline *pipeline, void *items, size_t index,
                                 struct error *error)
{
    const struct stock_level *item = &((struct stock_level *)items)[index];
    enum status status = check_budget(item->budget_id, error);
    if (status != STATUS_OK) return status;
    redis_call_begin(pipeline, REDIS_SCRIPT_LEVELS, item->budget_id, 0);
    return STATUS_OK;
}

static bool levels_decode(void *items, size_t index, const redisReply *reply)
{
    struct stock_level *item = &((struct stock_level *)items)[index];
    return redis_reply_decimal(redis_reply_element(reply, 0), STOCK_LEFT_NONE, &item->left) &&
           redis_reply_decimal(redis_reply_element(reply, 1), 0, &item->pending);
}

static void levels_mark(void *items, size_t index, enum status status)
{
    struct stock_level *item = &((struct stock_level *)items)[index];
    item->status = status;
    if (status == STATUS_OK) return;
    item->left = STOCK_LEFT_NONE;
    item->pending = 0;
}

enum status redis_stock_levels(struct stock *stock, struct stock_level *items, size_t count,
                               struct error *error)
{
    struct redis_work work = {
        .what = "levels.lua",
        .items = items,
        .count = count,
        .encode = levels_encode,
        .decode = levels_decode,
        .mark = levels_mark,
    };
    return redis_pipeline_run(&redis_stock_of(stock)->pipeline, &work, error);
}

struct state_work {
    struct text budget_id;
    enum budget_state state;
    int64_t now_us;
    enum status status;
};

static enum status state_encode(struct redis_pipeline *pipeline, void *items, size_t index,
                                struct error *error)
{
    (void)index;
    const struct state_work *work = items;
    enum status status = check_budget(work->budget_id, error);
    if (status != STATUS_OK) return status;
    redis_call_begin(pipeline, REDIS_SCRIPT_STATE, work->budget_id, 1);
    redis_call_argument(pipeline, text_of(budget_state_name(work->state)));
    return STATUS_OK;
}

static bool state_decode(void *items, size_t index, const redisReply *reply)
{
    (void)index;
    struct state_work *work = items;
    return redis_reply_amount(redis_reply_element(reply, 1), &work->now_us) && work->now_us > 0;
}

static void state_mark(void *items, size_t index, enum status status)
{
    (void)index;
    ((struct state_work *)items)->status = status;
}

enum status redis_stock_state_set(struct stock *stock, struct text budget_id, enum budget_state state,
                                  int64_t *now_us, struct error *error)
{
    struct state_work set = {.budget_id = budget_id, .state = state};
    struct redis_work work = {
        .what = "state.lua",
        .items = &set,
        .count = 1,
        .encode = state_encode,
        .decode = state_decode,
        .mark = state_mark,
    };
    enum status status = redis_pipeline_run(&redis_stock_of(stock)->pipeline, &work, error);
    if (status == STATUS_OK) status = set.status;
    if (status == STATUS_OK && now_us != NULL) *now_us = set.now_us;
    return status;
}

#define SCAN_COUNT "1000" /* a hint to HSCAN: entries of one slice */

/* An entry as deduct.lua writes it: "<amount>:<deducted_at_us>" */
static bool parse_entry(struct text value, struct stock_pending *entry)
{
    const char *colon = value.size == 0 ? NULL : memchr(value.data, ':', value.size);
    if (colon == NULL) return false;
    struct text amount = {value.data, (size_t)(colon - value.data)};
    struct text time = {colon + 1, value.size - amount.size - 1};
    return amount_parse(amount, &entry->amount) && amount_parse(time, &entry->deducted_at_us);
}

static enum status take_slice(const redisReply *reply, const char *server, uint64_t *cursor,
                              struct arena *arena, struct stock_pending **entries, size_t *count,
                              struct error *error)
{
    struct text next = redis_reply_text(redis_reply_element(reply, 0));
    const redisReply *fields = redis_reply_element(reply, 1);
    char digits[24];
    if (next.size == 0 || next.size >= sizeof digits || fields == NULL || fields->type != REDIS_REPLY_ARRAY) {
        return redis_reply_misunderstood(server, "HSCAN", error);
    }
    memcpy(digits, next.data, next.size);
    digits[next.size] = '\0';
    uint64_t next_cursor;
    if (sscanf(digits, "%" SCNu64, &next_cursor) != 1)
        return redis_reply_misunderstood(server, "HSCAN", error);

    size_t found = fields->elements / 2;
    size_t kept = 0;
    struct stock_pending *slice = arena_alloc(arena, found * sizeof *slice);
    for (size_t i = 0; i < found; i++) {
        struct text id = redis_reply_text(fields->element[2 * i]);
        struct text value = redis_reply_text(fields->element[2 * i + 1]);
        if (!message_id_is_valid(id) || !parse_entry(value, &slice[kept])) continue;
        slice[kept++].message_id = arena_copy(arena, id);
    }
    *entries = slice;
    *count = kept;
    *cursor = next_cursor;
    return STATUS_OK;
}

enum status redis_stock_pending_scan(struct stock *stock, struct text budget_id, uint64_t *cursor,
                                     struct arena *arena, struct stock_pending **entries, size_t *count,
                                     struct error *error)
{
    struct redis_pipeline *pipeline = &redis_stock_of(stock)->pipeline;
    const char *server = pipeline->link.address.name;
    *entries = NULL;
    *count = 0;
    enum status status = check_budget(budget_id, error);
    if (status == STATUS_OK) status = redis_link_open(&pipeline->link, error);
    if (status != STATUS_OK) return status;
    const char *key =
        arena_format(arena, "%s{" TEXT_FORMAT "}:pending", pipeline->prefix, TEXT_ARGUMENTS(budget_id));
    char from[24];
    snprintf(from, sizeof from, "%" PRIu64, *cursor);
    struct text words[] = {TEXT_LITERAL("HSCAN"), text_of(key), text_of(from), TEXT_LITERAL("COUNT"),
                           TEXT_LITERAL(SCAN_COUNT)};
    redisReply *reply = NULL;
    status = redis_link_ask(&pipeline->link, words, 5, &reply, error);
    if (status != STATUS_OK) return status;
    status = redis_reply_check(reply, server, "HSCAN", error);
    if (redis_reply_wants_reconnect(reply)) redis_link_drop(&pipeline->link);
    if (status == STATUS_OK) status = take_slice(reply, server, cursor, arena, entries, count, error);
    freeReplyObject(reply);
    return status;
}
