/* The contract of port/stock.h, held by the fake stock and by Redis alike. */
#include "contract/stock_world.h"

static void test_each_answer_of_a_deduction(void **state)
{
    struct world *world = *state;
    assert_int_equal(world_deduct(world, "b", "early", 1).result, DEDUCT_NOT_INITIALISED);
    world_credit(world, "b", "first", 10);

    struct stock_deduct first = world_deduct(world, "b", "m1", 4);
    assert_int_equal(first.result, DEDUCT_DONE);
    assert_int_equal(first.left, 6);
    struct stock_deduct again = world_deduct(world, "b", "m1", 4);
    assert_int_equal(again.result, DEDUCT_REPEAT);
    assert_int_equal(again.left, 6);
    assert_int_equal(again.deducted_at_us, first.deducted_at_us);
    struct stock_deduct other = world_deduct(world, "b", "m1", 5);
    assert_int_equal(other.result, DEDUCT_CONFLICT);
    assert_int_equal(other.left, 6);
    assert_int_equal(other.deducted_at_us, first.deducted_at_us);
    struct stock_deduct greedy = world_deduct(world, "b", "m2", 7);
    assert_int_equal(greedy.result, DEDUCT_INSUFFICIENT);
    assert_int_equal(greedy.left, 6);
    assert_int_equal(greedy.deducted_at_us, 0);
    world_expect_level(world, "b", 6, 4);
}

static void test_bad_arguments_of_a_deduction_take_nothing(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "first", AMOUNT_MAX);
    char long_id[MESSAGE_ID_SIZE_MAX + 2];
    memset(long_id, 'x', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = '\0';
    static const int64_t amounts[] = {0, -1, AMOUNT_MAX + 1, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        struct stock_deduct item = world_deduct(world, "b", "m", amounts[i]);
        assert_int_equal(item.result, DEDUCT_INVALID);
        assert_int_equal(item.left, STOCK_LEFT_NONE);
    }
    const char *const ids[] = {"", "a b", "caf\xc3\xa9", "tab\t", long_id};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        assert_int_equal(world_deduct(world, "b", ids[i], 1).result, DEDUCT_INVALID);
    }
    assert_int_equal(world_deduct(world, "b}{", "m", 1).result, DEDUCT_INVALID);
    assert_int_equal(world_deduct(world, "", "m", 1).result, DEDUCT_INVALID);
    world_expect_level(world, "b", AMOUNT_MAX, 0);
    long_id[MESSAGE_ID_SIZE_MAX] = '\0';
    world_take(world, "b", long_id, AMOUNT_MAX);
    world_expect_level(world, "b", 0, AMOUNT_MAX);
}

static void test_a_known_id_gets_its_first_answer_whatever_became_of_it(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "first", 3);
    int64_t settled = world_take(world, "b", "settled", 1);
    int64_t refunded = world_take(world, "b", "refunded", 1);
    int64_t pending = world_take(world, "b", "pending", 1);
    assert_int_equal(world_settle(world, "b", "settled", settled), 1);
    assert_int_equal(world_deduct(world, "b", "pending", 1).result, DEDUCT_REPEAT); /* sold out */
    struct stock_deduct item = world_deduct(world, "b", "settled", 1);
    assert_int_equal(item.result, DEDUCT_REPEAT);
    assert_int_equal(item.deducted_at_us, settled);
    assert_int_equal(item.left, 0);
    assert_int_equal(world_deduct(world, "b", "settled", 2).result, DEDUCT_CONFLICT);

    assert_true(world_release(world, "b", "refunded", refunded, RELEASE_VOIDED).released);
    item = world_deduct(world, "b", "refunded", 1);
    assert_int_equal(item.result, DEDUCT_REFUNDED);
    assert_int_equal(item.deducted_at_us, refunded);
    assert_int_equal(item.left, 1);
    assert_int_equal(world_deduct(world, "b", "refunded", 2).result, DEDUCT_REFUNDED); /* before conflict */

    world_lose_left(world, "b");
    item = world_deduct(world, "b", "pending", 1);
    assert_int_equal(item.result, DEDUCT_REPEAT);
    assert_int_equal(item.deducted_at_us, pending);
    assert_int_equal(item.left, STOCK_LEFT_NONE);
    assert_int_equal(world_deduct(world, "b", "new", 1).result, DEDUCT_NOT_INITIALISED);
}

static void test_an_id_is_forgotten_after_its_windows_and_gets_a_new_token(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "first", 100);
    int64_t first = world_take(world, "b", "m", 1);
    assert_int_equal(world_settle(world, "b", "m", first), 1);
    world_pass_window(world, "b");
    assert_int_equal(world_settle(world, "b", "x", world_take(world, "b", "x", 1)), 1);
    assert_int_equal(world_deduct(world, "b", "m", 1).result,
                     DEDUCT_REPEAT); /* the older generation still has it */
    world_pass_window(world, "b");
    assert_int_equal(world_settle(world, "b", "y", world_take(world, "b", "y", 1)), 1);
    int64_t second = world_take(world, "b", "m", 1);
    assert_true(second != first);
    assert_int_equal(world_settle(world, "b", "m", first), 0); /* the old token has nothing to clear */
    assert_int_equal(world_query(world, "b", "m").state, PENDING_PENDING);
    assert_true(world_release(world, "b", "m", second, RELEASE_EXTRA).released);
    assert_int_equal(world_query(world, "b", "m").state, PENDING_SETTLED);
    assert_int_equal(world_query(world, "b", "x").state, PENDING_SETTLED);
    world_expect_level(world, "b", 97, 0);

    world_pass_window(world, "b");
    world_pass_window(world, "b");
    assert_int_equal(world_settle(world, "b", "z", world_take(world, "b", "z", 1)), 1);
    assert_int_equal(world_query(world, "b", "x").state,
                     PENDING_UNKNOWN); /* two windows: both generations dropped */
    assert_int_equal(world_query(world, "b", "m").state, PENDING_UNKNOWN);
    assert_int_equal(world_query(world, "b", "z").state, PENDING_SETTLED);
}

static void test_a_credit_counts_once(void **state)
{
    struct world *world = *state;
    struct stock_credit item = world_try_credit(world, "b", "c1", 5);
    assert_true(item.applied);
    assert_int_equal(item.left, 5);
    item = world_try_credit(world, "b", "c1", 5);
    assert_int_equal(item.status, STATUS_OK);
    assert_false(item.applied);
    assert_int_equal(item.left, 5);
    assert_int_equal(world_try_credit(world, "b", "c1", 6).status, STATUS_REFUSED);
    assert_true(strstr(world->error.text, "another amount") != NULL);
    assert_int_equal(world_try_credit(world, "b", "c2", 7).left, 12);
    world_credit(world, "b", "c3", 0);
    assert_int_equal(world_try_credit(world, "b", "c4", TOTAL_UNLIMITED).status, STATUS_REFUSED);
    assert_int_equal(world_try_credit(world, "b", "bad id", 1).status, STATUS_REFUSED);
    assert_int_equal(world_try_credit(world, "b", "c5", -2).status, STATUS_REFUSED);
    assert_int_equal(world_try_credit(world, "b", "c5", AMOUNT_MAX + 1).status, STATUS_REFUSED);
    assert_int_equal(world_try_credit(world, "b", "c5", AMOUNT_MAX - 11).status, STATUS_REFUSED);
    world_expect_level(world, "b", 12, 0);
    world_credit(world, "b", "c5", AMOUNT_MAX - 12);
    world_expect_level(world, "b", AMOUNT_MAX, 0);

    world_credit(world, "empty", "c1", 0);
    assert_int_equal(world_deduct(world, "empty", "m", 1).result, DEDUCT_INSUFFICIENT);
}

static void test_a_lost_key_is_not_made_again(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c1", 10);
    int64_t token = world_take(world, "b", "m", 4);
    int64_t other = world_take(world, "b", "n", 1);
    world_lose_left(world, "b");
    struct stock_credit credit = world_try_credit(world, "b", "c2", 5);
    assert_true(credit.applied);
    assert_int_equal(credit.left, STOCK_LEFT_NONE);
    assert_int_equal(world_try_credit(world, "b", "c1", 10).left, STOCK_LEFT_NONE);
    assert_int_equal(world_try_credit(world, "b", "c3", TOTAL_UNLIMITED).status, STATUS_REFUSED);
    struct stock_release release = world_release(world, "b", "m", token, RELEASE_REJECTED);
    assert_true(release.released);
    assert_int_equal(release.left, STOCK_LEFT_NONE);
    assert_int_equal(world_query(world, "b", "m").state, PENDING_REJECTED);
    assert_int_equal(world_settle(world, "b", "n", other), 1);
    world_expect_level(world, "b", STOCK_LEFT_NONE, 0);
}

static void test_a_key_made_by_hand_is_added_to(void **state)
{
    struct world *world = *state;
    world_set_left(world, "b", 10);
    world_take(world, "b", "m", 3);
    world_credit(world, "b", "c1", 5);
    world_expect_level(world, "b", 12, 3);
    world_set_left(world, "free", TOTAL_UNLIMITED);
    assert_int_equal(world_deduct(world, "free", "m", AMOUNT_MAX).left, TOTAL_UNLIMITED);
    assert_int_equal(world_try_credit(world, "free", "c1", 5).status, STATUS_REFUSED);
}

static void test_an_unlimited_budget_counts_without_a_stock(void **state)
{
    struct world *world = *state;
    struct stock_credit credit = world_try_credit(world, "b", "c1", TOTAL_UNLIMITED);
    assert_true(credit.applied);
    assert_int_equal(credit.left, TOTAL_UNLIMITED);
    assert_false(world_try_credit(world, "b", "c1", TOTAL_UNLIMITED).applied);
    assert_true(world_try_credit(world, "b", "c2", TOTAL_UNLIMITED).applied);
    assert_int_equal(world_try_credit(world, "b", "c3", 5).status, STATUS_REFUSED);
    assert_int_equal(world_try_credit(world, "b", "c1", 5).status, STATUS_REFUSED);

    int64_t m = world_take(world, "b", "m", 100);
    int64_t n = world_take(world, "b", "n", AMOUNT_MAX - 100);
    world_expect_level(world, "b", TOTAL_UNLIMITED, AMOUNT_MAX);
    struct stock_deduct full = world_deduct(world, "b", "o", 1); /* the running total could not count it */
    assert_int_equal(full.result, DEDUCT_INSUFFICIENT);
    assert_int_equal(full.left, TOTAL_UNLIMITED);
    struct stock_release release = world_release(world, "b", "m", m, RELEASE_REJECTED);
    assert_true(release.released);
    assert_int_equal(release.left, TOTAL_UNLIMITED);
    assert_int_equal(world_settle(world, "b", "n", n), 1);
    world_expect_level(world, "b", TOTAL_UNLIMITED, 0);

    world_lose_left(world, "b");
    assert_int_equal(world_try_credit(world, "b", "c4", 5).status, STATUS_REFUSED);
    credit = world_try_credit(world, "b", "c5", TOTAL_UNLIMITED);
    assert_true(credit.applied);
    assert_int_equal(credit.left, STOCK_LEFT_NONE);
}

static void test_a_closed_budget_sells_nothing_new(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c1", 10);
    int64_t token = world_take(world, "b", "m", 4);
    int64_t closed_at = 0;
    world_tick(world);
    world_check(world,
                stock_state_set(world->stock, TEXT_LITERAL("b"), BUDGET_CLOSED, &closed_at, &world->error));
    assert_true(closed_at > token);
    struct stock_deduct item = world_deduct(world, "b", "n", 100);
    assert_int_equal(item.result, DEDUCT_CLOSED); /* before insufficient */
    assert_int_equal(item.left, 6);
    assert_int_equal(world_deduct(world, "b", "m", 4).result, DEDUCT_REPEAT);
    assert_int_equal(world_deduct(world, "b", "m", 5).result, DEDUCT_CONFLICT);
    world_check(world, stock_state_set(world->stock, TEXT_LITERAL("b"), BUDGET_DELETED, NULL, &world->error));
    assert_int_equal(world_deduct(world, "b", "n", 1).result, DEDUCT_CLOSED);
    assert_true(world_release(world, "b", "m", token, RELEASE_REJECTED).released);
    assert_int_equal(world_deduct(world, "b", "m", 4).result, DEDUCT_REFUNDED);
    world_check(world, stock_state_set(world->stock, TEXT_LITERAL("b"), BUDGET_ACTIVE, NULL, &world->error));
    world_take(world, "b", "n", 10);

    world_check(world,
                stock_state_set(world->stock, TEXT_LITERAL("new"), BUDGET_CLOSED, NULL, &world->error));
    assert_int_equal(world_deduct(world, "new", "m", 1).result, DEDUCT_NOT_INITIALISED);
    world_credit(world, "new", "c1", 10);
    assert_int_equal(world_deduct(world, "new", "m", 1).result, DEDUCT_CLOSED);
    assert_int_equal(stock_state_set(world->stock, TEXT_LITERAL("a b"), BUDGET_CLOSED, NULL, &world->error),
                     STATUS_REFUSED);
}

static void test_a_query_says_what_is_known(void **state)
{
    struct world *world = *state;
    struct stock_query item = world_query(world, "b", "m");
    assert_int_equal(item.state, PENDING_UNKNOWN);
    assert_int_equal(item.amount, 0);
    assert_int_equal(item.deducted_at_us, 0);
    world_credit(world, "b", "c1", 10);
    int64_t token = world_take(world, "b", "m", 4);
    item = world_query(world, "b", "m");
    assert_int_equal(item.state, PENDING_PENDING);
    assert_int_equal(item.amount, 4);
    assert_int_equal(item.deducted_at_us, token);
    assert_int_equal(world_settle(world, "b", "m", token), 1);
    item = world_query(world, "b", "m");
    assert_int_equal(item.state, PENDING_SETTLED);
    assert_int_equal(item.amount, 4);
    assert_int_equal(item.deducted_at_us, token);

    struct stock_query bad = {.budget_id = TEXT_LITERAL("b"), .message_id = TEXT_LITERAL("a b")};
    world_check(world, stock_query(world->stock, &bad, 1, &world->error));
    assert_int_equal(bad.status, STATUS_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_each_answer_of_a_deduction),
        BOTH(test_bad_arguments_of_a_deduction_take_nothing),
        BOTH(test_a_known_id_gets_its_first_answer_whatever_became_of_it),
        BOTH(test_an_id_is_forgotten_after_its_windows_and_gets_a_new_token),
        BOTH(test_a_credit_counts_once),
        BOTH(test_a_lost_key_is_not_made_again),
        BOTH(test_a_key_made_by_hand_is_added_to),
        BOTH(test_an_unlimited_budget_counts_without_a_stock),
        BOTH(test_a_closed_budget_sells_nothing_new),
        BOTH(test_a_query_says_what_is_known),
    };
    return cmocka_run_group_tests_name("stock", tests, NULL, NULL);
}
