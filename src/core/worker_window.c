#include "core/worker_state.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

void window_init(struct window *window, size_t capacity)
{
    *window = (struct window){.capacity = capacity, .pool = memory_alloc_zero(capacity, sizeof(struct held))};
    window_clear(window);
}

void window_free(struct window *window)
{
    free(window->pool);
}

/* The connection is gone: every tag of it is void, the broker delivers again what was not acknowledged. */
void window_clear(struct window *window)
{
    size_t capacity = window->capacity;
    struct held *pool = window->pool;
    *window = (struct window){.capacity = capacity, .pool = pool};
    for (size_t i = capacity; i > 0; i--) {
        pool[i - 1].next = window->free;
        window->free = &pool[i - 1];
    }
}

bool window_is_full(const struct window *window)
{
    return window->free == NULL;
}

struct held *window_add(struct window *window, uint64_t tag, size_t bytes, uint32_t open)
{
    assert(window->free != NULL);
    assert(open > 0);
    assert(window->last == NULL || window->last->tag < tag);
    struct held *held = window->free;
    window->free = held->next;
    *held = (struct held){.tag = tag, .bytes = bytes, .open = open, .previous = window->last};
    if (window->last == NULL) {
        window->first = held;
    } else {
        window->last->next = held;
    }
    window->last = held;
    window->count++;
    window->bytes += bytes;
    return held;
}

static void window_unlink(struct window *window, struct held *held)
{
    if (held->previous == NULL) {
        window->first = held->next;
    } else {
        held->previous->next = held->next;
    }
    if (held->next == NULL) {
        window->last = held->previous;
    } else {
        held->next->previous = held->previous;
    }
    held->previous = NULL;
    held->next = NULL;
    window->count--;
    window->bytes -= held->bytes;
}

static void window_give_back(struct window *window, struct held *held)
{
    held->next = window->free;
    window->free = held;
}

void window_item_done(struct window *window, struct held *held, int64_t now_us)
{
    assert(held->open > 0);
    held->open--;
    if (held->open > 0) return;
    if (held != window->first) {
        if (window->done_behind == 0) window->blocked_at_us = now_us;
        window->done_behind++;
        return;
    }
    window->done_behind++; /* the loop takes it back */
    while (window->first != NULL && window->first->open == 0) {
        struct held *done = window->first;
        window->multiple_tag = done->tag;
        window->done_behind--;
        window_unlink(window, done);
        window_give_back(window, done);
    }
}

int64_t window_deadline_us(const struct window *window)
{
    return window->done_behind == 0 ? INT64_MAX : window->blocked_at_us + ACK_PATIENCE_US;
}

/* An old delivery may be stuck for long (it is being parked and the broker has an alarm): those behind it
 * that are done must not use up the prefetch meanwhile. */
void window_clock(struct window *window, int64_t now_us)
{
    if (now_us < window_deadline_us(window)) return;
    for (struct held *held = window->first, *next; held != NULL; held = next) {
        next = held->next;
        if (held->open > 0) continue;
        window_unlink(window, held);
        if (window->singles == NULL) {
            window->singles = held;
        } else {
            window->singles_last->next = held;
        }
        window->singles_last = held;
    }
    window->done_behind = 0;
}

/* Single ones go first: a later "everything up to" must not cover a tag that is still to be acknowledged
 * alone, for the broker closes the channel at a tag acknowledged twice. */
bool window_next_ack(struct window *window, struct effect *effect)
{
    if (window->singles != NULL) {
        struct held *held = window->singles;
        window->singles = held->next;
        *effect = (struct effect){.kind = EFFECT_ACKNOWLEDGE, .tag = held->tag, .multiple = false};
        window_give_back(window, held);
        return true;
    }
    if (window->multiple_tag == 0) return false;
    *effect = (struct effect){.kind = EFFECT_ACKNOWLEDGE, .tag = window->multiple_tag, .multiple = true};
    window->multiple_tag = 0;
    return true;
}
