#include "worker/job_run.h"

#include "worker/job_park.h"
#include "worker/observe.h"

#include "base/failpoint.h"
#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

void job_context_free(struct job_context *context)
{
    free(context->settlements);
    free(context->releases);
}

static void scratch_reserve(struct job_context *context, size_t count)
{
    context->settlement_count = 0;
    context->release_count = 0;
    if (count <= context->capacity) return;
    context->capacity = count;
    context->settlements = memory_resize(context->settlements, count, sizeof *context->settlements);
    context->releases = memory_resize(context->releases, count, sizeof *context->releases);
}

/* Settles, then releases. What one budget refuses does not hold up the releases; a Redis that is away does.
 */
static enum status scratch_apply(struct job_context *context, struct error *error)
{
    enum status status = STATUS_OK;
    if (context->settlement_count > 0) {
        status = stock_settle(context->stock, context->settlements, context->settlement_count, NULL, error);
    }
    if (status != STATUS_OK && status != STATUS_REFUSED) return status;
    if (context->release_count == 0) return status;
    enum status released = stock_release(context->stock, context->releases, context->release_count, error);
    for (size_t i = 0; i < context->release_count && released == STATUS_OK; i++) {
        if (context->releases[i].status == STATUS_REFUSED) released = STATUS_REFUSED;
    }
    return released == STATUS_OK ? status : released;
}

static void scratch_add(struct job_context *context, const struct tell *tell)
{
    if (tell->kind == TELL_SETTLE) {
        context->settlements[context->settlement_count++] =
            (struct stock_settlement){tell->budget_id, tell->message_id, tell->deducted_at_us};
        return;
    }
    context->releases[context->release_count++] = (struct stock_release){
        .budget_id = tell->budget_id,
        .message_id = tell->message_id,
        .deducted_at_us = tell->deducted_at_us,
        .status = STATUS_RETRY,
        .outcome = tell->kind == TELL_EXTRA    ? RELEASE_EXTRA
                   : tell->kind == TELL_VOIDED ? RELEASE_VOIDED
                                               : RELEASE_REJECTED,
    };
}

static void run_tell(struct job_context *context, struct job *job)
{
    struct tells *tells = job->tells;
    scratch_reserve(context, tells->count);
    for (size_t i = 0; i < tells->count; i++) scratch_add(context, &tells->items[i]);
    FAILPOINT("tell-begin");
    job->status = scratch_apply(context, &job->error);
    FAILPOINT("tell-sent");
    for (size_t i = 0; i < context->release_count; i++) {
        const struct stock_release *release = &context->releases[i];
        tells->extras +=
            release->outcome == RELEASE_EXTRA && release->status == STATUS_OK && release->released;
    }
}

static void run_sweep_resolve(struct job_context *context, struct job *job)
{
    const struct sweep *sweep = job->sweep;
    scratch_reserve(context, sweep->count);
    for (size_t i = 0; i < sweep->count; i++) {
        const struct sweep_entry *entry = &sweep->entries[i];
        if (!entry->resolve) continue;
        scratch_add(context,
                    &(struct tell){sweep->budget_id, entry->message_id, entry->deducted_at_us, entry->kind});
    }
    job->status = scratch_apply(context, &job->error);
}

static void run_sweep_budget(struct job_context *context, struct job *job)
{
    struct sweep *sweep = job->sweep;
    struct ledger_budget budget;
    size_t count = 0;
    arena_reset(&sweep->arena);
    job->status = ledger_budgets_list(context->ledger, sweep->budget_id, &sweep->arena, &budget, 1, &count,
                                      &job->error);
    if (job->status != STATUS_OK) return;
    if (count == 0) {
        sweep->budget_id = TEXT_NONE;
        return;
    }
    assert(budget.id.size < sizeof sweep->budget_id_bytes);
    memcpy(sweep->budget_id_bytes, budget.id.data, budget.id.size);
    sweep->budget_id = (struct text){sweep->budget_id_bytes, budget.id.size};
}

static void run_sweep_scan(struct job_context *context, struct job *job)
{
    struct sweep *sweep = job->sweep;
    struct stock_pending *pendings = NULL;
    arena_reset(&sweep->arena);
    sweep->count = 0;
    size_t count = 0;
    job->status = stock_pending_scan(context->stock, sweep->budget_id, &sweep->cursor, &sweep->arena,
                                     &pendings, &count, &job->error);
    if (job->status != STATUS_OK) return;
    if (count > sweep->capacity) {
        sweep->entries = memory_resize(sweep->entries, count, sizeof *sweep->entries);
        sweep->capacity = count;
    }
    for (size_t i = 0; i < count; i++) {
        sweep->entries[i] = (struct sweep_entry){.message_id = pendings[i].message_id,
                                                 .amount = pendings[i].amount,
                                                 .deducted_at_us = pendings[i].deducted_at_us};
    }
    sweep->count = count;
}

/* An entry of another budget, or of another deduction with the same id, is not the row's: its message is
 * parked as a conflict, and a person decides. */
static void run_sweep_lookup(struct job_context *context, struct job *job)
{
    struct sweep *sweep = job->sweep;
    struct text *ids = arena_alloc(&sweep->arena, sweep->count * sizeof *ids);
    struct ledger_deduction *rows = arena_alloc(&sweep->arena, sweep->count * sizeof *rows);
    for (size_t i = 0; i < sweep->count; i++) ids[i] = sweep->entries[i].message_id;
    job->status =
        ledger_deductions_find(context->ledger, ids, sweep->count, &sweep->arena, rows, &job->error);
    if (job->status != STATUS_OK) return;
    for (size_t i = 0; i < sweep->count; i++) {
        struct sweep_entry *entry = &sweep->entries[i];
        struct booked booked = {.state = rows[i].state,
                                .amount = rows[i].amount,
                                .deducted_at_us = rows[i].deducted_at_us,
                                .booked_at_us = rows[i].booked_at_us,
                                .refund_due = rows[i].refund == REFUND_DUE};
        entry->resolve = rows[i].found && text_equal(rows[i].budget_id, sweep->budget_id) &&
                         pending_is_owned(entry, &booked);
        if (entry->resolve) entry->kind = tell_kind_for(&booked, entry->deducted_at_us);
    }
}

static struct stock_release release_of_debt(const struct debt *debt)
{
    return (struct stock_release){
        .budget_id = debt->budget_id,
        .message_id = debt->id,
        .deducted_at_us = debt->deducted_at_us,
        .amount = debt->amount,
        .outcome = debt->outcome == DEDUCTION_VOIDED ? RELEASE_VOIDED : RELEASE_REJECTED,
        .status = STATUS_RETRY,
    };
}

static void run_debts_pay(struct job_context *context, struct job *job)
{
    struct debt_list *debts = job->debts;
    struct stock_release releases[DEBTS_MAX];
    struct stock_credit credits[DEBTS_MAX];
    struct debt *released[DEBTS_MAX], *credited[DEBTS_MAX];
    size_t release_count = 0, credit_count = 0;
    for (size_t i = 0; i < debts->count; i++) {
        struct debt *debt = &debts->items[i];
        if (debt->kind == DEBT_REFUND) {
            released[release_count] = debt;
            releases[release_count++] = release_of_debt(debt);
        } else {
            credited[credit_count] = debt;
            credits[credit_count++] = (struct stock_credit){.budget_id = debt->budget_id,
                                                            .credit_id = debt->id,
                                                            .amount = debt->amount,
                                                            .status = STATUS_RETRY};
        }
    }
    FAILPOINT("release-begin");
    enum status status = STATUS_OK;
    if (credit_count > 0) status = stock_credit(context->stock, credits, credit_count, &job->error);
    if (release_count > 0 && (status == STATUS_OK || status == STATUS_REFUSED)) {
        enum status release_status = stock_release(context->stock, releases, release_count, &job->error);
        if (release_status != STATUS_OK) status = release_status;
    }
    FAILPOINT("release-sent");
    for (size_t i = 0; i < release_count; i++) {
        released[i]->paid = releases[i].status == STATUS_OK;
        if (releases[i].status == STATUS_REFUSED && status == STATUS_OK) status = STATUS_REFUSED;
    }
    for (size_t i = 0; i < credit_count; i++) {
        credited[i]->paid = credits[i].status == STATUS_OK;
        if (credits[i].status == STATUS_REFUSED && status == STATUS_OK) status = STATUS_REFUSED;
    }
    job->status = status;
}

static void run_debts_forget(struct job_context *context, struct job *job)
{
    struct stock_release releases[DEBTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < job->debts->count; i++) {
        const struct debt *debt = &job->debts->items[i];
        bool guarded = debt->kind == DEBT_REFUND && debt->deducted_at_us == 0 && debt->paid;
        if (guarded) releases[count++] = release_of_debt(debt);
    }
    job->status = count == 0 ? STATUS_OK : stock_forget_guards(context->stock, releases, count, &job->error);
}

static void run_settle(struct job_context *context, struct job *job)
{
    struct batch *batch = job->settle.batch;
    int64_t begun_us = clock_monotonic_us(context->clock);
    job->status = ledger_settle(context->ledger, batch, job->settle.first, job->settle.count, &job->error);
    if (job->status != STATUS_OK) return;
    observe_settlement(context->metrics, batch, job->settle.first, job->settle.count,
                       clock_monotonic_us(context->clock) - begun_us, clock_wall_us(context->clock));
}

static void run_debts_fetch(struct job_context *context, struct job *job)
{
    struct debt_list *debts = job->debts;
    arena_reset(&debts->arena);
    debts->count = 0;
    job->status = ledger_debts_fetch(context->ledger, &debts->cursor, &debts->arena, debts->items, DEBTS_MAX,
                                     &debts->count, &job->error);
}

static void run_stats(struct job_context *context, struct job *job)
{
    struct ledger_stats stats;
    struct reconcile_run run;
    struct arena arena = {0};
    bool found = false;
    job->status = ledger_stats(context->ledger, &stats, &job->error);
    /* Most runs are another process's, which has no page of metrics: its record stands for it. */
    if (job->status == STATUS_OK)
        job->status = ledger_run_last(context->ledger, &arena, &run, &found, &job->error);
    if (job->status == STATUS_OK) {
        job->stats.refunds_due = stats.refunds_due;
        if (found) observe_reconcile_run(context->metrics, &run);
    }
    arena_free(&arena);
}

static void run_depth(struct job_context *context, struct job *job)
{
    int64_t consumers;
    job->status =
        publisher_depth(context->publisher, context->queue, &job->depth.ready, &consumers, &job->error);
    if (job->status != STATUS_OK) return;
    job->status = publisher_depth(context->publisher, context->dead_letter_queue, &job->depth.dead_lettered,
                                  &consumers, &job->error);
}

static bool is_of_stock(enum job_kind kind)
{
    switch (kind) {
    case JOB_STOCK_PING:
    case JOB_TELL:
    case JOB_DEBTS_PAY:
    case JOB_DEBTS_FORGET:
    case JOB_SWEEP_SCAN:
    case JOB_SWEEP_RESOLVE: return true;
    default: return false;
    }
}

static void note_connection(struct job_context *context, struct job *job)
{
    uint64_t connections = stock_connections(context->stock);
    job->reconnected = connections != context->stock_connections;
    context->stock_connections = connections;
}

void job_run(struct job_context *context, struct job *job)
{
    switch (job->kind) {
    case JOB_LEDGER_PING: job->status = ledger_ping(context->ledger, &job->error); break;
    case JOB_LEDGER_STATS: run_stats(context, job); break;
    case JOB_SETTLE: run_settle(context, job); break;
    case JOB_RECORD: job_record_run(context, job); break;
    case JOB_DEBTS_FETCH: run_debts_fetch(context, job); break;
    case JOB_DEBTS_MARK:
        job->status = ledger_debts_mark(context->ledger, job->debts->items, job->debts->count, &job->error);
        FAILPOINT("debts-marked");
        break;
    case JOB_SWEEP_BUDGET: run_sweep_budget(context, job); break;
    case JOB_SWEEP_LOOKUP: run_sweep_lookup(context, job); break;
    case JOB_STOCK_PING: job->status = stock_ping(context->stock, &job->error); break;
    case JOB_TELL: run_tell(context, job); break;
    case JOB_DEBTS_PAY: run_debts_pay(context, job); break;
    case JOB_DEBTS_FORGET: run_debts_forget(context, job); break;
    case JOB_SWEEP_SCAN: run_sweep_scan(context, job); break;
    case JOB_SWEEP_RESOLVE: run_sweep_resolve(context, job); break;
    case JOB_PARK: job_park_run(context, job); break;
    case JOB_DEPTH: run_depth(context, job); break;
    case JOB_NONE: assert(job->kind != JOB_NONE); break;
    }
    if (is_of_stock(job->kind)) note_connection(context, job);
}
