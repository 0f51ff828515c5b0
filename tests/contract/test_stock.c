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

    struct stock_release guards[] = {
        {.budget_id = TEXT_LITERAL("b"), .message_id = TEXT_LITERAL("m")},
        {.budget_id = TEXT_LITERAL("b"), .message_id = TEXT_LITERAL("n"), .deducted_at_us = 7}};
    world_check(world, stock_forget_guards(world->stock, guards, 2, &world->error));
    world_check(world, stock_forget_guards(world->stock, guards, 2, &world->error));
    assert_true(world_refund(world, "b", "m", 3).released);  /* its guard is gone */
    assert_false(world_refund(world, "b", "n", 1).released); /* an item with a token has none */

    int64_t token =
        world_take(world, "b", "tracked", 2); /* the pending entry of the same id is another deduction */
    assert_true(world_refund(world, "b", "tracked", 2).released);
    assert_true(world_release(world, "b", "tracked", token, RELEASE_REJECTED).released);
    world_expect_level(world, "b", 14, 0);

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

#define BOTH(test)                                                                                           \
    {#test ": fake", test, world_setup_fake, world_teardown, NULL},                                          \
    {                                                                                                        \
#test ": Redis", test, world_setup_redis, world_teardown, NULL                                       \
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
        BOTH(test_a_release_needs_the_right_token_and_works_once),
        BOTH(test_a_refund_without_token_is_guarded_by_its_id),
        BOTH(test_a_closed_budget_sells_nothing_new),
        BOTH(test_a_query_says_what_is_known),
        BOTH(test_ten_thousand_settlements_of_one_budget),
        BOTH(test_many_budgets_do_not_mix),
        BOTH(test_the_same_id_twice_in_one_call),
        BOTH(test_what_is_refused_stops_nothing_else),
        BOTH(test_nothing_to_do_is_done),
    };
    return cmocka_run_group_tests_name("stock", tests, NULL, NULL);
}
