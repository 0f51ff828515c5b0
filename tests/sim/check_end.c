/* When all is mended: nothing is left over, and the books agree to the unit. */
#include "sim/books.h"
#include "sim/check.h"

#include <inttypes.h>
#include <stdarg.h>

static bool because(char *what, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static bool because(char *what, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, size, format, arguments);
    va_end(arguments);
    return false;
}

/* Whether a worker read of this very deduction. What its producer never published, what is a dead letter, and
 * what was thrown away it cannot know of. */
static bool was_told(const struct truth *truth, const struct truth_sale *sale)
{
    for (size_t i = 0; i < truth->item_count; i++) {
        const struct truth_item *item = &truth->items[i];
        if (item->id != sale->id || item->token != sale->token || !item->told) continue;
        if (item->letters == 0 && !item->lost && !item->discarded) return true;
    }
    return false;
}

/* Booked, and still pending in Redis: the clean-up must have found it. */
static bool is_uncleared(const struct truth *truth, const struct truth_sale *sale)
{
    const struct truth_id *id = &truth->ids[sale->id];
    if (sale->state != SALE_PENDING || id->row == TRUTH_NONE || id->reconciled) return false;
    const struct truth_row *row = &truth->rows[id->row];
    if (row->budget != sale->budget) return false;
    if (row->token == sale->token) return true;
    /* A second deduction of the same purchase. After a failover a repeat makes one at any time. */
    return was_told(truth, sale) && !id->tainted && !truth->redis_lost && row->amount == sale->amount;
}

/* Decided, or set aside, or gone with a queue that was deleted or full. */
static bool is_booked_or_parked(const struct truth *truth, const struct truth_sale *sale)
{
    if (truth->ids[sale->id].row != TRUTH_NONE) return true;
    for (size_t i = 0; i < truth->item_count; i++) {
        const struct truth_item *item = &truth->items[i];
        if (item->id == sale->id && (item->letters > 0 || item->lost)) return true;
    }
    return false;
}

static bool is_spoilt(struct world *world, uint32_t budget)
{
    char name[8];
    snprintf(name, sizeof name, "b%" PRIu32, budget);
    struct fake_stock_totals totals = fake_stock_totals(world->stock, text_of(name));
    return totals.has_left && totals.left < TOTAL_UNLIMITED;
}

bool check_is_drained(struct world *world, char *what, size_t size)
{
    const struct truth *truth = &world->truth;
    size_t ready = fake_broker_ready(world->broker, QUEUE);
    size_t held = fake_broker_unacknowledged(world->broker, QUEUE);
    if (ready + held > 0) return because(what, size, "%zu messages are ready, %zu held", ready, held);
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        if (!process_is_idle(&world->processes[i])) return because(what, size, "worker %zu is at work", i);
    }
    for (size_t i = 0; i < truth->row_count; i++) {
        if (truth->rows[i].refund == REFUND_DUE && !is_spoilt(world, truth->rows[i].budget))
            return because(what, size, "the refund of i%" PRIu32 " is still due", truth->rows[i].id);
    }
    for (size_t i = 0; i < truth->sale_count; i++) {
        if (is_uncleared(truth, &truth->sales[i]) && !is_spoilt(world, truth->sales[i].budget))
            return because(what, size, "i%" PRIu32 " of b%" PRIu32 " is booked and still pending",
                           truth->sales[i].id, truth->sales[i].budget);
    }
    struct ledger_stats stats;
    struct error error;
    bool any_spoilt = false;
    for (uint32_t i = 0; i < TRUTH_BUDGETS_MAX; i++) any_spoilt = any_spoilt || is_spoilt(world, i);
    if (!any_spoilt &&
        (ledger_stats(&world->operator.ledger.base, &stats, &error) != STATUS_OK || stats.credits_due > 0))
        return because(what, size, "credits are still due");
    if (world->operator.stage != OPERATOR_IDLE || world->late.count> 0)
        return because(what, size, "a command or a late request is under way");
    return true;
}

/* Nobody told another story of the budget's deductions, so that all its sums must match. */
static bool is_untainted(const struct truth *truth, uint32_t budget)
{
    for (size_t i = 0; i < truth->item_count; i++) {
        const struct truth_item *item = &truth->items[i];
        if (item->budget == budget && item->id != TRUTH_NONE && truth->ids[item->id].tainted) return false;
    }
    for (size_t i = 0; i < truth->sale_count; i++) {
        if (truth->sales[i].budget == budget && truth->ids[truth->sales[i].id].tainted) return false;
    }
    return true;
}

/* What settled in the ledger settled in Redis, but for what older producers took by hand. */
static void check_books(struct world *world, uint32_t budget)
{
    const struct truth *truth = &world->truth;
    int64_t without_token = 0, uncleared = 0;
    for (size_t i = 0; i < truth->sale_count; i++) {
        const struct truth_sale *sale = &truth->sales[i];
        const struct truth_id *id = &truth->ids[sale->id];
        if (sale->budget != budget || sale->state != SALE_PENDING || !id->reconciled) continue;
        const struct truth_row *row = &truth->rows[id->row];
        if (row->state == DEDUCTION_SETTLED && books_is_own(row, sale)) uncleared += sale->amount;
    }
    for (size_t i = 0; i < truth->row_count; i++) {
        const struct truth_row *row = &truth->rows[i];
        if (row->budget == budget && row->state == DEDUCTION_SETTLED && row->token == 0)
            without_token += row->amount;
    }
    const struct truth_budget *sums = &truth->budgets[budget];
    int64_t most = sums->settled + without_token + uncleared;
    int64_t least = sums->made_anew ? most - without_token : most;
    if (sums->row_sum < least || sums->row_sum > most)
        world_violate(world, "books-agree",
                      "b%" PRIu32 ": the ledger settled %" PRId64 ", Redis %" PRId64 " and %" PRId64
                      " without token",
                      budget, sums->row_sum, sums->settled, without_token);
}

/* Every top-up that the ledger knows has reached Redis. */
static void check_credits(struct world *world)
{
    for (size_t i = 0; i < fake_ledger_budget_count(world->ledger); i++) {
        const struct ledger_budget *budget = &fake_ledger_budget(world->ledger, i)->budget;
        uint32_t number = truth_number(budget->id, 'b');
        int64_t credited = world->truth.budgets[number].credited;
        if (world->truth.budgets[number].miscounted) continue;
        if (budget->total != TOTAL_UNLIMITED && budget->total != credited)
            world_violate(world, "credits-applied", "b%" PRIu32 ": Redis got %" PRId64 " of %" PRId64, number,
                          credited, budget->total);
    }
}

void check_end(struct world *world)
{
    const struct truth *truth = &world->truth;
    for (uint32_t i = 0; i < truth->message_count; i++) {
        const struct truth_message *message = &truth->messages[i];
        if (message->gone != message->queued)
            world_violate(world, "no-message-lost",
                          "message %" PRIu32 " was queued %" PRIu32 " times and left %" PRIu32 " times", i,
                          message->queued, message->gone);
    }
    for (size_t i = 0; i < truth->sale_count; i++) {
        const struct truth_sale *sale = &truth->sales[i];
        if (sale->published && !truth->queue_lost && !truth->ledger_lost && !is_booked_or_parked(truth, sale))
            world_violate(world, "no-message-lost", "i%" PRIu32 " was published and is booked nowhere",
                          sale->id);
    }
    if (world->guards_left >= 0 && world_guards(world) > world->guards_left)
        world_violate(world, "nothing-grows", "guards of refunds stay in Redis");
    if (truth->redis_lost || truth->ledger_lost) return;
    check_credits(world);
    for (uint32_t i = 0; i < world->swarm.budgets; i++) {
        if (is_untainted(truth, i) && !truth->budgets[i].miscounted) check_books(world, i);
    }
}
