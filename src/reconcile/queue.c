#include "reconcile/reconcile_state.h"

/* What is published within orphan_after of its deduction is never taken for an orphan, and this is the least
 * of it. */
#define MARGIN_MIN_US INT64_C(1000000)

/* How old a look at the queue may be, and for how long an answer is waited for. */
#define LOOK_AGE_MAX_US INT64_C(100000)
/* What the worker says it holds may be as old as this. */
#define HELD_KNOWN_FOR_US INT64_C(500000)
/* Where no worker can be asked, a healthy one has booked by then what an empty queue gave it. */
#define HELD_UNTOLD_FOR_US INT64_C(3000000)
#define QUIET_LOOKS_MIN    5
#define PATIENCE_US        INT64_C(4000000)
/* Two Redis of a cluster may be as far apart; less than the least margin. */
#define CLOCKS_APART_US INT64_C(1000000)
/* What a worker was given is booked or given back within this time, or what comes after it waits too. */
#define HANDS_EMPTY_AFTER_US INT64_C(10000000)

static int64_t margin_us(const struct reconcile *reconcile)
{
    int64_t margin = reconcile->options.orphan_after_us;
    return margin < MARGIN_MIN_US ? MARGIN_MIN_US : margin;
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
        reconcile_say(reconcile, "the queue cannot be seen, so no orphan is judged and no stock raised: %s",
                      error.text);
        return;
    }
    watch->looked = true;
    watch->looked_at_us = now_us;
    if (watch->look.ready > 0 || (watch->look.held != 0 && !watch->look.nobody_tells)) {
        watch->quiet_looks = 0;
        return;
    }
    if (watch->quiet_looks++ == 0) watch->quiet_since_us = now_us;
}

/* An empty queue is not enough: the worker may hold what was in it, and for as long as its ledger is away.
 * Where that is not known just now, nothing is: then only what is booked tells. */
static bool queue_is_drained(const struct queue_watch *watch, int64_t now_us)
{
    const struct queue_look *look = &watch->look;
    if (look->ready > 0) return false;
    if (look->consumers == 0) return true; /* nobody is there to hold any */
    /* One look is not enough: a worker that has just connected anew was given everything again, and has read
     * none of it. */
    int64_t least_us = look->nobody_tells ? HELD_UNTOLD_FOR_US : HELD_KNOWN_FOR_US;
    return (look->consumers == 1 || look->nobody_tells) && watch->quiet_looks >= QUIET_LOOKS_MIN &&
           now_us - watch->quiet_since_us >= least_us;
}

void queue_forget(struct reconcile *reconcile)
{
    struct queue_watch *watch = &reconcile->queue;
    watch->looked = false;
    watch->quiet_looks = 0;
    watch->quiet_since_us = 0;
    watch->waiting_since_us = 0;
}

/* Redis's time is not beyond this: rows are booked after the audit, too. */
static int64_t redis_time_max_us(const struct reconcile *reconcile, int64_t now_us)
{
    const struct measure *measure = &reconcile->measure;
    return measure->second.now_us + (now_us - measure->second_at_us) + CLOCKS_APART_US;
}

void queue_note_booked(struct reconcile *reconcile)
{
    struct queue_watch *watch = &reconcile->queue;
    int64_t now_us = clock_monotonic_us(reconcile->options.clock);
    struct booked_from seen = {tally_booked_from_us(&reconcile->tally, redis_time_max_us(reconcile, now_us)),
                               now_us};
    if (reconcile->measure.ahead_count > 0) watch->clock_went_back = true;
    if (watch->newer.seen_at_us == 0) watch->newer = seen;
    if (now_us - watch->newer.seen_at_us < HANDS_EMPTY_AFTER_US) return;
    watch->older = watch->newer;
    watch->newer = seen;
}

/* The queue keeps the order of publishing: what is booked now was published after what is looked for, and
 * what was given to a worker before that has been booked since. Where Redis's clock was set back, what was
 * deducted before that seems to be younger, and proves nothing. *soon: not yet, but only because the last is
 * not so. */
static bool is_booked_beyond(struct reconcile *reconcile, int64_t token_us, int64_t now_us, bool *soon)
{
    const struct queue_watch *watch = &reconcile->queue;
    int64_t wanted_us = token_us + margin_us(reconcile);
    int64_t max_us = redis_time_max_us(reconcile, now_us);
    queue_note_booked(reconcile);
    if (watch->clock_went_back || watch->older.token_us > max_us) return false;
    bool past = watch->older.seen_at_us != 0 && watch->older.token_us >= wanted_us;
    *soon = !past && watch->newer.token_us >= wanted_us;
    return past;
}

enum queue_answer queue_is_past(struct reconcile *reconcile, int64_t token_us, bool strict)
{
    struct queue_watch *watch = &reconcile->queue;
    int64_t now_us = clock_monotonic_us(reconcile->options.clock);
    look(reconcile, now_us);
    if (watch->failed) return QUEUE_NOT_PAST;
    bool soon = false;
    bool past =
        queue_is_drained(watch, now_us) || (!strict && is_booked_beyond(reconcile, token_us, now_us, &soon));
    if (past) {
        watch->waiting_since_us = 0;
        return QUEUE_PAST;
    }
    soon = soon || (watch->look.consumers == 1 && watch->quiet_looks > 0);
    if (watch->waiting_since_us == 0) watch->waiting_since_us = now_us;
    if (!soon && (watch->look.ready > 0 || now_us - watch->waiting_since_us >= PATIENCE_US)) {
        watch->waiting_since_us = 0;
        return QUEUE_NOT_PAST;
    }
    reconcile->wait_until_us = now_us + LOOK_AGE_MAX_US;
    return QUEUE_WAIT;
}
