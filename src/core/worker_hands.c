/* What each hand does next, and what becomes of a job that came back. */
#include "core/worker_state.h"

#include <assert.h>

static void depth_done(struct worker *worker, const struct job *job)
{
    worker->depth_at_us = worker->now_us + DEPTH_INTERVAL_US;
    worker->queue_ready = job->status == STATUS_OK ? job->depth.ready : -1;
    worker->dead_lettered = job->status == STATUS_OK ? job->depth.dead_lettered : -1;
}

static void stats_done(struct worker *worker, const struct job *job)
{
    worker->stats_at_us = worker->now_us + STATS_INTERVAL_US;
    worker->refunds_due = job->status == STATUS_OK ? job->stats.refunds_due : -1;
}

static void ledger_ping_done(struct worker *worker, const struct job *job)
{
    if (job->status == STATUS_OK) {
        health_succeed(worker, &worker->ledger, "ledger-up");
    } else {
        health_fail(worker, &worker->ledger, "ledger-unavailable", &job->error);
    }
}

static void stock_ping_done(struct worker *worker, const struct job *job)
{
    if (job->status != STATUS_OK) {
        health_fail(worker, &worker->stock, "redis-unavailable", &job->error);
    } else {
        health_succeed(worker, &worker->stock, "redis-up");
    }
}

void hand_job_done(struct worker *worker, enum hand hand)
{
    struct job *job = &worker->jobs[hand];
    assert(worker->out[hand]);
    bool stock_was_up = worker->stock.up;
    switch (job->kind) {
    case JOB_LEDGER_PING: ledger_ping_done(worker, job); break;
    case JOB_STOCK_PING: stock_ping_done(worker, job); break;
    case JOB_SETTLE: settle_done(worker, job); break;
    case JOB_RECORD: park_recorded(worker, job); break;
    case JOB_PARK: park_done(worker, job); break;
    case JOB_LEDGER_STATS: stats_done(worker, job); break;
    case JOB_DEPTH: depth_done(worker, job); break;
    case JOB_TELL:
        tell_done(worker, job);
        if (job->status != STATUS_OK && job->status != STATUS_REFUSED) {
            health_fail(worker, &worker->stock, "redis-failed", &job->error);
        }
        break;
    case JOB_DEBTS_FETCH:
    case JOB_DEBTS_PAY:
    case JOB_DEBTS_MARK:
    case JOB_DEBTS_FORGET: debts_done(worker, job); break;
    case JOB_SWEEP_BUDGET:
    case JOB_SWEEP_LOOKUP:
    case JOB_SWEEP_SCAN:
    case JOB_SWEEP_RESOLVE: sweep_done(worker, job); break;
    case JOB_NONE: assert(job->kind != JOB_NONE); break;
    }
    worker->out[hand] = false;
    if (hand == HAND_STOCK) {
        worker->stock_ping_at_us = worker->now_us + STOCK_INTERVAL_US;
        /* At the start, what a crash left behind is still pending. Later, what answers may be another Redis,
         * or an older state of this one (a failover, a dump): what was cleared long ago is pending again. */
        if (job->reconnected) worker->sweep_wanted = true;
    }
    /* With Redis away nothing may wait for it: what it should be told is left to the clean-up. */
    if (stock_was_up && !worker->stock.up) {
        tell_drop_all(worker);
        debts_stock_lost(worker);
    }
}

static bool stats_next_job(const struct worker *worker, struct job *job)
{
    if (worker->stopping || worker->now_us < worker->stats_at_us) return false;
    *job = (struct job){.kind = JOB_LEDGER_STATS};
    return true;
}

static bool ledger_next_job(struct worker *worker, struct job *job)
{
    if (!health_may_try(worker, &worker->ledger)) return false;
    if (!worker->ledger.up) {
        /* A waiting commit is as good a probe as any. */
        if (settle_next_job(worker, job) || park_next_record(worker, job)) return true;
        *job = (struct job){.kind = JOB_LEDGER_PING};
        return !worker->stopping;
    }
    /* Turns, so that a saturated queue starves neither the refunds nor the clean-up. */
    bool settled_last = worker->jobs[HAND_LEDGER].kind == JOB_SETTLE;
    if (park_next_record(worker, job)) return true;
    if (!settled_last && settle_next_job(worker, job)) return true;
    return debts_next_job(worker, HAND_LEDGER, job) || sweep_next_job(worker, HAND_LEDGER, job) ||
           stats_next_job(worker, job) || settle_next_job(worker, job);
}

static bool stock_next_job(struct worker *worker, struct job *job)
{
    if (!worker->stock.up) {
        if (worker->stopping || !health_may_try(worker, &worker->stock)) return false;
        *job = (struct job){.kind = JOB_STOCK_PING};
        return true;
    }
    bool told_last = worker->jobs[HAND_STOCK].kind == JOB_TELL;
    if (!told_last && tell_next_job(worker, job)) return true;
    if (debts_next_job(worker, HAND_STOCK, job) || sweep_next_job(worker, HAND_STOCK, job)) return true;
    if (tell_next_job(worker, job)) return true;
    /* Nobody else would notice that it went away, or came back as another one, while there is nothing to do.
     */
    if (worker->stopping || worker->now_us < worker->stock_ping_at_us) return false;
    *job = (struct job){.kind = JOB_STOCK_PING};
    return true;
}

static bool publisher_next_job(struct worker *worker, struct job *job)
{
    if (park_next_job(worker, job)) return true;
    if (worker->stopping || worker->link == LINK_DOWN || worker->now_us < worker->depth_at_us) return false;
    *job = (struct job){.kind = JOB_DEPTH};
    return true;
}

bool hand_next_effect(struct worker *worker, enum hand hand, struct effect *effect)
{
    static bool (*const next[HAND_COUNT])(struct worker *, struct job *) = {
        [HAND_LEDGER] = ledger_next_job,
        [HAND_STOCK] = stock_next_job,
        [HAND_PUBLISHER] = publisher_next_job,
    };
    if (worker->out[hand]) return false;
    struct job *job = &worker->jobs[hand];
    if (!next[hand](worker, job)) return false;
    worker->out[hand] = true;
    *effect = (struct effect){.kind = EFFECT_JOB, .hand = hand, .job = job};
    return true;
}
