/* The contract of port/stock_audit.h, held by the fake stock and by Redis alike. */
#include "contract/stock_audit_world.h"

static void test_an_audit_of_a_budget_that_never_was(void **state)
{
    struct world *world = *state;
    struct stock_audit item = world_audit(world, "b");
    assert_int_equal(item.status, STATUS_OK);
    assert_false(item.has_meta);
    assert_int_equal(item.state, BUDGET_ACTIVE);
    assert_int_equal(item.pendings, 0);
    assert_int_equal(item.credits, 0);
    assert_int_equal(item.amended, 0);
    assert_true(item.now_us > 0);
    world_expect_totals(world, "b", STOCK_LEFT_NONE, 0, 0, 0, 0);
}

static void test_an_audit_sees_every_number(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c1", 100);
    world_credit(world, "b", "c2", 0);
    assert_int_equal(world_settle(world, "b", "s", world_take(world, "b", "s", 10)), 1);
    assert_true(world_release(world, "b", "r", world_take(world, "b", "r", 20), RELEASE_REJECTED).released);
    int64_t token = world_take(world, "b", "p1", 3);
    int64_t last = world_take(world, "b", "p2", 4);
    struct stock_audit item = world_audit(world, "b");
    assert_true(item.has_meta);
    assert_int_equal(item.pendings, 2);
    assert_int_equal(item.credits, 2);
    assert_int_equal(item.state, BUDGET_ACTIVE);
    assert_true(item.now_us >= last && last > token);
    world_expect_totals(world, "b", 83, 100, 37, 10, 20);
    assert_true(world_take(world, "b", "p3", 1) >= item.now_us);
    world_check(world, stock_state_set(world->stock, TEXT_LITERAL("b"), BUDGET_DELETED, NULL, &world->error));
    assert_int_equal(world_audit(world, "b").state, BUDGET_DELETED);

    world_check(world, stock_state_set(world->stock, TEXT_LITERAL("n"), BUDGET_CLOSED, NULL, &world->error));
    item = world_audit(world, "n");
    assert_true(item.has_meta); /* nothing but a state */
    assert_int_equal(item.state, BUDGET_CLOSED);
    world_credit(world, "free", "c", TOTAL_UNLIMITED);
    world_take(world, "free", "m", 7);
    world_expect_totals(world, "free", TOTAL_UNLIMITED, 0, 7, 0, 0);
    world_set_left(world, "hand", 5);
    item = world_audit(world, "hand");
    assert_false(item.has_meta);
    assert_int_equal(item.left, 5);
}

static void test_audits_of_many_budgets_and_refusals_among_them(void **state)
{
    enum { COUNT = 1500 };
    struct world *world = *state;
    struct stock_audit *items = memory_alloc_zero(COUNT, sizeof *items);
    for (size_t i = 0; i < COUNT; i++) {
        const char *budget = i == 700 ? "not good" : arena_format(&world->arena, "b%zu", i);
        if (i % 10 == 0 && i != 700) world_credit(world, budget, "c", (int64_t)i);
        items[i].budget_id = text_of(budget);
    }
    world_corrupt(world, "b900");
    world_set_left(world, "b901", -5);
    world_check(world, stock_audit(world->stock, items, COUNT, &world->error));
    for (size_t i = 0; i < COUNT; i++) {
        bool refused = i == 700 || i == 900 || i == 901;
        assert_int_equal(items[i].status, refused ? STATUS_REFUSED : STATUS_OK);
        assert_int_equal(items[i].left, i % 10 == 0 && !refused ? (int64_t)i : STOCK_LEFT_NONE);
        assert_int_equal(items[i].has_meta, i % 10 == 0 && !refused);
    }
    free(items);
}

static void test_an_amendment_is_applied_once(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c", 100);
    world_take(world, "b", "m", 30);
    struct stock_amendment item =
        world_amend(world, "b",
                    (struct stock_amendment){
                        .id = 7, .left = -5, .credited = -1, .deducted = 4, .settled = 20, .released = 9});
    assert_int_equal(item.status, STATUS_OK);
    assert_true(item.applied);
    assert_int_equal(item.left_after, 65);
    world_expect_totals(world, "b", 65, 99, 34, 20, 9);
    assert_int_equal(world_audit(world, "b").amended, 7);
    for (int64_t id = 1; id <= 7; id += 3) { /* earlier ones too: they come late */
        item = world_amend(world, "b", (struct stock_amendment){.id = id, .left = 3, .settled = 1});
        assert_int_equal(item.status, STATUS_OK);
        assert_false(item.applied);
        assert_int_equal(item.left_after, 65);
    }
    world_expect_totals(world, "b", 65, 99, 34, 20, 9);
    world_take(world, "b", "n", 5); /* in between: differences commute */
    item = world_amend(world, "b", (struct stock_amendment){.id = 8, .left = 40});
    assert_true(item.applied);
    assert_int_equal(item.left_after, 100);
    item = world_amend(world, "b", (struct stock_amendment){.id = AMOUNT_MAX});
    assert_true(item.applied);
    assert_int_equal(world_audit(world, "b").amended, AMOUNT_MAX);
    world_expect_totals(world, "b", 100, 99, 39, 20, 9);
}

static void test_an_amendment_is_all_or_nothing(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c", 100);
    world_take(world, "b", "m", 30);
    static const struct stock_amendment bad[] = {
        {.id = 1, .left = -71, .settled = 1},
        {.id = 1, .left = AMOUNT_MAX - 69, .settled = 1},
        {.id = 1, .credited = -101, .settled = 1},
        {.id = 1, .credited = AMOUNT_MAX - 99, .settled = 1},
        {.id = 1, .credited = 1, .deducted = -31},
        {.id = 1, .credited = 1, .deducted = AMOUNT_MAX},
        {.id = 1, .credited = 1, .settled = -1},
        {.id = 1, .credited = 1, .released = -1},
        {.id = 1, .credited = AMOUNT_MAX + 1},
        {.id = 1, .left = INT64_MIN},
        {.id = 1, .released = INT64_MAX},
        {.id = 0, .credited = 1},
        {.id = -1, .credited = 1},
        {.id = AMOUNT_MAX + 1, .credited = 1},
        {.id = 1, .restore = STOCK_RESTORE_LIMITED},
        {.id = 1, .restore = STOCK_RESTORE_UNLIMITED},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) world_expect_refusal(world, "b", bad[i]);
    struct stock_amendment item = world_amend(
        world, "b",
        (struct stock_amendment){.id = 1, .left = -70, .credited = AMOUNT_MAX - 100, .deducted = -30});
    assert_true(item.applied);
    assert_int_equal(item.left_after, 0);
    world_expect_totals(world, "b", 0, AMOUNT_MAX, 0, 0, 0);
    assert_int_equal(
        world_amend(world, "b", (struct stock_amendment){.id = 2, .left = AMOUNT_MAX}).left_after,
        AMOUNT_MAX);
    assert_int_equal(world_amend(world, "not good", (struct stock_amendment){.id = 1}).status,
                     STATUS_REFUSED);
    world_set_left(world, "b", -5);
    assert_int_equal(world_amend(world, "b", (struct stock_amendment){.id = 3, .left = 9}).status,
                     STATUS_REFUSED);
    world_corrupt(world, "b");
    assert_int_equal(world_amend(world, "b", (struct stock_amendment){.id = 3}).status, STATUS_REFUSED);
}

static void test_no_difference_changes_what_is_unlimited_or_missing(void **state)
{
    struct world *world = *state;
    world_credit(world, "free", "c", TOTAL_UNLIMITED);
    world_take(world, "free", "m", 7);
    world_expect_refusal(world, "free", (struct stock_amendment){.id = 1, .left = 1});
    struct stock_amendment item = world_amend(world, "free", (struct stock_amendment){.id = 1, .settled = 2});
    assert_true(item.applied);
    assert_int_equal(item.left_after, TOTAL_UNLIMITED);
    world_expect_totals(world, "free", TOTAL_UNLIMITED, 0, 7, 2, 0);

    world_credit(world, "b", "c", 10);
    world_lose_left(world, "b");
    world_expect_refusal(world, "b", (struct stock_amendment){.id = 1, .left = 1});
    item = world_amend(world, "b", (struct stock_amendment){.id = 1, .credited = 2});
    assert_true(item.applied);
    assert_int_equal(item.left_after, STOCK_LEFT_NONE);
    world_expect_totals(world, "b", STOCK_LEFT_NONE, 12, 0, 0, 0);
}

static void test_a_server_keeps_its_name(void **state)
{
    struct world *world = *state;
    char one[STOCK_SERVER_SIZE_MAX], two[STOCK_SERVER_SIZE_MAX];
    world_check(world, stock_server(world->stock, one, &world->error));
    world_credit(world, "b", "c", 1);
    world_check(world, stock_server(world->stock, two, &world->error));
    assert_true(strlen(one) > 0);
    assert_string_equal(one, two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_an_audit_of_a_budget_that_never_was),
        BOTH(test_an_audit_sees_every_number),
        BOTH(test_audits_of_many_budgets_and_refusals_among_them),
        BOTH(test_an_amendment_is_applied_once),
        BOTH(test_an_amendment_is_all_or_nothing),
        BOTH(test_no_difference_changes_what_is_unlimited_or_missing),
        BOTH(test_a_server_keeps_its_name),
    };
    return cmocka_run_group_tests_name("auditing and amending the stock", tests, NULL, NULL);
}
