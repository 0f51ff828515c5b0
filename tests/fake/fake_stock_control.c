/* What a test or a simulator does with the fake stock from outside. */
#include "fake/fake_stock_private.h"

#include "base/instant.h"
#include "base/memory.h"

#include <stdlib.h>

struct fake_stock_snapshot {
    struct budgets budgets;
};

static struct fake_budget *find_budget(const struct budgets *budgets, struct text id)
{
    const struct map_entry *entry = map_find(&budgets->index, id);
    return entry == NULL ? NULL : budgets->items[entry->amount];
}

static void add_budget(struct budgets *budgets, struct fake_budget *budget)
{
    budgets->items = memory_resize(budgets->items, budgets->count + 1, sizeof *budgets->items);
    budgets->items[budgets->count] = budget;
    map_put(&budgets->index, text_of(budget->id))->amount = (int64_t)budgets->count++;
}

const struct fake_budget *fake_stock_find(const struct fake_stock *fake, struct text id)
{
    return find_budget(&fake->budgets, id);
}

struct fake_budget *fake_stock_budget(struct fake_stock *fake, struct text id)
{
    struct fake_budget *budget = find_budget(&fake->budgets, id);
    if (budget != NULL) return budget;
    budget = fake_budget_new(id);
    add_budget(&fake->budgets, budget);
    return budget;
}

static void free_budgets(struct budgets *budgets)
{
    for (size_t i = 0; i < budgets->count; i++) fake_budget_free(budgets->items[i]);
    free(budgets->items);
    map_clear(&budgets->index);
    *budgets = (struct budgets){0};
}

static struct budgets copy_budgets(const struct budgets *budgets)
{
    struct budgets copy = {0};
    for (size_t i = 0; i < budgets->count; i++) add_budget(&copy, fake_budget_copy(budgets->items[i]));
    return copy;
}

struct fake_stock *fake_stock_new(int64_t done_window_s)
{
    struct fake_stock *fake = memory_alloc_zero(1, sizeof *fake);
    fake->stock.ops = &fake_stock_ops;
    fake->server = 1;
    fake->window_us = done_window_s * MICROSECONDS_PER_SECOND;
    fake->now_us = INT64_C(1700000000) * MICROSECONDS_PER_SECOND;
    return fake;
}

void fake_stock_free(struct fake_stock *fake)
{
    if (fake == NULL) return;
    free_budgets(&fake->budgets);
    free(fake);
}

struct stock *fake_stock_port(struct fake_stock *fake)
{
    return &fake->stock;
}

void fake_stock_set_now(struct fake_stock *fake, int64_t now_us)
{
    fake->now_us = now_us;
}

int64_t fake_stock_now(const struct fake_stock *fake)
{
    return fake->now_us;
}

void fake_stock_fail_next(struct fake_stock *fake, size_t calls, enum fake_stock_failure failure)
{
    fake->failing_calls = calls;
    fake->failure = failure;
}

void fake_stock_set_observer(struct fake_stock *fake, fake_stock_observer *observer, void *context)
{
    fake->observer = observer;
    fake->observer_context = context;
}

size_t fake_stock_failing(const struct fake_stock *fake)
{
    return fake->failing_calls;
}

void fake_stock_lose_left(struct fake_stock *fake, struct text budget_id)
{
    fake_stock_budget(fake, budget_id)->has_left = false;
}

void fake_stock_shift_total(struct fake_stock *fake, struct text budget_id, enum fake_stock_total total,
                            int64_t difference)
{
    struct fake_budget *budget = fake_stock_budget(fake, budget_id);
    int64_t *const totals[] = {
        [FAKE_STOCK_TOTAL_CREDITED] = &budget->credited,
        [FAKE_STOCK_TOTAL_DEDUCTED] = &budget->deducted,
        [FAKE_STOCK_TOTAL_SETTLED] = &budget->settled,
        [FAKE_STOCK_TOTAL_RELEASED] = &budget->released,
    };
    budget->has_meta = true;
    *totals[total] += difference;
}

bool fake_stock_lose_pending(struct fake_stock *fake, struct text budget_id, struct text id)
{
    return map_remove(&fake_stock_budget(fake, budget_id)->pending, id);
}

void fake_stock_set_left(struct fake_stock *fake, struct text budget_id, int64_t left)
{
    struct fake_budget *budget = fake_stock_budget(fake, budget_id);
    budget->has_left = true;
    budget->left = left;
}

void fake_stock_plant_pending(struct fake_stock *fake, struct text budget_id, struct text id)
{
    struct map_entry *entry = map_put(&fake_stock_budget(fake, budget_id)->pending, id);
    entry->amount = entry->deducted_at_us = 0; /* also where a script had written one */
}

void fake_stock_corrupt(struct fake_stock *fake, struct text budget_id)
{
    fake_stock_budget(fake, budget_id)->corrupt = true;
}

void fake_stock_wipe(struct fake_stock *fake)
{
    free_budgets(&fake->budgets);
}

struct fake_stock_snapshot *fake_stock_snapshot_take(const struct fake_stock *fake)
{
    struct fake_stock_snapshot *snapshot = memory_alloc(sizeof *snapshot);
    snapshot->budgets = copy_budgets(&fake->budgets);
    return snapshot;
}

void fake_stock_snapshot_restore(struct fake_stock *fake, const struct fake_stock_snapshot *snapshot)
{
    free_budgets(&fake->budgets);
    fake->budgets = copy_budgets(&snapshot->budgets);
    fake_stock_start_anew(fake);
}

void fake_stock_start_anew(struct fake_stock *fake)
{
    fake->server++;
}

void fake_stock_hide_server(struct fake_stock *fake, bool hidden)
{
    fake->server_hidden = hidden;
}

void fake_stock_snapshot_free(struct fake_stock_snapshot *snapshot)
{
    if (snapshot == NULL) return;
    free_budgets(&snapshot->budgets);
    free(snapshot);
}

struct fake_stock_totals fake_stock_totals(const struct fake_stock *fake, struct text budget_id)
{
    const struct fake_budget *budget = find_budget(&fake->budgets, budget_id);
    if (budget == NULL) return (struct fake_stock_totals){0};
    struct fake_stock_totals totals = {
        .has_left = budget->has_left,
        .left = budget->has_left ? budget->left : 0,
        .credited = budget->credited,
        .deducted = budget->deducted,
        .settled = budget->settled,
        .released = budget->released,
        .amended = budget->amended,
        .pending_count = budget->pending.live,
        .done_count = budget->done[0].live + budget->done[1].live,
        .guard_count = budget->guards.live,
    };
    const struct map_entry *entry = map_next(&budget->pending, 0);
    for (; entry != NULL; entry = map_next(&budget->pending, entry->serial + 1))
        totals.pending_sum += entry->amount;
    return totals;
}
