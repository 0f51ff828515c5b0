/* The same random operations on the fake stock and, through the adapter, on the scripts in a Redis whose TIME
 * the test tells (support/redis_clock.c): every field of every answer is the same, and so is what both hold.
 */
#include "contract/twins_stock.h"

static void deduct(struct pair *pair)
{
    static struct stock_deduct one[ITEMS_MAX], two[ITEMS_MAX];
    size_t budget[ITEMS_MAX], id[ITEMS_MAX], count = pick_count(&pair->twins);
    twins_note(&pair->twins, "deduct");
    for (size_t i = 0; i < count; i++) {
        budget[i] = pick_budget(pair);
        id[i] = pick_id(pair);
        const struct known *known = known_of(pair, budget[i], id[i]);
        bool again = known->amount != 0 && chance(&pair->twins, 60);
        one[i] = two[i] = (struct stock_deduct){.budget_id = text_of(budget_ids[budget[i]]),
                                                .message_id = text_of(ids[id[i]]),
                                                .amount = again ? known->amount : pick_amount(pair)};
        twins_note(&pair->twins, " %zu/%zu:%" PRId64, budget[i], id[i], one[i].amount);
    }
    BOTH_ANSWER(pair, stock_deduct(pair->fake->stock, one, count, &pair->fake->error),
                stock_deduct(pair->real->stock, two, count, &pair->real->error));
    for (size_t i = 0; i < count; i++) {
        SAME(status);
        SAME(result);
        SAME(left);
        SAME(deducted_at_us);
        if (one[i].status != STATUS_OK || one[i].result != DEDUCT_DONE) continue;
        struct known *known = &pair->known[budget[i]][id[i]];
        *known = (struct known){one[i].amount, one[i].deducted_at_us, known->token};
    }
}

static void settle(struct pair *pair)
{
    static struct stock_settlement items[ITEMS_MAX];
    size_t count = pick_count(&pair->twins);
    int64_t one = -1, two = -1;
    twins_note(&pair->twins, "settle");
    for (size_t i = 0; i < count; i++) {
        size_t budget = pick_budget(pair), id = pick_id(pair);
        items[i] = (struct stock_settlement){text_of(budget_ids[budget]), text_of(ids[id]),
                                             pick_token(pair, budget, id)};
        twins_note(&pair->twins, " %zu/%zu@%" PRId64, budget, id, items[i].deducted_at_us);
    }
    BOTH_ANSWER(pair, stock_settle(pair->fake->stock, items, count, &one, &pair->fake->error),
                stock_settle(pair->real->stock, items, count, &two, &pair->real->error));
    twins_same(&pair->twins, "cleared", 0, one, two);
}

static void release(struct pair *pair)
{
    static struct stock_release one[ITEMS_MAX], two[ITEMS_MAX];
    size_t count = pick_count(&pair->twins);
    twins_note(&pair->twins, "release");
    for (size_t i = 0; i < count; i++) one[i] = two[i] = pick_release(pair);
    BOTH_ANSWER(pair, stock_release(pair->fake->stock, one, count, &pair->fake->error),
                stock_release(pair->real->stock, two, count, &pair->real->error));
    for (size_t i = 0; i < count; i++) {
        SAME(status);
        SAME(released);
        SAME(left);
    }
}

static void forget_guards(struct pair *pair)
{
    static struct stock_release items[ITEMS_MAX];
    size_t count = pick_count(&pair->twins);
    twins_note(&pair->twins, "forget");
    for (size_t i = 0; i < count; i++) items[i] = pick_release(pair);
    BOTH_ANSWER(pair, stock_forget_guards(pair->fake->stock, items, count, &pair->fake->error),
                stock_forget_guards(pair->real->stock, items, count, &pair->real->error));
}

static void credit(struct pair *pair)
{
    struct stock_credit one[8], two[8];
    size_t count = 1 + roll(&pair->twins, 8);
    twins_note(&pair->twins, "credit");
    for (size_t i = 0; i < count; i++) {
        size_t budget = pick_budget(pair);
        size_t id = pick_credit_id(pair);
        one[i] = two[i] = (struct stock_credit){.budget_id = text_of(budget_ids[budget]),
                                                .credit_id = text_of(ids[id]),
                                                .amount = pick_credit_amount(pair)};
        twins_note(&pair->twins, " %zu/%zu:%" PRId64, budget, id, one[i].amount);
    }
    BOTH_ANSWER(pair, stock_credit(pair->fake->stock, one, count, &pair->fake->error),
                stock_credit(pair->real->stock, two, count, &pair->real->error));
    for (size_t i = 0; i < count; i++) {
        SAME(status);
        SAME(applied);
        SAME(left);
    }
}

static void query(struct pair *pair)
{
    static struct stock_query one[ITEMS_MAX], two[ITEMS_MAX];
    size_t count = pick_count(&pair->twins);
    twins_note(&pair->twins, "query");
    for (size_t i = 0; i < count; i++) {
        size_t budget = pick_budget(pair), id = pick_id(pair);
        one[i] = two[i] =
            (struct stock_query){.budget_id = text_of(budget_ids[budget]), .message_id = text_of(ids[id])};
        twins_note(&pair->twins, " %zu/%zu", budget, id);
    }
    BOTH_ANSWER(pair, stock_query(pair->fake->stock, one, count, &pair->fake->error),
                stock_query(pair->real->stock, two, count, &pair->real->error));
    for (size_t i = 0; i < count; i++) {
        SAME(status);
        SAME(state);
        SAME(amount);
        SAME(deducted_at_us);
    }
}

static void levels(struct pair *pair)
{
    enum { COUNT = BUDGETS + BAD_BUDGETS };
    struct stock_level one[COUNT], two[COUNT];
    twins_note(&pair->twins, "levels");
    for (size_t i = 0; i < COUNT; i++)
        one[i] = two[i] = (struct stock_level){.budget_id = text_of(budget_ids[i])};
    BOTH_ANSWER(pair, stock_levels(pair->fake->stock, one, COUNT, &pair->fake->error),
                stock_levels(pair->real->stock, two, COUNT, &pair->real->error));
    for (size_t i = 0; i < COUNT; i++) {
        SAME(status);
        SAME(left);
        SAME(pending);
    }
}

static void audit(struct pair *pair)
{
    enum { COUNT = BUDGETS + BAD_BUDGETS };
    struct stock_audit one[COUNT], two[COUNT];
    twins_note(&pair->twins, "audit");
    for (size_t i = 0; i < COUNT; i++)
        one[i] = two[i] = (struct stock_audit){.budget_id = text_of(budget_ids[i])};
    BOTH_ANSWER(pair, stock_audit(pair->fake->stock, one, COUNT, &pair->fake->error),
                stock_audit(pair->real->stock, two, COUNT, &pair->real->error));
    for (size_t i = 0; i < COUNT; i++) {
        SAME(status);
        SAME(left);
        SAME(has_meta);
        SAME(credited);
        SAME(deducted);
        SAME(settled);
        SAME(released);
        SAME(state);
        SAME(pendings);
        SAME(credits);
        SAME(now_us);
        SAME(amended);
    }
}

static void amend(struct pair *pair)
{
    enum { COUNT = 6 };
    static struct stock_credit_entry credits[COUNT][AMENDED_CREDITS_MAX];
    struct stock_amendment one[COUNT], two[COUNT];
    size_t count = 1 + roll(&pair->twins, COUNT);
    twins_note(&pair->twins, "amend");
    for (size_t i = 0; i < count; i++) one[i] = two[i] = pick_amendment(pair, credits[i]);
    BOTH_ANSWER(pair, stock_amend(pair->fake->stock, one, count, &pair->fake->error),
                stock_amend(pair->real->stock, two, count, &pair->real->error));
    for (size_t i = 0; i < count; i++) {
        SAME(status);
        SAME(applied);
        SAME(left_after);
    }
}

static void state_set(struct pair *pair)
{
    static const enum budget_state states[] = {BUDGET_ACTIVE, BUDGET_ACTIVE, BUDGET_ACTIVE, BUDGET_CLOSED,
                                               BUDGET_DELETED};
    size_t budget = pick_budget(pair);
    enum budget_state state = states[roll(&pair->twins, 5)];
    int64_t one = -1, two = -1;
    twins_note(&pair->twins, "state %zu %s", budget, budget_state_name(state));
    BOTH_ANSWER(
        pair,
        stock_state_set(pair->fake->stock, text_of(budget_ids[budget]), state, &one, &pair->fake->error),
        stock_state_set(pair->real->stock, text_of(budget_ids[budget]), state, &two, &pair->real->error));
    twins_same(&pair->twins, "now_us", 0, one, two);
}

/* All slices; the entries as lines. */
static enum status scan_all(struct world *world, const char *budget, struct twins_lines *lines)
{
    uint64_t cursor = 0;
    do {
        struct stock_pending *entries = NULL;
        size_t count = 0;
        enum status status = stock_pending_scan(world->stock, text_of(budget), &cursor, &world->arena,
                                                &entries, &count, &world->error);
        if (status != STATUS_OK) return status;
        for (size_t i = 0; i < count; i++) {
            twins_line(lines, TEXT_FORMAT " %" PRId64 " %" PRId64, TEXT_ARGUMENTS(entries[i].message_id),
                       entries[i].amount, entries[i].deducted_at_us);
        }
    } while (cursor != 0);
    arena_reset(&world->arena);
    return STATUS_OK;
}

static void pending_scan(struct pair *pair)
{
    size_t budget = pick_budget(pair);
    twins_note(&pair->twins, "scan %zu", budget);
    BOTH_ANSWER(pair, scan_all(pair->fake, budget_ids[budget], &pair->fake_lines),
                scan_all(pair->real, budget_ids[budget], &pair->real_lines));
    twins_same_lines(&pair->twins, &pair->fake_lines, &pair->real_lines);
}

/* The same of the credits. */
static enum status scan_credits(struct world *world, const char *budget, struct twins_lines *lines)
{
    uint64_t cursor = 0;
    do {
        struct stock_credit_entry *entries = NULL;
        size_t count = 0;
        enum status status = stock_credits_scan(world->stock, text_of(budget), &cursor, &world->arena,
                                                &entries, &count, &world->error);
        if (status != STATUS_OK) return status;
        for (size_t i = 0; i < count; i++)
            twins_line(lines, TEXT_FORMAT " %" PRId64, TEXT_ARGUMENTS(entries[i].credit_id),
                       entries[i].amount);
    } while (cursor != 0);
    arena_reset(&world->arena);
    return STATUS_OK;
}

static void credits_scan(struct pair *pair)
{
    size_t budget = pick_budget(pair);
    twins_note(&pair->twins, "scan credits %zu", budget);
    BOTH_ANSWER(pair, scan_credits(pair->fake, budget_ids[budget], &pair->fake_lines),
                scan_credits(pair->real, budget_ids[budget], &pair->real_lines));
    twins_same_lines(&pair->twins, &pair->fake_lines, &pair->real_lines);
}

/* Time passes: a little, a lot, back, or to just where a generation ends. */
static void pass(struct pair *pair)
{
    static const int64_t steps[] = {
        0, 1, 1000, WINDOW_US / 3, WINDOW_US / 2, WINDOW_US, 3 * WINDOW_US, -1, -WINDOW_US / 2};
    int64_t started_us =
        content_number(pair->real->redis, budget_ids[roll(&pair->twins, BUDGETS)], "gen_started_us");
    if (started_us > 0 && chance(&pair->twins, 50))
        pair->now_us =
            started_us + (int64_t)roll(&pair->twins, 3) * WINDOW_US + (int64_t)roll(&pair->twins, 3) - 1;
    else
        pair->now_us += steps[roll(&pair->twins, sizeof steps / sizeof steps[0])];
    twins_note(&pair->twins, "now %" PRId64, pair->now_us);
    fake_stock_set_now(pair->fake->fake, pair->now_us);
    world_redis(pair->real, "CLOCK.SET %lld", (long long)pair->now_us);
}

static void lose_key(struct pair *pair, const char *budget, enum fake_stock_key key)
{
    twins_note(&pair->twins, " '%s'", content_suffixes[key]);
    fake_stock_lose(pair->fake->fake, text_of(budget), key);
    world_redis(pair->real, "DEL budget:{%s}%s", budget, content_suffixes[key]);
}

/* What others do to the keys. */
static void spoil(struct pair *pair)
{
    static const int64_t lefts[] = {-1, 0, 3, 500, 100000, AMOUNT_MAX, AMOUNT_MAX + 1, -5, AMOUNT_MAX - 3};
    size_t budget = roll(&pair->twins, BUDGETS), kind = roll(&pair->twins, 24);
    const char *id = budget_ids[budget];
    twins_note(&pair->twins, "spoil %zu, %zu", budget, kind);
    if (kind < 5 || pair->corrupt[budget]) {
        fake_stock_lose_budget(pair->fake->fake, text_of(id));
        for (int key = 0; key < CONTENT_KEYS; key++)
            world_redis(pair->real, "DEL budget:{%s}%s", id, content_suffixes[key]);
        pair->corrupt[budget] = false;
    } else if (kind < 10) { /* with its totals forgotten, more can be pending than a total holds */
        lose_key(pair, id, FAKE_STOCK_META);
        lose_key(pair, id, FAKE_STOCK_DONE_0);
        lose_key(pair, id, FAKE_STOCK_DONE_1);
        pair->focus = 15;
        pair->focus_budget = budget;
        pair->focus_id = roll(&pair->twins, IDS - 3);
        world_set_left(pair->fake, id, kind < 8 ? AMOUNT_MAX : -1);
        world_set_left(pair->real, id, kind < 8 ? AMOUNT_MAX : -1);
    } else if (kind < 16) {
        lose_key(pair, id, (enum fake_stock_key)roll(&pair->twins, CONTENT_KEYS));
    } else if (kind < 20) {
        int64_t left = lefts[roll(&pair->twins, sizeof lefts / sizeof lefts[0])];
        twins_note(&pair->twins, " %" PRId64, left);
        world_set_left(pair->fake, id, left);
        world_set_left(pair->real, id, left);
    } else if (kind < 22) {
        const char *planted = ids[roll(&pair->twins, IDS)];
        world_plant_pending(pair->fake, id, planted);
        world_plant_pending(pair->real, id, planted);
    } else {
        world_corrupt(pair->fake, id);
        world_corrupt(pair->real, id);
        pair->corrupt[budget] = true;
    }
}

static void compare_contents(struct pair *pair)
{
    for (size_t i = 0; i < BUDGETS; i++) {
        if (pair->corrupt[i]) continue;
        content_of_fake(pair->fake->fake, budget_ids[i], &pair->fake_lines);
        content_of_redis(pair->real->redis, budget_ids[i], &pair->real_lines);
        twins_same_lines(&pair->twins, &pair->fake_lines, &pair->real_lines);
    }
}

static void operate(struct pair *pair)
{
    size_t kind = roll(&pair->twins, 1130);
    if (pair->focus > 0) pair->focus--;
    if (kind >= 1090)
        audit(pair);
    else if (kind >= 1020)
        amend(pair);
    else if (kind >= 1000)
        credits_scan(pair);
    else if (kind < 300)
        deduct(pair);
    else if (kind < 440)
        settle(pair);
    else if (kind < 600)
        release(pair);
    else if (kind < 640)
        forget_guards(pair);
    else if (kind < 700)
        credit(pair);
    else if (kind < 780)
        query(pair);
    else if (kind < 810)
        levels(pair);
    else if (kind < 830)
        state_set(pair);
    else if (kind < 860)
        pending_scan(pair);
    else if (kind < 970)
        pass(pair);
    else if (kind < 995)
        spoil(pair);
    else {
        twins_note(&pair->twins, "SCRIPT FLUSH");
        world_redis(pair->real, "SCRIPT FLUSH");
    }
}

static void the_fake_answers_as_the_scripts(void **state)
{
    static struct pair pair;
    void *fake = NULL, *real = NULL;
    (void)state;
    for (size_t i = 0; i < IDS; i++)
        snprintf(ids[i], sizeof ids[i], i % 8 == 0 ? LONG_ID "%064zu" : "m%zu!~", i);
    for (size_t i = 0; i < BAD_IDS; i++) snprintf(ids[IDS + i], sizeof ids[0], "%s", bad_ids[i]);
    pair = (struct pair){.twins = twins_begin(8000, 400000), .now_us = INT64_C(1700000000000000)};
    assert_int_equal(world_setup_fake(&fake), 0);
    assert_int_equal(world_setup_redis(&real), 0);
    pair.fake = fake;
    pair.real = real;
    world_redis(pair.real, "CLOCK.SET %lld", (long long)pair.now_us);
    while (twins_next(&pair.twins)) {
        operate(&pair);
        if (pair.twins.number % 25 == 0 || pair.twins.number == pair.twins.operations)
            compare_contents(&pair);
    }
    twins_lines_free(&pair.fake_lines);
    twins_lines_free(&pair.real_lines);
    world_teardown(&fake);
    world_teardown(&real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_fake_answers_as_the_scripts)};
    return cmocka_run_group_tests_name("the fake stock and the scripts", tests, NULL, NULL);
}
