/* Orphans: entries that are old, booked nowhere, and whose message cannot come any more.
 *
 *  CHOOSE (old enough) -> QUEUE (nothing that old is under way) -> PARKED, DEAD_LETTERS (nor set aside) ->
 * ROW (nor booked in the meantime) -> END (repaired, reported) -> CHOOSE …
 *
 * The order is that in which a message travels, so that one on its way is met at one of the steps. And if one
 * comes all the same, the void's row is there first: it is then late, and booked nowhere. */
#include "reconcile/reconcile_state.h"

#include "base/failpoint.h"
#include "base/memory.h"
#include "core/batch.h"

static struct entry *chosen_entry(struct reconcile *reconcile, size_t index)
{
    return &reconcile->measure.entries[reconcile->orphans.chosen[index]];
}

/* Keeps those with `keep`. */
static void keep_chosen(struct orphans *orphans, const bool *keep)
{
    size_t kept = 0;
    for (size_t i = 0; i < orphans->count; i++)
        if (keep[i]) orphans->chosen[kept++] = orphans->chosen[i];
    orphans->count = kept;
}

static bool choose(struct reconcile *reconcile)
{
    struct orphans *orphans = &reconcile->orphans;
    const struct measure *measure = &reconcile->measure;
    if (orphans->chosen == NULL) orphans->chosen = memory_alloc_zero(REPAIR_SLICE, sizeof *orphans->chosen);
    int64_t before_us = measure->first.now_us - reconcile->options.orphan_after_us;
    orphans->count = 0;
    orphans->strict = false;
    for (; orphans->at < measure->count && orphans->count < REPAIR_SLICE; orphans->at++) {
        const struct entry *entry = &measure->entries[orphans->at];
        bool undecided = entry->fate == ENTRY_UNDECIDED || entry->fate == ENTRY_EXTRA;
        if (undecided && entry->deducted_at_us <= before_us) orphans->chosen[orphans->count++] = orphans->at;
    }
    orphans->step = ORPHAN_QUEUE;
    return orphans->count > 0;
}

/* The youngest decides for all of the slice; where that is too strict, one alone is asked next time. */
static enum reconcile_progress ask_queue(struct reconcile *reconcile)
{
    struct orphans *orphans = &reconcile->orphans;
    int64_t youngest_us = 0;
    for (size_t i = 0; i < orphans->count; i++) {
        int64_t token_us = chosen_entry(reconcile, i)->deducted_at_us;
        if (token_us > youngest_us) youngest_us = token_us;
    }
    enum queue_answer answer = queue_is_past(reconcile, youngest_us, orphans->strict);
    if (answer == QUEUE_WAIT) return RECONCILE_WAIT;
    if (answer == QUEUE_PAST) {
        orphans->step = ORPHAN_PARKED;
        return RECONCILE_MORE;
    }
    bool keep[REPAIR_SLICE];
    for (size_t i = 0; i < orphans->count; i++) {
        keep[i] = !orphans->strict &&
                  queue_is_past(reconcile, chosen_entry(reconcile, i)->deducted_at_us, false) == QUEUE_PAST;
    }
    keep_chosen(orphans, keep);
    orphans->step = orphans->count > 0 ? ORPHAN_PARKED : ORPHAN_CHOOSE;
    return RECONCILE_MORE;
}

static void ids_of(struct reconcile *reconcile, struct text *ids)
{
    for (size_t i = 0; i < reconcile->orphans.count; i++) ids[i] = chosen_entry(reconcile, i)->message_id;
}

/* A replayed message stands at the end of the queue with an old token: only an empty queue tells that it is
 * through. */
static enum status ask_parked(struct reconcile *reconcile, struct error *error)
{
    struct orphans *orphans = &reconcile->orphans;
    struct text ids[REPAIR_SLICE];
    struct parked_look looks[REPAIR_SLICE];
    bool keep[REPAIR_SLICE];
    ids_of(reconcile, ids);
    enum status status = ledger_parked_look(reconcile->options.ledger, ids, orphans->count, looks, error);
    if (status != STATUS_OK) return status;
    bool any_replayed = false;
    for (size_t i = 0; i < orphans->count; i++) {
        keep[i] = !looks[i].parked;
        any_replayed = any_replayed || (keep[i] && looks[i].replayed);
    }
    keep_chosen(orphans, keep);
    if (any_replayed && !orphans->strict) {
        orphans->strict = true;
        orphans->step = ORPHAN_QUEUE;
    } else {
        orphans->step = ORPHAN_DEAD_LETTERS;
    }
    return STATUS_OK;
}

/* What the broker itself set aside is in no record of the ledger. */
static void ask_dead_letters(struct reconcile *reconcile)
{
    struct orphans *orphans = &reconcile->orphans;
    struct text ids[REPAIR_SLICE];
    bool found[REPAIR_SLICE] = {false}, keep[REPAIR_SLICE];
    struct error error;
    orphans->step = ORPHAN_ROW;
    ids_of(reconcile, ids);
    enum status status =
        reconcile->options.find_dead_letters(reconcile->options.context, ids, orphans->count, found, &error);
    if (status != STATUS_OK && !reconcile->queue.failed) {
        reconcile->queue.failed = true;
        reconcile->summary.complete = false;
        reconcile_say(reconcile, "the dead-letter queue cannot be read, so orphans are not judged: %s",
                      error.text);
    }
    for (size_t i = 0; i < orphans->count; i++) keep[i] = status == STATUS_OK && !found[i];
    keep_chosen(orphans, keep);
}

/* The last look before it counts: still without a row, still pending. */
static enum status ask_row(struct reconcile *reconcile, struct error *error)
{
    struct orphans *orphans = &reconcile->orphans;
    size_t count = orphans->count;
    struct text ids[REPAIR_SLICE];
    bool keep[REPAIR_SLICE];
    struct ledger_deduction *rows = arena_alloc(&reconcile->slice, (count + 1) * sizeof *rows);
    struct stock_query *queries = arena_alloc(&reconcile->slice, (count + 1) * sizeof *queries);
    ids_of(reconcile, ids);
    for (size_t i = 0; i < count; i++)
        queries[i] = (struct stock_query){.budget_id = present_budget(reconcile)->id, .message_id = ids[i]};
    orphans->step = ORPHAN_END;
    if (count == 0) return STATUS_OK;
    enum status status =
        ledger_deductions_find(reconcile->options.ledger, ids, count, &reconcile->slice, rows, error);
    if (status == STATUS_OK) status = stock_query(reconcile->options.stock, queries, count, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry = chosen_entry(reconcile, i);
        keep[i] = rows[i].found == (entry->fate == ENTRY_EXTRA) && queries[i].status == STATUS_OK &&
                  queries[i].state == PENDING_PENDING && queries[i].deducted_at_us == entry->deducted_at_us;
    }
    keep_chosen(orphans, keep);
    return STATUS_OK;
}

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
        .actor = reconcile->options.actor,
        .budget_id = present_budget(reconcile)->id,
        .message_id = entry->message_id,
        .subject = TEXT_LITERAL("orphan"),
        .before = TEXT_LITERAL("pending"),
        .after = TEXT_LITERAL("given back"),
        .amount = entry->amount,
    };
    enum status status = ledger_interventions_begin(reconcile->options.ledger, &repair, 1, error);
    if (status != STATUS_OK) return status;
    status = release(reconcile, entry, outcome_of_extra(entry), error);
    if (status != STATUS_OK && status != STATUS_REFUSED) return status;
    *mended = status == STATUS_OK;
    repair.state = *mended ? INTERVENTION_DONE : INTERVENTION_ABANDONED;
    return ledger_interventions_end(reconcile->options.ledger, &repair, 1, error);
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
        const struct entry *entry = chosen_entry(reconcile, i);
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
                         : refused(reconcile, chosen_entry(reconcile, of[0]), error);
    }
    if (status != STATUS_OK) return status;
    FAILPOINT("orphan-voided");
    struct stock_release *releases = arena_alloc(arena, count * sizeof *releases);
    struct debt *paid = arena_alloc(arena, count * sizeof *paid);
    size_t released = 0;
    for (size_t i = 0; i < count; i++) {
        if (!rows[i].inserted) continue; /* booked at the last moment */
        of[released] = of[i];
        releases[released] = release_of(reconcile, chosen_entry(reconcile, of[i]), RELEASE_VOIDED);
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

/* Books it as if its message had come: the ledger may still reject it, and then owes the refund. Where
 * somebody else decided about it since the last look, that row says what is to be done, and the next run does
 * it. */
static enum status repair_settle(struct reconcile *reconcile, const struct entry *entry, bool *mended,
                                 struct error *error)
{
    struct intervention note = {
        .kind = INTERVENTION_SETTLE,
        .state = INTERVENTION_DONE, /* the row of the deduction is what counts, and is written once */
        .actor = reconcile->options.actor,
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
    enum status status = ledger_interventions_begin(reconcile->options.ledger, &note, 1, error);
    if (status == STATUS_OK) status = ledger_settle(reconcile->options.ledger, &batch, 0, 1, error);
    enum verdict verdict = batch.items[0].verdict;
    batch_free(&batch);
    if (status == STATUS_REFUSED) return refused(reconcile, entry, error);
    if (status != STATUS_OK) return status;
    FAILPOINT("orphan-settled");
    if (verdict == VERDICT_REJECTED) {
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

/* `mended` is per chosen entry, all false. */
static enum status repair_chosen(struct reconcile *reconcile, bool *mended, struct error *error)
{
    struct orphans *orphans = &reconcile->orphans;
    bool voids[REPAIR_SLICE] = {false}, any_void = false;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < orphans->count && status == STATUS_OK; i++) {
        const struct entry *entry = chosen_entry(reconcile, i);
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

static enum status end_chosen(struct reconcile *reconcile, struct error *error)
{
    struct orphans *orphans = &reconcile->orphans;
    bool mended[REPAIR_SLICE] = {false};
    orphans->step = ORPHAN_CHOOSE;
    if (orphans->allowed) {
        enum status status = repair_chosen(reconcile, mended, error);
        if (status != STATUS_OK) return status;
    }
    bool held_back = reconcile->options.repair && !orphans->allowed;
    for (size_t i = 0; i < orphans->count; i++) {
        const struct entry *entry = chosen_entry(reconcile, i);
        reconcile_report(reconcile,
                         &(struct finding){
                             .kind = FINDING_ORPHAN,
                             .budget_id = present_budget(reconcile)->id,
                             .message_id = entry->message_id,
                             .expected = FINDING_NUMBER_NONE,
                             .actual = FINDING_NUMBER_NONE,
                             .amount = entry->amount,
                             .mended = mended[i],
                             .detail = held_back ? "held back until the budget's numbers are right" : NULL,
                         });
    }
    return STATUS_OK;
}

/* RECONCILE_DONE: no more of this budget. */
enum reconcile_progress stage_orphans(struct reconcile *reconcile, struct error *error)
{
    struct orphans *orphans = &reconcile->orphans;
    enum status status = STATUS_OK;
    if (!reconcile->measure.proven) return RECONCILE_DONE;
    switch (orphans->step) {
    case ORPHAN_CHOOSE: return choose(reconcile) ? RECONCILE_MORE : RECONCILE_DONE;
    case ORPHAN_QUEUE: return ask_queue(reconcile);
    case ORPHAN_PARKED: status = ask_parked(reconcile, error); break;
    case ORPHAN_DEAD_LETTERS: ask_dead_letters(reconcile); break;
    case ORPHAN_ROW: status = ask_row(reconcile, error); break;
    case ORPHAN_END: status = end_chosen(reconcile, error); break;
    }
    return status == STATUS_OK ? RECONCILE_MORE : reconcile_fail(reconcile, status);
}
