/* What a run that was killed between its journal and Redis left open is closed: what Redis has is done, what
 * it has not is abandoned, and is found anew. */
#include "reconcile/reconcile_state.h"

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
    enum status status = ledger_interventions_open(reconcile->options.ledger, INTERVENTION_REPAIR,
                                                   &reconcile->slice, open, REPAIR_SLICE, &count, error);
    size_t resolved = 0;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        bool is_entry = text_is_present(open[i].message_id);
        status = is_entry ? resolve_entry(reconcile, &open[i], error)
                          : resolve_numbers(reconcile, &open[i], error);
        if (status == STATUS_OK) open[resolved++] = open[i];
        if (status == STATUS_REFUSED) status = look_only(reconcile, &open[i], error);
    }
    if (status == STATUS_OK && resolved > 0)
        status = ledger_interventions_end(reconcile->options.ledger, open, resolved, error);
    if (status != STATUS_OK) return reconcile_fail(reconcile, status);
    if (count < REPAIR_SLICE || resolved == 0) reconcile->stage = STAGE_BUDGETS;
    return RECONCILE_MORE;
}
