#include "reconcile/measure.h"

#include "base/memory.h"
#include "core/limits.h"
#include "reconcile/measure_sums.h"

#include <assert.h>
#include <stdlib.h>

#define TRIES_MAX       40
#define LOOKUP_SLICE    500
#define CREDITS_SLICE   500
#define PAUSE_US        INT64_C(1000)
#define PAUSE_DOUBLINGS 6

static void measure_reset(struct measure *measure)
{
    measure->stage = MEASURE_TAIL;
    measure->cursor = 0;
    measure->credit_sequence = 0;
    measure->count = 0;
    measure->looked_up = 0;
    measure->credit_count = 0;
    measure->credits_in_redis = 0;
    tally_cut_end(measure->tally);
    arena_reset(&measure->arena);
}

void measure_begin(struct measure *measure, size_t budget, struct text budget_id, bool limited)
{
    measure_reset(measure);
    measure->budget = budget;
    measure->budget_id = budget_id;
    measure->limited = limited;
    measure->tries = 0;
    measure->wait_until_us = 0;
    measure->proven = false;
    measure->ahead_count = 0;
    measure->has_previous = false;
}

/* A pause that grows: what disturbed may be a burst. */
static void measure_again(struct measure *measure)
{
    measure_reset(measure);
    if (++measure->tries > TRIES_MAX) {
        measure->stage = MEASURE_DONE;
        return;
    }
    unsigned doublings = measure->tries < PAUSE_DOUBLINGS ? measure->tries : PAUSE_DOUBLINGS;
    measure->wait_until_us = clock_monotonic_us(measure->clock) + (PAUSE_US << doublings);
}

static enum status read_tail(struct measure *measure, enum measure_stage next, struct error *error)
{
    bool more = false;
    enum status status = tally_read(measure->tally, measure->ledger, &more, error);
    if (status == STATUS_OK && !more) measure->stage = next;
    return status;
}

static enum status audit(struct measure *measure, struct stock_audit *audit, struct error *error)
{
    *audit = (struct stock_audit){.budget_id = measure->budget_id};
    enum status status = stock_audit(measure->stock, audit, 1, error);
    return status == STATUS_OK ? audit->status : status;
}

static enum status audit_first(struct measure *measure, struct error *error)
{
    enum status status = audit(measure, &measure->first, error);
    if (status != STATUS_OK) return status;
    measure->connections = stock_connections(measure->stock);
    /* A clock that was set back since: what looked alike may be the same entries, left out once more. */
    if (measure->first.now_us < measure->second.now_us) measure->has_previous = false;
    tally_cut(measure->tally, measure->budget, measure->first.now_us);
    measure->stage = MEASURE_CREDITS;
    return STATUS_OK;
}

static void append_credit(struct measure *measure, const struct measured_credit *credit)
{
    if (measure->credit_count == measure->credit_capacity) {
        measure->credit_capacity = measure->credit_capacity == 0 ? 64 : measure->credit_capacity * 2;
        measure->credits =
            memory_resize(measure->credits, measure->credit_capacity, sizeof *measure->credits);
    }
    measure->credits[measure->credit_count++] = *credit;
}

static enum status scan_credits(struct measure *measure, struct error *error)
{
    struct stock_credit_entry *slice = NULL;
    size_t count = 0;
    enum status status = stock_credits_scan(measure->stock, measure->budget_id, &measure->cursor,
                                            &measure->arena, &slice, &count, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        append_credit(measure, &(struct measured_credit){.credit_id = slice[i].credit_id,
                                                         .amount = slice[i].amount,
                                                         .in_redis = true});
    }
    if (measure->cursor == 0) {
        measure_sort_credits(measure);
        measure->stage = MEASURE_PENDINGS;
    }
    return STATUS_OK;
}

static enum status scan_pendings(struct measure *measure, struct error *error)
{
    struct stock_pending *slice = NULL;
    size_t count = 0;
    enum status status = stock_pending_scan(measure->stock, measure->budget_id, &measure->cursor,
                                            &measure->arena, &slice, &count, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        if (measure->count == measure->capacity) {
            measure->capacity = measure->capacity == 0 ? 1024 : measure->capacity * 2;
            measure->entries = memory_resize(measure->entries, measure->capacity, sizeof *measure->entries);
        }
        measure->entries[measure->count++] = (struct entry){.message_id = slice[i].message_id,
                                                            .amount = slice[i].amount,
                                                            .deducted_at_us = slice[i].deducted_at_us};
    }
    if (measure->cursor == 0) {
        measure_sort_entries(measure);
        measure->stage = MEASURE_AUDIT_AGAIN;
    }
    return STATUS_OK;
}

/* Both are of one Redis: one that took over in between may lack what the first one had, and have the same
 * totals. A refund in between took away an entry that may not have been read any more, a credit one that may
 * have been; and Redis's clock must not have gone back over the cut. Where it went back before the cut,
 * entries from before it have times that are still to come: only what lies between the two audits is left
 * out, and when the clock comes by such a time again, nothing is said. */
static enum status audit_second(struct measure *measure, struct error *error)
{
    measure->second_at_us = clock_monotonic_us(measure->clock);
    enum status status = audit(measure, &measure->second, error);
    if (status != STATUS_OK) return status;
    const struct stock_audit *first = &measure->first, *second = &measure->second;
    bool same = measure->connections == stock_connections(measure->stock) &&
                first->deducted <= second->deducted && first->released == second->released &&
                first->credited == second->credited && first->credits == second->credits &&
                first->amended == second->amended && first->now_us <= second->now_us &&
                first->settled <= second->settled &&
                (first->left == STOCK_LEFT_NONE) == (second->left == STOCK_LEFT_NONE);
    bool clear = same && !measure_is_ambiguous(measure);
    measure_note_ahead(measure);
    if (clear) {
        measure_drop_after_cut(measure);
        measure->stage = MEASURE_CREDITS_BOOKED;
    } else {
        measure_again(measure);
    }
    return STATUS_OK;
}

static enum status list_credits(struct measure *measure, struct error *error)
{
    struct ledger_credit *rows;
    size_t count = 0;
    arena_reset(&measure->slice);
    rows = arena_alloc(&measure->slice, CREDITS_SLICE * sizeof *rows);
    enum status status = ledger_credits_list(measure->ledger, measure->budget_id, measure->credit_sequence,
                                             &measure->slice, rows, CREDITS_SLICE, &count, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        measure->credit_sequence = rows[i].sequence;
        struct measured_credit *known = measure_find_credit(measure, rows[i].credit_id);
        if (known == NULL) {
            append_credit(measure, &(struct measured_credit){
                                       .credit_id = arena_copy(&measure->arena, rows[i].credit_id),
                                       .amount = rows[i].amount,
                                       .in_ledger = true,
                                       .applied = rows[i].applied,
                                   });
        } else {
            known->in_ledger = true;
            known->applied = rows[i].applied;
        }
    }
    if (count < CREDITS_SLICE) measure->stage = MEASURE_TAIL_AGAIN;
    return STATUS_OK;
}

static enum status look_up(struct measure *measure, struct error *error)
{
    size_t count = measure->count - measure->looked_up;
    if (count > LOOKUP_SLICE) count = LOOKUP_SLICE;
    if (count > 0) {
        struct entry *entries = &measure->entries[measure->looked_up];
        arena_reset(&measure->slice);
        struct text *ids = arena_alloc(&measure->slice, count * sizeof *ids);
        struct ledger_deduction *rows = arena_alloc(&measure->slice, count * sizeof *rows);
        for (size_t i = 0; i < count; i++) ids[i] = entries[i].message_id;
        enum status status =
            ledger_deductions_find(measure->ledger, ids, count, &measure->slice, rows, error);
        if (status != STATUS_OK) return status;
        for (size_t i = 0; i < count; i++) measure_judge_entry(measure, &entries[i], &rows[i]);
        measure->looked_up += count;
    }
    if (measure->looked_up == measure->count) measure->stage = MEASURE_DONE;
    return STATUS_OK;
}

/* Well is well at once; anything else must be seen twice. */
static void measure_conclude(struct measure *measure)
{
    /* A row from the time after both audits cannot be told from one that is older than its clock; read now,
     * it is older than the next cut for certain. */
    if (measure->tally->after_cut_last_us > measure->second.now_us) {
        measure_again(measure);
        return;
    }
    tally_cut_end(measure->tally);
    measure_reckon(measure);
    bool found = measure_found(measure);
    bool confirmed = measure->has_previous && measure_same_result(&measure->previous, &measure->result);
    if (found && measure->result.needs_settled) {
        measure_again(measure);
        return;
    }
    if (!found || confirmed) {
        measure->proven = true;
        return;
    }
    measure->previous = measure->result;
    measure->has_previous = true;
    measure_again(measure);
}

enum status measure_step(struct measure *measure, struct error *error)
{
    enum status status = STATUS_OK;
    measure->wait_until_us = 0;
    switch (measure->stage) {
    case MEASURE_TAIL: status = read_tail(measure, MEASURE_AUDIT, error); break;
    case MEASURE_AUDIT: status = audit_first(measure, error); break;
    case MEASURE_CREDITS: status = scan_credits(measure, error); break;
    case MEASURE_PENDINGS: status = scan_pendings(measure, error); break;
    case MEASURE_AUDIT_AGAIN: status = audit_second(measure, error); break;
    case MEASURE_CREDITS_BOOKED: status = list_credits(measure, error); break;
    case MEASURE_TAIL_AGAIN: status = read_tail(measure, MEASURE_LOOKUP, error); break;
    case MEASURE_LOOKUP:
        status = look_up(measure, error);
        if (status == STATUS_OK && measure->stage == MEASURE_DONE) measure_conclude(measure);
        break;
    case MEASURE_DONE: assert(measure->stage != MEASURE_DONE); break;
    }
    if (status != STATUS_OK)
        return error_wrap(error, status, "budget " TEXT_FORMAT, TEXT_ARGUMENTS(measure->budget_id));
    return STATUS_OK;
}

void measure_free(struct measure *measure)
{
    free(measure->entries);
    free(measure->credits);
    free(measure->ahead_us);
    arena_free(&measure->arena);
    arena_free(&measure->slice);
    *measure = (struct measure){0};
}
