#include "core/worker_state.h"

#include <assert.h>

/*  IDLE -> FETCH (ledger) -> PAY (Redis) -> MARK (ledger) -> FORGET (Redis, guards only) -> FETCH … -> IDLE
 *
 * A crash anywhere repeats from FETCH, and that is harmless: a refund takes its pending entry along, a credit
 * and a refund without token have their own guards. */

static void debts_rest(struct worker *worker, int64_t pause_us)
{
    worker->debts_stage = DEBTS_IDLE;
    worker->debts.cursor = (struct debt_cursor){0};
    worker->debts_at_us = worker->now_us + pause_us;
}

static bool debts_are_wanted(const struct worker *worker)
{
    if (worker->stopping || !worker->ledger.up || !worker->stock.up) return false;
    return worker->now_us >= worker->debts_at_us || (worker->debts_woken && !worker->debts_unpaid);
}

bool debts_next_job(struct worker *worker, enum hand hand, struct job *job)
{
    if (worker->debts_stage == DEBTS_IDLE && hand == HAND_LEDGER && debts_are_wanted(worker)) {
        worker->debts_woken = false;
        worker->debts_unpaid = false;
        worker->debts_stage = DEBTS_FETCH;
    }
    if (worker->debts_stage == DEBTS_FETCH && worker->stopping) debts_rest(worker, 0);
    static const struct {
        enum hand hand;
        enum job_kind kind;
    } stages[] = {
        [DEBTS_FETCH] = {HAND_LEDGER, JOB_DEBTS_FETCH},
        [DEBTS_PAY] = {HAND_STOCK, JOB_DEBTS_PAY},
        [DEBTS_MARK] = {HAND_LEDGER, JOB_DEBTS_MARK},
        [DEBTS_FORGET] = {HAND_STOCK, JOB_DEBTS_FORGET},
    };
    if (worker->debts_stage == DEBTS_IDLE || stages[worker->debts_stage].hand != hand) return false;
    if (hand == HAND_LEDGER && !health_may_try(worker, &worker->ledger)) return false;
    *job = (struct job){.kind = stages[worker->debts_stage].kind, .debts = &worker->debts};
    return true;
}

static void debts_marked(struct worker *worker)
{
    bool guards = false;
    for (size_t i = 0; i < worker->debts.count; i++) {
        const struct debt *debt = &worker->debts.items[i];
        if (!debt->paid) continue;
        worker->counts.refunds += debt->kind == DEBT_REFUND;
        worker->counts.credits += debt->kind == DEBT_CREDIT;
        guards = guards || (debt->kind == DEBT_REFUND && debt->deducted_at_us == 0);
    }
    worker->debts_stage = guards ? DEBTS_FORGET : DEBTS_FETCH;
}

/* Some were paid perhaps, and must be marked; those that were not come again with the next walk. */
static void debts_paid(struct worker *worker, const struct job *job)
{
    if (job->status != STATUS_OK) {
        worker->debts_unpaid = true;
        worker_note(worker, LOG_WARN, "debts-unpaid", NULL, 0, "%s", job->error.text);
    }
    bool any = false;
    for (size_t i = 0; i < worker->debts.count; i++) any = any || worker->debts.items[i].paid;
    if (any) {
        worker->debts_stage = DEBTS_MARK;
    } else if (job->status == STATUS_OK || job->status == STATUS_REFUSED) {
        worker->debts_stage = DEBTS_FETCH; /* one that is refused must not stop those behind it */
    } else {
        debts_rest(worker, DEBTS_INTERVAL_US);
    }
}

void debts_done(struct worker *worker, struct job *job)
{
    bool away = job->status != STATUS_OK && job->status != STATUS_REFUSED;
    switch (job->kind) {
    case JOB_DEBTS_FETCH:
        if (away || job->status == STATUS_REFUSED) {
            health_fail(worker, &worker->ledger, "ledger-failed", &job->error);
            debts_rest(worker, DEBTS_INTERVAL_US);
        } else if (worker->debts.count == 0) {
            debts_rest(worker, DEBTS_INTERVAL_US);
        } else {
            worker->debts_stage = DEBTS_PAY;
        }
        break;
    case JOB_DEBTS_PAY:
        if (away) health_fail(worker, &worker->stock, "redis-failed", &job->error);
        debts_paid(worker, job);
        break;
    case JOB_DEBTS_MARK:
        if (job->status == STATUS_OK) {
            debts_marked(worker);
        } else {
            health_fail(worker, &worker->ledger, "ledger-failed",
                        &job->error); /* stays in MARK: what is paid must be written */
        }
        break;
    case JOB_DEBTS_FORGET:
        if (away) health_fail(worker, &worker->stock, "redis-failed", &job->error);
        worker->debts_stage = DEBTS_FETCH; /* a guard that stays costs a few bytes and nothing else */
        break;
    default: assert(false && "a debts job"); break;
    }
}
