#include "core/settlement.h"

#include "core/amount.h"
#include "core/limits.h"

#include <assert.h>

/* The earlier item of the range that decides what this id is, or NULL: the ledger's answer counts. */
static const struct batch_item *earlier_item(const struct batch *batch, size_t index, size_t first)
{
    const struct batch_item *item = &batch->items[index];
    if (!batch_item_needs_lookup(batch, index, first)) return &batch->items[item->first_same_id];
    if (item->first_same_id >= first || item->known.found) return NULL;
    /* Its first namesake lies before the range and is not in the ledger: it was refused, and one behind it
     * takes its place. */
    for (size_t i = first; i < index; i++) {
        if (batch->items[i].first_same_id == item->first_same_id) return &batch->items[i];
    }
    return NULL;
}

/* What the ledger will hold for the id once `earlier`, which is to be inserted, is booked. */
static struct known_row row_of_item(const struct batch_item *earlier, const struct batch_item *item)
{
    assert(earlier->verdict == VERDICT_SETTLED || earlier->verdict == VERDICT_REJECTED);
    return (struct known_row){
        .found = true,
        .same = earlier->budget == item->budget && earlier->deduction.amount == item->deduction.amount,
        .state = earlier->verdict == VERDICT_SETTLED ? DEDUCTION_SETTLED : DEDUCTION_REJECTED,
        .reason = earlier->reason,
        .deducted_at_us = earlier->deduction.deducted_at_us,
        .booked_at_us = INT64_MAX, /* not yet */
    };
}

/* True when the budget's settled sum may grow by one more deduction of `amount`. */
static bool budget_has_room(const struct batch_budget *budget, int64_t amount)
{
    int64_t limit = budget->total == TOTAL_UNLIMITED ? AMOUNT_MAX : budget->total;
    int64_t sum = budget->settled + budget->delta; /* no overflow: with a delta, it is within the limit */
    return !__builtin_add_overflow(sum, amount, &sum) && sum <= limit;
}

/* Sold before the closing: only a token proves it. */
static bool deducted_before_closing(const struct deduction *deduction, const struct batch_budget *budget)
{
    return deduction->deducted_at_us != 0 && deduction->deducted_at_us <= budget->closed_at_us;
}

static enum deduction_reason rejection_reason(const struct deduction *deduction,
                                              const struct batch_budget *budget)
{
    if (!budget->found) return REASON_UNKNOWN_BUDGET;
    if (budget->state == BUDGET_DELETED) return REASON_DELETED_BUDGET;
    if (budget->state == BUDGET_CLOSED && !deducted_before_closing(deduction, budget))
        return REASON_CLOSED_BUDGET;
    if (!budget_has_room(budget, deduction->amount)) return REASON_OVER_TOTAL;
    return REASON_NONE;
}

void settlement_decide(struct batch *batch, size_t first, size_t count)
{
    assert(first <= batch->count);
    assert(count <= batch->count - first);
    for (size_t i = 0; i < batch->budget_count; i++) batch->budgets[i].delta = 0;

    for (size_t i = first; i < first + count; i++) {
        struct batch_item *item = &batch->items[i];
        struct batch_budget *budget = &batch->budgets[item->budget];
        const struct batch_item *earlier = earlier_item(batch, i, first);
        assert(amount_is_valid(item->deduction.amount));
        if (earlier != NULL) item->known = row_of_item(earlier, item);
        item->reason = REASON_NONE;
        if (item->known.found) {
            item->verdict = item->known.same ? VERDICT_DUPLICATE : VERDICT_CONFLICT;
            continue;
        }
        item->reason = rejection_reason(&item->deduction, budget);
        item->verdict = item->reason == REASON_NONE ? VERDICT_SETTLED : VERDICT_REJECTED;
        if (item->verdict == VERDICT_SETTLED) budget->delta += item->deduction.amount;
    }
}
