/* The contract of port/stock.h, held by the fake stock and by Redis alike: refunds without token, and what
 * else the clean-up of pendings must not give back twice or stumble over. */
#include "contract/stock_world.h"

static void test_a_refund_without_token_is_guarded_by_its_id(void **state)
{
    struct world *world = *state;
    world_set_left(world, "b", 5);
    struct stock_release item = world_refund(world, "b", "m", 3);
    assert_true(item.released);
    assert_int_equal(item.left, 8);
    item = world_refund(world, "b", "m", 3);
    assert_false(item.released);
    assert_int_equal(item.left, 8);
    assert_true(world_refund(world, "b", "n", 1).released);
    world_expect_level(world, "b", 9, 0);

    item = world_refund(world, "none", "m", 3);
    assert_int_equal(item.status, STATUS_OK);
    assert_false(item.released);
    assert_int_equal(item.left, STOCK_LEFT_NONE);
    world_expect_level(world, "none", STOCK_LEFT_NONE, 0);
    world_credit(world, "free", "c", TOTAL_UNLIMITED);
    assert_int_equal(world_refund(world, "free", "m", 3).left, TOTAL_UNLIMITED);
    world_credit(world, "full", "c", AMOUNT_MAX);
    assert_int_equal(world_refund(world, "full", "m", 1).status, STATUS_REFUSED);
    assert_int_equal(world_refund(world, "b", "o", 0).status, STATUS_REFUSED);
}

/* Turns the generations, as settling does when a done window has passed. */
static void turn(struct world *world, const char *budget, const char *id)
{
    world_pass_window(world, budget);
    assert_int_equal(world_settle(world, budget, id, world_take(world, budget, id, 1)), 1);
}

/* A request that was given up on may arrive after its repeat was paid, booked and let go of. */
static void test_a_late_refund_finds_its_guard_for_a_done_window_more(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c", 100);
    assert_true(world_refund(world, "b", "m", 3).released);
    assert_true(world_refund(world, "b", "kept", 1).released);
    world_forget_guard(world, "b", "m");
    assert_false(world_refund(world, "b", "m", 3).released);
    world_forget_guard(world, "b", "m");
    assert_false(world_refund(world, "b", "m", 3).released);
    turn(world, "b", "x");
    assert_false(world_refund(world, "b", "m", 3).released);
    world_expect_level(world, "b", 103, 0);
    turn(world, "b", "y");
    assert_true(world_refund(world, "b", "m", 3).released); /* forgotten at last: what is kept is bounded */
    assert_false(world_refund(world, "b", "kept", 1).released);

    struct stock_release guards[] = {
        {.budget_id = TEXT_LITERAL("b"), .message_id = TEXT_LITERAL("kept"), .deducted_at_us = 7},
        {.budget_id = TEXT_LITERAL("b"), .message_id = TEXT_LITERAL("a b")}};
    assert_int_equal(stock_forget_guards(world->stock, guards, 2, &world->error), STATUS_REFUSED);
    turn(world, "b", "z");
    turn(world, "b", "last");
    assert_false(world_refund(world, "b", "kept", 1).released); /* an item with a token has no guard */
}

static void test_forgetting_turns_the_generations_by_itself(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c", 100);
    const char *const ids[] = {"m", "n", "o"};
    for (size_t i = 0; i < 3; i++) {
        assert_true(world_refund(world, "b", ids[i], 1).released);
        world_forget_guard(world, "b", ids[i]);
        world_pass_window(world, "b");
    }
    assert_true(world_refund(world, "b", "m", 1).released);
    assert_false(world_refund(world, "b", "n", 1).released);
    assert_false(world_refund(world, "b", "o", 1).released);
}

/* A stock that is made anew from the ledger has what was rejected in it. */
static void test_a_refund_without_a_stock_key_leaves_its_guard(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c", 10);
    world_lose_left(world, "b");
    for (int i = 0; i < 2; i++) {
        struct stock_release item = world_refund(world, "b", "m", 3);
        assert_int_equal(item.status, STATUS_OK);
        assert_false(item.released);
        assert_int_equal(item.left, STOCK_LEFT_NONE);
    }
    assert_false(world_refund(world, "b", "n", 3).released);
    world_forget_guard(world, "b", "m");
    world_set_left(world, "b", 10);
    assert_false(world_refund(world, "b", "m", 3).released);
    assert_false(world_refund(world, "b", "n", 3).released);
    assert_true(world_refund(world, "b", "o", 3).released);
    world_expect_level(world, "b", 13, 0);

    assert_false(world_refund(world, "nowhere", "m", 3).released); /* of it nothing is kept */
    world_set_left(world, "nowhere", 10);
    assert_true(world_refund(world, "nowhere", "m", 3).released);
}

/* The producer has a pending entry, and does not pass its token on. */
static void test_a_refund_without_token_takes_its_own_pending_entry_along(void **state)
{
    static const enum pending_state remembered[] = {[RELEASE_REJECTED] = PENDING_REJECTED,
                                                    [RELEASE_VOIDED] = PENDING_VOIDED,
                                                    [RELEASE_EXTRA] = PENDING_SETTLED};
    struct world *world = *state;
    world_credit(world, "b", "c", 10);
    for (int outcome = RELEASE_REJECTED; outcome <= RELEASE_EXTRA; outcome++) {
        const char *id = release_outcome_name((enum release_outcome)outcome);
        int64_t token = world_take(world, "b", id, 4);
        for (int i = 0; i < 2; i++) {
            struct stock_release item = {.budget_id = TEXT_LITERAL("b"),
                                         .message_id = text_of(id),
                                         .amount = 4,
                                         .outcome = (enum release_outcome)outcome};
            world_check(world, stock_release(world->stock, &item, 1, &world->error));
            assert_int_equal(item.released, i == 0);
            assert_int_equal(item.left, 10);
        }
        assert_false(world_release(world, "b", id, token, RELEASE_REJECTED).released);
        world_forget_guard(world, "b", id);
        assert_false(world_refund(world, "b", id, 4).released);
        struct stock_query query = world_query(world, "b", id);
        assert_int_equal(query.state, remembered[outcome]);
        assert_int_equal(query.amount, 4);
        assert_int_equal(query.deducted_at_us, token);
    }
    world_expect_level(world, "b", 10, 0);

    int64_t token = world_take(world, "b", "other", 2); /* with another amount it is another deduction */
    assert_true(world_refund(world, "b", "other", 3).released);
    assert_true(world_release(world, "b", "other", token, RELEASE_REJECTED).released);
    world_expect_level(world, "b", 13, 0);

    world_take(world, "b", "lost", 5);
    world_lose_left(world, "b");
    struct stock_release item = world_refund(world, "b", "lost", 5);
    assert_true(item.released);
    assert_int_equal(item.left, STOCK_LEFT_NONE);
    world_expect_level(world, "b", STOCK_LEFT_NONE, 0);

    world_credit(world, "free", "c", TOTAL_UNLIMITED);
    world_take(world, "free", "m", 7);
    item = world_refund(world, "free", "m", 7);
    assert_true(item.released);
    assert_int_equal(item.left, TOTAL_UNLIMITED);
    world_expect_level(world, "free", TOTAL_UNLIMITED, 0);
}

/* The clean-up comes before the refund that the ledger owes. */
static void test_what_was_given_back_with_its_token_is_not_given_back_without(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c", 10);
    int64_t rejected = world_take(world, "b", "rejected", 4);
    int64_t voided = world_take(world, "b", "voided", 3);
    int64_t settled = world_take(world, "b", "settled", 1);
    assert_true(world_release(world, "b", "rejected", rejected, RELEASE_REJECTED).released);
    turn(world, "b", "x");
    assert_true(world_release(world, "b", "voided", voided, RELEASE_VOIDED).released);
    assert_int_equal(world_settle(world, "b", "settled", settled), 1);
    assert_false(world_refund(world, "b", "rejected", 4).released); /* in the older generation */
    assert_false(world_refund(world, "b", "voided", 3).released);
    world_expect_level(world, "b", 8, 0);
    assert_true(world_refund(world, "b", "voided", 2).released); /* another deduction */
    assert_true(world_refund(world, "b", "settled", 1).released);
    world_expect_level(world, "b", 11, 0);
}

static void test_a_pending_entry_that_no_script_wrote_stops_no_scan(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c", 1000);
    world_plant_pending(world, "b", "!junk");
    for (size_t i = 0; i < 300; i++) world_take(world, "b", arena_format(&world->arena, "m%zu", i), 2);
    world_plant_pending(world, "b", "caf\xc3\xa9");
    int64_t sum;
    assert_int_equal(world_scan(world, "b", &sum), 300);
    assert_int_equal(sum, 600);
}

static void test_pending_entries_that_no_script_wrote_are_left_alone(void **state)
{
    static const char *const values[] = {"", "x", "5", "5:", ":5", "0:5", "05:5", "5:0", "-5:5", "5:5:5"};
    struct world *world = *state;
    world_credit(world, "b", "c", 10);
    world_take(world, "b", "m", 3);
    for (int i = 0; i < (int)(sizeof values / sizeof values[0]); i++) {
        world_redis(world, "HSET budget:{b}:pending odd%d %s", i, values[i]);
    }
    world_redis(world, "HSET budget:{b}:pending %s 5:5", "a b");
    int64_t sum;
    assert_int_equal(world_scan(world, "b", &sum), 1);
    assert_int_equal(sum, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_a_refund_without_token_is_guarded_by_its_id),
        BOTH(test_a_late_refund_finds_its_guard_for_a_done_window_more),
        BOTH(test_forgetting_turns_the_generations_by_itself),
        BOTH(test_a_refund_without_a_stock_key_leaves_its_guard),
        BOTH(test_a_refund_without_token_takes_its_own_pending_entry_along),
        BOTH(test_what_was_given_back_with_its_token_is_not_given_back_without),
        BOTH(test_a_pending_entry_that_no_script_wrote_stops_no_scan),
        cmocka_unit_test_setup_teardown(test_pending_entries_that_no_script_wrote_are_left_alone,
                                        world_setup_redis, world_teardown),
    };
    return cmocka_run_group_tests_name("refunds without token", tests, NULL, NULL);
}
