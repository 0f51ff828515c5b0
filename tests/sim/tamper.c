/* What hands, half-lost servers and strange tools do to a budget's keys. */
#include "sim/check.h"
#include "sim/world.h"

#include <inttypes.h>

static void shift_total(struct world *world, uint32_t number, struct text budget_id)
{
    struct truth_budget *sums = &world->truth.budgets[number];
    enum fake_stock_total total = (enum fake_stock_total)dice_roll(&world->dice, 4);
    int64_t *const totals[] = {
        [FAKE_STOCK_TOTAL_CREDITED] = &sums->credited,
        [FAKE_STOCK_TOTAL_DEDUCTED] = &sums->deducted,
        [FAKE_STOCK_TOTAL_SETTLED] = &sums->settled,
        [FAKE_STOCK_TOTAL_RELEASED] = &sums->released,
    };
    int64_t difference = dice_between(&world->dice, 1, 7);
    if (dice_roll(&world->dice, 2) == 0 && *totals[total] >= difference) difference = -difference;
    fake_stock_shift_total(world->stock, budget_id, total, difference);
    *totals[total] += difference;
    bool adds = total == FAKE_STOCK_TOTAL_CREDITED || total == FAKE_STOCK_TOTAL_RELEASED;
    sums->by_hand += adds ? difference : total == FAKE_STOCK_TOTAL_DEDUCTED ? -difference : 0;
    if (total == FAKE_STOCK_TOTAL_DEDUCTED) sums->unbalanced += difference;
    if (total == FAKE_STOCK_TOTAL_SETTLED || total == FAKE_STOCK_TOTAL_RELEASED)
        sums->unbalanced -= difference;
    sums->miscounted = true;
}

static void shift_left(struct world *world, uint32_t number, struct text budget_id)
{
    struct fake_stock_totals totals = fake_stock_totals(world->stock, budget_id);
    if (!totals.has_left || totals.left < 0) return;
    int64_t difference = dice_between(&world->dice, -totals.left, world->swarm.amount_max);
    fake_stock_set_left(world->stock, budget_id, totals.left + difference);
    world->truth.budgets[number].by_hand -= difference;
}

static void lose_entry(struct world *world, uint32_t number, struct text budget_id)
{
    struct truth *truth = &world->truth;
    for (size_t i = truth->sale_count; i > 0; i--) {
        struct truth_sale *sale = &truth->sales[i - 1];
        if (sale->budget != number || sale->state != SALE_PENDING) continue;
        if (dice_roll(&world->dice, 2) == 0) continue;
        char id[16];
        snprintf(id, sizeof id, "i%" PRIu32, sale->id);
        if (!fake_stock_lose_pending(world->stock, budget_id, text_of(id))) continue;
        sale->state = SALE_FORGOTTEN;
        truth->budgets[number].unbalanced += sale->amount;
        truth->redis_lost = true; /* who asks for it again deducts again */
        return;
    }
}

static void lose_all(struct world *world, uint32_t number, struct text budget_id)
{
    fake_stock_lose_budget(world->stock, budget_id);
    world->truth.budgets[number].unlimited = false;
    world->truth.budgets[number].keys_lost = true;
    check_redis_anew(world);
    world->truth.budgets[number].by_hand = 0;
}

void world_tamper(struct world *world)
{
    char budget[8];
    uint32_t number = (uint32_t)dice_roll(&world->dice, world->swarm.budgets);
    snprintf(budget, sizeof budget, "b%" PRIu32, number);
    struct text budget_id = text_of(budget);
    size_t what = dice_roll(&world->dice, 8);
    world_trace(world, "  tampers with %s, %zu", budget, what);
    world->truth.budgets[number].tampered = true;
    world->upsets++;
    switch (what) {
    case 0:
    case 1:
    case 2: shift_left(world, number, budget_id); break;
    case 3:
    case 4: shift_total(world, number, budget_id); break;
    case 5: lose_entry(world, number, budget_id); break;
    case 6: fake_stock_lose_left(world->stock, budget_id); break;
    default: lose_all(world, number, budget_id); break;
    }
}
