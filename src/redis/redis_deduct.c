/* What a producer does: crediting, deducting, asking. */
#include "redis/redis_stock_private.h"

#include "core/identifier.h"
#include "core/limits.h"
#include "redis/redis_reply.h"

static enum status credit_encode(struct redis_pipeline *pipeline, void *items, size_t index,
                                 struct error *error)
{
    const struct stock_credit *item = &((struct stock_credit *)items)[index];
    enum status status = redis_stock_check_ids(item->budget_id, item->credit_id, error);
    if (status != STATUS_OK) return status;
    redis_call_begin(pipeline, REDIS_SCRIPT_CREDIT, item->budget_id, 2);
    redis_call_argument(pipeline, item->credit_id);
    if (item->amount == TOTAL_UNLIMITED) {
        redis_call_argument(pipeline, TEXT_LITERAL("unlimited"));
    } else {
        redis_call_number(pipeline, item->amount);
    }
    return STATUS_OK;
}

static bool credit_decode(void *items, size_t index, const redisReply *reply)
{
    struct stock_credit *item = &((struct stock_credit *)items)[index];
    int64_t applied;
    if (!redis_reply_integer(redis_reply_element(reply, 0), &applied)) return false;
    if (!redis_reply_decimal(redis_reply_element(reply, 1), STOCK_LEFT_NONE, &item->left)) return false;
    item->applied = applied == 1;
    return true;
}

static void credit_mark(void *items, size_t index, enum status status)
{
    struct stock_credit *item = &((struct stock_credit *)items)[index];
    item->status = status;
    if (status == STATUS_OK) return;
    item->applied = false;
    item->left = STOCK_LEFT_NONE;
}

enum status redis_stock_credit(struct stock *stock, struct stock_credit *items, size_t count,
                               struct error *error)
{
    struct redis_work work = {
        .what = "credit.lua",
        .items = items,
        .count = count,
        .encode = credit_encode,
        .decode = credit_decode,
        .mark = credit_mark,
    };
    return redis_pipeline_run(&redis_stock_of(stock)->pipeline, &work, error);
}

static void deduct_answer(struct stock_deduct *item, enum deduct_status result)
{
    item->result = result;
    item->left = STOCK_LEFT_NONE;
    item->deducted_at_us = 0;
}

static enum status deduct_encode(struct redis_pipeline *pipeline, void *items, size_t index,
                                 struct error *error)
{
    (void)error;
    struct stock_deduct *item = &((struct stock_deduct *)items)[index];
    if (!budget_id_is_valid(item->budget_id)) {
        /* The script cannot see this one: the id is only part of its keys. */
        deduct_answer(item, DEDUCT_INVALID);
        return STATUS_OK;
    }
    redis_call_begin(pipeline, REDIS_SCRIPT_DEDUCT, item->budget_id, 2);
    redis_call_argument(pipeline, item->message_id);
    redis_call_number(pipeline, item->amount);
    return STATUS_OK;
}

static bool deduct_decode(void *items, size_t index, const redisReply *reply)
{
    struct stock_deduct *item = &((struct stock_deduct *)items)[index];
    int64_t result;
    if (!redis_reply_integer(redis_reply_element(reply, 0), &result)) return false;
    if (result != DEDUCT_DONE && result != DEDUCT_REPEAT &&
        (result > DEDUCT_INSUFFICIENT || result < DEDUCT_CLOSED)) {
        return false;
    }
    if (!redis_reply_decimal(redis_reply_element(reply, 1), STOCK_LEFT_NONE, &item->left)) return false;
    if (!redis_reply_amount(redis_reply_element(reply, 2), &item->deducted_at_us)) return false;
    /* Without its token a deduction could not be published. */
    if ((result == DEDUCT_DONE || result == DEDUCT_REPEAT) && item->deducted_at_us == 0) return false;
    item->result = (enum deduct_status)result;
    return true;
}

static void deduct_mark(void *items, size_t index, enum status status)
{
    struct stock_deduct *item = &((struct stock_deduct *)items)[index];
    item->status = status;
    if (status != STATUS_OK) deduct_answer(item, DEDUCT_INVALID);
}

enum status redis_stock_deduct(struct stock *stock, struct stock_deduct *items, size_t count,
                               struct error *error)
{
    struct redis_work work = {
        .what = "deduct.lua",
        .items = items,
        .count = count,
        .encode = deduct_encode,
        .decode = deduct_decode,
        .mark = deduct_mark,
    };
    return redis_pipeline_run(&redis_stock_of(stock)->pipeline, &work, error);
}

static enum status query_encode(struct redis_pipeline *pipeline, void *items, size_t index,
                                struct error *error)
{
    const struct stock_query *item = &((struct stock_query *)items)[index];
    enum status status = redis_stock_check_ids(item->budget_id, item->message_id, error);
    if (status != STATUS_OK) return status;
    redis_call_begin(pipeline, REDIS_SCRIPT_QUERY, item->budget_id, 1);
    redis_call_argument(pipeline, item->message_id);
    return STATUS_OK;
}

static bool query_decode(void *items, size_t index, const redisReply *reply)
{
    static const char *const names[] = {[PENDING_PENDING] = "pending",
                                        [PENDING_SETTLED] = "settled",
                                        [PENDING_REJECTED] = "rejected",
                                        [PENDING_VOIDED] = "voided",
                                        [PENDING_UNKNOWN] = "unknown"};
    struct stock_query *item = &((struct stock_query *)items)[index];
    struct text name = redis_reply_text(redis_reply_element(reply, 0));
    size_t state = 0;
    while (state <= PENDING_UNKNOWN && !text_equal_string(name, names[state])) state++;
    if (state > PENDING_UNKNOWN) return false;
    item->state = (enum pending_state)state;
    if (!redis_reply_amount(redis_reply_element(reply, 1), &item->amount) ||
        !redis_reply_amount(redis_reply_element(reply, 2), &item->deducted_at_us)) {
        return false;
    }
    bool known = item->state != PENDING_UNKNOWN;
    return known == (item->amount != 0) && known == (item->deducted_at_us != 0);
}

static void query_mark(void *items, size_t index, enum status status)
{
    struct stock_query *item = &((struct stock_query *)items)[index];
    item->status = status;
    if (status == STATUS_OK) return;
    item->state = PENDING_UNKNOWN;
    item->amount = 0;
    item->deducted_at_us = 0;
}

enum status redis_stock_query(struct stock *stock, struct stock_query *items, size_t count,
                              struct error *error)
{
    struct redis_work work = {
        .what = "query.lua",
        .items = items,
        .count = count,
        .encode = query_encode,
        .decode = query_decode,
        .mark = query_mark,
    };
    return redis_pipeline_run(&redis_stock_of(stock)->pipeline, &work, error);
}
