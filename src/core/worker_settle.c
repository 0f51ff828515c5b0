#include "core/worker_state.h"

#include <assert.h>

static void range_push(struct worker *worker, size_t first, size_t count)
{
    assert(worker->range_count < RANGES_MAX);
    worker->ranges[worker->range_count++] = (struct range){first, count};
}

/* The range on top, cut down to batch_max deductions; the rest waits below it. */
static struct range range_next(struct worker *worker)
{
    assert(worker->range_count > 0);
    struct range *top = &worker->ranges[worker->range_count - 1];
    size_t slice = worker->settings.batch_max;
    if (top->count <= slice) return *top;
    size_t first = top->first;
    *top = (struct range){first + slice, top->count - slice};
    range_push(worker, first, slice);
    return worker->ranges[worker->range_count - 1];
}

/* One row of the range is refused: halve it, until the row stands alone. */
static void range_halve(struct worker *worker, struct range range)
{
    assert(range.count > 1);
    size_t half = range.count / 2;
    range_push(worker, range.first + half, range.count - half);
    range_push(worker, range.first, half);
}

bool settle_next_job(struct worker *worker, struct job *job)
{
    if (!tell_has_room(worker)) return false;
    if (worker->committing == NULL) {
        if (worker->filling->count == 0) return false;
        worker->committing = worker->filling;
        worker->filling =
            worker->committing == &worker->batches[0] ? &worker->batches[1] : &worker->batches[0];
        range_push(worker, 0, worker->committing->count);
    }
    struct range range = range_next(worker);
    *job = (struct job){.kind = JOB_SETTLE};
    job->settle.batch = worker->committing;
    job->settle.first = range.first;
    job->settle.count = range.count;
    return true;
}

static void item_booked(struct worker *worker, const struct batch_item *item)
{
    if (item->origin->epoch != worker->epoch) return; /* its connection is gone, and the tag with it */
    window_item_done(&worker->window, item->origin->held, worker->now_us);
}

static void item_park(struct worker *worker, const struct batch_item *item, enum park_reason reason,
                      const char *detail)
{
    if (item->origin->epoch != worker->epoch) return; /* it comes again, and is parked then */
    struct text source = item->origin->is_batch ? item->source : TEXT_NONE;
    park_add(worker, item->origin, source, item->deduction.message_id, reason, detail);
}

/* It came after reconcile, or a person, had given its amount back. */
static void late_note(struct worker *worker, const struct batch_item *item)
{
    worker->counts.late++;
    worker_note_message(worker, LOG_WARN, "late", "amount", item->deduction.amount,
                        "message " TEXT_FORMAT " of budget " TEXT_FORMAT
                        " arrived after its deduction was voided as %s; it is booked nowhere",
                        TEXT_ARGUMENTS(item->deduction.message_id), TEXT_ARGUMENTS(item->deduction.budget_id),
                        deduction_reason_name(item->known.reason));
}

/* A known id came again: its pending entry is cleared as the row says, and a second deduction of a settled id
 * is given back. */
static void duplicate_tell(struct worker *worker, struct tells *tells, const struct batch_item *item)
{
    const struct known_row *known = &item->known;
    if (known->state == DEDUCTION_VOIDED) late_note(worker, item);
    if (item->deduction.deducted_at_us == 0) return;
    struct booked booked = {.state = known->state,
                            .amount = item->deduction.amount,
                            .deducted_at_us = known->deducted_at_us,
                            .booked_at_us = known->booked_at_us};
    tell_add(tells, &item->deduction, tell_kind_for(&booked, item->deduction.deducted_at_us));
}

static void item_finish(struct worker *worker, struct tells *tells, const struct batch_item *item)
{
    switch (item->verdict) {
    case VERDICT_SETTLED:
        if (item->deduction.deducted_at_us != 0) tell_add(tells, &item->deduction, TELL_SETTLE);
        item_booked(worker, item);
        break;
    case VERDICT_REJECTED:
        worker->debts_woken = true;
        worker_note_message(worker, LOG_DEBUG, "rejected", "amount", item->deduction.amount,
                            "message " TEXT_FORMAT " of budget " TEXT_FORMAT ": %s; to be refunded",
                            TEXT_ARGUMENTS(item->deduction.message_id),
                            TEXT_ARGUMENTS(item->deduction.budget_id), deduction_reason_name(item->reason));
        item_booked(worker, item);
        break;
    case VERDICT_DUPLICATE:
        duplicate_tell(worker, tells, item);
        item_booked(worker, item);
        break;
    case VERDICT_CONFLICT:
        item_park(worker, item, PARK_ID_CONFLICT,
                  "the ledger knows this message_id with another amount or budget");
        break;
    case VERDICT_REFUSED: /* parked where it was found, and in no range any more */
    case VERDICT_NONE: assert(false && "a verdict of the ledger"); break;
    }
}

static void range_booked(struct worker *worker, const struct job *job)
{
    struct batch *batch = job->settle.batch;
    struct tells *tells = tell_open(worker);
    for (size_t i = job->settle.first; i < job->settle.first + job->settle.count; i++) {
        item_finish(worker, tells, &batch->items[i]);
    }
    worker->progress_at_us = worker->now_us;
}

static void range_refused(struct worker *worker, struct job *job, struct range range)
{
    if (range.count > 1) {
        range_halve(worker, range);
        return;
    }
    struct batch_item *item = &job->settle.batch->items[range.first];
    item->verdict = VERDICT_REFUSED;
    item_park(worker, item, PARK_UNPROCESSABLE, job->error.text);
    worker->progress_at_us = worker->now_us;
}

void settle_done(struct worker *worker, struct job *job)
{
    assert(worker->committing == job->settle.batch);
    assert(worker->range_count > 0);
    if (job->status != STATUS_OK && job->status != STATUS_REFUSED) {
        /* Also when the answer to COMMIT was lost: the same range again finds its own rows as duplicates. */
        worker->counts.commit_retries++;
        health_fail(worker, &worker->ledger, "ledger-failed", &job->error);
        return;
    }
    health_succeed(worker, &worker->ledger, "ledger-up");
    struct range range = worker->ranges[--worker->range_count];
    if (job->status == STATUS_OK) {
        range_booked(worker, job);
    } else {
        range_refused(worker, job, range);
    }
    if (worker->range_count > 0) return;
    worker->committing = NULL;
    batch_reset(job->settle.batch);
}
