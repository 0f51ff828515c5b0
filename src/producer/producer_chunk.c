#include "producer/producer_state.h"

#include "base/failpoint.h"
#include "core/limits.h"

#include <assert.h>

static bool is_cancelled(const struct bursar_producer *producer)
{
    return atomic_load(&producer->cancelled);
}

/* The worse of two answers is the one that asks more of the caller. */
static enum bursar_code worse(enum bursar_code a, enum bursar_code b)
{
    static const int gravity[] = {
        [BURSAR_OK] = 0, [BURSAR_AWAY] = 1, [BURSAR_BAD_SETUP] = 2, [BURSAR_UNCONFIRMED] = 3};
    return gravity[a] >= gravity[b] ? a : b;
}

static enum bursar_code code_of(enum status status)
{
    return status == STATUS_CONFIG || status == STATUS_REFUSED ? BURSAR_BAD_SETUP : BURSAR_AWAY;
}

/* Nothing is deducted before the broker has answered and the queue was seen: a deduction that cannot be
 * published is a leak. */
static enum bursar_code reach_broker(struct bursar_producer *producer)
{
    struct error *error = &producer->error;
    if (is_cancelled(producer)) {
        error_set(error, STATUS_RETRY, "cancelled");
        return BURSAR_AWAY;
    }
    enum status status = publisher_connect(producer->publisher, error);
    if (status == STATUS_OK && !producer->queue_is_there) {
        int64_t messages, consumers;
        status = publisher_depth(producer->publisher, text_of(producer->queue), &messages, &consumers, error);
        producer->queue_is_there = status == STATUS_OK;
    }
    return status == STATUS_OK ? BURSAR_OK : code_of(status);
}

static void take_answer(struct bursar_result *result, const struct stock_deduct *item)
{
    result->status = (enum bursar_status)item->result;
    result->has_left = item->left != STOCK_LEFT_NONE;
    result->left = result->has_left ? item->left : 0;
    result->deducted_at_us = item->deducted_at_us;
    result->error[0] = '\0';
    if (result->status == BURSAR_INVALID) producer_result_explain(result, "refused by the script in Redis");
}

/* Sends the deductions of every result that is BURSAR_UNAVAILABLE or BURSAR_UNKNOWN. */
static enum status deduct_once(struct bursar_producer *producer, const struct bursar_request *requests,
                               size_t count, struct bursar_result *results)
{
    size_t items = 0;
    for (size_t i = 0; i < count; i++) {
        if (results[i].status != BURSAR_UNAVAILABLE && results[i].status != BURSAR_UNKNOWN) continue;
        producer->slots[items] = i;
        producer->deducts[items++] = (struct stock_deduct){.budget_id = text_of(requests[i].budget_id),
                                                           .message_id = text_of(results[i].message_id),
                                                           .amount = requests[i].amount,
                                                           .status = STATUS_RETRY,
                                                           .left = STOCK_LEFT_NONE};
    }
    producer->sent = items;
    if (items == 0) return STATUS_OK;
    enum status status = stock_deduct(producer->stock, producer->deducts, items, &producer->error);
    for (size_t i = 0; i < items; i++) {
        struct bursar_result *result = &results[producer->slots[i]];
        if (producer->deducts[i].status == STATUS_OK) {
            take_answer(result, &producer->deducts[i]);
            continue;
        }
        producer_result_explain(result, "%s", producer->error.text);
        if (producer->deducts[i].status == STATUS_REFUSED) continue;
        /* Once sent without an answer, a deduction stays in doubt until an answer comes. */
        if (status == STATUS_UNKNOWN) result->status = BURSAR_UNKNOWN;
    }
    return status;
}

/* The text of a refusal is the whole call's: where several were refused, each is asked alone for its own. */
static enum status explain_refusals(struct bursar_producer *producer, const struct bursar_request *requests,
                                    size_t count, struct bursar_result *results)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (!producer->refused[i]) continue;
        status = deduct_once(producer, &requests[i], 1, &results[i]);
        producer->refused[i] = producer->deducts[0].status == STATUS_REFUSED;
    }
    return status == STATUS_REFUSED ? STATUS_OK : status;
}

static size_t note_refusals(struct bursar_producer *producer, size_t count)
{
    size_t refused = 0;
    memset(producer->refused, 0, count * sizeof producer->refused[0]);
    for (size_t i = 0; i < producer->sent; i++) {
        bool is_refused = producer->deducts[i].status == STATUS_REFUSED;
        producer->refused[producer->slots[i]] = is_refused;
        refused += is_refused;
    }
    return refused;
}

static enum bursar_code deduct(struct bursar_producer *producer, const struct bursar_request *requests,
                               size_t count, struct bursar_result *results)
{
    enum status status = STATUS_RETRY;
    for (int try = 0; try < PRODUCER_TRIES && (status == STATUS_RETRY || status == STATUS_UNKNOWN); try++) {
        status = deduct_once(producer, requests, count, results);
    }
    size_t refused = note_refusals(producer, count);
    if (refused > 1 && status == STATUS_OK) status = explain_refusals(producer, requests, count, results);
    enum bursar_code code = BURSAR_OK;
    for (size_t i = 0; i < count; i++) {
        results[i].unconfirmed = results[i].status == BURSAR_UNKNOWN;
        if (results[i].unconfirmed) code = worse(code, BURSAR_UNCONFIRMED);
        bool is_away = results[i].status == BURSAR_UNAVAILABLE && !producer->refused[i];
        if (is_away) code = worse(code, code_of(status));
    }
    return code;
}

/* What a repeat became in the meantime. Where Redis cannot say, it is published again: the ledger books an id
 * once. */
static void find_settled_repeats(struct bursar_producer *producer, const struct bursar_request *requests,
                                 size_t count, struct bursar_result *results)
{
    size_t items = 0;
    for (size_t i = 0; i < count; i++) {
        if (results[i].status != BURSAR_REPEAT) continue;
        results[i].unconfirmed = true;
        producer->slots[items] = i;
        producer->queries[items++] = (struct stock_query){.budget_id = text_of(requests[i].budget_id),
                                                          .message_id = text_of(results[i].message_id),
                                                          .status = STATUS_RETRY};
    }
    if (items == 0) return;
    struct error ignored;
    if (stock_query(producer->stock, producer->queries, items, &ignored) != STATUS_OK) return;
    for (size_t i = 0; i < items; i++) {
        if (producer->queries[i].status != STATUS_OK) continue;
        results[producer->slots[i]].unconfirmed = producer->queries[i].state == PENDING_PENDING;
    }
}

static void take_outcome(struct bursar_producer *producer, struct bursar_result *result,
                         enum publication_outcome outcome)
{
    switch (outcome) {
    case PUBLICATION_CONFIRMED:
        result->published = true;
        result->unconfirmed = false;
        result->error[0] = '\0';
        return;
    case PUBLICATION_RETURNED:
        producer_result_explain(result, "no queue is bound to exchange %s with key %s", producer->exchange,
                                producer->routing_key);
        producer->queue_is_there = false;
        break;
    case PUBLICATION_REFUSED:
        producer_result_explain(result, "the broker refused the message; is its queue full?");
        break;
    case PUBLICATION_NONE:
    case PUBLICATION_UNKNOWN: producer_result_explain(result, "%s", producer->error.text); break;
    }
    error_set(&producer->error, STATUS_RETRY, "%s", result->error);
}

/* Publishes every result that is unconfirmed and was deducted for certain. */
static enum status publish_once(struct bursar_producer *producer, const struct bursar_request *requests,
                                size_t count, struct bursar_result *results)
{
    size_t items = 0;
    arena_reset(&producer->arena);
    for (size_t i = 0; i < count; i++) {
        if (!results[i].unconfirmed || results[i].status == BURSAR_UNKNOWN) continue;
        producer->slots[items] = i;
        producer->publications[items++] = (struct publication){
            .exchange = text_of(producer->exchange),
            .routing_key = text_of(producer->routing_key),
            .message_id = text_of(results[i].message_id),
            .body = producer_body_render(&requests[i], &results[i], &producer->arena),
        };
    }
    if (items == 0) return STATUS_OK;
    enum status status =
        publisher_publish(producer->publisher, producer->publications, items, &producer->error);
    for (size_t i = 0; i < items; i++) {
        take_outcome(producer, &results[producer->slots[i]], producer->publications[i].outcome);
    }
    return status;
}

static enum bursar_code publish(struct bursar_producer *producer, const struct bursar_request *requests,
                                size_t count, struct bursar_result *results)
{
    for (size_t i = 0; i < count; i++) {
        if (results[i].status == BURSAR_DEDUCTED) results[i].unconfirmed = true;
    }
    enum status status = STATUS_RETRY;
    for (int try = 0; try < PRODUCER_TRIES && (status == STATUS_RETRY || status == STATUS_UNKNOWN) &&
                      !is_cancelled(producer);
         try++) {
        status = publish_once(producer, requests, count, results);
    }
    for (size_t i = 0; i < count; i++) {
        if (results[i].unconfirmed) return BURSAR_UNCONFIRMED;
    }
    return BURSAR_OK;
}

enum bursar_code producer_chunk_deduct(struct bursar_producer *producer,
                                       const struct bursar_request *requests, size_t count,
                                       struct bursar_result *results)
{
    assert(count <= PRODUCER_CHUNK);
    enum bursar_code code = reach_broker(producer);
    if (code != BURSAR_OK) {
        for (size_t i = 0; i < count; i++) {
            if (results[i].status == BURSAR_UNAVAILABLE)
                producer_result_explain(&results[i], "%s", producer->error.text);
        }
        return code;
    }
    code = deduct(producer, requests, count, results);
    FAILPOINT("deduct-done");
    find_settled_repeats(producer, requests, count, results);
    code = worse(code, publish(producer, requests, count, results));
    FAILPOINT("deduct-published");
    return code;
}
