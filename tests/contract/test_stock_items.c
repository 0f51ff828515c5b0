/* The contract of port/stock.h, held by the fake stock and by Redis alike: giving back, many items, and items
 * that are refused. */
#include "contract/stock_world.h"

static void test_a_release_needs_the_right_token_and_works_once(void **state)
{
    static const enum pending_state remembered[] = {[RELEASE_REJECTED] = PENDING_REJECTED,
                                                    [RELEASE_VOIDED] = PENDING_VOIDED,
                                                    [RELEASE_EXTRA] = PENDING_SETTLED};
    struct world *world = *state;
    world_credit(world, "b", "c1", 10);
    for (int outcome = RELEASE_REJECTED; outcome <= RELEASE_EXTRA; outcome++) {
        const char *id = release_outcome_name((enum release_outcome)outcome);
        int64_t token = world_take(world, "b", id, 4);
        struct stock_release item = world_release(world, "b", id, token + 1, (enum release_outcome)outcome);
        assert_false(item.released);
        assert_int_equal(item.left, 6);
        item = world_release(world, "b", id, token, (enum release_outcome)outcome);
        assert_true(item.released);
        assert_int_equal(item.left, 10);
        item = world_release(world, "b", id, token, (enum release_outcome)outcome);
        assert_false(item.released);
        assert_int_equal(item.left, 10);
        assert_int_equal(world_settle(world, "b", id, token), 0);
        struct stock_query query = world_query(world, "b", id);
        assert_int_equal(query.state, remembered[outcome]);
        assert_int_equal(query.amount, 4);
        assert_int_equal(query.deducted_at_us, token);
    }
    assert_false(world_release(world, "never", "m", 1, RELEASE_VOIDED).released);
    world_expect_level(world, "b", 10, 0);
}

#define MANY 10000

/* Takes `count` deductions of 1, spread over `budgets` budgets b0, b1…; ids "m<i>". */
static struct stock_settlement *take_many(struct world *world, size_t count, size_t budgets)
{
    struct stock_deduct *items = memory_alloc_zero(count, sizeof *items);
    struct stock_settlement *settlements = memory_alloc_zero(count, sizeof *settlements);
    for (size_t b = 0; b < budgets; b++) {
        world_credit(world, arena_format(&world->arena, "b%zu", b), "c", (int64_t)count);
    }
    for (size_t i = 0; i < count; i++) {
        items[i] =
            (struct stock_deduct){.budget_id = text_of(arena_format(&world->arena, "b%zu", i % budgets)),
                                  .message_id = text_of(arena_format(&world->arena, "m%zu", i)),
                                  .amount = 1};
    }
    world_check(world, stock_deduct(world->stock, items, count, &world->error));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(items[i].status, STATUS_OK);
        assert_int_equal(items[i].result, DEDUCT_DONE);
        settlements[i] = (struct stock_settlement){.budget_id = items[i].budget_id,
                                                   .message_id = items[i].message_id,
                                                   .deducted_at_us = items[i].deducted_at_us};
    }
    free(items);
    return settlements;
}

static void test_ten_thousand_settlements_of_one_budget(void **state)
{
    struct world *world = *state;
    struct stock_settlement *items = take_many(world, MANY, 1);
    int64_t sum;
    assert_int_equal(world_scan(world, "b0", &sum), MANY);
    world_expect_level(world, "b0", 0, MANY);
    items[17].deducted_at_us++; /* another deduction of that id */
    items[4000] = items[1];     /* twice in one call */
    int64_t cleared = 0;
    world_check(world, stock_settle(world->stock, items, MANY, &cleared, &world->error));
    assert_int_equal(cleared, MANY - 2);
    world_expect_level(world, "b0", 0, 2);
    assert_int_equal(world_scan(world, "b0", &sum), 2);
    world_check(world, stock_settle(world->stock, items, MANY, &cleared, &world->error));
    assert_int_equal(cleared, 0);
    free(items);
}

static void test_many_budgets_do_not_mix(void **state)
{
    struct world *world = *state;
    struct stock_settlement *items = take_many(world, 3000, 7);
    int64_t cleared = 0;
    world_check(world, stock_settle(world->stock, items, 1500, &cleared, &world->error));
    assert_int_equal(cleared, 1500);
    struct stock_release *releases = memory_alloc_zero(1500, sizeof *releases);
    for (size_t i = 0; i < 1500; i++) {
        releases[i] = (struct stock_release){.budget_id = items[1500 + i].budget_id,
                                             .message_id = items[1500 + i].message_id,
                                             .deducted_at_us = items[1500 + i].deducted_at_us,
                                             .outcome = RELEASE_REJECTED};
    }
    world_check(world, stock_release(world->stock, releases, 1500, &world->error));
    for (size_t i = 0; i < 1500; i++) assert_true(releases[i].status == STATUS_OK && releases[i].released);
    for (size_t b = 0; b < 7; b++) {
        int64_t taken = 0;
        for (size_t i = b; i < 1500; i += 7) taken++;
        world_expect_level(world, arena_format(&world->arena, "b%zu", b), 3000 - taken, 0);
    }
    free(releases);
    free(items);
}

static void test_the_same_id_twice_in_one_call(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c", 10);
    struct stock_deduct items[3];
    for (size_t i = 0; i < 3; i++) {
        items[i] = (struct stock_deduct){
            .budget_id = TEXT_LITERAL("b"), .message_id = TEXT_LITERAL("m"), .amount = i == 2 ? 9 : 3};
    }
    world_check(world, stock_deduct(world->stock, items, 3, &world->error));
    assert_int_equal(items[0].result, DEDUCT_DONE);
    assert_int_equal(items[1].result, DEDUCT_REPEAT);
    assert_int_equal(items[2].result, DEDUCT_CONFLICT);
    world_expect_level(world, "b", 7, 3);
}

static void test_what_is_refused_stops_nothing_else(void **state)
{
    struct world *world = *state;
    world_credit(world, "good", "c", 10);
    int64_t token = world_take(world, "good", "m", 2);
    int64_t other = world_take(world, "good", "n", 3);
    world_corrupt(world, "bad");

    struct stock_settlement settlements[] = {
        {.budget_id = TEXT_LITERAL("bad"), .message_id = TEXT_LITERAL("m"), .deducted_at_us = token},
        {.budget_id = TEXT_LITERAL("good"), .message_id = TEXT_LITERAL("a b"), .deducted_at_us = token},
        {.budget_id = TEXT_LITERAL("good"), .message_id = TEXT_LITERAL("m"), .deducted_at_us = token},
        {.budget_id = TEXT_LITERAL("good"), .message_id = TEXT_LITERAL("x"), .deducted_at_us = 0},
        {.budget_id = TEXT_LITERAL("{}"), .message_id = TEXT_LITERAL("x"), .deducted_at_us = 1},
    };
    int64_t cleared = 0;
    assert_int_equal(stock_settle(world->stock, settlements, 5, &cleared, &world->error), STATUS_REFUSED);
    assert_int_equal(cleared, 1);
    assert_int_equal(stock_settle(world->stock, settlements, 1, &cleared, &world->error), STATUS_REFUSED);
    assert_int_equal(cleared, 0);

    struct stock_release releases[] = {
        {.budget_id = TEXT_LITERAL("bad"), .message_id = TEXT_LITERAL("m"), .deducted_at_us = token},
        {.budget_id = TEXT_LITERAL("good"), .message_id = TEXT_LITERAL("n"), .deducted_at_us = other},
        {.budget_id = TEXT_LITERAL("bad"), .message_id = TEXT_LITERAL("m"), .amount = 1},
    };
    world_check(world, stock_release(world->stock, releases, 3, &world->error));
    assert_int_equal(releases[0].status, STATUS_REFUSED);
    assert_int_equal(releases[1].status, STATUS_OK);
    assert_true(releases[1].released);
    assert_int_equal(releases[2].status, STATUS_REFUSED);
    world_expect_level(world, "good", 8, 0);

    struct stock_credit credit = world_try_credit(world, "bad", "c", 1);
    assert_int_equal(credit.status, STATUS_REFUSED);
    struct stock_deduct deduct = {
        .budget_id = TEXT_LITERAL("bad"), .message_id = TEXT_LITERAL("m"), .amount = 1};
    world_check(world, stock_deduct(world->stock, &deduct, 1, &world->error));
    assert_int_equal(deduct.status, STATUS_REFUSED);
    struct stock_level level = {.budget_id = TEXT_LITERAL("bad")};
    world_check(world, stock_levels(world->stock, &level, 1, &world->error));
    assert_int_equal(level.status, STATUS_REFUSED);
    struct stock_query query = {.budget_id = TEXT_LITERAL("bad"), .message_id = TEXT_LITERAL("m")};
    world_check(world, stock_query(world->stock, &query, 1, &world->error));
    assert_int_equal(query.status, STATUS_REFUSED);
    assert_int_equal(stock_state_set(world->stock, TEXT_LITERAL("bad"), BUDGET_CLOSED, NULL, &world->error),
                     STATUS_REFUSED);
    uint64_t cursor = 0;
    struct stock_pending *entries;
    size_t count;
    assert_int_equal(stock_pending_scan(world->stock, TEXT_LITERAL("bad"), &cursor, &world->arena, &entries,
                                        &count, &world->error),
                     STATUS_REFUSED);
}

/* As something else than the scripts wrote them: each would pass the scripts, and none could be booked. */
static void test_a_spoilt_token_or_amount_is_refused(void **state)
{
    static const char *const entries[] = {"3:0", "3:99999999999999999", "03:17", "9007199254740992:17"};
    struct world *world = *state;
    world_credit(world, "b", "c", 10);
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        world_redis(world, "HSET budget:{b}:pending m %s", entries[i]);
        struct stock_query query = {.budget_id = TEXT_LITERAL("b"), .message_id = TEXT_LITERAL("m")};
        world_check(world, stock_query(world->stock, &query, 1, &world->error));
        assert_int_equal(query.status, STATUS_REFUSED);
        if (i >= 2) continue;
        struct stock_deduct item = {
            .budget_id = TEXT_LITERAL("b"), .message_id = TEXT_LITERAL("m"), .amount = 3};
        world_check(world, stock_deduct(world->stock, &item, 1, &world->error));
        assert_int_equal(item.status, STATUS_REFUSED);
        assert_int_equal(item.deducted_at_us, 0);
    }
}

static void test_nothing_to_do_is_done(void **state)
{
    struct world *world = *state;
    int64_t cleared = -1;
    world_check(world, stock_ping(world->stock, &world->error));
    world_check(world, stock_load_scripts(world->stock, &world->error));
    world_check(world, stock_settle(world->stock, NULL, 0, &cleared, &world->error));
    assert_int_equal(cleared, 0);
    world_check(world, stock_settle(world->stock, NULL, 0, NULL, &world->error));
    world_check(world, stock_release(world->stock, NULL, 0, &world->error));
    world_check(world, stock_forget_guards(world->stock, NULL, 0, &world->error));
    world_check(world, stock_credit(world->stock, NULL, 0, &world->error));
    world_check(world, stock_deduct(world->stock, NULL, 0, &world->error));
    world_check(world, stock_query(world->stock, NULL, 0, &world->error));
    world_check(world, stock_levels(world->stock, NULL, 0, &world->error));
    int64_t sum;
    assert_int_equal(world_scan(world, "nothing", &sum), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_a_release_needs_the_right_token_and_works_once),
        BOTH(test_ten_thousand_settlements_of_one_budget),
        BOTH(test_many_budgets_do_not_mix),
        BOTH(test_the_same_id_twice_in_one_call),
        BOTH(test_what_is_refused_stops_nothing_else),
        cmocka_unit_test_setup_teardown(test_a_spoilt_token_or_amount_is_refused, world_setup_redis,
                                        world_teardown),
        BOTH(test_nothing_to_do_is_done),
    };
    return cmocka_run_group_tests_name("many items of stock", tests, NULL, NULL);
}
