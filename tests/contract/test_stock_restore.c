/* The contract of port/stock_audit.h, held by the fake stock and by Redis alike: what was lost comes back. */
#include "contract/stock_audit_world.h"

static const struct stock_credit_entry two_credits[] = {{{"c1", 2}, 100}, {{"c2", 2}, 0}};

static void test_a_lost_key_is_restored_from_the_totals(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c1", 100);
    world_take(world, "b", "m", 30);
    assert_true(world_release(world, "b", "n", world_take(world, "b", "n", 5), RELEASE_VOIDED).released);
    world_lose_left(world, "b");
    struct stock_amendment restore = {.id = 3,
                                      .left = 1234, /* not used */
                                      .credited = 50,
                                      .deducted = 20,
                                      .restore = STOCK_RESTORE_LIMITED,
                                      .state = BUDGET_CLOSED,
                                      .credits = &two_credits[1],
                                      .credit_count = 1};
    struct stock_amendment item = world_amend(world, "b", restore);
    assert_int_equal(item.status, STATUS_OK);
    assert_true(item.applied);
    assert_int_equal(item.left_after, 100);
    world_expect_totals(world, "b", 100, 150, 55, 0, 5);
    assert_int_equal(world_audit(world, "b").state, BUDGET_CLOSED);
    assert_int_equal(world_audit(world, "b").credits, 2);
    assert_int_equal(world_audit(world, "b").pendings, 1);
    item = world_amend(world, "b", restore); /* its answer was lost */
    assert_int_equal(item.status, STATUS_OK);
    assert_false(item.applied);
    assert_int_equal(item.left_after, 100);
    restore.id = 4;
    world_expect_refusal(world, "b", restore);
    assert_false(world_try_credit(world, "b", "c2", 0).applied); /* it counts as applied */
    world_credit(world, "b", "c3", 7);
    world_expect_totals(world, "b", 107, 157, 55, 0, 5);
}

static void test_a_budget_that_is_all_lost_is_restored(void **state)
{
    struct world *world = *state;
    struct stock_amendment restore = {.id = 3,
                                      .credited = 100,
                                      .deducted = 30,
                                      .settled = 30,
                                      .restore = STOCK_RESTORE_LIMITED,
                                      .credits = two_credits,
                                      .credit_count = 2};
    assert_int_equal(world_amend(world, "b", restore).left_after, 70);
    world_expect_totals(world, "b", 70, 100, 30, 30, 0);
    assert_false(world_try_credit(world, "b", "c1", 100).applied);
    world_take(world, "b", "m", 70);

    assert_int_equal(
        world_amend(world, "none", (struct stock_amendment){.id = 1, .restore = STOCK_RESTORE_LIMITED})
            .left_after,
        0);
    world_lose_left(world, "none");
    world_credit(world, "none", "c",
                 5); /* it was initialised: the key is lost, and is not made by a credit */
    world_expect_totals(world, "none", STOCK_LEFT_NONE, 5, 0, 0, 0);

    static const struct stock_credit_entry unlimited[] = {{{"c1", 2}, TOTAL_UNLIMITED}};
    restore = (struct stock_amendment){
        .id = 9, .deducted = 5, .restore = STOCK_RESTORE_UNLIMITED, .credits = unlimited, .credit_count = 1};
    assert_int_equal(world_amend(world, "free", restore).left_after, TOTAL_UNLIMITED);
    world_expect_totals(world, "free", TOTAL_UNLIMITED, 0, 5, 0, 0);
    assert_false(world_try_credit(world, "free", "c1", TOTAL_UNLIMITED).applied);
    world_lose_left(world, "free");
    assert_int_equal(world_try_credit(world, "free", "c2", 5).status,
                     STATUS_REFUSED); /* meta still says so */
    restore.id = 10;
    restore.restore = STOCK_RESTORE_LIMITED;
    restore.credit_count = 0;
    world_expect_refusal(world, "free", restore);
}

static void test_a_restore_that_does_not_fit_is_refused(void **state)
{
    struct world *world = *state;
    static const struct stock_credit_entry other_amount[] = {{{"new", 3}, 1}, {{"c1", 2}, 11}},
                                           twice[] = {{{"new", 3}, 1}, {{"new", 3}, 2}},
                                           bad_id[] = {{{"new", 3}, 1}, {{"a b", 3}, 2}},
                                           bad_amount[] = {{{"new", 3}, AMOUNT_MAX + 1}},
                                           unlimited[] = {{{"new", 3}, TOTAL_UNLIMITED}};
    world_credit(world, "b", "c1", 10);
    world_take(world, "b", "m", 4);
    world_lose_left(world, "b");
    const struct stock_amendment bad[] = {
        {.id = 1, .credited = -7, .restore = STOCK_RESTORE_LIMITED}, /* would be -1 */
        {.id = 1, .credited = AMOUNT_MAX - 10, .released = 5, .restore = STOCK_RESTORE_LIMITED},
        {.id = 1, .restore = STOCK_RESTORE_UNLIMITED}, /* the budget has a number */
        {.id = 1, .restore = STOCK_RESTORE_LIMITED, .credits = other_amount, .credit_count = 2},
        {.id = 1, .restore = STOCK_RESTORE_LIMITED, .credits = twice, .credit_count = 2},
        {.id = 1, .restore = STOCK_RESTORE_LIMITED, .credits = bad_id, .credit_count = 2},
        {.id = 1, .restore = STOCK_RESTORE_LIMITED, .credits = bad_amount, .credit_count = 1},
        {.id = 1, .restore = STOCK_RESTORE_LIMITED, .credits = unlimited, .credit_count = 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) world_expect_refusal(world, "b", bad[i]);
    world_expect_refusal(
        world, "new",
        (struct stock_amendment){
            .id = 1, .restore = STOCK_RESTORE_UNLIMITED, .credits = two_credits, .credit_count = 2});
    assert_int_equal(
        world_amend(world, "b", (struct stock_amendment){.id = 1, .restore = STOCK_RESTORE_LIMITED})
            .left_after,
        6);
}

/* The worker paid it after the budget was measured: the difference has it, and so has `credited`. */
static void test_a_credit_that_was_applied_meanwhile_is_not_counted_twice(void **state)
{
    struct world *world = *state;
    static const struct stock_credit_entry due[] = {{{"old", 3}, 100}, {{"due", 3}, 50}};
    world_credit(world, "b", "first", 10);
    world_credit(world, "b", "due", 50);
    struct stock_amendment item = {.id = 1, .left = 150, .credited = 150, .credits = due, .credit_count = 2};
    world_expect_refusal(world, "b", item);
    world_lose_left(world, "b");
    item.restore = STOCK_RESTORE_LIMITED;
    world_expect_refusal(world, "b", item);
    item.credited = 100;
    item.credit_count = 1;
    assert_int_equal(world_amend(world, "b", item).left_after, 160);
}

static void test_credits_come_with_an_amendment(void **state)
{
    struct world *world = *state;
    static const struct stock_credit_entry unlimited[] = {{{"u", 1}, TOTAL_UNLIMITED}},
                                           bad[] = {{{"a b", 3}, 1}}, below[] = {{{"c", 1}, -2}};
    struct stock_amendment item = {
        .id = 1, .left = 90, .credited = 100, .deducted = 10, .credits = two_credits, .credit_count = 2};
    world_expect_refusal(world, "b", item); /* no key */
    item.left = 0;
    world_expect_refusal(world, "b", item);
    world_credit(world, "b", "first", 10);
    world_take(world, "b", "m", 4);
    item.left = 90;
    assert_int_equal(world_amend(world, "b", item).left_after, 96);
    world_expect_totals(world, "b", 96, 110, 14, 0, 0);
    assert_int_equal(world_audit(world, "b").credits, 3);
    assert_false(world_amend(world, "b", item).applied); /* its answer was lost */
    assert_false(world_try_credit(world, "b", "c1", 100).applied);
    const struct stock_amendment misfits[] = {
        {.id = 2, .credits = unlimited, .credit_count = 1},
        {.id = 2, .credits = bad, .credit_count = 1},
        {.id = 2, .credits = below, .credit_count = 1},
    };
    for (size_t i = 0; i < sizeof misfits / sizeof misfits[0]; i++)
        world_expect_refusal(world, "b", misfits[i]);

    world_credit(world, "free", "first", TOTAL_UNLIMITED);
    item.left = 0;
    world_expect_refusal(world, "free", item);
    item = (struct stock_amendment){.id = 1, .credits = unlimited, .credit_count = 1};
    assert_true(world_amend(world, "free", item).applied);
    assert_false(world_try_credit(world, "free", "u", TOTAL_UNLIMITED).applied);
}

/* All of the budget's credits, and their sum. */
static size_t scan_credits(struct world *world, const char *budget, int64_t *sum)
{
    uint64_t cursor = 0;
    size_t total = 0;
    *sum = 0;
    do {
        struct stock_credit_entry *entries = NULL;
        size_t count = 0;
        world_check(world, stock_credits_scan(world->stock, text_of(budget), &cursor, &world->arena, &entries,
                                              &count, &world->error));
        for (size_t i = 0; i < count; i++) *sum += entries[i].amount;
        total += count;
    } while (cursor != 0);
    return total;
}

static void test_credits_are_scanned_and_many_are_restored(void **state)
{
    enum { COUNT = 2500 };
    struct world *world = *state;
    int64_t sum;
    assert_int_equal(scan_credits(world, "b", &sum), 0);
    struct stock_credit_entry *credits = memory_alloc_zero(COUNT, sizeof *credits);
    for (size_t i = 0; i < COUNT; i++) {
        credits[i] = (struct stock_credit_entry){
            .credit_id = text_of(arena_format(&world->arena, "credit-%zu", i)), .amount = (int64_t)i};
    }
    struct stock_amendment restore = {.id = 1,
                                      .credited = COUNT * (COUNT - 1) / 2,
                                      .restore = STOCK_RESTORE_LIMITED,
                                      .credits = credits,
                                      .credit_count = COUNT};
    assert_true(world_amend(world, "b", restore).applied);
    assert_int_equal(scan_credits(world, "b", &sum), COUNT);
    assert_int_equal(sum, COUNT * (COUNT - 1) / 2);
    for (size_t i = 0; i < COUNT; i += 499)
        assert_false(
            world_try_credit(world, "b", text_bytes(credits[i].credit_id), credits[i].amount).applied);
    world_lose_left(world, "b");
    for (size_t i = 0; i + 1 < COUNT; i++) /* only the last of the last chunk is there */
        credits[i].credit_id = text_of(arena_format(&world->arena, "other-%zu", i));
    restore.id = 2;
    restore.credited = 0;
    world_expect_refusal(world, "b", restore);
    world_credit(world, "free", "c", TOTAL_UNLIMITED);
    assert_int_equal(scan_credits(world, "free", &sum), 1);
    assert_int_equal(sum, TOTAL_UNLIMITED);
    uint64_t cursor = 0;
    size_t count = 7;
    struct stock_credit_entry *entries = credits;
    assert_int_equal(stock_credits_scan(world->stock, TEXT_LITERAL("not good"), &cursor, &world->arena,
                                        &entries, &count, &world->error),
                     STATUS_REFUSED);
    assert_null(entries);
    assert_int_equal(count, 0);
    free(credits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_a_lost_key_is_restored_from_the_totals),
        BOTH(test_a_budget_that_is_all_lost_is_restored),
        BOTH(test_a_restore_that_does_not_fit_is_refused),
        BOTH(test_a_credit_that_was_applied_meanwhile_is_not_counted_twice),
        BOTH(test_credits_come_with_an_amendment),
        BOTH(test_credits_are_scanned_and_many_are_restored),
    };
    return cmocka_run_group_tests_name("restoring the stock", tests, NULL, NULL);
}
