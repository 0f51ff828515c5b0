/* What only the fake stock can do: failing when told to, and going back to a snapshot. */
#include "contract/stock_audit_world.h"

static void test_failures_come_as_told(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c", 10);
    struct stock_deduct items[4];
    for (size_t i = 0; i < 4; i++) {
        items[i] = (struct stock_deduct){.budget_id = TEXT_LITERAL("b"),
                                         .message_id = text_of(arena_format(&world->arena, "m%zu", i)),
                                         .amount = 1};
    }
    fake_stock_fail_next(world->fake, 1, FAKE_STOCK_AWAY);
    assert_int_equal(stock_deduct(world->stock, items, 4, &world->error), STATUS_RETRY);
    assert_int_equal(items[0].status, STATUS_RETRY);
    fake_stock_fail_next(world->fake, 1, FAKE_STOCK_LOST_QUESTION);
    assert_int_equal(stock_deduct(world->stock, items, 4, &world->error), STATUS_UNKNOWN);
    assert_int_equal(items[3].status, STATUS_UNKNOWN);
    world_expect_level(world, "b", 10, 0);
    fake_stock_fail_next(world->fake, 1, FAKE_STOCK_HALF);
    assert_int_equal(stock_deduct(world->stock, items, 4, &world->error), STATUS_RETRY);
    assert_int_equal(items[1].status, STATUS_OK);
    assert_int_equal(items[2].status, STATUS_RETRY);
    world_expect_level(world, "b", 8, 2);
    fake_stock_fail_next(world->fake, 1, FAKE_STOCK_LOST_ANSWER);
    assert_int_equal(stock_deduct(world->stock, items, 4, &world->error), STATUS_UNKNOWN);
    assert_int_equal(items[0].status, STATUS_UNKNOWN);
    world_expect_level(world, "b", 6, 4);
    world_check(world, stock_deduct(world->stock, items, 4, &world->error));
    for (size_t i = 0; i < 4; i++) assert_int_equal(items[i].result, DEDUCT_REPEAT);

    struct stock_release release = {.budget_id = TEXT_LITERAL("b"),
                                    .message_id = items[0].message_id,
                                    .deducted_at_us = items[0].deducted_at_us};
    fake_stock_fail_next(world->fake, 1, FAKE_STOCK_LOST_ANSWER);
    assert_int_equal(stock_release(world->stock, &release, 1, &world->error), STATUS_UNKNOWN);
    assert_false(release.released);
    world_check(world, stock_release(world->stock, &release, 1, &world->error));
    assert_false(release.released);
    world_expect_level(world, "b", 7, 3);
}

static void test_a_snapshot_brings_back_what_was(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c", 10);
    int64_t token = world_take(world, "b", "m", 4);
    struct fake_stock_snapshot *snapshot = fake_stock_snapshot_take(world->fake);
    assert_int_equal(world_settle(world, "b", "m", token), 1);
    world_take(world, "b", "n", 6);
    for (int i = 0; i < 2; i++) {
        fake_stock_snapshot_restore(world->fake, snapshot);
        world_expect_level(world, "b", 6, 4);
        assert_int_equal(world_query(world, "b", "n").state, PENDING_UNKNOWN);
        assert_int_equal(world_settle(world, "b", "m", token), 1);
    }
    fake_stock_snapshot_free(snapshot);
    struct fake_stock_totals totals = fake_stock_totals(world->fake, TEXT_LITERAL("b"));
    assert_true(totals.has_left);
    assert_int_equal(totals.left, 6);
    assert_int_equal(totals.credited, 10);
    assert_int_equal(totals.settled, 4);
    assert_int_equal(totals.pending_count, 0);
    assert_int_equal(totals.done_count, 1);
    fake_stock_wipe(world->fake);
    world_expect_level(world, "b", STOCK_LEFT_NONE, 0);
}

static void test_amendments_fail_as_told(void **state)
{
    struct world *world = *state;
    struct stock_amendment items[2] = {{.budget_id = TEXT_LITERAL("b"), .id = 1, .left = 1},
                                       {.budget_id = TEXT_LITERAL("b"), .id = 2, .left = 1}};
    char server[STOCK_SERVER_SIZE_MAX];
    world_credit(world, "b", "c", 10);
    fake_stock_fail_next(world->fake, 1, FAKE_STOCK_LOST_QUESTION);
    assert_int_equal(stock_amend(world->stock, items, 2, &world->error), STATUS_UNKNOWN);
    world_expect_level(world, "b", 10, 0);
    fake_stock_fail_next(world->fake, 1, FAKE_STOCK_HALF);
    assert_int_equal(stock_amend(world->stock, items, 2, &world->error), STATUS_RETRY);
    assert_true(items[0].applied);
    assert_int_equal(items[1].status, STATUS_RETRY);
    fake_stock_fail_next(world->fake, 1, FAKE_STOCK_LOST_ANSWER);
    assert_int_equal(stock_amend(world->stock, items, 2, &world->error), STATUS_UNKNOWN);
    assert_false(items[1].applied);
    assert_int_equal(items[1].left_after, STOCK_LEFT_NONE);
    world_check(world, stock_amend(world->stock, items, 2, &world->error));
    assert_false(items[0].applied || items[1].applied);
    world_expect_level(world, "b", 12, 0);
    fake_stock_fail_next(world->fake, 1, FAKE_STOCK_LOST_ANSWER);
    assert_int_equal(stock_server(world->stock, server, &world->error), STATUS_RETRY);
    assert_string_equal(server, "");
}

static void test_a_snapshot_forgets_amendments_and_is_another_server(void **state)
{
    struct world *world = *state;
    char one[STOCK_SERVER_SIZE_MAX], two[STOCK_SERVER_SIZE_MAX];
    world_credit(world, "b", "c", 10);
    assert_true(world_amend(world, "b", (struct stock_amendment){.id = 1, .left = 1}).applied);
    world_check(world, stock_server(world->stock, one, &world->error));
    struct fake_stock_snapshot *snapshot = fake_stock_snapshot_take(world->fake);
    assert_true(world_amend(world, "b", (struct stock_amendment){.id = 2, .left = 1}).applied);
    assert_int_equal(fake_stock_totals(world->fake, TEXT_LITERAL("b")).amended, 2);
    fake_stock_snapshot_restore(world->fake, snapshot);
    fake_stock_snapshot_free(snapshot);
    assert_int_equal(world_audit(world, "b").amended, 1);
    assert_int_equal(world_amend(world, "b", (struct stock_amendment){.id = 2, .left = 1}).left_after, 12);
    world_check(world, stock_server(world->stock, two, &world->error));
    assert_string_not_equal(one, two);
    fake_stock_start_anew(world->fake);
    world_check(world, stock_server(world->stock, one, &world->error));
    assert_string_not_equal(one, two);
    fake_stock_hide_server(world->fake, true);
    world_check(world, stock_server(world->stock, one, &world->error));
    assert_string_equal(one, "");
    fake_stock_lose(world->fake, TEXT_LITERAL("b"), FAKE_STOCK_META);
    assert_int_equal(world_audit(world, "b").amended, 0);
}

/* A scan sees what is there all the time, whatever else comes and goes. */
static void test_a_scan_survives_changes(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c", 100000);
    for (size_t i = 0; i < 1000; i++) world_take(world, "b", arena_format(&world->arena, "m%zu", i), 1);
    bool seen[1000] = {false};
    uint64_t cursor = 0;
    size_t step = 0;
    do {
        struct stock_pending *entries = NULL;
        size_t count = 0;
        world_check(world, stock_pending_scan(world->stock, TEXT_LITERAL("b"), &cursor, &world->arena,
                                              &entries, &count, &world->error));
        for (size_t i = 0; i < count; i++) {
            if (entries[i].message_id.data[0] == 'm') seen[atoi(entries[i].message_id.data + 1)] = true;
        }
        for (size_t i = 0; i < 97; i++) { /* odd ones go, others come */
            const char *gone = arena_format(&world->arena, "m%zu", (step * 97 + i) % 500 * 2 + 1);
            struct stock_query known = world_query(world, "b", gone);
            if (known.state == PENDING_PENDING) world_settle(world, "b", gone, known.deducted_at_us);
            if (step < 20) world_take(world, "b", arena_format(&world->arena, "n%zu", step * 97 + i), 1);
        }
        step++;
    } while (cursor != 0);
    for (size_t i = 0; i < 1000; i += 2) assert_true(seen[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_failures_come_as_told, world_setup_fake, world_teardown),
        cmocka_unit_test_setup_teardown(test_a_snapshot_brings_back_what_was, world_setup_fake,
                                        world_teardown),
        cmocka_unit_test_setup_teardown(test_amendments_fail_as_told, world_setup_fake, world_teardown),
        cmocka_unit_test_setup_teardown(test_a_snapshot_forgets_amendments_and_is_another_server,
                                        world_setup_fake, world_teardown),
        cmocka_unit_test_setup_teardown(test_a_scan_survives_changes, world_setup_fake, world_teardown),
    };
    return cmocka_run_group_tests_name("the fake stock", tests, NULL, NULL);
}
