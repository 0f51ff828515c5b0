#include "reconcile/reconcile_state.h"

/* A message may be published this long after its deduction, and no longer than orphan_after. */
#define MARGIN_MIN_US INT64_C(1000000)
#define MARGIN_MAX_US INT64_C(60000000)

/* How old a look at the queue may be, how long the queue must have been empty where nobody tells what the
 * worker holds, and for how long an answer is waited for. */
#define LOOK_AGE_MAX_US INT64_C(100000)
#define EMPTY_FOR_US    INT64_C(2000000)
/* What the worker says it holds may be as old as this. */
#define HELD_KNOWN_FOR_US INT64_C(500000)
#define PATIENCE_US       INT64_C(4000000)

static int64_t margin_us(const struct reconcile *reconcile)
{
    int64_t margin = reconcile->options.orphan_after_us;
    return margin < MARGIN_MIN_US ? MARGIN_MIN_US : margin > MARGIN_MAX_US ? MARGIN_MAX_US : margin;
}

static void look(struct reconcile *reconcile, int64_t now_us)
{
    struct queue_watch *watch = &reconcile->queue;
    struct error error;
    if (watch->failed || (watch->looked && now_us - watch->looked_at_us < LOOK_AGE_MAX_US)) return;
    enum status status = reconcile->options.look(reconcile->options.context, &watch->look, &error);
    if (status != STATUS_OK) {
        watch->failed = true;
        reconcile->summary.complete = false;
        reconcile_say(reconcile, "the queue cannot be seen, so orphans are not judged: %s", error.text);
        return;
    }
    watch->looked = true;
    watch->looked_at_us = now_us;
    if (watch->look.ready > 0)
        watch->empty_since_us = 0;
    else if (watch->empty_since_us == 0)
        watch->empty_since_us = now_us;
}

/* An empty queue is not enough: the worker may hold what was in it. */
static bool queue_is_drained(const struct queue_watch *watch, int64_t now_us)
{
    const struct queue_look *look = &watch->look;
    if (look->ready > 0) return false;
    if (look->consumers == 0) return true; /* nobody is there to hold any */
    int64_t empty_us = now_us - watch->empty_since_us;
    if (look->consumers == 1 && look->held >= 0) return look->held == 0 && empty_us >= HELD_KNOWN_FOR_US;
    return empty_us >= EMPTY_FOR_US;
}

enum queue_answer queue_is_past(struct reconcile *reconcile, int64_t token_us, bool strict)
{
    struct queue_watch *watch = &reconcile->queue;
    int64_t now_us = clock_monotonic_us(reconcile->options.clock);
    look(reconcile, now_us);
    if (watch->failed) return QUEUE_NOT_PAST;
    bool past = queue_is_drained(watch, now_us);
    /* The queue keeps the order of publishing: what is booked now was published after what is looked for. */
    if (!past && !strict)
        past = tally_recent_is_past(&reconcile->tally, token_us + margin_us(reconcile),
                                    reconcile->measure.second.now_us);
    if (past) {
        watch->waiting_since_us = 0;
        return QUEUE_PAST;
    }
    if (watch->waiting_since_us == 0) watch->waiting_since_us = now_us;
    if (watch->look.ready > 0 || now_us - watch->waiting_since_us >= PATIENCE_US) {
        watch->waiting_since_us = 0;
        return QUEUE_NOT_PAST;
    }
    reconcile->wait_until_us = now_us + LOOK_AGE_MAX_US;
    return QUEUE_WAIT;
}
