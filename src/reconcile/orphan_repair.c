/* What becomes of orphans: voided and given back, or booked. */
#include "reconcile/reconcile_state.h"

#include "base/failpoint.h"
#include "core/batch.h"

static struct stock_release release_of(struct reconcile *reconcile, const struct entry *entry,
                                       enum release_outcome outcome)
{
    return (struct stock_release){
        .budget_id = present_budget(reconcile)->id,
        .message_id = entry->message_id,
        .deducted_at_us = entry->deducted_at_us,
        .amount = entry->amount,
        .outcome = outcome,
    };
}

static enum status release(struct reconcile *reconcile, const struct entry *entry,
                           enum release_outcome outcome, struct error *error)
{
    struct stock_release item = release_of(reconcile, entry, outcome);
    enum status status = stock_release(reconcile->options.stock, &item, 1, error);
    return status == STATUS_OK ? item.status : status;
}

/* What the id is called from then on. A settled one is settled; but where the row is of another amount or
 * budget, whoever asks for this deduction again must hear that it was given back. */
static enum release_outcome outcome_of_extra(const struct entry *entry)
{
    if (entry->is_conflict || entry->row_state == DEDUCTION_VOIDED) return RELEASE_VOIDED;
    return entry->row_state == DEDUCTION_SETTLED ? RELEASE_EXTRA : RELEASE_REJECTED;
}

/* A second deduction of an id whose row is another's: nothing to book, it is given back. */
static enum status repair_extra(struct reconcile *reconcile, const struct entry *entry, bool *mended,
                                struct error *error)
{
    struct intervention repair = {
        .kind = INTERVENTION_REPAIR,
        .budget_id = present_budget(reconcile)->id,
        .message_id = entry->message_id,
        .subject = TEXT_LITERAL("orphan"),
        .before = TEXT_LITERAL("pending"),
        .after = TEXT_LITERAL("given back"),
        .amount = entry->amount,
    };
    enum status status = journal_begin(reconcile, &repair, 1, error);
    if (status != STATUS_OK) return status;
    status = release(reconcile, entry, outcome_of_extra(entry), error);
    if (status != STATUS_OK && status != STATUS_REFUSED) return status;
    *mended = status == STATUS_OK;
    repair.state = *mended ? INTERVENTION_DONE : INTERVENTION_ABANDONED;
    return journal_end(reconcile, &repair, 1, error);
}

/* One row that the ledger never takes must not end every run at the same place. */
static enum status refused(struct reconcile *reconcile, const struct entry *entry, const struct error *error)
{
    reconcile_say(reconcile, "budget " TEXT_FORMAT ", message " TEXT_FORMAT ": %s",
                  TEXT_ARGUMENTS(present_budget(reconcile)->id), TEXT_ARGUMENTS(entry->message_id),
                  error->text);
    return STATUS_OK;
}

static enum status repair_voids(struct reconcile *reconcile, const bool *allowed, bool *mended,
                                struct error *error);

/* After a refusal of several together. */
static enum status repair_voids_alone(struct reconcile *reconcile, const bool *allowed, bool *mended,
                                      struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < reconcile->orphans.count && status == STATUS_OK; i++) {
        bool only[REPAIR_SLICE] = {false};
        only[i] = allowed[i];
        if (allowed[i]) status = repair_voids(reconcile, only, mended, error);
    }
    return status;
}

/* The rows first: whoever inserts one decides what the id is. Then the amounts go back, and the rows say so.
 * Killed in between, the refunds are due, and paid like any other. `mended` is per chosen entry. */
static enum status repair_voids(struct reconcile *reconcile, const bool *allowed, bool *mended,
                                struct error *error)
{
    struct orphans *orphans = &reconcile->orphans;
    struct arena *arena = &reconcile->slice;
    size_t count = 0;
    size_t *of = arena_alloc(arena, orphans->count * sizeof *of);
    struct ledger_void *rows = arena_alloc(arena, orphans->count * sizeof *rows);
    for (size_t i = 0; i < orphans->count; i++) {
        const struct entry *entry = orphan_chosen(reconcile, i);
        if (!allowed[i]) continue;
        of[count] = i;
        rows[count++] = (struct ledger_void){
            .message_id = entry->message_id,
            .budget_id = present_budget(reconcile)->id,
            .amount = entry->amount,
            .deducted_at_us = entry->deducted_at_us,
            .reason = REASON_ORPHANED,
            .refund = REFUND_DUE,
        };
    }
    enum status status =
        ledger_voids_insert(reconcile->options.ledger, reconcile->options.actor, rows, count, error);
    if (status == STATUS_REFUSED) {
        return count > 1 ? repair_voids_alone(reconcile, allowed, mended, error)
                         : refused(reconcile, orphan_chosen(reconcile, of[0]), error);
    }
    if (status != STATUS_OK) return status;
    FAILPOINT("orphan-voided");
    struct stock_release *releases = arena_alloc(arena, count * sizeof *releases);
    struct debt *paid = arena_alloc(arena, count * sizeof *paid);
    size_t released = 0;
    for (size_t i = 0; i < count; i++) {
        if (!rows[i].inserted) continue; /* booked at the last moment */
        of[released] = of[i];
        releases[released] = release_of(reconcile, orphan_chosen(reconcile, of[i]), RELEASE_VOIDED);
        paid[released++] = (struct debt){.kind = DEBT_REFUND, .id = rows[i].message_id};
    }
    status = stock_release(reconcile->options.stock, releases, released, error);
    if (status != STATUS_OK) return status;
    FAILPOINT("orphan-refunded");
    for (size_t i = 0; i < released; i++) {
        paid[i].paid = releases[i].status == STATUS_OK; /* else the refund stays due */
        mended[of[i]] = paid[i].paid;
    }
    return ledger_debts_mark(reconcile->options.ledger, paid, released, error);
}

/* As its message would be booked. The entry of the journal says what came of it: the row. */
static enum status book(struct reconcile *reconcile, const struct entry *entry, enum verdict *verdict,
                        struct error *error)
{
    struct intervention booking = {
        .kind = INTERVENTION_SETTLE,
        .budget_id = present_budget(reconcile)->id,
        .message_id = entry->message_id,
        .subject = TEXT_LITERAL("orphan"),
        .before = TEXT_LITERAL("pending"),
        .after = TEXT_LITERAL("booked"),
    };
    struct batch batch;
    batch_init(&batch, 1);
    struct deduction deduction = {
        .message_id = arena_copy(&batch.arena, entry->message_id),
        .budget_id = arena_copy(&batch.arena, present_budget(reconcile)->id),
        .amount = entry->amount,
        .deducted_at_us = entry->deducted_at_us,
    };
    batch_append(&batch, &deduction, NULL, TEXT_NONE);
    enum status status = journal_begin(reconcile, &booking, 1, error);
    if (status == STATUS_OK) status = ledger_settle(reconcile->options.ledger, &batch, 0, 1, error);
    *verdict = status == STATUS_OK ? batch.items[0].verdict : VERDICT_REFUSED;
    batch_free(&batch);
    if (status != STATUS_OK && status != STATUS_REFUSED) return status;
    if (status == STATUS_REFUSED) (void)refused(reconcile, entry, error);
    bool booked = *verdict == VERDICT_SETTLED || *verdict == VERDICT_REJECTED;
    booking.state = booked ? INTERVENTION_DONE : INTERVENTION_ABANDONED;
    return journal_end(reconcile, &booking, 1, error);
}

/* Books it: the ledger may still reject it, and then owes the refund. Where somebody else decided meanwhile,
 * the entry is for whoever knows the row. */
static enum status repair_settle(struct reconcile *reconcile, const struct entry *entry, bool *mended,
                                 struct error *error)
{
    enum verdict verdict;
    enum status status = book(reconcile, entry, &verdict, error);
    if (status != STATUS_OK) return status;
    FAILPOINT("orphan-settled");
    if (verdict == VERDICT_REJECTED) {
        /* Beyond what repairs may change it stays a debt like any other, which the worker pays. */
        if (!reconcile_allows(reconcile, present_budget(reconcile), entry->amount)) return STATUS_OK;
        status = release(reconcile, entry, RELEASE_REJECTED, error);
        struct debt paid = {.kind = DEBT_REFUND, .id = entry->message_id, .paid = true};
        if (status == STATUS_OK) status = ledger_debts_mark(reconcile->options.ledger, &paid, 1, error);
    } else if (verdict == VERDICT_SETTLED) {
        struct stock_settlement cleared = {.budget_id = present_budget(reconcile)->id,
                                           .message_id = entry->message_id,
                                           .deducted_at_us = entry->deducted_at_us};
        status = stock_settle(reconcile->options.stock, &cleared, 1, NULL, error);
    } else {
        return STATUS_OK;
    }
    *mended = status == STATUS_OK;
    return status == STATUS_REFUSED ? STATUS_OK : status;
}

enum status orphans_repair(struct reconcile *reconcile, bool *mended, struct error *error)
{
    struct orphans *orphans = &reconcile->orphans;
    bool voids[REPAIR_SLICE] = {false}, any_void = false;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < orphans->count && status == STATUS_OK; i++) {
        const struct entry *entry = orphan_chosen(reconcile, i);
        bool settles = reconcile->options.settle_orphans && entry->fate == ENTRY_UNDECIDED;
        if (!reconcile_allows(reconcile, present_budget(reconcile), settles ? 0 : entry->amount)) continue;
        if (entry->fate == ENTRY_EXTRA)
            status = repair_extra(reconcile, entry, &mended[i], error);
        else if (settles)
            status = repair_settle(reconcile, entry, &mended[i], error);
        else
            voids[i] = any_void = true;
    }
    return status == STATUS_OK && any_void ? repair_voids(reconcile, voids, mended, error) : status;
}
