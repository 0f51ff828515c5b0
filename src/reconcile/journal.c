/* The ledger's journal of repairs: each is written down before it is made, and once more when it is known
 * what became of it. What a run that was killed in between left open is closed by the next one: what Redis or
 * the ledger has is done, what it has not is abandoned, and is found anew. */
#include "reconcile/reconcile_state.h"

#include "base/failpoint.h"

enum status journal_begin(struct reconcile *reconcile, struct intervention *entries, size_t count,
                          struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        entries[i].state = INTERVENTION_BEGUN;
        entries[i].actor = reconcile->options.actor;
    }
    enum status status = ledger_interventions_begin(reconcile->options.ledger, entries, count, error);
    if (status == STATUS_OK) FAILPOINT("repair-journaled");
    return status;
}

enum status journal_end(struct reconcile *reconcile, const struct intervention *entries, size_t count,
                        struct error *error)
{
    FAILPOINT("repair-made");
    return ledger_interventions_end(reconcile->options.ledger, entries, count, error);
}

/* An amendment of nothing with the same number: applied, it keeps the real one out, should that still be on
 * its way; not applied, the real one was there before. */
static enum status resolve_numbers(struct reconcile *reconcile, struct intervention *open,
                                   struct error *error)
{
    struct stock_amendment fence = {.budget_id = open->budget_id, .id = open->sequence};
    enum status status = stock_amend(reconcile->options.stock, &fence, 1, error);
    if (status == STATUS_OK) status = fence.status;
    if (status != STATUS_OK) return status;
    open->state = fence.applied ? INTERVENTION_ABANDONED : INTERVENTION_DONE;
    return STATUS_OK;
}

static enum status resolve_entry(struct reconcile *reconcile, struct intervention *open, struct error *error)
{
    struct stock_query query = {.budget_id = open->budget_id, .message_id = open->message_id};
    enum status status = stock_query(reconcile->options.stock, &query, 1, error);
    if (status == STATUS_OK) status = query.status;
    if (status != STATUS_OK) return status;
    open->state = query.state == PENDING_PENDING ? INTERVENTION_ABANDONED : INTERVENTION_DONE;
    return STATUS_OK;
}

static enum status resolve_credit(struct reconcile *reconcile, struct intervention *open, struct error *error)
{
    uint64_t cursor = 0;
    open->state = INTERVENTION_ABANDONED;
    do {
        struct stock_credit_entry *credits = NULL;
        size_t count = 0;
        enum status status = stock_credits_scan(reconcile->options.stock, open->budget_id, &cursor,
                                                &reconcile->slice, &credits, &count, error);
        if (status != STATUS_OK) return status;
        for (size_t i = 0; i < count; i++)
            if (text_equal(credits[i].credit_id, open->after)) open->state = INTERVENTION_DONE;
    } while (cursor != 0);
    return STATUS_OK;
}

/* An orphan that was to be booked: its row tells. */
static enum status resolve_booking(struct reconcile *reconcile, struct intervention *open,
                                   struct error *error)
{
    struct ledger_deduction row;
    enum status status = ledger_deductions_find(reconcile->options.ledger, &open->message_id, 1,
                                                &reconcile->slice, &row, error);
    if (status != STATUS_OK) return status;
    open->state = row.found ? INTERVENTION_DONE : INTERVENTION_ABANDONED;
    return STATUS_OK;
}

static enum status resolve(struct reconcile *reconcile, struct intervention *open, struct error *error)
{
    if (open->kind == INTERVENTION_SETTLE) return resolve_booking(reconcile, open, error);
    if (text_is_present(open->message_id)) return resolve_entry(reconcile, open, error);
    if (text_equal(open->subject, REPAIR_OF_CREDIT)) return resolve_credit(reconcile, open, error);
    return resolve_numbers(reconcile, open, error);
}

/* Redis refuses what was spoilt since: nothing is known of the repair, and its request may still come, until
 * somebody mends that. */
static enum status look_only(struct reconcile *reconcile, const struct intervention *open,
                             const struct error *error)
{
    reconcile_say(reconcile,
                  "budget " TEXT_FORMAT
                  ": what became of an earlier repair is not known, so nothing is repaired: %s",
                  TEXT_ARGUMENTS(open->budget_id), error->text);
    reconcile->options.repair = false;
    reconcile->summary.refused++;
    reconcile->summary.complete = false;
    return STATUS_OK;
}

enum reconcile_progress stage_recover(struct reconcile *reconcile, struct error *error)
{
    if (!reconcile->options.repair) { /* writes nothing */
        reconcile->stage = STAGE_BUDGETS;
        return RECONCILE_MORE;
    }
    struct intervention *open = arena_alloc(&reconcile->slice, REPAIR_SLICE * sizeof *open);
    size_t count = 0;
    enum intervention_kind kind =
        reconcile->stage == STAGE_RECOVER ? INTERVENTION_REPAIR : INTERVENTION_SETTLE;
    enum status status = ledger_interventions_open(reconcile->options.ledger, kind, &reconcile->slice, open,
                                                   REPAIR_SLICE, &count, error);
    size_t resolved = 0;
    struct text refused = TEXT_NONE; /* the credits behind an amendment hang on what became of it */
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (text_is_present(refused) && text_equal(open[i].budget_id, refused)) continue;
        status = resolve(reconcile, &open[i], error);
        if (status == STATUS_OK) open[resolved++] = open[i];
        if (status == STATUS_REFUSED) refused = open[i].budget_id;
        if (status == STATUS_REFUSED) status = look_only(reconcile, &open[i], error);
    }
    if (status == STATUS_OK && resolved > 0)
        status = ledger_interventions_end(reconcile->options.ledger, open, resolved, error);
    if (status != STATUS_OK) return reconcile_fail(reconcile, status);
    if (count < REPAIR_SLICE || resolved == 0)
        reconcile->stage = kind == INTERVENTION_REPAIR ? STAGE_RECOVER_BOOKINGS : STAGE_BUDGETS;
    return RECONCILE_MORE;
}
