/* The fake ledger's backups: what comes back is what was there, and the store goes on from it. */
#include "contract/ledger_audit_fixture.h"
#include "core/limits.h"

static struct debt debt_first(struct fixture *f, size_t expected)
{
    struct debt_cursor cursor = {0};
    struct debt debts[8];
    size_t count;
    assert_ok(ledger_debts_fetch(f->ledger, &cursor, &f->arena, debts, 8, &count, &f->error));
    assert_int_equal(count, expected);
    return debts[0];
}

static void sight_set(struct fixture *f, int64_t settled)
{
    struct stock_sight sight = {
        .budget_id = TEXT_LITERAL("a"), .server = TEXT_LITERAL("run"), .settled = settled};
    assert_ok(ledger_sights_record(f->ledger, &sight, 1, &f->error));
}

static void run_add(struct fixture *f, int64_t mended)
{
    struct reconcile_run run = {.started_at_us = 1, .finished_at_us = 2, .actor = ACTOR, .mended = mended};
    assert_ok(ledger_run_record(f->ledger, &run, &f->error));
}

static void parked_replay(struct fixture *f, const char *message_id)
{
    struct parked_mark mark = {.message_id = text_of(message_id)};
    assert_ok(ledger_parked_mark(f->ledger, &mark, 1, PARKED_REPLAYED, &f->error));
}

static void fill_audit(struct fixture *f)
{
    park(f, "p2", PARK_MALFORMED);
    parked_replay(f, "p2");
    journal_write(f, INTERVENTION_EDIT, INTERVENTION_BEGUN, "p2");
    run_add(f, 7);
    sight_set(f, 6);
}

static void check_audit(struct fixture *f)
{
    struct reconcile_run run = {.mended = 0};
    struct stock_sight sight;
    struct text id = TEXT_LITERAL("a");
    bool found = false;
    assert_int_equal(stats_get(f).parked, 1);
    assert_true(look_get(f, "p2").replayed && look_get(f, "p1").parked);
    assert_string_equal(journal_get(f), "edit begun anna@host - p2 - - - 0");
    assert_int_equal(fake_ledger_intervention(f->store, 0)->at_us, 2000);
    assert_int_equal(fake_ledger_run_count(f->store), 1);
    assert_ok(ledger_run_last(f->ledger, &f->arena, &run, &found, &f->error));
    assert_int_equal(run.mended, 7);
    assert_ok(ledger_sights_read(f->ledger, &id, 1, &f->arena, &sight, &f->error));
    assert_int_equal(sight.settled, 6);
    assert_true(text_equal_string(sight.server, "run"));
}

static void go_on_audit(struct fixture *f)
{
    parked_replay(f, "p1");
    struct intervention end = {.sequence = fake_ledger_intervention(f->store, 0)->sequence,
                               .state = INTERVENTION_DONE};
    assert_ok(ledger_interventions_end(f->ledger, &end, 1, &f->error));
    journal_write(f, INTERVENTION_EDIT, INTERVENTION_BEGUN, "p3");
    run_add(f, 8);
    sight_set(f, 9);
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
    fill_audit(f);
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
    assert_int_equal(fake_ledger_parked_count(f->store), 2);
    assert_true(text_equal_string(fake_ledger_parked(f->store, 0)->message_id, "p1"));
    assert_int_equal(fake_ledger_parked(f->store, 0)->reason, PARK_MALFORMED);
    assert_true(text_equal_string(fake_ledger_parked(f->store, 0)->detail, "why"));
    assert_int_equal(fake_ledger_parked(f->store, 0)->parked_at_us, 2000);
    check_audit(f);
    struct ledger_stats stats = stats_get(f);
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
    go_on_audit(f);
    assert_int_equal(stats_get(f).refunds_due, 0);
    assert_int_equal(stats_get(f).credits_due, 1);
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
    struct ledger *holder = fake_ledger_open(f->store);
    assert_ok(ledger_lock(holder, LEDGER_LOCK_RECONCILE, &f->error));
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
    assert_status(ledger_lock(f->ledger, LEDGER_LOCK_RECONCILE, &f->error), STATUS_REFUSED);
    ledger_close(holder);
    assert_ok(ledger_lock(f->ledger, LEDGER_LOCK_RECONCILE, &f->error));
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
