/* Orphans: entries that are old, booked nowhere, and whose message cannot come any more.
 *
 *  CHOOSE (old enough) -> QUEUE (nothing that old is under way) -> PARKED, DEAD_LETTERS (nor set aside) ->
 * REPLAYED (nor going back meanwhile) -> ROW (nor booked in the meantime) -> END (repaired, reported) ->
 * CHOOSE …
 *
 * The order is that in which a message travels, so that one on its way is met at one of the steps; a replay,
 * which goes the other way, writes its entry first and is met at the end. And if one comes all the same, the
 * void's row is there first: it is then late, and booked nowhere. */
#include "reconcile/reconcile_state.h"

#include "base/memory.h"

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
    queue_forget(reconcile);
    return orphans->count > 0;
}

/* The youngest decides for all of the slice; where that is too strict, one alone is asked next time. */
static enum reconcile_progress ask_queue(struct reconcile *reconcile)
{
    struct orphans *orphans = &reconcile->orphans;
    int64_t youngest_us = 0;
    for (size_t i = 0; i < orphans->count; i++) {
        int64_t token_us = orphan_chosen(reconcile, i)->deducted_at_us;
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
                  queue_is_past(reconcile, orphan_chosen(reconcile, i)->deducted_at_us, false) == QUEUE_PAST;
    }
    keep_chosen(orphans, keep);
    orphans->step = orphans->count > 0 ? ORPHAN_PARKED : ORPHAN_CHOOSE;
    return RECONCILE_MORE;
}

static void ids_of(struct reconcile *reconcile, struct text *ids)
{
    for (size_t i = 0; i < reconcile->orphans.count; i++) ids[i] = orphan_chosen(reconcile, i)->message_id;
}

/* A replayed message stands at the end of the queue with an old token: only an empty queue tells that it is
 * through. */
static enum status ask_parked(struct reconcile *reconcile, int next, struct error *error)
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
        queue_forget(reconcile); /* the replay may have published since */
    } else {
        orphans->step = (unsigned)next;
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
    orphans->step = ORPHAN_REPLAYED;
    if (orphans->count == 0) return; /* each look there is a delivery of every letter */
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
        const struct entry *entry = orphan_chosen(reconcile, i);
        keep[i] = rows[i].found == (entry->fate == ENTRY_EXTRA) && queries[i].status == STATUS_OK &&
                  queries[i].state == PENDING_PENDING && queries[i].deducted_at_us == entry->deducted_at_us;
    }
    keep_chosen(orphans, keep);
    return STATUS_OK;
}

static enum status end_chosen(struct reconcile *reconcile, struct error *error)
{
    struct orphans *orphans = &reconcile->orphans;
    bool mended[REPAIR_SLICE] = {false};
    orphans->step = ORPHAN_CHOOSE;
    if (present_budget(reconcile)->right) {
        enum status status = orphans_repair(reconcile, mended, error);
        if (status != STATUS_OK) return status;
    }
    for (size_t i = 0; i < orphans->count; i++) orphans->mended = orphans->mended || mended[i];
    bool held_back = reconcile->options.repair && !present_budget(reconcile)->right;
    for (size_t i = 0; i < orphans->count; i++) {
        const struct entry *entry = orphan_chosen(reconcile, i);
        reconcile_report(reconcile, &(struct finding){
                                        .kind = FINDING_ORPHAN,
                                        .budget_id = present_budget(reconcile)->id,
                                        .message_id = entry->message_id,
                                        .expected = FINDING_NUMBER_NONE,
                                        .actual = FINDING_NUMBER_NONE,
                                        .amount = entry->amount,
                                        .mended = mended[i],
                                        .detail = held_back ? HELD_BACK : NULL,
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
    case ORPHAN_PARKED: status = ask_parked(reconcile, ORPHAN_DEAD_LETTERS, error); break;
    case ORPHAN_DEAD_LETTERS: ask_dead_letters(reconcile); break;
    case ORPHAN_REPLAYED: status = ask_parked(reconcile, ORPHAN_ROW, error); break;
    case ORPHAN_ROW: status = ask_row(reconcile, error); break;
    case ORPHAN_END: status = end_chosen(reconcile, error); break;
    }
    return status == STATUS_OK ? RECONCILE_MORE : reconcile_fail(reconcile, status);
}
