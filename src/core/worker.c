#include "core/worker_state.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

static void settings_check(const struct worker_settings *settings)
{
    assert(settings->prefetch > 0);
    assert(settings->batch_max > 0);
    assert(settings->retry_max_us > 0);
    assert(settings->seed != 0);
}

struct worker *worker_new(const struct worker_settings *settings, int64_t now_us)
{
    settings_check(settings);
    struct worker *worker = memory_alloc_zero(1, sizeof *worker);
    worker->settings = *settings;
    worker->now_us = now_us;
    worker->random = settings->seed;
    window_init(&worker->window, settings->prefetch);
    for (size_t i = 0; i < 2; i++) batch_init(&worker->batches[i], settings->batch_max);
    worker->filling = &worker->batches[0];
    worker->records_at_once = PARKS_AT_ONCE;
    worker->parks_waiting_end = &worker->parks_waiting;
    worker->parks_confirmed_end = &worker->parks_confirmed;
    worker->queue_ready = -1;
    worker->dead_lettered = -1;
    worker->refunds_due = -1;
    worker->progress_at_us = now_us;
    return worker;
}

void worker_free(struct worker *worker)
{
    park_free_all(worker);
    for (size_t i = 0; i < 2; i++) batch_free(&worker->batches[i]);
    for (size_t i = 0; i < TELLS_MAX; i++) {
        free(worker->tells[i].items);
        arena_free(&worker->tells[i].arena);
    }
    arena_free(&worker->debts.arena);
    arena_free(&worker->sweep.arena);
    free(worker->sweep.entries);
    window_free(&worker->window);
    free(worker);
}

/* Asked once no hand finds anything to do. */
static bool worker_is_drained(const struct worker *worker)
{
    for (enum hand hand = 0; hand < HAND_COUNT; hand++) {
        if (worker->out[hand]) return false;
    }
    assert(worker->filling->count == 0 || worker->window.count > 0);
    assert(worker->tells_count == 0 || !worker->stock.up);
    return worker->window.count == 0 && worker->committing == NULL && worker->park_count == 0;
}

static bool stop_next_effect(struct worker *worker, struct effect *effect)
{
    if (!worker->stopping) return false;
    bool drained = worker_is_drained(worker);
    if (!drained && worker->now_us < worker->stop_deadline_us) return false;
    if (!drained && !worker->stop_noted) {
        worker->stop_noted = true;
        worker_note(
            worker, LOG_WARN, "drain-timeout", "held", (int64_t)worker->window.count,
            "the time to drain was up; the broker delivers again what is not acknowledged, nothing is lost");
        return note_next(worker, effect);
    }
    worker->stopped = true;
    *effect = (struct effect){.kind = EFFECT_STOPPED};
    return true;
}

bool worker_next_effect(struct worker *worker, struct effect *effect)
{
    if (note_next(worker, effect)) return true;
    if (worker->stopped) return false;
    if (worker->link >= LINK_IDLE && window_next_ack(&worker->window, effect)) return true;
    if (link_next_effect(worker, effect)) return true;
    for (enum hand hand = 0; hand < HAND_COUNT; hand++) {
        if (hand_next_effect(worker, hand, effect)) return true;
    }
    return stop_next_effect(worker, effect);
}

/* Work is there, every service answers, and still nothing moves: the one thing a supervisor must restart. */
static void watchdog(struct worker *worker)
{
    bool booking = worker->filling->count > 0 || worker->committing != NULL ||
                   worker->parks_confirmed != NULL || worker->out[HAND_LEDGER];
    /* What only waits to be parked waits for the broker (an alarm, a queue that is gone), and no restart
     * helps that. */
    bool waiting = worker->park_count == 0 && (worker->window.count > 0 || worker->queue_ready > 0);
    bool work = booking || waiting;
    bool able = worker->link == LINK_CONSUMING && worker->ledger.up && !worker->stopping;
    if (!work || !able) worker->progress_at_us = worker->now_us;
    bool stalled = worker->now_us - worker->progress_at_us > worker->settings.stall_after_us;
    if (stalled && !worker->stalled) {
        worker_note(worker, LOG_ERROR, "stalled", "held", (int64_t)worker->window.count,
                    "messages are ready and nothing was booked for %lld s; /livez fails until it moves again",
                    (long long)(worker->settings.stall_after_us / 1000000));
    }
    worker->stalled = stalled;
}

static void stop_begin(struct worker *worker)
{
    if (worker->stopping) return;
    worker->stopping = true;
    worker->stop_deadline_us = worker->now_us + worker->settings.drain_timeout_us;
    worker_note(worker, LOG_INFO, "draining", "held", (int64_t)worker->window.count, "%s",
                "stop asked for: finishing and acknowledging what is held");
}

void worker_step(struct worker *worker, const struct event *event)
{
    assert(event->now_us >= worker->now_us);
    worker->now_us = event->now_us;
    switch (event->kind) {
    case EVENT_CLOCK: break;
    case EVENT_CONNECTED:
    case EVENT_STARTED:
    case EVENT_CANCELLED:
    case EVENT_DISCONNECTED: link_step(worker, event); break;
    case EVENT_DELIVERY: intake_delivery(worker, event->delivery); break;
    case EVENT_JOB_DONE: hand_job_done(worker, event->hand); break;
    case EVENT_SETTINGS:
        settings_check(event->settings);
        assert(event->settings->prefetch == worker->settings.prefetch);
        worker->settings = *event->settings;
        break;
    case EVENT_STOP: stop_begin(worker); break;
    }
    window_clock(&worker->window, worker->now_us);
    watchdog(worker);
}

/* What was parked on older connections waits for the ledger alone, and is bounded here: a connection that is
 * lost again and again while the ledger hangs must not add a window each time. */
bool worker_wants_delivery(const struct worker *worker)
{
    if (worker->park_bytes >= worker->settings.memory_max) return false;
    return (worker->link == LINK_CONSUMING || worker->link == LINK_STOPPING) && !worker->stopped &&
           !window_is_full(&worker->window) && worker->window.bytes < worker->settings.memory_max;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t worker_deadline_us(const struct worker *worker)
{
    int64_t at = earlier(link_deadline_us(worker), window_deadline_us(&worker->window));
    const struct health *const healths[HAND_COUNT] = {[HAND_LEDGER] = &worker->ledger,
                                                      [HAND_STOCK] = &worker->stock,
                                                      [HAND_PUBLISHER] = &worker->publisher};
    for (enum hand hand = 0; hand < HAND_COUNT; hand++) {
        bool waits = !worker->out[hand] && healths[hand]->retry_at_us > worker->now_us;
        if (waits) at = earlier(at, healths[hand]->retry_at_us);
    }
    if (worker->stopping) return earlier(at, worker->stop_deadline_us);
    if (worker->debts_stage == DEBTS_IDLE && worker->ledger.up && worker->stock.up &&
        !worker->out[HAND_LEDGER]) {
        at = earlier(at, worker->debts_woken ? worker->debts_again_us : worker->debts_at_us);
    }
    if (worker->stock.up && !worker->out[HAND_STOCK]) at = earlier(at, worker->stock_ping_at_us);
    bool sweep_waits = worker->sweep_wanted && worker->sweep_stage == SWEEP_IDLE && worker->stock.up;
    if (worker->ledger.up && !worker->out[HAND_LEDGER]) {
        at = earlier(at, worker->stats_at_us);
        if (sweep_waits) at = earlier(at, worker->sweep_at_us);
    }
    if (!worker->out[HAND_PUBLISHER] && worker->link != LINK_DOWN) at = earlier(at, worker->depth_at_us);
    return at;
}

void worker_observe(const struct worker *worker, struct worker_view *view)
{
    *view = worker->counts;
    view->link = worker->link;
    view->broker_up = worker->link == LINK_CONSUMING || worker->link == LINK_STOPPING;
    view->ledger_up = worker->ledger.up;
    view->stock_up = worker->stock.up;
    view->stopping = worker->stopping;
    view->stalled = worker->stalled;
    view->held = worker->window.count;
    view->held_bytes = worker->window.bytes;
    view->parks = worker->park_count;
    view->queue_ready = worker->queue_ready;
    view->dead_lettered = worker->dead_lettered;
    view->refunds_due = worker->refunds_due;
}
