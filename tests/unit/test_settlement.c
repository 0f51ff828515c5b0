/* The settlement: a table of single decisions, and stories of repeated ids. */
#include "core/limits.h"
#include "core/settlement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* One deduction against one budget. */
struct decision_case {
    const char *name;
    struct {
        bool found;
        enum budget_state state;
        int64_t total, settled, closed_at_us;
    } budget;
    int64_t amount, deducted_at_us;
    enum verdict verdict;
    enum deduction_reason reason;
};

#define SETTLED VERDICT_SETTLED, REASON_NONE
#define UNKNOWN VERDICT_REJECTED, REASON_UNKNOWN_BUDGET
#define CLOSED  VERDICT_REJECTED, REASON_CLOSED_BUDGET
#define DELETED VERDICT_REJECTED, REASON_DELETED_BUDGET
#define OVER    VERDICT_REJECTED, REASON_OVER_TOTAL
#define ANY     TOTAL_UNLIMITED
#define MAX     AMOUNT_MAX

/* clang-format off */
static const struct decision_case decision_cases[] = {
    {"room to spare",                     {true,  BUDGET_ACTIVE,  10,  3,       0},   5,   7,   SETTLED},
    {"room to the last unit",             {true,  BUDGET_ACTIVE,  10,  3,       0},   7,   7,   SETTLED},
    {"one unit too many",                 {true,  BUDGET_ACTIVE,  10,  3,       0},   8,   7,   OVER},
    {"sold out",                          {true,  BUDGET_ACTIVE,  10,  10,      0},   1,   7,   OVER},
    {"a total of nothing",                {true,  BUDGET_ACTIVE,  0,   0,       0},   1,   7,   OVER},
    {"the largest total, all of it",      {true,  BUDGET_ACTIVE,  MAX, 0,       0},   MAX, 7,   SETTLED},
    {"the largest total, one too many",   {true,  BUDGET_ACTIVE,  MAX, 1,       0},   MAX, 7,   OVER},
    {"without token",                     {true,  BUDGET_ACTIVE,  10,  3,       0},   5,   0,   SETTLED},
    {"no such budget",                    {false, BUDGET_ACTIVE,  10,  3,       0},   5,   7,   UNKNOWN},
    {"unlimited",                         {true,  BUDGET_ACTIVE,  ANY, 3,       0},   5,   7,   SETTLED},
    {"unlimited, up to what is countable",{true,  BUDGET_ACTIVE,  ANY, MAX - 5, 0},   5,   7,   SETTLED},
    {"unlimited, beyond it",              {true,  BUDGET_ACTIVE,  ANY, MAX - 4, 0},   5,   7,   OVER},
    {"unlimited, a sum that is spoilt",   {true,  BUDGET_ACTIVE,  ANY, INT64_MAX, 0}, 1,   7,   OVER},
    {"closed, sold before",               {true,  BUDGET_CLOSED,  10,  3,       100}, 5,   99,  SETTLED},
    {"closed, sold in that microsecond",  {true,  BUDGET_CLOSED,  10,  3,       100}, 5,   100, SETTLED},
    {"closed, sold after",                {true,  BUDGET_CLOSED,  10,  3,       100}, 5,   101, CLOSED},
    {"closed, without token",             {true,  BUDGET_CLOSED,  10,  3,       100}, 5,   0,   CLOSED},
    {"closed, sold before, too much",     {true,  BUDGET_CLOSED,  10,  3,       100}, 8,   99,  OVER},
    {"closed before too much",            {true,  BUDGET_CLOSED,  10,  3,       100}, 8,   101, CLOSED},
    {"deleted, sold before",              {true,  BUDGET_DELETED, 10,  3,       100}, 5,   99,  DELETED},
    {"deleted before too much",           {true,  BUDGET_DELETED, 10,  3,       100}, 8,   101, DELETED},
    {"reopened: the old closing is past", {true,  BUDGET_ACTIVE,  10,  3,       100}, 5,   101, SETTLED},
};
/* clang-format on */

static struct batch_item *append(struct batch *batch, const char *message_id, const char *budget_id,
                                 int64_t amount, int64_t deducted_at_us)
{
    struct deduction deduction = {
        .message_id = arena_copy(&batch->arena, text_of(message_id)),
        .budget_id = arena_copy(&batch->arena, text_of(budget_id)),
        .amount = amount,
        .deducted_at_us = deducted_at_us,
    };
    return batch_append(batch, &deduction, NULL, TEXT_NONE);
}

static void each_case_of_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof decision_cases / sizeof decision_cases[0]; i++) {
        const struct decision_case *c = &decision_cases[i];
        struct batch batch;
        batch_init(&batch, 1);
        struct batch_item *item = append(&batch, "m", "b", c->amount, c->deducted_at_us);
        batch.budgets[0].found = c->budget.found;
        batch.budgets[0].state = c->budget.state;
        batch.budgets[0].total = c->budget.total;
        batch.budgets[0].settled = c->budget.settled;
        batch.budgets[0].closed_at_us = c->budget.closed_at_us;
        batch.budgets[0].delta = 12345; /* of an earlier try */
        settlement_decide(&batch, 0, 1);
        int64_t delta = c->verdict == VERDICT_SETTLED ? c->amount : 0;
        if (item->verdict != c->verdict || item->reason != c->reason || batch.budgets[0].delta != delta) {
            fail_msg("%s: verdict %d, reason %d, delta %lld", c->name, (int)item->verdict, (int)item->reason,
                     (long long)batch.budgets[0].delta);
        }
        batch_free(&batch);
    }
}

static void budget_open(struct batch *batch, int64_t total)
{
    for (size_t i = 0; i < batch->budget_count; i++) {
        batch->budgets[i].found = true;
        batch->budgets[i].total = total;
    }
}

static void the_stock_goes_to_the_first_come(void **state)
{
    (void)state;
    struct batch batch;
    batch_init(&batch, 4);
    append(&batch, "m1", "b", 6, 1);
    append(&batch, "m2", "b", 5, 2);
    append(&batch, "m3", "b", 4, 3);
    append(&batch, "m4", "b", 1, 4);
    budget_open(&batch, 10);
    settlement_decide(&batch, 0, 4);
    assert_int_equal(batch.items[0].verdict, VERDICT_SETTLED);
    assert_int_equal(batch.items[1].verdict, VERDICT_REJECTED);
    assert_int_equal(batch.items[2].verdict, VERDICT_SETTLED);
    assert_int_equal(batch.items[3].verdict, VERDICT_REJECTED);
    assert_int_equal(batch.budgets[0].delta, 10);
    batch_free(&batch);
}

static void a_copy_in_the_batch_is_a_duplicate_of_what_the_first_became(void **state)
{
    (void)state;
    struct batch batch;
    batch_init(&batch, 8);
    append(&batch, "m1", "b", 6, 11);
    append(&batch, "m2", "b", 6, 22);
    append(&batch, "m1", "b", 6, 33); /* deducted twice */
    append(&batch, "m2", "b", 6, 22);
    append(&batch, "m1", "b", 5, 11);
    append(&batch, "m1", "c", 6, 11);
    budget_open(&batch, 10);
    settlement_decide(&batch, 0, 6);
    assert_int_equal(batch.items[2].verdict, VERDICT_DUPLICATE);
    assert_int_equal(batch.items[2].known.state, DEDUCTION_SETTLED);
    assert_int_equal(batch.items[2].known.deducted_at_us, 11);
    assert_int_equal(batch.items[3].verdict, VERDICT_DUPLICATE);
    assert_int_equal(batch.items[3].known.state, DEDUCTION_REJECTED);
    assert_int_equal(batch.items[3].known.deducted_at_us, 22);
    assert_int_equal(batch.items[4].verdict, VERDICT_CONFLICT);
    assert_int_equal(batch.items[5].verdict, VERDICT_CONFLICT);
    assert_int_equal(batch.budgets[0].delta, 6);
    assert_int_equal(batch.budgets[1].delta, 0);
    batch_free(&batch);
}

static void a_known_row_is_compared_with_each_copy(void **state)
{
    (void)state;
    struct batch batch;
    batch_init(&batch, 4);
    append(&batch, "m", "b", 7, 1); /* the row holds 5 */
    append(&batch, "m", "b", 5, 1);
    append(&batch, "m", "b", 7, 1);
    budget_open(&batch, 100);
    for (size_t i = 0; i < 3; i++) {
        assert_true(batch_item_needs_lookup(&batch, i, 0));
        batch.items[i].known = (struct known_row){.found = true,
                                                  .same = batch.items[i].deduction.amount == 5,
                                                  .state = DEDUCTION_VOIDED,
                                                  .deducted_at_us = 9};
    }
    settlement_decide(&batch, 0, 3);
    assert_int_equal(batch.items[0].verdict, VERDICT_CONFLICT);
    assert_int_equal(batch.items[1].verdict, VERDICT_DUPLICATE);
    assert_int_equal(batch.items[2].verdict, VERDICT_CONFLICT);
    assert_int_equal(batch.items[1].known.state, DEDUCTION_VOIDED);
    assert_int_equal(batch.items[1].known.deducted_at_us, 9);
    assert_int_equal(batch.budgets[0].delta, 0);
    batch_free(&batch);
}

static void copies_behind_a_refused_row_are_booked_once(void **state)
{
    (void)state;
    struct batch batch;
    batch_init(&batch, 4);
    append(&batch, "m", "b", 1, 1); /* refused, alone in its range */
    append(&batch, "m", "b", 1, 2);
    append(&batch, "n", "b", 1, 3);
    append(&batch, "m", "b", 1, 4);
    budget_open(&batch, 100);
    batch.items[0].verdict = VERDICT_REFUSED;
    settlement_decide(&batch, 1, 3);
    assert_int_equal(batch.items[0].verdict, VERDICT_REFUSED);
    assert_int_equal(batch.items[1].verdict, VERDICT_SETTLED);
    assert_int_equal(batch.items[3].verdict, VERDICT_DUPLICATE);
    assert_int_equal(batch.items[3].known.deducted_at_us, 2);
    assert_int_equal(batch.budgets[0].delta, 2);
    batch_free(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case_of_the_table),
        cmocka_unit_test(the_stock_goes_to_the_first_come),
        cmocka_unit_test(a_copy_in_the_batch_is_a_duplicate_of_what_the_first_became),
        cmocka_unit_test(a_known_row_is_compared_with_each_copy),
        cmocka_unit_test(copies_behind_a_refused_row_are_booked_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
