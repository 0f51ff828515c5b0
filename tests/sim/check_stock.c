/* Redis: what is cleared is booked, what is given back is not, once; and its sums agree with what was done.
 */
#include "sim/books.h"
#include "sim/check.h"

#include <inttypes.h>

static const struct truth_row *row_of(const struct truth *truth, uint32_t id)
{
    return truth->ids[id].row == TRUTH_NONE ? NULL : &truth->rows[truth->ids[id].row];
}

static void deducted(struct world *world, uint32_t id, uint32_t budget,
                     const struct fake_stock_change *change)
{
    struct truth *truth = &world->truth;
    truth->budgets[budget].deducted += change->amount;
    /* Forgotten by a failover and made again in the same microsecond, it is the same sale: nothing tells the
     * two apart. */
    struct truth_sale *same = truth_sale_find(truth, id, budget, change->deducted_at_us);
    if (same != NULL && same->state == SALE_FORGOTTEN && same->amount == change->amount) {
        same->state = SALE_PENDING;
        return;
    }
    truth_sale_add(
        truth, &(struct truth_sale){
                   .id = id, .budget = budget, .amount = change->amount, .token = change->deducted_at_us});
}

/* The sale whose entry was taken; NULL, and a violation, where there was none. */
static struct truth_sale *sale_of(struct world *world, uint32_t id, uint32_t budget, int64_t token)
{
    struct truth_sale *sale = truth_sale_find(&world->truth, id, budget, token);
    if (sale == NULL || sale->state != SALE_PENDING) {
        world_violate(world, "one-end-a-sale", "i%" PRIu32 " of b%" PRIu32 " ends a second time", id, budget);
        return NULL;
    }
    return sale;
}

/* A row without token owns what was deducted before it was booked, and nothing later; this needs no honest
 * producer. */
static bool owns(const struct world *world, const struct truth_row *row, const struct truth_sale *sale)
{
    return sale->token <= row->booked_at || world->swarm.weights[ACTION_REDIS_CLOCK] > 0;
}

static void settled(struct world *world, uint32_t id, uint32_t budget, const struct fake_stock_change *change)
{
    struct truth *truth = &world->truth;
    struct truth_sale *sale = sale_of(world, id, budget, change->deducted_at_us);
    const struct truth_row *row = row_of(truth, id);
    truth->budgets[budget].settled += change->amount;
    if (sale == NULL) return;
    sale->state = SALE_SETTLED;
    if (truth->ledger_lost) return;
    if (row == NULL || row->state != DEDUCTION_SETTLED || row->budget != budget)
        world_violate(world, "cleared-when-booked", "i%" PRIu32 " of b%" PRIu32 " is cleared and not booked",
                      id, budget);
    else if (row->token == 0 && !owns(world, row, sale))
        world_violate(world, "cleared-when-booked",
                      "i%" PRIu32 " was deducted again after its row and is cleared", id);
    else if (!truth->ids[id].tainted && row->token != sale->token)
        world_violate(world, "cleared-when-booked",
                      "i%" PRIu32 " of b%" PRIu32 " is cleared for another deduction", id, budget);
}

/* `tainted`: somebody published another amount for the deduction, and the row says that one. */
static bool may_release(const struct truth_row *row, const struct truth_sale *sale,
                        enum release_outcome outcome, bool tainted)
{
    if (row == NULL) return false;
    /* Of a row that says another budget or amount, a reconcile: the purchase was never booked. */
    if (outcome == RELEASE_VOIDED && (row->budget != sale->budget || row->amount != sale->amount))
        return !books_is_own(row, sale) || row->state == DEDUCTION_VOIDED;
    if (row->budget != sale->budget) return false;
    switch (outcome) {
    case RELEASE_REJECTED: return row->state == DEDUCTION_REJECTED;
    case RELEASE_VOIDED: return row->state == DEDUCTION_VOIDED;
    case RELEASE_EXTRA:
        return row->state == DEDUCTION_SETTLED && row->token != sale->token &&
               (row->amount == sale->amount || tainted);
    }
    return false;
}

static void released(struct world *world, uint32_t id, uint32_t budget,
                     const struct fake_stock_change *change)
{
    struct truth *truth = &world->truth;
    struct truth_sale *sale = sale_of(world, id, budget, change->deducted_at_us);
    truth->budgets[budget].released += change->amount;
    if (sale == NULL) return;
    sale->state = SALE_RELEASED;
    const struct truth_row *row = row_of(truth, id);
    if (!truth->ledger_lost && row != NULL && row->token == 0 && row->state == DEDUCTION_SETTLED &&
        world->swarm.weights[ACTION_REDIS_CLOCK] == 0 && books_is_own(row, sale))
        world_violate(world, "refund-only-what-does-not-settle",
                      "i%" PRIu32 " is given back and may be the row's own", id);
    if (!truth->ledger_lost && !may_release(row_of(truth, id), sale, change->outcome, truth->ids[id].tainted))
        world_violate(world, "refund-only-what-does-not-settle",
                      "i%" PRIu32 " of b%" PRIu32 " is given back as %s, and its row does not say so", id,
                      budget, release_outcome_name(change->outcome));
}

/* Without a pending entry to take along, the row is all that says that it is owed; and once. */
static void refunded(struct world *world, uint32_t id, uint32_t budget,
                     const struct fake_stock_change *change)
{
    struct truth *truth = &world->truth;
    const struct truth_row *row = row_of(truth, id);
    truth->budgets[budget].by_hand -= truth->budgets[budget].unlimited ? 0 : change->amount;
    truth->budgets[budget].tampered = true;
    world->upsets++;
    if (truth->ledger_lost) return;
    if (row == NULL || row->state == DEDUCTION_SETTLED || row->token != 0 || row->budget != budget ||
        row->amount != change->amount)
        world_violate(world, "refund-only-what-does-not-settle",
                      "i%" PRIu32 " of b%" PRIu32 " is given back without token, and its row does not say so",
                      id, budget);
    if (++truth->ids[id].refunds > 1 && !truth->redis_lost)
        world_violate(world, "refund-once", "i%" PRIu32 " of b%" PRIu32 " is given back %" PRIu32 " times",
                      id, budget, truth->ids[id].refunds);
}

/* The numbers follow; whether they had to be changed is not for here. A restore forgets what was taken by
 * hand: it cannot be known. */
static void amended(struct truth_budget *sums, const struct stock_amendment *item)
{
    sums->credited += item->credited;
    sums->deducted += item->deducted;
    sums->settled += item->settled;
    sums->released += item->released;
    sums->unbalanced += item->deducted - item->settled - item->released;
    if (item->restore == STOCK_RESTORE_UNLIMITED) sums->unlimited = true;
    if (item->restore != STOCK_RESTORE_NONE)
        sums->by_hand = 0;
    else if (!sums->unlimited)
        sums->by_hand += item->credited - item->deducted + item->released - item->left;
}

void check_stock(void *context, const struct fake_stock_change *change)
{
    struct world *world = context;
    check_ledger(world); /* the rows of the commit that this follows */
    uint32_t budget = truth_number(change->budget_id, 'b');
    if (budget >= TRUTH_BUDGETS_MAX) return;
    struct truth_budget *sums = &world->truth.budgets[budget];
    if (world->reconciler.stepping) check_change_of_reconcile(world, change);
    if (world->replayer.stepping) check_change_of_letters(world, change);
    if (change->kind == FAKE_STOCK_CREDITED) {
        if (change->amount == TOTAL_UNLIMITED) sums->unlimited = true;
        if (change->amount != TOTAL_UNLIMITED) sums->credited += change->amount;
        return;
    }
    if (change->kind == FAKE_STOCK_AMENDED) {
        amended(sums, change->amendment);
        if (!world->reconciler.stepping) world->upsets++; /* a late one */
        check_amended(world, change);
        return;
    }
    uint32_t id = truth_number(change->id, 'i');
    if (id >= world->truth.id_count) return;
    switch (change->kind) {
    case FAKE_STOCK_DEDUCTED: deducted(world, id, budget, change); break;
    case FAKE_STOCK_SETTLED: settled(world, id, budget, change); break;
    case FAKE_STOCK_RELEASED: released(world, id, budget, change); break;
    case FAKE_STOCK_REFUNDED: refunded(world, id, budget, change); break;
    case FAKE_STOCK_CREDITED:
    case FAKE_STOCK_AMENDED: break;
    }
}

static int64_t pending_sum(const struct truth *truth, uint32_t budget)
{
    int64_t sum = 0;
    for (size_t i = 0; i < truth->sale_count; i++) {
        const struct truth_sale *sale = &truth->sales[i];
        if (sale->budget == budget && sale->state == SALE_PENDING) sum += sale->amount;
    }
    return sum;
}

void check_sums(struct world *world)
{
    for (uint32_t i = 0; i < TRUTH_BUDGETS_MAX; i++) {
        char name[8];
        snprintf(name, sizeof name, "b%" PRIu32, i);
        struct fake_stock_totals totals = fake_stock_totals(world->stock, text_of(name));
        const struct truth_budget *sums = &world->truth.budgets[i];
        bool counted = totals.credited == sums->credited && totals.deducted == sums->deducted &&
                       totals.settled == sums->settled && totals.released == sums->released;
        int64_t left = sums->credited - sums->deducted + sums->released - sums->by_hand;
        bool has_number = totals.has_left && totals.left != TOTAL_UNLIMITED;
        int64_t pending = pending_sum(&world->truth, i);
        if (counted && (!has_number || totals.left == left) && totals.pending_sum == pending &&
            pending == sums->deducted - sums->settled - sums->released - sums->unbalanced)
            continue;
        world_violate(world, "money-conserved",
                      "%s: left %" PRId64 " expected %" PRId64 ", pending %" PRId64 " expected %" PRId64,
                      name, totals.left, left, totals.pending_sum, pending);
    }
}

static bool is_pending(struct world *world, const struct truth_sale *sale)
{
    char id[16], budget[8];
    struct error error;
    snprintf(id, sizeof id, "i%" PRIu32, sale->id);
    snprintf(budget, sizeof budget, "b%" PRIu32, sale->budget);
    struct stock_query query = {.budget_id = text_of(budget), .message_id = text_of(id)};
    return stock_query(fake_stock_port(world->stock), &query, 1, &error) == STATUS_OK &&
           query.state == PENDING_PENDING && query.deducted_at_us == sale->token;
}

void check_redis_anew(struct world *world)
{
    struct truth *truth = &world->truth;
    truth->redis_lost = true;
    world->upsets++;
    for (size_t i = 0; i < truth->sale_count; i++) {
        struct truth_sale *sale = &truth->sales[i];
        if (is_pending(world, sale))
            sale->state = SALE_PENDING;
        else if (sale->state == SALE_PENDING)
            sale->state = SALE_FORGOTTEN;
    }
    for (uint32_t i = 0; i < TRUTH_BUDGETS_MAX; i++) {
        char name[8];
        snprintf(name, sizeof name, "b%" PRIu32, i);
        struct fake_stock_totals totals = fake_stock_totals(world->stock, text_of(name));
        struct truth_budget *sums = &truth->budgets[i];
        sums->credited = totals.credited;
        sums->deducted = totals.deducted;
        sums->settled = totals.settled;
        sums->released = totals.released;
        sums->by_hand = totals.credited - totals.deducted + totals.released - totals.left;
        sums->unbalanced = totals.deducted - totals.settled - totals.released - totals.pending_sum;
    }
}
