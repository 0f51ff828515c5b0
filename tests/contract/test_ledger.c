/* What every ledger must do with deductions, on the fake and on SQLite. */
#include "contract/ledger_fixture.h"

#include "core/limits.h"
#include "port/ledger_audit.h"

/* Makes the ledger refuse the row of one message id. */
static void refuse(struct fixture *f, const char *message_id)
{
    if (f->store != NULL) {
        fake_ledger_refuse(f->store, text_of(message_id));
        return;
    }
    const char *sql =
        arena_format(&f->arena,
                     "CREATE TRIGGER refuse BEFORE INSERT ON deduction WHEN new.message_id = '%s'"
                     " BEGIN SELECT RAISE(ABORT, 'not this one'); END",
                     message_id);
    assert_int_equal(raw_execute(f, sql), SQLITE_OK);
}

static void without_tables_it_asks_for_init(void **state)
{
    struct fixture *f = *state;
    add(f, "m1", "a", 1, 1);
    assert_status(ledger_ping(f->ledger, &f->error), STATUS_RETRY);
    assert_non_null(strstr(f->error.text, "bursar init"));
    assert_status(settle_all(f), STATUS_RETRY);
    assert_non_null(strstr(f->error.text, "bursar init"));
    for (int i = 0; i < 2; i++) assert_ok(ledger_initialise(f->ledger, &f->error));
    assert_ok(ledger_ping(f->ledger, &f->error));
    assert_ok(settle_all(f));
}

static void a_batch_is_booked(void **state)
{
    struct fixture *f = *state;
    budget_make(f, "a", 10);
    budget_make(f, "b", TOTAL_UNLIMITED);
    add(f, "m1", "a", 6, 101);
    add(f, "m2", "b", 7, 0);
    add(f, "m3", "a", 5, 103);
    add(f, "m4", "nobody", 1, 104);
    add(f, "m5", "a", 4, 105);
    assert_ok(settle_all(f));

    const struct {
        const char *id, *budget;
        int64_t amount, token;
        enum deduction_state state;
        enum deduction_reason reason;
        enum refund_state refund;
    } rows[] = {
        {"m1", "a", 6, 101, DEDUCTION_SETTLED, REASON_NONE, REFUND_NONE},
        {"m2", "b", 7, 0, DEDUCTION_SETTLED, REASON_NONE, REFUND_NONE},
        {"m3", "a", 5, 103, DEDUCTION_REJECTED, REASON_OVER_TOTAL, REFUND_DUE},
        {"m4", "nobody", 1, 104, DEDUCTION_REJECTED, REASON_UNKNOWN_BUDGET, REFUND_DUE},
        {"m5", "a", 4, 105, DEDUCTION_SETTLED, REASON_NONE, REFUND_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ledger_deduction row = row_get(f, rows[i].id);
        assert_true(row.found);
        assert_true(text_equal_string(row.budget_id, rows[i].budget));
        assert_int_equal(row.amount, rows[i].amount);
        assert_int_equal(row.deducted_at_us, rows[i].token);
        assert_int_equal(row.state, rows[i].state);
        assert_int_equal(row.reason, rows[i].reason);
        assert_int_equal(row.refund, rows[i].refund);
        bool settled = rows[i].state == DEDUCTION_SETTLED;
        assert_int_equal(f->batch.items[i].verdict, settled ? VERDICT_SETTLED : VERDICT_REJECTED);
        assert_int_equal(f->batch.items[i].reason, rows[i].reason);
    }
    assert_int_equal(budget_get(f, "a").settled, 10);
    assert_int_equal(budget_get(f, "b").settled, 7);
    assert_false(row_get(f, "m6").found);
}

static void what_comes_after_its_void_is_told_why(void **state)
{
    struct fixture *f = *state;
    budget_make(f, "a", 10);
    struct ledger_void gone[] = {{.message_id = TEXT_LITERAL("m1"), .reason = REASON_ORPHANED},
                                 {.message_id = TEXT_LITERAL("m2"), .reason = REASON_DISCARDED}};
    for (size_t i = 0; i < 2; i++) {
        gone[i].budget_id = TEXT_LITERAL("a");
        gone[i].amount = 3;
        gone[i].deducted_at_us = 101;
        gone[i].refund = REFUND_DUE;
    }
    assert_int_equal(ledger_voids_insert(f->ledger, TEXT_LITERAL("me@here"), gone, 2, &f->error), STATUS_OK);
    const char *const ids[] = {"m1", "m2"};
    for (size_t i = 0; i < 2; i++) {
        const struct batch_item *item = settle_one(f, ids[i], "a", 3, 101);
        assert_int_equal(item->verdict, VERDICT_DUPLICATE);
        assert_int_equal(item->known.state, DEDUCTION_VOIDED);
        assert_int_equal(item->known.reason, gone[i].reason);
    }
}

static void a_known_id_changes_nothing(void **state)
{
    struct fixture *f = *state;
    budget_make(f, "a", 10);
    budget_make(f, "b", 10);
    settle_one(f, "m1", "a", 6, 101);
    settle_one(f, "m2", "a", 5, 102);

    const struct batch_item *item = settle_one(f, "m1", "a", 6, 999);
    assert_int_equal(item->verdict, VERDICT_DUPLICATE);
    assert_int_equal(item->known.state, DEDUCTION_SETTLED);
    assert_int_equal(item->known.deducted_at_us, 101);
    item = settle_one(f, "m2", "a", 5, 102);
    assert_int_equal(item->verdict, VERDICT_DUPLICATE);
    assert_int_equal(item->known.state, DEDUCTION_REJECTED);
    assert_int_equal(item->known.reason, REASON_OVER_TOTAL);
    assert_int_equal(settle_one(f, "m1", "a", 5, 101)->verdict, VERDICT_CONFLICT);
    assert_int_equal(settle_one(f, "m1", "b", 6, 101)->verdict, VERDICT_CONFLICT);
    assert_int_equal(settle_one(f, "M1", "a", 4, 103)->verdict, VERDICT_SETTLED); /* case counts */

    assert_int_equal(row_get(f, "m1").deducted_at_us, 101);
    assert_int_equal(budget_get(f, "a").settled, 10);
    assert_int_equal(budget_get(f, "b").settled, 0);
}

static void copies_in_one_batch_are_booked_once(void **state)
{
    struct fixture *f = *state;
    budget_make(f, "a", 100);
    settle_one(f, "old", "a", 5, 50);
    batch_reset(&f->batch);
    add(f, "new", "a", 6, 101);
    add(f, "old", "a", 7, 102);
    add(f, "new", "a", 6, 103);
    add(f, "old", "a", 5, 104); /* the row's own amount, behind one that is not */
    add(f, "new", "a", 5, 105);
    assert_ok(settle_all(f));
    const enum verdict verdicts[] = {VERDICT_SETTLED, VERDICT_CONFLICT, VERDICT_DUPLICATE, VERDICT_DUPLICATE,
                                     VERDICT_CONFLICT};
    for (size_t i = 0; i < 5; i++) assert_int_equal(f->batch.items[i].verdict, verdicts[i]);
    assert_int_equal(f->batch.items[2].known.deducted_at_us, 101);
    assert_int_equal(f->batch.items[3].known.deducted_at_us, 50);
    assert_int_equal(budget_get(f, "a").settled, 11);
}

static void a_range_is_booked_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    budget_make(f, "a", 100);
    const char *const ids[] = {"m0", "m1", "m2", "m3", "m4"};
    for (size_t i = 0; i < 5; i++) add(f, ids[i], "a", 1, 100);
    add(f, "m1", "a", 1, 100);
    assert_ok(ledger_settle(f->ledger, &f->batch, 1, 2, &f->error));
    for (size_t i = 0; i < 5; i++) {
        bool inside = i == 1 || i == 2;
        assert_int_equal(row_get(f, ids[i]).found, inside);
        assert_int_equal(f->batch.items[i].verdict, inside ? VERDICT_SETTLED : VERDICT_NONE);
    }
    assert_ok(ledger_settle(f->ledger, &f->batch, 3, 3, &f->error));
    assert_int_equal(f->batch.items[5].verdict, VERDICT_DUPLICATE);
    assert_int_equal(budget_get(f, "a").settled, 4);
}

static void a_refused_row_takes_its_range_with_it_and_no_other(void **state)
{
    struct fixture *f = *state;
    budget_make(f, "a", 100);
    refuse(f, "bad");
    add(f, "m1", "a", 1, 1);
    add(f, "bad", "a", 2, 2);
    add(f, "bad", "a", 2, 3);
    add(f, "m2", "a", 4, 4);
    assert_status(settle_all(f), STATUS_REFUSED);
    assert_false(row_get(f, "m1").found);
    assert_int_equal(budget_get(f, "a").settled, 0);
    assert_ok(ledger_settle(f->ledger, &f->batch, 0, 1, &f->error));
    for (size_t i = 1; i < 3; i++)
        assert_status(ledger_settle(f->ledger, &f->batch, i, 1, &f->error), STATUS_REFUSED);
    assert_ok(ledger_settle(f->ledger, &f->batch, 3, 1, &f->error));
    assert_false(row_get(f, "bad").found);
    assert_int_equal(budget_get(f, "a").settled, 5);
}

static void states_of_a_budget(void **state)
{
    struct fixture *f = *state;
    struct text id = TEXT_LITERAL("a");
    budget_make(f, "a", 100);
    assert_ok(ledger_budget_state_set(f->ledger, id, BUDGET_CLOSED, 1000, &f->error));
    assert_int_equal(budget_get(f, "a").state, BUDGET_CLOSED);
    assert_int_equal(settle_one(f, "before", "a", 1, 1000)->verdict, VERDICT_SETTLED);
    assert_int_equal(settle_one(f, "after", "a", 1, 1001)->reason, REASON_CLOSED_BUDGET);
    assert_int_equal(settle_one(f, "untracked", "a", 1, 0)->reason, REASON_CLOSED_BUDGET);
    assert_ok(ledger_budget_state_set(f->ledger, id, BUDGET_ACTIVE, 0, &f->error));
    assert_int_equal(settle_one(f, "reopened", "a", 1, 1002)->verdict, VERDICT_SETTLED);
    assert_ok(ledger_budget_state_set(f->ledger, id, BUDGET_DELETED, 2000, &f->error));
    assert_int_equal(settle_one(f, "gone", "a", 1, 5)->reason, REASON_DELETED_BUDGET);
    assert_int_equal(budget_get(f, "a").settled, 2);

    assert_status(ledger_budget_state_set(f->ledger, TEXT_LITERAL("A"), BUDGET_CLOSED, 1, &f->error),
                  STATUS_REFUSED);
    assert_status(ledger_budget_state_set(f->ledger, id, BUDGET_CLOSED, 0, &f->error), STATUS_REFUSED);
    assert_status(ledger_budget_state_set(f->ledger, id, BUDGET_ACTIVE, 1, &f->error), STATUS_REFUSED);
    assert_int_equal(budget_get(f, "a").state, BUDGET_DELETED);
}

static void what_was_booked_is_there_after_a_restart(void **state)
{
    struct fixture *f = *state;
    budget_make(f, "a", 10);
    settle_one(f, "m1", "a", 6, 101);
    fixture_reopen(f);
    assert_ok(ledger_ping(f->ledger, &f->error));
    assert_int_equal(budget_get(f, "a").settled, 6);
    assert_int_equal(settle_one(f, "m1", "a", 6, 101)->verdict, VERDICT_DUPLICATE);
}

static void a_large_batch_over_many_budgets(void **state)
{
    struct fixture *f = *state;
    char id[32], budget[32];
    for (int i = 0; i < 100; i++) {
        snprintf(budget, sizeof budget, "b%d", i);
        budget_make(f, budget, 1000);
    }
    for (int i = 0; i < 6000; i++) {
        snprintf(id, sizeof id, "m%d", i % 5500);
        snprintf(budget, sizeof budget, "b%d", i % 100);
        add(f, id, budget, 1 + i % 5500 % 3, 1 + i);
    }
    assert_ok(settle_all(f));
    int64_t expected[100] = {0};
    for (int i = 0; i < 5500; i++) expected[i % 100] += 1 + i % 3;
    for (int i = 0; i < 100; i++) {
        snprintf(budget, sizeof budget, "b%d", i);
        assert_int_equal(budget_get(f, budget).settled, expected[i]);
    }
    for (size_t i = 5500; i < 6000; i++) assert_int_equal(f->batch.items[i].verdict, VERDICT_DUPLICATE);
}

#define SUITE(kind)                                                                                          \
    {                                                                                                        \
        cmocka_unit_test_setup_teardown(without_tables_it_asks_for_init, setup_##kind##_empty,               \
                                        fixture_teardown),                                                   \
            cmocka_unit_test_setup_teardown(a_batch_is_booked, setup_##kind, fixture_teardown),              \
            cmocka_unit_test_setup_teardown(a_known_id_changes_nothing, setup_##kind, fixture_teardown),     \
            cmocka_unit_test_setup_teardown(what_comes_after_its_void_is_told_why, setup_##kind,             \
                                            fixture_teardown),                                               \
            cmocka_unit_test_setup_teardown(copies_in_one_batch_are_booked_once, setup_##kind,               \
                                            fixture_teardown),                                               \
            cmocka_unit_test_setup_teardown(a_range_is_booked_and_nothing_else, setup_##kind,                \
                                            fixture_teardown),                                               \
            cmocka_unit_test_setup_teardown(a_refused_row_takes_its_range_with_it_and_no_other,              \
                                            setup_##kind, fixture_teardown),                                 \
            cmocka_unit_test_setup_teardown(states_of_a_budget, setup_##kind, fixture_teardown),             \
            cmocka_unit_test_setup_teardown(what_was_booked_is_there_after_a_restart, setup_##kind,          \
                                            fixture_teardown),                                               \
            cmocka_unit_test_setup_teardown(a_large_batch_over_many_budgets, setup_##kind,                   \
                                            fixture_teardown),                                               \
    }

int main(void)
{
    const struct CMUnitTest fake[] = SUITE(fake);
    const struct CMUnitTest sqlite[] = SUITE(sqlite);
    int failed = cmocka_run_group_tests_name("a ledger settles: fake", fake, NULL, NULL);
    return failed + cmocka_run_group_tests_name("a ledger settles: SQLite", sqlite, NULL, NULL);
}
