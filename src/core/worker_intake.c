#include "core/worker_state.h"

#include <assert.h>

/* Exchange and key are the same for nearly every message: one copy a batch is enough. */
static struct text text_shared(struct arena *arena, struct text previous, struct text text)
{
    return text_is_present(previous) && text_equal(previous, text) ? previous : arena_copy(arena, text);
}

static struct origin *origin_new(struct worker *worker, const struct worker_delivery *delivery)
{
    struct batch *batch = worker->filling;
    struct arena *arena = &batch->arena;
    struct origin *before = batch->count == 0 ? NULL : batch->items[batch->count - 1].origin;
    struct origin *origin = arena_alloc(arena, sizeof *origin);
    *origin = (struct origin){
        .epoch = worker->epoch,
        .tag = delivery->tag,
        .exchange = text_shared(arena, before == NULL ? TEXT_NONE : before->exchange, delivery->exchange),
        .routing_key =
            text_shared(arena, before == NULL ? TEXT_NONE : before->routing_key, delivery->routing_key),
        .properties = arena_copy(arena, delivery->properties),
        .body = arena_copy(arena, delivery->body),
    };
    return origin;
}

/* Decode, and either into the batch or on to be parked, item by item. */
void intake_delivery(struct worker *worker, const struct worker_delivery *delivery)
{
    assert(worker->link == LINK_CONSUMING || worker->link == LINK_STOPPING);
    assert(!window_is_full(&worker->window));
    worker->counts.deliveries++;
    struct batch *batch = worker->filling;
    struct origin *origin = origin_new(worker, delivery);
    struct message message;
    message_decode(origin->body, delivery->message_id, &batch->arena, &message);
    origin->is_batch = message.is_batch;

    uint32_t open = message.reason == PARK_NONE ? (uint32_t)message.count : 1;
    size_t bytes = delivery->body.size + delivery->properties.size + open * ITEM_BYTES;
    origin->held = window_add(&worker->window, delivery->tag, bytes, open);
    if (message.reason != PARK_NONE) {
        park_add(worker, origin, TEXT_NONE, message.message_id, message.reason, message.detail);
    }
    for (size_t i = 0; message.reason == PARK_NONE && i < message.count; i++) {
        const struct message_item *item = &message.items[i];
        if (item->reason == PARK_NONE) {
            batch_append(batch, &item->deduction, origin, item->source);
        } else {
            park_add(worker, origin, item->source, item->deduction.message_id, item->reason, item->detail);
        }
    }
    /* What is parked has its own copy: a flood of unreadable messages must not pile up in a batch that is
     * never committed. */
    if (batch->count == 0) batch_reset(batch);
}
