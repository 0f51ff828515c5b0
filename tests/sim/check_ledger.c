/* The ledger: one row an id, each with the verdict that the rules demand, none changed afterwards, and never
 * more settled than there is. */
#include "sim/check.h"

#include <inttypes.h>

static const struct fake_budget *budget_of(const struct world *world, uint32_t budget)
{
    for (size_t i = 0; i < fake_ledger_budget_count(world->ledger); i++) {
        const struct fake_budget *found = fake_ledger_budget(world->ledger, i);
        if (truth_number(found->budget.id, 'b') == budget) return found;
    }
    return NULL;
}

static struct truth_row row_seen(const struct fake_deduction *row)
{
    return (struct truth_row){.id = truth_number(row->message_id, 'i'),
                              .budget = truth_number(row->budget_id, 'b'),
                              .amount = row->amount,
                              .token = row->deducted_at_us,
                              .booked_at = row->booked_at_us,
                              .state = row->state,
                              .reason = row->reason,
                              .refund = row->refund};
}

/* What the rules say of a deduction that is new to the ledger, written apart from settlement_decide. */
static enum deduction_reason expected_reason(const struct world *world, const struct truth_row *row)
{
    const struct fake_budget *budget = budget_of(world, row->budget);
    if (budget == NULL) return REASON_UNKNOWN_BUDGET;
    if (budget->budget.state == BUDGET_DELETED) return REASON_DELETED_BUDGET;
    bool sold_before = row->token > 0 && row->token <= budget->closed_at_us;
    if (budget->budget.state == BUDGET_CLOSED && !sold_before) return REASON_CLOSED_BUDGET;
    int64_t room =
        (budget->budget.total == TOTAL_UNLIMITED ? INT64_C(9007199254740991) : budget->budget.total) -
        world->truth.budgets[row->budget].row_sum;
    return row->amount > room ? REASON_OVER_TOTAL : REASON_NONE;
}

static bool was_asked_for(const struct truth *truth, const struct truth_row *row)
{
    for (size_t i = truth->item_count; i > 0; i--) {
        const struct truth_item *item = &truth->items[i - 1];
        bool readable = item->fault == PARK_NONE || item->edited;
        if (item->id == row->id && readable && item->budget == row->budget && item->amount == row->amount &&
            item->token == row->token)
            return true;
    }
    return false;
}

static void check_new_row(struct world *world, const struct truth_row *row)
{
    struct truth *truth = &world->truth;
    /* A discard may not be able to tell the budget. */
    bool is_nameless = row->state == DEDUCTION_VOIDED && row->reason == REASON_DISCARDED &&
                       row->refund == REFUND_DONE && row->budget == TRUTH_NONE;
    if (row->id >= truth->id_count || (row->budget >= TRUTH_BUDGETS_MAX && !is_nameless)) {
        world_violate(world, "row-asked-for", "a row for an id or a budget that nobody used");
        return;
    }
    if (truth->ids[row->id].row != TRUTH_NONE)
        world_violate(world, "one-row-an-id", "i%" PRIu32 " has two rows", row->id);
    if (row->state == DEDUCTION_VOIDED && truth->ids[row->id].voided) {
        truth_row_add(truth, row);
        return;
    }
    if (world->replayer.stepping) {
        check_row_of_discard(world, row);
        truth->ids[row->id].voided = true;
        truth_row_add(truth, row);
        return;
    }
    const struct reconciler *reconciler = &world->reconciler;
    bool reconciled = reconciler->stepping && reconciler->options.repair;
    if (reconciled) check_row_of_reconcile(world, row);
    if (reconciled && row->state == DEDUCTION_VOIDED) {
        truth->ids[row->id].voided = true;
        truth_row_add(truth, row);
        return;
    }
    if (!reconciled && !was_asked_for(truth, row))
        world_violate(world, "row-asked-for", "the row of i%" PRIu32 " is in no message", row->id);
    enum deduction_reason expected = expected_reason(world, row);
    enum deduction_state state = expected == REASON_NONE ? DEDUCTION_SETTLED : DEDUCTION_REJECTED;
    enum refund_state refund = expected == REASON_NONE ? REFUND_NONE : REFUND_DUE;
    if (row->state != state || row->reason != expected || row->refund != refund)
        world_violate(world, "verdict", "i%" PRIu32 " of b%" PRIu32 " is booked with reason %d, expected %d",
                      row->id, row->budget, (int)row->reason, (int)expected);
    const struct truth_sale *sale = truth_sale_find(truth, row->id, row->budget, row->token);
    bool given_back = sale != NULL && sale->state == SALE_RELEASED;
    if (row->state == DEDUCTION_SETTLED && given_back && !truth->ledger_lost && !truth->redis_lost)
        world_violate(world, "settle-only-what-is-not-refunded", "i%" PRIu32 " settles and was given back",
                      row->id);
    /* Booked, and never deducted so: a lie, or forgotten since. */
    if (row->state == DEDUCTION_SETTLED && (sale == NULL || sale->state == SALE_FORGOTTEN)) {
        world->upsets++;
        if (sale != NULL || row->token == 0) world->unnamed++;
    }
    if (row->state == DEDUCTION_SETTLED) truth->budgets[row->budget].row_sum += row->amount;
    truth_row_add(truth, row);
}

/* A refund is done only when Redis does not hold the deduction any more. */
static void check_refund_done(struct world *world, const struct truth_row *row)
{
    struct truth *truth = &world->truth;
    char budget[8];
    snprintf(budget, sizeof budget, "b%" PRIu32, row->budget);
    bool has_key = fake_stock_totals(world->stock, text_of(budget)).has_left;
    const struct truth_sale *sale = truth_sale_find(truth, row->id, row->budget, row->token);
    bool owed = row->token != 0 ? sale != NULL && sale->state == SALE_PENDING
                                : truth->ids[row->id].refunds == 0 && has_key && !truth->ids[row->id].tainted;
    if (owed && !truth->redis_lost && !truth->ledger_lost)
        world_violate(world, "refund-before-done",
                      "the refund of i%" PRIu32 " is marked as done and was not made", row->id);
}

static void check_old_row(struct world *world, struct truth_row *row, const struct truth_row *now)
{
    bool paid = row->refund == REFUND_DUE && now->refund == REFUND_DONE;
    if (paid) check_refund_done(world, row);
    bool same = row->id == now->id && row->budget == now->budget && row->amount == now->amount &&
                row->token == now->token && row->state == now->state && row->reason == now->reason &&
                (row->refund == now->refund || paid);
    if (!same) world_violate(world, "rows-stay", "the row of i%" PRIu32 " changed", row->id);
    row->refund = now->refund;
}

static void check_budgets(struct world *world)
{
    for (size_t i = 0; i < fake_ledger_budget_count(world->ledger); i++) {
        const struct ledger_budget *budget = &fake_ledger_budget(world->ledger, i)->budget;
        uint32_t number = truth_number(budget->id, 'b');
        int64_t rows = world->truth.budgets[number].row_sum;
        if (budget->settled != rows)
            world_violate(world, "settled-is-the-sum", "b%" PRIu32 " says %" PRId64 ", its rows say %" PRId64,
                          number, budget->settled, rows);
        if (budget->total != TOTAL_UNLIMITED && rows > budget->total)
            world_violate(world, "no-over-issue", "b%" PRIu32 " settled %" PRId64 " of %" PRId64, number,
                          rows, budget->total);
    }
}

static void count_parked(struct world *world)
{
    struct truth *truth = &world->truth;
    for (; truth->parked_rows_seen < fake_ledger_parked_count(world->ledger); truth->parked_rows_seen++) {
        const struct fake_parked *row = fake_ledger_parked(world->ledger, truth->parked_rows_seen);
        if (!truth_reason_has_id(row->reason)) {
            truth->parked_rows[row->reason]++;
            continue;
        }
        uint32_t id = truth_number(row->message_id, 'i');
        if (id >= truth->id_count)
            world_violate(world, "parked-and-recorded", "a row of v_parked has no id, or nobody's");
        else
            truth->ids[id].parked_rows++;
    }
}

void check_ledger(struct world *world)
{
    struct truth *truth = &world->truth;
    uint64_t calls = fake_ledger_calls(world->ledger);
    if (calls == world->ledger_calls_seen) return;
    world->ledger_calls_seen = calls;
    size_t count = fake_ledger_deduction_count(world->ledger);
    if (count < truth->row_count) world_violate(world, "rows-stay", "rows disappeared");
    for (size_t i = 0; i < count && !world->violation.found; i++) {
        struct truth_row now = row_seen(fake_ledger_deduction(world->ledger, i));
        if (i < truth->row_count)
            check_old_row(world, &truth->rows[i], &now);
        else
            check_new_row(world, &now);
    }
    count_parked(world);
    check_budgets(world);
}

void check_ledger_anew(struct world *world)
{
    struct truth *truth = &world->truth;
    truth->ledger_lost = true;
    world->ledger_restores++;
    world->upsets++;
    for (size_t i = 0; i < truth->id_count; i++) {
        if (truth->ids[i].row != TRUTH_NONE) truth->ids[i].row_lost = true;
        truth->ids[i].row = TRUTH_NONE;
    }
    for (size_t i = 0; i < TRUTH_BUDGETS_MAX; i++) truth->budgets[i].row_sum = 0;
    truth->row_count = 0;
    for (size_t i = 0; i < fake_ledger_deduction_count(world->ledger); i++) {
        struct truth_row row = row_seen(fake_ledger_deduction(world->ledger, i));
        if (row.state == DEDUCTION_SETTLED) truth->budgets[row.budget].row_sum += row.amount;
        truth_row_add(truth, &row);
    }
    truth->parked_rows_seen = fake_ledger_parked_count(world->ledger);
    world->ledger_calls_seen = 0;
}

void check_step(struct world *world)
{
    check_ledger(world);
    check_sums(world);
}
