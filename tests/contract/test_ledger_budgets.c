/* What every ledger must do with budgets, credits, debts and the record of what was parked, on the fake and
 * on SQLite. */
#include "contract/ledger_fixture.h"
#include "core/limits.h"

static void a_budget_is_created_once(void **state)
{
    struct fixture *f = *state;
    struct ledger_budget budget = {
        .id = TEXT_LITERAL("camp:42"),
        .name = TEXT_LITERAL("Spring"),
        .description = TEXT_LITERAL(""),
        .ext_params = TEXT_LITERAL("{\"k\":[1]}"),
        .total = 0,
    };
    assert_ok(ledger_budget_create(f->ledger, &budget, TEXT_LITERAL("c"), &f->error));
    budget.total = 9;
    assert_status(ledger_budget_create(f->ledger, &budget, TEXT_LITERAL("d"), &f->error), STATUS_REFUSED);
    struct ledger_budget found = budget_get(f, "camp:42");
    assert_true(text_equal_string(found.name, "Spring"));
    assert_true(text_is_present(found.description));
    assert_int_equal(found.description.size, 0);
    assert_true(text_equal(found.ext_params, budget.ext_params));
    assert_int_equal(found.total, 0);
    assert_int_equal(found.settled, 0);
    assert_int_equal(found.state, BUDGET_ACTIVE);
    assert_true(found.created_at_us > INT64_C(1700000000000000));
    assert_int_equal(found.created_at_us, found.updated_at_us);

    budget_make(f, "plain", AMOUNT_MAX);
    found = budget_get(f, "plain");
    assert_false(text_is_present(found.name));
    assert_false(text_is_present(found.ext_params));
    bool exists = true;
    assert_ok(ledger_budget_find(f->ledger, TEXT_LITERAL("Plain"), &f->arena, &found, &exists, &f->error));
    assert_false(exists);
}

static enum status credit(struct fixture *f, const char *budget_id, const char *credit_id, int64_t amount,
                          bool *applied)
{
    return ledger_budget_credit(f->ledger, text_of(budget_id), text_of(credit_id), amount, applied,
                                &f->error);
}

static void a_credit_is_booked_once(void **state)
{
    struct fixture *f = *state;
    bool applied = true;
    budget_make(f, "a", 10);
    assert_ok(credit(f, "a", "c1", 5, &applied));
    assert_false(applied);
    assert_ok(credit(f, "a", "c1", 5, &applied));
    assert_int_equal(budget_get(f, "a").total, 15);
    assert_ok(ledger_credit_mark(f->ledger, TEXT_LITERAL("a"), TEXT_LITERAL("c1"), &f->error));
    assert_ok(ledger_credit_mark(f->ledger, TEXT_LITERAL("a"), TEXT_LITERAL("c1"), &f->error));
    assert_ok(credit(f, "a", "c1", 5, &applied));
    assert_true(applied);
    assert_status(credit(f, "a", "c1", 6, &applied), STATUS_REFUSED);
    assert_ok(credit(f, "a", "first", 10, &applied)); /* the one that it was created with */
    assert_false(applied);
    assert_ok(credit(f, "a", "C1", 5, &applied)); /* case counts */
    assert_int_equal(budget_get(f, "a").total, 20);
    assert_status(ledger_credit_mark(f->ledger, TEXT_LITERAL("a"), TEXT_LITERAL("none"), &f->error),
                  STATUS_REFUSED);
}

static void a_credit_is_refused_where_it_makes_no_sense(void **state)
{
    struct fixture *f = *state;
    bool applied;
    budget_make(f, "a", 10);
    budget_make(f, "endless", TOTAL_UNLIMITED);
    budget_make(f, "gone", 10);
    assert_ok(credit(f, "gone", "early", 1, &applied));
    assert_ok(ledger_budget_state_set(f->ledger, TEXT_LITERAL("gone"), BUDGET_DELETED, 7, &f->error));
    assert_status(credit(f, "nobody", "c", 1, &applied), STATUS_REFUSED);
    assert_status(credit(f, "endless", "c", 1, &applied), STATUS_REFUSED);
    assert_status(credit(f, "gone", "c", 1, &applied), STATUS_REFUSED);
    assert_ok(credit(f, "gone", "early", 1, &applied));
    assert_status(credit(f, "a", "c", AMOUNT_MAX - 9, &applied), STATUS_REFUSED);
    assert_status(credit(f, "a", "c", 0, &applied), STATUS_REFUSED);
    assert_status(credit(f, "a", "c", -1, &applied), STATUS_REFUSED);
    assert_ok(credit(f, "a", "c", AMOUNT_MAX - 10, &applied));
    assert_int_equal(budget_get(f, "a").total, AMOUNT_MAX);
    assert_int_equal(settle_one(f, "all", "a", AMOUNT_MAX, 1)->verdict, VERDICT_SETTLED);
    assert_int_equal(settle_one(f, "one-more", "a", 1, 1)->reason, REASON_OVER_TOTAL);
}

static void debts_are_walked_and_marked(void **state)
{
    struct fixture *f = *state;
    struct debt debts[8];
    struct debt_cursor cursor = {0};
    struct ledger_stats stats;
    size_t count = 99;
    budget_make(f, "a", 3);
    budget_make(f, "b", TOTAL_UNLIMITED);
    settle_one(f, "fine", "a", 3, 1);
    settle_one(f, "r1", "a", 4, 11);
    settle_one(f, "r2", "none", 5, 0);
    settle_one(f, "r3", "a", 6, 33);

    assert_ok(ledger_debts_fetch(f->ledger, &cursor, &f->arena, debts, 2, &count, &f->error));
    assert_int_equal(count, 2);
    assert_true(debts[0].kind == DEBT_REFUND && text_equal_string(debts[0].id, "r1"));
    assert_true(text_equal_string(debts[0].budget_id, "a"));
    assert_int_equal(debts[0].amount, 4);
    assert_int_equal(debts[0].deducted_at_us, 11);
    assert_int_equal(debts[0].outcome, DEDUCTION_REJECTED);
    assert_false(debts[0].paid);
    assert_true(text_equal_string(debts[1].id, "r2"));
    assert_int_equal(debts[1].deducted_at_us, 0);
    debts[1].paid = true;
    for (int i = 0; i < 2; i++) assert_ok(ledger_debts_mark(f->ledger, debts, 2, &f->error));
    assert_int_equal(row_get(f, "r1").refund, REFUND_DUE);
    assert_int_equal(row_get(f, "r2").refund, REFUND_DONE);

    assert_ok(ledger_debts_fetch(f->ledger, &cursor, &f->arena, debts, 8, &count, &f->error));
    assert_int_equal(count, 3);
    assert_true(debts[0].kind == DEBT_REFUND && text_equal_string(debts[0].id, "r3"));
    assert_true(debts[1].kind == DEBT_CREDIT && text_equal_string(debts[1].id, "first"));
    assert_int_equal(debts[1].amount, 3);
    assert_int_equal(debts[2].amount, TOTAL_UNLIMITED);
    debts[0].paid = debts[2].paid = true;
    assert_ok(ledger_debts_mark(f->ledger, debts, 3, &f->error));
    assert_ok(ledger_debts_fetch(f->ledger, &cursor, &f->arena, debts, 8, &count, &f->error));
    assert_int_equal(count, 0);

    cursor = (struct debt_cursor){0};
    assert_ok(ledger_debts_fetch(f->ledger, &cursor, &f->arena, debts, 8, &count, &f->error));
    assert_int_equal(count, 2);
    assert_true(text_equal_string(debts[0].id, "r1"));
    assert_true(text_equal_string(debts[1].budget_id, "a"));
    assert_ok(ledger_stats(f->ledger, &stats, &f->error));
    assert_int_equal(stats.budgets, 2);
    assert_int_equal(stats.refunds_due, 1);
    assert_int_equal(stats.credits_due, 1);
    assert_int_equal(stats.last_deducted_at_us, 33);
}

static void budgets_are_listed_in_byte_order(void **state)
{
    struct fixture *f = *state;
    static const char *const ids[] = {"b", "a:1", "B", "a", "a.1", "-", "_"};
    static const char *const sorted[] = {"-", "B", "_", "a", "a.1", "a:1", "b"};
    struct ledger_budget budgets[3];
    struct text after = TEXT_NONE;
    size_t count = 0, seen = 0;
    for (size_t i = 0; i < 7; i++) budget_make(f, ids[i], (int64_t)i);
    do {
        assert_ok(ledger_budgets_list(f->ledger, after, &f->arena, budgets, 3, &count, &f->error));
        for (size_t i = 0; i < count; i++) assert_true(text_equal_string(budgets[i].id, sorted[seen++]));
        if (count > 0) after = budgets[count - 1].id;
    } while (count == 3);
    assert_int_equal(seen, 7);
}

static void what_was_parked_is_recorded(void **state)
{
    struct fixture *f = *state;
    const struct parked_row rows[] = {
        {.message_id = TEXT_NONE, .reason = PARK_MALFORMED, .detail = TEXT_LITERAL("no JSON")},
        {.message_id = TEXT_LITERAL("m1"), .reason = PARK_ID_CONFLICT, .detail = TEXT_NONE},
        {.message_id = TEXT_LITERAL("m1"),
         .reason = PARK_UNPROCESSABLE,
         .detail = TEXT_LITERAL("it's \"odd\"\n")},
    };
    struct ledger_stats stats;
    assert_ok(ledger_record_parked(f->ledger, rows, 3, &f->error));
    assert_ok(ledger_record_parked(f->ledger, rows, 0, &f->error));
    assert_ok(ledger_stats(f->ledger, &stats, &f->error));
    assert_int_equal(stats.parked, 3);
}

#define SUITE(kind)                                                                                          \
    {                                                                                                        \
        cmocka_unit_test_setup_teardown(a_budget_is_created_once, setup_##kind, fixture_teardown),           \
            cmocka_unit_test_setup_teardown(a_credit_is_booked_once, setup_##kind, fixture_teardown),        \
            cmocka_unit_test_setup_teardown(a_credit_is_refused_where_it_makes_no_sense, setup_##kind,       \
                                            fixture_teardown),                                               \
            cmocka_unit_test_setup_teardown(debts_are_walked_and_marked, setup_##kind, fixture_teardown),    \
            cmocka_unit_test_setup_teardown(budgets_are_listed_in_byte_order, setup_##kind,                  \
                                            fixture_teardown),                                               \
            cmocka_unit_test_setup_teardown(what_was_parked_is_recorded, setup_##kind, fixture_teardown),    \
    }

int main(void)
{
    const struct CMUnitTest fake[] = SUITE(fake);
    const struct CMUnitTest sqlite[] = SUITE(sqlite);
    int failed = cmocka_run_group_tests_name("a ledger keeps budgets: fake", fake, NULL, NULL);
    return failed + cmocka_run_group_tests_name("a ledger keeps budgets: SQLite", sqlite, NULL, NULL);
}
