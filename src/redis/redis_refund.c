/* Giving back: release.lua for deductions with a token, the guarded refund for those without. */
#include "redis/redis_stock_private.h"

#include "core/amount.h"
#include "redis/redis_reply.h"

struct release_work {
    struct redis_stock *redis;
    struct stock_release *items;
};

static enum status release_encode(struct redis_pipeline *pipeline, void *items, size_t index,
                                  struct error *error)
{
    struct release_work *work = items;
    const struct stock_release *item = &work->items[index];
    bool tracked = item->deducted_at_us != 0;
    enum status status = redis_stock_check_ids(item->budget_id, item->message_id, error);
    if (status != STATUS_OK) return status;
    if (!amount_is_valid(tracked ? item->deducted_at_us : item->amount)) {
        return error_set(error, STATUS_REFUSED, "the %s of a refund to " TEXT_FORMAT " is out of range",
                         tracked ? "token" : "amount", TEXT_ARGUMENTS(item->budget_id));
    }
    if (tracked) {
        redis_call_begin(pipeline, REDIS_SCRIPT_RELEASE, item->budget_id, 4);
        redis_call_number(pipeline, work->redis->done_window_s);
        redis_call_argument(pipeline, item->message_id);
        redis_call_number(pipeline, item->deducted_at_us);
    } else {
        redis_call_begin(pipeline, REDIS_SCRIPT_REFUND_UNTRACKED, item->budget_id, 4);
        redis_call_number(pipeline, work->redis->done_window_s);
        redis_call_argument(pipeline, item->message_id);
        redis_call_number(pipeline, item->amount);
    }
    redis_call_argument(pipeline, text_of(release_outcome_name(item->outcome)));
    return STATUS_OK;
}

static bool release_decode(void *items, size_t index, const redisReply *reply)
{
    struct stock_release *item = &((struct release_work *)items)->items[index];
    int64_t released;
    if (!redis_reply_integer(redis_reply_element(reply, 0), &released)) return false;
    if (!redis_reply_decimal(redis_reply_element(reply, 1), STOCK_LEFT_NONE, &item->left)) return false;
    item->released = released == 1;
    return true;
}

static void release_mark(void *items, size_t index, enum status status)
{
    struct stock_release *item = &((struct release_work *)items)->items[index];
    item->status = status;
    if (status == STATUS_OK) return;
    item->released = false;
    item->left = STOCK_LEFT_NONE;
}

enum status redis_stock_release(struct stock *stock, struct stock_release *items, size_t count,
                                struct error *error)
{
    struct release_work release = {.redis = redis_stock_of(stock), .items = items};
    struct redis_work work = {
        .what = "a refund",
        .items = &release,
        .count = count,
        .encode = release_encode,
        .decode = release_decode,
        .mark = release_mark,
    };
    return redis_pipeline_run(&release.redis->pipeline, &work, error);
}

struct forget_work {
    struct redis_stock *redis;
    const struct stock_release *items;
    bool refused;
};

static enum status forget_encode(struct redis_pipeline *pipeline, void *items, size_t index,
                                 struct error *error)
{
    struct forget_work *work = items;
    const struct stock_release *item = &work->items[index];
    if (item->deducted_at_us != 0) return STATUS_OK;
    enum status status = redis_stock_check_ids(item->budget_id, item->message_id, error);
    if (status != STATUS_OK) return status;
    redis_call_begin(pipeline, REDIS_SCRIPT_FORGET_GUARD, item->budget_id, 2);
    redis_call_number(pipeline, work->redis->done_window_s);
    redis_call_argument(pipeline, item->message_id);
    return STATUS_OK;
}

static bool forget_decode(void *items, size_t index, const redisReply *reply)
{
    (void)items;
    (void)index;
    int64_t moved;
    return redis_reply_integer(reply, &moved);
}

static void forget_mark(void *items, size_t index, enum status status)
{
    (void)index;
    if (status == STATUS_REFUSED) ((struct forget_work *)items)->refused = true;
}

enum status redis_stock_forget_guards(struct stock *stock, const struct stock_release *items, size_t count,
                                      struct error *error)
{
    struct forget_work forget = {.redis = redis_stock_of(stock), .items = items};
    struct redis_work work = {
        .what = "forget_guard.lua",
        .items = &forget,
        .count = count,
        .encode = forget_encode,
        .decode = forget_decode,
        .mark = forget_mark,
    };
    enum status status = redis_pipeline_run(&forget.redis->pipeline, &work, error);
    return status == STATUS_OK && forget.refused ? STATUS_REFUSED : status;
}
