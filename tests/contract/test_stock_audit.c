/* The contract of port/stock_audit.h, held by the fake stock and by Redis alike. */
#include "contract/stock_world.h"
#include "port/stock_audit.h"

static struct stock_audit audit(struct world *world, const char *budget)
{
    struct stock_audit item = {.budget_id = text_of(budget)};
    world_check(world, stock_audit(world->stock, &item, 1, &world->error));
    return item;
}

static struct stock_amendment amend(struct world *world, const char *budget, struct stock_amendment item)
{
    item.budget_id = text_of(budget);
    world_check(world, stock_amend(world->stock, &item, 1, &world->error));
    return item;
}

static void expect_totals(struct world *world, const char *budget, int64_t left, int64_t credited,
                          int64_t deducted, int64_t settled, int64_t released)
{
    struct stock_audit item = audit(world, budget);
    assert_int_equal(item.status, STATUS_OK);
    assert_int_equal(item.left, left);
    assert_int_equal(item.credited, credited);
    assert_int_equal(item.deducted, deducted);
    assert_int_equal(item.settled, settled);
    assert_int_equal(item.released, released);
}

static void expect_refusal(struct world *world, const char *budget, struct stock_amendment item)
{
    struct stock_audit before = audit(world, budget);
    item = amend(world, budget, item);
    assert_int_equal(item.status, STATUS_REFUSED);
    assert_false(item.applied);
    assert_int_equal(item.left_after, STOCK_LEFT_NONE);
    struct stock_audit after = audit(world, budget);
    assert_int_equal(after.status, before.status);
    assert_int_equal(after.left, before.left);
    assert_int_equal(after.has_meta, before.has_meta);
    assert_int_equal(after.credited, before.credited);
    assert_int_equal(after.deducted, before.deducted);
    assert_int_equal(after.settled, before.settled);
    assert_int_equal(after.released, before.released);
    assert_int_equal(after.state, before.state);
    assert_int_equal(after.pendings, before.pendings);
    assert_int_equal(after.credits, before.credits);
    assert_int_equal(after.amended, before.amended);
}

static void test_an_audit_of_a_budget_that_never_was(void **state)
{
    struct world *world = *state;
    struct stock_audit item = audit(world, "b");
    assert_int_equal(item.status, STATUS_OK);
    assert_false(item.has_meta);
    assert_int_equal(item.state, BUDGET_ACTIVE);
    assert_int_equal(item.pendings, 0);
    assert_int_equal(item.credits, 0);
    assert_int_equal(item.amended, 0);
    assert_true(item.now_us > 0);
    expect_totals(world, "b", STOCK_LEFT_NONE, 0, 0, 0, 0);
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
    struct stock_audit item = audit(world, "b");
    assert_true(item.has_meta);
    assert_int_equal(item.pendings, 2);
    assert_int_equal(item.credits, 2);
    assert_int_equal(item.state, BUDGET_ACTIVE);
    assert_true(item.now_us >= last && last > token);
    expect_totals(world, "b", 83, 100, 37, 10, 20);
    assert_true(world_take(world, "b", "p3", 1) >= item.now_us);
    world_check(world, stock_state_set(world->stock, TEXT_LITERAL("b"), BUDGET_DELETED, NULL, &world->error));
    assert_int_equal(audit(world, "b").state, BUDGET_DELETED);

    world_check(world, stock_state_set(world->stock, TEXT_LITERAL("n"), BUDGET_CLOSED, NULL, &world->error));
    item = audit(world, "n");
    assert_true(item.has_meta); /* nothing but a state */
    assert_int_equal(item.state, BUDGET_CLOSED);
    world_credit(world, "free", "c", TOTAL_UNLIMITED);
    world_take(world, "free", "m", 7);
    expect_totals(world, "free", TOTAL_UNLIMITED, 0, 7, 0, 0);
    world_set_left(world, "hand", 5);
    item = audit(world, "hand");
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
        amend(world, "b",
              (struct stock_amendment){
                  .id = 7, .left = -5, .credited = -1, .deducted = 4, .settled = 20, .released = 9});
    assert_int_equal(item.status, STATUS_OK);
    assert_true(item.applied);
    assert_int_equal(item.left_after, 65);
    expect_totals(world, "b", 65, 99, 34, 20, 9);
    assert_int_equal(audit(world, "b").amended, 7);
    for (int64_t id = 1; id <= 7; id += 3) { /* earlier ones too: they come late */
        item = amend(world, "b", (struct stock_amendment){.id = id, .left = 3, .settled = 1});
        assert_int_equal(item.status, STATUS_OK);
        assert_false(item.applied);
        assert_int_equal(item.left_after, 65);
    }
    expect_totals(world, "b", 65, 99, 34, 20, 9);
    world_take(world, "b", "n", 5); /* in between: differences commute */
    item = amend(world, "b", (struct stock_amendment){.id = 8, .left = 40});
    assert_true(item.applied);
    assert_int_equal(item.left_after, 100);
    item = amend(world, "b", (struct stock_amendment){.id = AMOUNT_MAX});
    assert_true(item.applied);
    assert_int_equal(audit(world, "b").amended, AMOUNT_MAX);
    expect_totals(world, "b", 100, 99, 39, 20, 9);
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
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) expect_refusal(world, "b", bad[i]);
    struct stock_amendment item =
        amend(world, "b",
              (struct stock_amendment){.id = 1, .left = -70, .credited = AMOUNT_MAX - 100, .deducted = -30});
    assert_true(item.applied);
    assert_int_equal(item.left_after, 0);
    expect_totals(world, "b", 0, AMOUNT_MAX, 0, 0, 0);
    assert_int_equal(amend(world, "b", (struct stock_amendment){.id = 2, .left = AMOUNT_MAX}).left_after,
                     AMOUNT_MAX);
    assert_int_equal(amend(world, "not good", (struct stock_amendment){.id = 1}).status, STATUS_REFUSED);
    world_set_left(world, "b", -5);
    assert_int_equal(amend(world, "b", (struct stock_amendment){.id = 3, .left = 9}).status, STATUS_REFUSED);
    world_corrupt(world, "b");
    assert_int_equal(amend(world, "b", (struct stock_amendment){.id = 3}).status, STATUS_REFUSED);
}

static void test_no_difference_changes_what_is_unlimited_or_missing(void **state)
{
    struct world *world = *state;
    world_credit(world, "free", "c", TOTAL_UNLIMITED);
    world_take(world, "free", "m", 7);
    expect_refusal(world, "free", (struct stock_amendment){.id = 1, .left = 1});
    struct stock_amendment item = amend(world, "free", (struct stock_amendment){.id = 1, .settled = 2});
    assert_true(item.applied);
    assert_int_equal(item.left_after, TOTAL_UNLIMITED);
    expect_totals(world, "free", TOTAL_UNLIMITED, 0, 7, 2, 0);

    world_credit(world, "b", "c", 10);
    world_lose_left(world, "b");
    expect_refusal(world, "b", (struct stock_amendment){.id = 1, .left = 1});
    item = amend(world, "b", (struct stock_amendment){.id = 1, .credited = 2});
    assert_true(item.applied);
    assert_int_equal(item.left_after, STOCK_LEFT_NONE);
    expect_totals(world, "b", STOCK_LEFT_NONE, 12, 0, 0, 0);
}

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
                                      .credits = two_credits,
                                      .credit_count = 2};
    struct stock_amendment item = amend(world, "b", restore);
    assert_int_equal(item.status, STATUS_OK);
    assert_true(item.applied);
    assert_int_equal(item.left_after, 100);
    expect_totals(world, "b", 100, 150, 55, 0, 5);
    assert_int_equal(audit(world, "b").state, BUDGET_CLOSED);
    assert_int_equal(audit(world, "b").credits, 2);
    assert_int_equal(audit(world, "b").pendings, 1);
    item = amend(world, "b", restore); /* its answer was lost */
    assert_int_equal(item.status, STATUS_OK);
    assert_false(item.applied);
    assert_int_equal(item.left_after, 100);
    restore.id = 4;
    expect_refusal(world, "b", restore);
    assert_false(world_try_credit(world, "b", "c2", 0).applied); /* it counts as applied */
    world_credit(world, "b", "c3", 7);
    expect_totals(world, "b", 107, 157, 55, 0, 5);
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
    assert_int_equal(amend(world, "b", restore).left_after, 70);
    expect_totals(world, "b", 70, 100, 30, 30, 0);
    assert_false(world_try_credit(world, "b", "c1", 100).applied);
    world_take(world, "b", "m", 70);

    assert_int_equal(
        amend(world, "none", (struct stock_amendment){.id = 1, .restore = STOCK_RESTORE_LIMITED}).left_after,
        0);
    world_lose_left(world, "none");
    world_credit(world, "none", "c",
                 5); /* it was initialised: the key is lost, and is not made by a credit */
    expect_totals(world, "none", STOCK_LEFT_NONE, 5, 0, 0, 0);

    static const struct stock_credit_entry unlimited[] = {{{"c1", 2}, TOTAL_UNLIMITED}};
    restore = (struct stock_amendment){
        .id = 9, .deducted = 5, .restore = STOCK_RESTORE_UNLIMITED, .credits = unlimited, .credit_count = 1};
    assert_int_equal(amend(world, "free", restore).left_after, TOTAL_UNLIMITED);
    expect_totals(world, "free", TOTAL_UNLIMITED, 0, 5, 0, 0);
    assert_false(world_try_credit(world, "free", "c1", TOTAL_UNLIMITED).applied);
    world_lose_left(world, "free");
    assert_int_equal(world_try_credit(world, "free", "c2", 5).status,
                     STATUS_REFUSED); /* meta still says so */
    restore.id = 10;
    restore.restore = STOCK_RESTORE_LIMITED;
    restore.credit_count = 0;
    expect_refusal(world, "free", restore);
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
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) expect_refusal(world, "b", bad[i]);
    expect_refusal(
        world, "new",
        (struct stock_amendment){
            .id = 1, .restore = STOCK_RESTORE_UNLIMITED, .credits = two_credits, .credit_count = 2});
    assert_int_equal(
        amend(world, "b", (struct stock_amendment){.id = 1, .restore = STOCK_RESTORE_LIMITED}).left_after, 6);
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
    assert_true(amend(world, "b", restore).applied);
    assert_int_equal(scan_credits(world, "b", &sum), COUNT);
    assert_int_equal(sum, COUNT * (COUNT - 1) / 2);
    for (size_t i = 0; i < COUNT; i += 499)
        assert_false(
            world_try_credit(world, "b", text_bytes(credits[i].credit_id), credits[i].amount).applied);
    world_lose_left(world, "b");
    credits[COUNT - 1].amount = 1; /* the last of the last chunk */
    restore.id = 2;
    restore.credited = 0;
    expect_refusal(world, "b", restore);
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
        BOTH(test_a_lost_key_is_restored_from_the_totals),
        BOTH(test_a_budget_that_is_all_lost_is_restored),
        BOTH(test_a_restore_that_does_not_fit_is_refused),
        BOTH(test_credits_are_scanned_and_many_are_restored),
        BOTH(test_a_server_keeps_its_name),
    };
    return cmocka_run_group_tests_name("auditing and amending the stock", tests, NULL, NULL);
}
