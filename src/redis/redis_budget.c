/* A budget as a whole: its levels and its state. */
#include "redis/redis_stock_private.h"

#include "redis/redis_reply.h"

static enum status levels_encode(struct redis_pipeline *pipeline, void *items, size_t index,
                                 struct error *error)
{
    const struct stock_level *item = &((struct stock_level *)items)[index];
    enum status status = redis_stock_check_budget(item->budget_id, error);
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
    enum status status = redis_stock_check_budget(work->budget_id, error);
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
