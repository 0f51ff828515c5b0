#include "core/worker_state.h"

#include <assert.h>

/*  IDLE -> BUDGET (ledger: the next budget) -> SCAN (Redis: a slice of its pendings) -> LOOKUP (ledger: which
 * are booked)
 *       -> RESOLVE (Redis: settle or release those) -> SCAN … -> BUDGET … -> IDLE
 *
 * Heals what a crash or a dropped message to Redis left behind: booked, and still pending. What the ledger
 * does not know is left alone, for its message may still be on the way. */

bool pending_is_owned(const struct sweep_entry *entry, const struct booked *booked)
{
    bool is_row = entry->deducted_at_us == booked->deducted_at_us;
    /* A row without token has no other way to know its entry: given back here, it would be given back again.
     */
    if (booked->refund_due && (is_row || booked->deducted_at_us == 0)) return false;
    return is_row || entry->amount == booked->amount;
}

bool sweep_next_job(struct worker *worker, enum hand hand, struct job *job)
{
    if (worker->stopping || !worker->ledger.up || !worker->stock.up) return false;
    bool due = worker->sweep_wanted && worker->now_us >= worker->sweep_at_us;
    if (worker->sweep_stage == SWEEP_IDLE && due && hand == HAND_LEDGER) {
        worker->sweep_wanted = false;
        worker->sweep.budget_id = TEXT_NONE;
        worker->sweep.resolved = 0;
        worker->sweep.refused = false;
        worker->sweep_stage = SWEEP_BUDGET;
    }
    static const struct {
        enum hand hand;
        enum job_kind kind;
    } stages[] = {
        [SWEEP_BUDGET] = {HAND_LEDGER, JOB_SWEEP_BUDGET},
        [SWEEP_SCAN] = {HAND_STOCK, JOB_SWEEP_SCAN},
        [SWEEP_LOOKUP] = {HAND_LEDGER, JOB_SWEEP_LOOKUP},
        [SWEEP_RESOLVE] = {HAND_STOCK, JOB_SWEEP_RESOLVE},
    };
    if (worker->sweep_stage == SWEEP_IDLE || stages[worker->sweep_stage].hand != hand) return false;
    *job = (struct job){.kind = stages[worker->sweep_stage].kind, .sweep = &worker->sweep};
    return true;
}

static void sweep_next_slice(struct worker *worker)
{
    worker->sweep_stage = worker->sweep.cursor == 0 ? SWEEP_BUDGET : SWEEP_SCAN;
}

/* A failure anywhere begins the clean-up anew, later: a Redis that answers and lets nobody write (a replica,
 * a full memory) would otherwise have all its entries read again and again. */
static void sweep_failed(struct worker *worker, const struct job *job)
{
    bool stock = job->kind == JOB_SWEEP_SCAN || job->kind == JOB_SWEEP_RESOLVE;
    health_fail(worker, stock ? &worker->stock : &worker->ledger, stock ? "redis-failed" : "ledger-failed",
                &job->error);
    worker->sweep_stage = SWEEP_IDLE;
    worker->sweep_wanted = true;
    worker->sweep_at_us = worker->now_us + SWEEP_PAUSE_US;
}

void sweep_done(struct worker *worker, struct job *job)
{
    struct sweep *sweep = &worker->sweep;
    if (job->status == STATUS_REFUSED && job->kind == JOB_SWEEP_SCAN) {
        worker_note(worker, LOG_ERROR, "redis-refused", NULL, 0, "%s", job->error.text);
        sweep->refused = true;
        worker->sweep_stage = SWEEP_BUDGET;
        return;
    }
    if (job->status == STATUS_REFUSED && job->kind == JOB_SWEEP_RESOLVE) {
        worker_note(worker, LOG_ERROR, "redis-refused", NULL, 0, "%s", job->error.text);
        sweep->refused = true;
        sweep_next_slice(worker);
        return;
    }
    if (job->status != STATUS_OK) {
        sweep_failed(worker, job);
        return;
    }
    switch (job->kind) {
    case JOB_SWEEP_BUDGET:
        sweep->cursor = 0;
        worker->sweep_stage = text_is_present(sweep->budget_id) ? SWEEP_SCAN : SWEEP_IDLE;
        if (worker->sweep_stage == SWEEP_IDLE) {
            /* A budget whose keys are spoilt asks for a clean-up with each of its batches, and what was
             * refused is tried again until somebody has mended them: neither may keep the others waiting. */
            worker->sweep_wanted = worker->sweep_wanted || sweep->refused;
            worker->sweep_at_us = worker->now_us + (sweep->refused ? SWEEP_REFUSED_PAUSE_US : SWEEP_PAUSE_US);
            worker_note(worker, LOG_INFO, "cleaned-up", "pendings", sweep->resolved, "%s",
                        "booked deductions that were still pending in Redis");
        }
        break;
    case JOB_SWEEP_SCAN:
        if (sweep->count == 0) {
            sweep_next_slice(worker);
        } else {
            worker->sweep_stage = SWEEP_LOOKUP;
        }
        break;
    case JOB_SWEEP_LOOKUP: {
        int64_t known = 0;
        for (size_t i = 0; i < sweep->count; i++) known += sweep->entries[i].resolve;
        sweep->resolved += known;
        if (known == 0) {
            sweep_next_slice(worker);
        } else {
            worker->sweep_stage = SWEEP_RESOLVE;
        }
        break;
    }
    case JOB_SWEEP_RESOLVE: sweep_next_slice(worker); break;
    default: assert(false && "a sweep job"); break;
    }
}
