/* Settling: the items of one budget go together in calls of settle.lua, so a hot budget costs one script call
 * a thousand items. */
#include "redis/redis_stock_private.h"

#include "base/memory.h"
#include "core/amount.h"
#include "redis/redis_reply.h"

#include <stdlib.h>

#define GROUP_ITEMS_MAX 1000 /* so that no call keeps Redis busy for more than some milliseconds */

struct settle_work {
    struct redis_stock *redis;
    const struct stock_settlement *items;
    int64_t cleared;
    bool refused;
};

static int compare_budgets(const void *a, const void *b, void *context)
{
    const struct stock_settlement *items = context;
    size_t i = *(const size_t *)a;
    size_t j = *(const size_t *)b;
    struct text x = items[i].budget_id;
    struct text y = items[j].budget_id;
    int order = x.size != y.size   ? (x.size < y.size ? -1 : 1)
                : x.data == y.data ? 0
                                   : memcmp(x.data, y.data, x.size);
    if (order != 0) return order;
    return i < j ? -1 : i > j;
}

/* Fills `order` with the items that can be sent, those of one budget together. Returns how many. */
static size_t order_items(struct settle_work *work, size_t count, struct error *error)
{
    struct redis_stock *redis = work->redis;
    if (redis->settle_capacity < count) {
        redis->order = memory_resize(redis->order, count, sizeof *redis->order);
        redis->groups = memory_resize(redis->groups, count, sizeof *redis->groups);
        redis->settle_capacity = count;
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const struct stock_settlement *item = &work->items[i];
        enum status status = redis_stock_check_ids(item->budget_id, item->message_id, error);
        if (status == STATUS_OK && !amount_is_valid(item->deducted_at_us)) {
            status = error_set(error, STATUS_REFUSED,
                               "the token of a deduction from " TEXT_FORMAT " is out of range",
                               TEXT_ARGUMENTS(item->budget_id));
        }
        if (status == STATUS_OK) {
            redis->order[kept++] = i;
        } else {
            work->refused = true;
        }
    }
    if (kept > 0) {
        qsort_r(redis->order, kept, sizeof *redis->order, compare_budgets,
                (void *)(uintptr_t)(const void *)work->items);
    }
    return kept;
}

/* Cuts `order` into groups of one budget each. Returns how many. */
static size_t cut_groups(struct redis_stock *redis, const struct stock_settlement *items, size_t count)
{
    size_t groups = 0;
    for (size_t i = 0; i < count; i++) {
        struct settle_group *last = groups == 0 ? NULL : &redis->groups[groups - 1];
        if (last != NULL && last->count < GROUP_ITEMS_MAX &&
            text_equal(items[redis->order[last->first]].budget_id, items[redis->order[i]].budget_id)) {
            last->count++;
        } else {
            redis->groups[groups++] = (struct settle_group){.first = i, .count = 1};
        }
    }
    return groups;
}

static enum status settle_encode(struct redis_pipeline *pipeline, void *items, size_t index,
                                 struct error *error)
{
    (void)error;
    struct settle_work *work = items;
    const struct settle_group *group = &work->redis->groups[index];
    const size_t *order = work->redis->order + group->first;
    redis_call_begin(pipeline, REDIS_SCRIPT_SETTLE, work->items[order[0]].budget_id, 1 + 2 * group->count);
    redis_call_number(pipeline, work->redis->done_window_s);
    for (size_t i = 0; i < group->count; i++) {
        redis_call_argument(pipeline, work->items[order[i]].message_id);
        redis_call_number(pipeline, work->items[order[i]].deducted_at_us);
    }
    return STATUS_OK;
}

static bool settle_decode(void *items, size_t index, const redisReply *reply)
{
    struct settle_work *work = items;
    int64_t cleared;
    if (!redis_reply_integer(reply, &cleared)) return false;
    if (cleared < 0 || cleared > (int64_t)work->redis->groups[index].count) return false;
    work->cleared += cleared;
    return true;
}

static void settle_mark(void *items, size_t index, enum status status)
{
    (void)index;
    struct settle_work *work = items;
    if (status == STATUS_REFUSED) work->refused = true;
}

enum status redis_stock_settle(struct stock *stock, const struct stock_settlement *items, size_t count,
                               int64_t *cleared, struct error *error)
{
    struct settle_work settle = {.redis = redis_stock_of(stock), .items = items};
    size_t kept = order_items(&settle, count, error);
    struct redis_work work = {
        .what = "settle.lua",
        .items = &settle,
        .count = cut_groups(settle.redis, items, kept),
        .encode = settle_encode,
        .decode = settle_decode,
        .mark = settle_mark,
    };
    enum status status = redis_pipeline_run(&settle.redis->pipeline, &work, error);
    if (cleared != NULL) *cleared = settle.cleared;
    return status == STATUS_OK && settle.refused ? STATUS_REFUSED : status;
}
