/* The fake ledger's backups: what comes back is what was there, and the store goes on from it. */
#include "contract/ledger_fixture.h"
#include "core/limits.h"

static struct ledger_stats stats_of(struct fixture *f)
{
    struct ledger_stats stats;
    assert_ok(ledger_stats(f->ledger, &stats, &f->error));
    return stats;
}

static struct debt debt_first(struct fixture *f, size_t expected)
{
    struct debt_cursor cursor = {0};
    struct debt debts[8];
    size_t count;
    assert_ok(ledger_debts_fetch(f->ledger, &cursor, &f->arena, debts, 8, &count, &f->error));
    assert_int_equal(count, expected);
    return debts[0];
}

/* Every table has a row, and each kind of row one field that is not its default. */
static void fill(struct fixture *f)
{
    struct ledger_budget budget = {.id = TEXT_LITERAL("a"),
                                   .name = TEXT_LITERAL("Name"),
                                   .description = TEXT_LITERAL("Text"),
                                   .ext_params = TEXT_LITERAL("{}"),
                                   .total = 10};
    assert_ok(ledger_budget_create(f->ledger, &budget, TEXT_LITERAL("first"), &f->error));
    fake_ledger_clock_set(f->store, 2000);
    settle_one(f, "m1", "a", 6, 101);
    settle_one(f, "m2", "a", 5, 102);
    assert_ok(ledger_budget_state_set(f->ledger, budget.id, BUDGET_CLOSED, 150, &f->error));
    struct parked_row parked = {
        .message_id = TEXT_LITERAL("p1"), .reason = PARK_MALFORMED, .detail = TEXT_LITERAL("why")};
    assert_ok(ledger_record_parked(f->ledger, &parked, 1, &f->error));
}

/* What fill left, and nothing else. */
static void check_filled(struct fixture *f)
{
    struct ledger_budget budget = budget_get(f, "a");
    assert_true(text_equal_string(budget.name, "Name"));
    assert_true(text_equal_string(budget.description, "Text"));
    assert_true(text_equal_string(budget.ext_params, "{}"));
    assert_int_equal(budget.total, 10);
    assert_int_equal(budget.settled, 6);
    assert_int_equal(budget.state, BUDGET_CLOSED);
    assert_int_equal(budget.created_at_us, 1000);
    assert_int_equal(budget.updated_at_us, 2000);
    assert_int_equal(fake_ledger_budget(f->store, 0)->closed_at_us, 150);
    assert_int_equal(row_get(f, "m1").state, DEDUCTION_SETTLED);
    assert_int_equal(row_get(f, "m2").refund, REFUND_DUE);
    assert_int_equal(row_get(f, "m2").booked_at_us, 2000);
    assert_false(row_get(f, "m3").found);
    assert_int_equal(fake_ledger_parked_count(f->store), 1);
    assert_true(text_equal_string(fake_ledger_parked(f->store, 0)->message_id, "p1"));
    assert_int_equal(fake_ledger_parked(f->store, 0)->reason, PARK_MALFORMED);
    assert_true(text_equal_string(fake_ledger_parked(f->store, 0)->detail, "why"));
    assert_int_equal(fake_ledger_parked(f->store, 0)->parked_at_us, 2000);
    struct ledger_stats stats = stats_of(f);
    assert_int_equal(stats.budgets, 1);
    assert_int_equal(stats.refunds_due, 1);
    assert_int_equal(stats.credits_due, 1);
    struct debt debt = debt_first(f, 2);
    assert_true(text_equal_string(debt.id, "m2"));
    assert_int_equal(debt.sequence, 2);
}

/* Changes every table. */
static void go_on(struct fixture *f)
{
    struct debt debt = debt_first(f, 2);
    debt.paid = true;
    assert_ok(ledger_debts_mark(f->ledger, &debt, 1, &f->error));
    assert_ok(ledger_credit_mark(f->ledger, TEXT_LITERAL("a"), TEXT_LITERAL("first"), &f->error));
    assert_ok(ledger_budget_state_set(f->ledger, TEXT_LITERAL("a"), BUDGET_ACTIVE, 0, &f->error));
    settle_one(f, "m3", "a", 1, 103);
    budget_make(f, "b", 1);
    struct parked_row parked = {.reason = PARK_MALFORMED};
    assert_ok(ledger_record_parked(f->ledger, &parked, 1, &f->error));
    assert_int_equal(stats_of(f).refunds_due, 0);
    assert_int_equal(stats_of(f).credits_due, 1);
}

static void it_comes_back_as_often_as_one_likes(void **state)
{
    struct fixture *f = *state;
    fake_ledger_clock_set(f->store, 1000);
    fill(f);
    struct fake_ledger_snapshot *snapshot = fake_ledger_snapshot_take(f->store);
    for (int i = 0; i < 3; i++) {
        check_filled(f);
        go_on(f);
        fake_ledger_snapshot_restore(f->store, snapshot);
    }
    check_filled(f);
    fake_ledger_snapshot_restore(f->store, snapshot); /* with nothing changed */
    fake_ledger_snapshot_free(snapshot);
    check_filled(f);
    go_on(f);
    assert_int_equal(row_get(f, "m3").state, DEDUCTION_SETTLED);
}

static void many_rows_are_found_again(void **state)
{
    struct fixture *f = *state;
    enum { ROWS = 500 };
    budget_make(f, "a", TOTAL_UNLIMITED);
    for (int i = 0; i < ROWS; i++) settle_one(f, arena_format(&f->arena, "m%d", i), "a", 1 + i, 1 + i);
    struct fake_ledger_snapshot *snapshot = fake_ledger_snapshot_take(f->store);
    for (int i = 0; i < ROWS; i++) settle_one(f, arena_format(&f->arena, "n%d", i), "a", 1, 1);
    fake_ledger_snapshot_restore(f->store, snapshot);
    fake_ledger_snapshot_free(snapshot);
    for (int i = 0; i < ROWS; i++) {
        assert_int_equal(row_get(f, arena_format(&f->arena, "m%d", i)).amount, 1 + i);
        assert_false(row_get(f, arena_format(&f->arena, "n%d", i)).found);
    }
}

static void what_is_no_row_goes_on(void **state)
{
    struct fixture *f = *state;
    struct fake_ledger_snapshot *snapshot = fake_ledger_snapshot_take(f->store);
    budget_make(f, "a", 10);
    fake_ledger_clock_set(f->store, 5000);
    fake_ledger_refuse(f->store, TEXT_LITERAL("m1"));
    fake_ledger_fail(f->store, FAKE_LEDGER_RETRY, 1, 1);
    uint64_t calls = fake_ledger_calls(f->store);
    fake_ledger_snapshot_restore(f->store, snapshot);
    fake_ledger_snapshot_free(snapshot);
    assert_int_equal(fake_ledger_calls(f->store), calls);
    budget_make(f, "b", 10);
    assert_status(ledger_ping(f->ledger, &f->error), STATUS_RETRY);
    assert_int_equal(budget_get(f, "b").created_at_us, 5000);
    add(f, "m1", "b", 1, 1);
    assert_status(settle_all(f), STATUS_REFUSED);
    assert_int_equal(fake_ledger_budget_count(f->store), 1);
}

static void a_backup_from_before_the_tables_has_none(void **state)
{
    struct fixture *f = *state;
    struct fake_ledger_snapshot *snapshot = fake_ledger_snapshot_take(f->store);
    assert_ok(ledger_initialise(f->ledger, &f->error));
    budget_make(f, "a", 10);
    fake_ledger_snapshot_restore(f->store, snapshot);
    fake_ledger_snapshot_free(snapshot);
    assert_status(ledger_ping(f->ledger, &f->error), STATUS_RETRY);
    assert_ok(ledger_initialise(f->ledger, &f->error));
    assert_int_equal(fake_ledger_budget_count(f->store), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_comes_back_as_often_as_one_likes, setup_fake, fixture_teardown),
        cmocka_unit_test_setup_teardown(many_rows_are_found_again, setup_fake, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_is_no_row_goes_on, setup_fake, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_backup_from_before_the_tables_has_none, setup_fake_empty,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests_name("backups of the fake ledger", tests, NULL, NULL);
}
