#include "core/worker_state.h"

#include <assert.h>

/*  IDLE -> FETCH (ledger) -> PAY (Redis) -> MARK (ledger) -> FORGET (Redis, guards only) -> FETCH … -> IDLE
 *
 * A crash anywhere repeats from FETCH, and that is harmless: a refund takes its pending entry along, a credit
 * and a refund without token have their own guards. */

/* What Redis refuses for good is tried less and less often; new debts need not wait for that. */
static void debts_rest(struct worker *worker)
{
    int64_t pause_us = DEBTS_INTERVAL_US;
    if (worker->debts_unpaid) {
        int64_t grown_us = backoff_next_us(&worker->debts_backoff, DEBTS_PAUSE_MAX_US, &worker->random);
        if (grown_us > pause_us) pause_us = grown_us;
    } else {
        backoff_reset(&worker->debts_backoff);
    }
    worker->debts_stage = DEBTS_IDLE;
    worker->debts.cursor = (struct debt_cursor){0};
    worker->debts_at_us = worker->now_us + pause_us;
    worker->debts_again_us = worker->now_us + (worker->debts_unpaid ? DEBTS_INTERVAL_US : 0);
}

/* What was fetched grows old while Redis is away: another worker may have paid it meanwhile, and let go of
 * the guard that would have kept it from being paid again. */
void debts_stock_lost(struct worker *worker)
{
    if (worker->debts_stage == DEBTS_PAY) debts_rest(worker);
}

static bool debts_are_wanted(const struct worker *worker)
{
    if (worker->stopping || !worker->stock.up) return false;
    return worker->now_us >= worker->debts_at_us ||
           (worker->debts_woken && worker->now_us >= worker->debts_again_us);
}

bool debts_next_job(struct worker *worker, enum hand hand, struct job *job)
{
    if (worker->debts_stage == DEBTS_IDLE && hand == HAND_LEDGER && debts_are_wanted(worker)) {
        worker->debts_woken = false;
        worker->debts_unpaid = false;
        worker->debts_stage = DEBTS_FETCH;
    }
    /* Only its own hand's turn: the ledger's may be reading the cursor. */
    bool over = worker->debts_stage == DEBTS_FETCH && worker->stopping;
    if (over && hand == HAND_LEDGER) debts_rest(worker);
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
    bool any = false;
    const struct debt *unpaid = NULL;
    for (size_t i = 0; i < worker->debts.count; i++) {
        const struct debt *debt = &worker->debts.items[i];
        any = any || debt->paid;
        if (!debt->paid && unpaid == NULL) unpaid = debt;
    }
    if (unpaid != NULL) {
        worker->debts_unpaid = true;
        worker_note(worker, LOG_WARN, "debts-unpaid", "amount", unpaid->amount,
                    "%s " TEXT_FORMAT " of budget " TEXT_FORMAT ": %s",
                    unpaid->kind == DEBT_REFUND ? "refund" : "credit", TEXT_ARGUMENTS(unpaid->id),
                    TEXT_ARGUMENTS(unpaid->budget_id), job->error.text);
    }
    if (any) {
        worker->debts_stage = DEBTS_MARK;
    } else if (job->status == STATUS_REFUSED) {
        worker->debts_stage = DEBTS_FETCH; /* one that is refused must not stop those behind it */
    } else {
        debts_rest(worker);
    }
}

void debts_done(struct worker *worker, struct job *job)
{
    bool away = job->status != STATUS_OK && job->status != STATUS_REFUSED;
    switch (job->kind) {
    case JOB_DEBTS_FETCH:
        if (job->status != STATUS_OK) {
            health_fail(worker, &worker->ledger, "ledger-failed", &job->error);
            debts_rest(worker);
        } else if (worker->debts.count == 0 || !worker->stock.up) {
            debts_rest(worker); /* nothing to pay, or nobody to pay it to: see debts_stock_lost */
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
        } else if (job->status == STATUS_REFUSED) {
            worker_note(worker, LOG_ERROR, "debts-unmarked", NULL, 0, "%s", job->error.text);
            worker->debts_unpaid = true;
            worker->debts_stage = DEBTS_FETCH;
        } else {
            /* Stays in MARK: what is paid must be written. */
            health_fail(worker, &worker->ledger, "ledger-failed", &job->error);
        }
        break;
    case JOB_DEBTS_FORGET:
        if (away) health_fail(worker, &worker->stock, "redis-failed", &job->error);
        worker->debts_stage = DEBTS_FETCH; /* a guard that stays costs a few bytes and nothing else */
        break;
    default: assert(false && "a debts job"); break;
    }
}
