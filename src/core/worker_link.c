#include "core/worker_state.h"

#include <assert.h>

/*  DOWN -> CONNECTING -> IDLE -> STARTING -> CONSUMING -> STOPPING -> DOWN
 *             |           |         |           |
 *             v           v         v           v
 *            DOWN        DOWN      DOWN        DOWN        (the connection was lost, or never came about) */
static const bool link_moves[6][6] = {
    [LINK_DOWN] = {[LINK_CONNECTING] = true},
    [LINK_CONNECTING] = {[LINK_IDLE] = true, [LINK_DOWN] = true},
    [LINK_IDLE] = {[LINK_STARTING] = true, [LINK_DOWN] = true},
    [LINK_STARTING] = {[LINK_CONSUMING] = true, [LINK_DOWN] = true},
    [LINK_CONSUMING] = {[LINK_STOPPING] = true, [LINK_DOWN] = true},
    [LINK_STOPPING] = {[LINK_DOWN] = true},
};

static void link_move(struct worker *worker, enum link_state to)
{
    assert(link_moves[worker->link][to]);
    worker->link = to;
    worker->link_since_us = worker->now_us;
}

/* Whatever was held comes again, so what is not yet on its way to the ledger is dropped. A batch that is
 * being committed goes on: its rows are then found as duplicates. */
static void link_forget(struct worker *worker)
{
    worker->epoch++;
    window_clear(&worker->window);
    batch_reset(worker->filling);
    park_forget_epoch(worker);
}

static void link_lost(struct worker *worker, const struct error *error)
{
    if (worker->link == LINK_DOWN) return;
    link_move(worker, LINK_DOWN);
    link_forget(worker);
    health_fail(worker, &worker->broker, "broker-lost", error);
}

static void link_connected(struct worker *worker, const struct event *event)
{
    if (event->status != STATUS_OK) {
        link_move(worker, LINK_DOWN);
        health_fail(worker, &worker->broker, "broker-unreachable", event->error);
        return;
    }
    link_forget(worker);
    link_move(worker, LINK_IDLE);
    worker->counts.connects++;
}

static void link_started(struct worker *worker, const struct event *event)
{
    if (event->status != STATUS_OK) {
        link_lost(worker, event->error);
        return;
    }
    link_move(worker, LINK_CONSUMING);
    health_succeed(worker, &worker->broker, "consuming");
    worker->progress_at_us = worker->now_us;
}

void link_step(struct worker *worker, const struct event *event)
{
    switch (event->kind) {
    case EVENT_CONNECTED: link_connected(worker, event); break;
    case EVENT_STARTED: link_started(worker, event); break;
    case EVENT_DISCONNECTED: link_lost(worker, event->error); break;
    case EVENT_CANCELLED:
        if (worker->link != LINK_CONSUMING) break; /* the answer to our own wish */
        worker_note(worker, LOG_WARN, "consumer-cancelled", NULL, 0,
                    "the broker ended the consumer (queue deleted, or its node went down); finishing what is "
                    "held, then connecting again");
        link_move(worker, LINK_STOPPING);
        break;
    default: assert(false && "an event of the link"); break;
    }
}

/* A consumer that the broker ended: what is held is finished first, for its tags are still good, but not for
 * ever. */
static bool link_cancelled_is_over(const struct worker *worker)
{
    return worker->link == LINK_STOPPING && !worker->stopping &&
           (worker->window.count == 0 || worker->now_us >= worker->link_since_us + CANCEL_GRACE_US);
}

bool link_next_effect(struct worker *worker, struct effect *effect)
{
    if (link_cancelled_is_over(worker)) {
        static const struct error cancelled = {"the consumer was cancelled by the broker"};
        *effect = (struct effect){.kind = EFFECT_DISCONNECT};
        link_lost(worker, &cancelled);
        return true;
    }
    if (worker->stopping) {
        if (worker->link != LINK_CONSUMING) return false;
        *effect = (struct effect){.kind = EFFECT_CANCEL};
        link_move(worker, LINK_STOPPING);
        return true;
    }
    if (worker->link == LINK_DOWN && health_may_try(worker, &worker->broker)) {
        *effect = (struct effect){.kind = EFFECT_CONNECT};
        link_move(worker, LINK_CONNECTING);
        return true;
    }
    /* Fetching without a ledger would only hold messages that another worker could book. */
    if (worker->link == LINK_IDLE && worker->ledger.up) {
        *effect = (struct effect){.kind = EFFECT_START};
        link_move(worker, LINK_STARTING);
        return true;
    }
    return false;
}

int64_t link_deadline_us(const struct worker *worker)
{
    if (worker->stopping) return INT64_MAX;
    if (worker->link == LINK_DOWN) return worker->broker.retry_at_us;
    if (worker->link == LINK_STOPPING) return worker->link_since_us + CANCEL_GRACE_US;
    return INT64_MAX;
}
