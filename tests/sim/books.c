#include "sim/books.h"

#include "sim/world.h"

#include <inttypes.h>

bool books_is_own(const struct truth_row *row, const struct truth_sale *sale)
{
    if (row->budget != sale->budget) return false;
    if (row->token != 0) return row->token == sale->token;
    return row->amount == sale->amount && sale->token <= row->booked_at;
}

bool books_have_cause(const struct truth *truth, uint32_t budget)
{
    if (truth->redis_lost || truth->ledger_lost || truth->budgets[budget].tampered) return true;
    for (size_t i = 0; i < truth->item_count; i++) {
        const struct truth_item *item = &truth->items[i];
        if (item->budget == budget && item->id != TRUTH_NONE && truth->ids[item->id].tainted) return true;
    }
    for (size_t i = 0; i < truth->sale_count; i++) {
        if (truth->sales[i].budget == budget && truth->ids[truth->sales[i].id].tainted) return true;
    }
    return false;
}

/* The credits of a budget, added up, and how many of Redis's the ledger does not have. */
struct credits {
    struct world *world;
    struct text budget_id;
    int64_t in_redis, unknown;
    int64_t forgotten; /* applied once, and not in Redis */
    int64_t booked;    /* by either of the two */
};

static const struct fake_credit *credit_of(const struct fake_ledger_store *ledger, struct text budget_id,
                                           struct text credit_id)
{
    for (size_t i = 0; i < fake_ledger_credit_count(ledger); i++) {
        const struct fake_credit *credit = fake_ledger_credit(ledger, i);
        if (text_equal(credit->budget_id, budget_id) && text_equal(credit->credit_id, credit_id))
            return credit;
    }
    return NULL;
}

static void see_credit(void *context, enum fake_stock_key key, struct text field, const char *value)
{
    struct credits *credits = context;
    if (key != FAKE_STOCK_CREDITS) return;
    int64_t amount = 0;
    if (sscanf(value, "%" SCNd64, &amount) == 1 && amount > 0) credits->in_redis += amount;
    if (credit_of(credits->world->ledger, credits->budget_id, field) == NULL) credits->unknown++;
}

struct wanted_credit {
    struct text id;
    bool found;
};

static void match_credit(void *context, enum fake_stock_key key, struct text field, const char *value)
{
    struct wanted_credit *wanted = context;
    (void)value;
    if (key == FAKE_STOCK_CREDITS && text_equal(field, wanted->id)) wanted->found = true;
}

bool books_credit_is_in_redis(struct world *world, struct text budget_id, struct text credit_id)
{
    struct wanted_credit wanted = {.id = credit_id};
    fake_stock_visit(world->stock, budget_id, match_credit, &wanted);
    return wanted.found;
}

/* What the ledger and the entries say of a budget. */
struct sums {
    int64_t booked;        /* settled, with token */
    int64_t without_token; /* settled, without */
    int64_t open;          /* pending, and booked by no row of their own */
    int64_t uncleared;     /* pending, and booked by one with token */
    bool untracked;
};

static struct sums sums_of(const struct truth *truth, uint32_t budget)
{
    struct sums sums = {0};
    for (size_t i = 0; i < truth->row_count; i++) {
        const struct truth_row *row = &truth->rows[i];
        if (row->budget != budget) continue;
        bool settles = row->state == DEDUCTION_SETTLED;
        sums.untracked = sums.untracked || (row->token == 0 && (settles || row->refund == REFUND_DUE));
        if (settles && row->token == 0) sums.without_token += row->amount;
        if (settles && row->token != 0) sums.booked += row->amount;
    }
    for (size_t i = 0; i < truth->sale_count; i++) {
        const struct truth_sale *sale = &truth->sales[i];
        if (sale->budget != budget || sale->state != SALE_PENDING) continue;
        uint32_t at = truth->ids[sale->id].row;
        const struct truth_row *row = at == TRUTH_NONE ? NULL : &truth->rows[at];
        bool own = row != NULL && row->state == DEDUCTION_SETTLED && books_is_own(row, sale);
        if (!own) sums.open += sale->amount;
        if (own && row->token != 0) sums.uncleared += sale->amount;
    }
    return sums;
}

static int64_t between(int64_t difference, int64_t allowed)
{
    return difference < 0 ? difference : difference > allowed ? difference - allowed : 0;
}

static void reckon(struct books *books, const struct fake_stock_totals *redis, const struct sums *sums,
                   const struct credits *credits)
{
    if (!books->has_key) {
        books->left_expected = credits->booked - sums->booked - sums->without_token - sums->open;
        return;
    }
    /* Those without token may be in Redis's totals, or not. */
    int64_t not_named = redis->deducted - redis->released - sums->booked - sums->open;
    int64_t deducted = between(not_named, sums->without_token);
    int64_t counted = not_named - deducted; /* those without token that Redis's totals have */
    int64_t settled = between(redis->settled - (sums->booked - sums->uncleared), sums->without_token);
    if (deducted > 0 && settled > 0) books->behind = deducted < settled ? deducted : settled;
    /* What Redis forgot of its credits is to come back. It is missing in its totals, or only its id is. */
    int64_t owed = credits->in_redis + credits->forgotten;
    int64_t absent = owed - redis->credited;
    if (absent > credits->forgotten) absent = credits->forgotten;
    if (absent < 0) absent = 0;
    books->credited = redis->credited + absent - owed;
    books->deducted = deducted - books->behind;
    books->settled = settled - books->behind;
    if (!books->limited || redis->left == TOTAL_UNLIMITED) return;
    books->left_expected = owed - sums->booked - sums->open - counted - books->behind;
    /* What is missing in the stock may be sold without token then. */
    bool surplus = redis->left > redis->credited - redis->deducted + redis->released;
    if (sums->untracked && !surplus)
        books->left_expected = redis->left + owed - redis->credited + books->deducted;
    if (sums->untracked && surplus && books->left_expected > redis->left) books->left_expected = redis->left;
    books->drift = redis->left + absent - books->left_expected;
}

static void compare_credits(struct world *world, struct books *books, struct text budget_id,
                            struct credits *credits)
{
    for (size_t i = 0; i < fake_ledger_credit_count(world->ledger); i++) {
        const struct fake_credit *credit = fake_ledger_credit(world->ledger, i);
        if (!text_equal(credit->budget_id, budget_id)) continue;
        if (credit->applied) books->is_new = false;
        if (books_credit_is_in_redis(world, budget_id, credit->credit_id)) continue;
        int64_t amount = credit->amount > 0 ? credit->amount : 0;
        credits->booked += amount;
        if (!credit->applied) continue;
        credits->forgotten += amount;
        books->credits_lost++;
    }
}

struct books books_of(struct world *world, uint32_t budget)
{
    char name[8];
    snprintf(name, sizeof name, "b%" PRIu32, budget);
    struct text budget_id = text_of(name);
    struct books books = {.is_new = true};
    for (size_t i = 0; i < fake_ledger_budget_count(world->ledger); i++) {
        const struct ledger_budget *row = &fake_ledger_budget(world->ledger, i)->budget;
        if (!text_equal(row->id, budget_id)) continue;
        books.known = true;
        books.limited = row->total != TOTAL_UNLIMITED;
        books.deleted = row->state == BUDGET_DELETED;
    }
    struct fake_stock_totals redis = fake_stock_totals(world->stock, budget_id);
    struct credits credits = {.world = world, .budget_id = budget_id};
    fake_stock_visit(world->stock, budget_id, see_credit, &credits);
    credits.booked = credits.in_redis;
    struct sums sums = sums_of(&world->truth, budget);
    compare_credits(world, &books, budget_id, &credits);
    books.has_key = redis.has_left;
    books.untracked = sums.untracked;
    books.credits_unknown = credits.unknown;
    bool seen = redis.has_left || redis.credited != 0 || redis.deducted != 0 || redis.amended != 0;
    books.is_new = books.is_new && !seen && sums.booked == 0;
    books.other_kind = books.has_key && books.limited == (redis.left == TOTAL_UNLIMITED);
    reckon(&books, &redis, &sums, &credits);
    books.right =
        books.is_new ||
        (books.has_key && !books.other_kind && books.drift == 0 && books.behind == 0 && books.credited == 0 &&
         books.deducted == 0 && books.settled == 0 && books.credits_lost == 0 && books.credits_unknown == 0);
    return books;
}
