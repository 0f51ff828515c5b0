#include "fake/fake_ledger_store.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct fake_ledger_snapshot {
    struct fake_ledger_store *content; /* owned; only its rows and tables count */
};

static void budget_add(struct fake_ledger_store *store, const struct fake_budget *budget)
{
    store_budget_add(store, &budget->budget);
    struct fake_budget *added = &store->budgets[store->budget_count - 1];
    added->budget.settled = budget->budget.settled;
    added->budget.state = budget->budget.state;
    added->budget.created_at_us = budget->budget.created_at_us;
    added->budget.updated_at_us = budget->budget.updated_at_us;
    added->closed_at_us = budget->closed_at_us;
}

static void credit_add(struct fake_ledger_store *store, const struct fake_credit *credit)
{
    store_credit_add(store, credit->budget_id, credit->credit_id, credit->amount);
    struct fake_credit *added = &store->credits[store->credit_count - 1];
    added->applied = credit->applied;
    added->created_at_us = credit->created_at_us;
}

static void parked_add(struct fake_ledger_store *store, const struct fake_parked *parked)
{
    store_parked_add(store, &(struct parked_row){.message_id = parked->message_id,
                                                 .reason = parked->reason,
                                                 .detail = parked->detail});
    store->parked[store->parked_count - 1].parked_at_us = parked->parked_at_us;
    store->parked[store->parked_count - 1].state = parked->state;
}

/* The rows in their order, for the order is what a debt's sequence counts. */
static struct fake_ledger_store *content_copy(const struct fake_ledger_store *from)
{
    struct fake_ledger_store *copy = fake_ledger_store_new();
    copy->initialised = from->initialised;
    for (size_t i = 0; i < from->deduction_count; i++) store_deduction_add(copy, &from->deductions[i]);
    for (size_t i = 0; i < from->budget_count; i++) budget_add(copy, &from->budgets[i]);
    for (size_t i = 0; i < from->credit_count; i++) credit_add(copy, &from->credits[i]);
    for (size_t i = 0; i < from->parked_count; i++) parked_add(copy, &from->parked[i]);
    for (size_t i = 0; i < from->intervention_count; i++)
        store_intervention_add(copy, &from->interventions[i]);
    for (size_t i = 0; i < from->run_count; i++) store_run_add(copy, &from->runs[i]);
    for (size_t i = 0; i < from->sight_count; i++) store_sight_set(copy, &from->sights[i]);
    return copy;
}

struct fake_ledger_snapshot *fake_ledger_snapshot_take(const struct fake_ledger_store *store)
{
    struct fake_ledger_snapshot *snapshot = memory_alloc_zero(1, sizeof *snapshot);
    snapshot->content = content_copy(store);
    return snapshot;
}

void fake_ledger_snapshot_restore(struct fake_ledger_store *store,
                                  const struct fake_ledger_snapshot *snapshot)
{
    struct fake_ledger_store *restored = content_copy(snapshot->content);
    struct fake_ledger_store old = *store;
    restored->now_us = old.now_us;
    restored->calls = old.calls;
    restored->fault = old.fault;
    restored->fault_skip = old.fault_skip;
    restored->fault_times = old.fault_times;
    memcpy(restored->lock_holders, old.lock_holders, sizeof old.lock_holders);
    fake_ledger_refuse(restored, old.refused_id);
    *store = *restored;
    *restored = old;
    fake_ledger_store_free(restored);
}

void fake_ledger_snapshot_free(struct fake_ledger_snapshot *snapshot)
{
    if (snapshot == NULL) return;
    fake_ledger_store_free(snapshot->content);
    free(snapshot);
}
