/* What reconcile makes of single entries: what the ledger's row says of one, and an orphan that somebody else
 * decides about at the last moment. */
#include "fake/fake_ledger.h"
#include "fake/fake_stock.h"
#include "reconcile/measure_sums.h"
#include "reconcile/reconcile_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define BUDGET TEXT_LITERAL("camp")
#define ID     TEXT_LITERAL("m1")

static const struct {
    const char *name;
    struct ledger_deduction row;
    enum entry_fate fate;
} cases[] = {
    {"no row", {.found = false}, ENTRY_UNDECIDED},
    {"a row that no sum holds yet",
     {.found = true,
      .sequence = 11,
      .budget_id = BUDGET,
      .amount = 5,
      .deducted_at_us = 100,
      .booked_at_us = 200},
     ENTRY_UNDECIDED},
    {"its own, settled",
     {.found = true,
      .sequence = 10,
      .budget_id = BUDGET,
      .amount = 5,
      .deducted_at_us = 100,
      .booked_at_us = 200},
     ENTRY_UNCLEARED},
    {"its own, of another amount",
     {.found = true,
      .sequence = 10,
      .budget_id = BUDGET,
      .amount = 6,
      .deducted_at_us = 100,
      .booked_at_us = 200},
     ENTRY_UNCLEARED},
    {"its own, voided",
     {.found = true,
      .sequence = 10,
      .budget_id = BUDGET,
      .amount = 5,
      .deducted_at_us = 100,
      .booked_at_us = 200,
      .state = DEDUCTION_VOIDED},
     ENTRY_REFUND},
    {"of an earlier deduction",
     {.found = true,
      .sequence = 10,
      .budget_id = BUDGET,
      .amount = 5,
      .deducted_at_us = 50,
      .booked_at_us = 200},
     ENTRY_EXTRA},
    {"of another budget",
     {.found = true,
      .sequence = 10,
      .budget_id = TEXT_LITERAL("other"),
      .amount = 5,
      .deducted_at_us = 100,
      .booked_at_us = 200},
     ENTRY_EXTRA},
    {"without token, booked after the deduction",
     {.found = true, .sequence = 10, .budget_id = BUDGET, .amount = 5, .booked_at_us = 200},
     ENTRY_UNCLEARED},
    {"without token, booked before the deduction",
     {.found = true, .sequence = 10, .budget_id = BUDGET, .amount = 5, .booked_at_us = 50},
     ENTRY_EXTRA},
    {"without token, of another amount",
     {.found = true, .sequence = 10, .budget_id = BUDGET, .amount = 6, .booked_at_us = 200},
     ENTRY_EXTRA},
};

static void test_what_the_row_says_of_an_entry(void **state)
{
    (void)state;
    struct tally tally = {.sequence = 10};
    struct measure measure = {.tally = &tally, .budget_id = BUDGET};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct entry entry = {.message_id = ID, .amount = 5, .deducted_at_us = 100};
        measure_judge_entry(&measure, &entry, &cases[i].row);
        if (entry.fate != cases[i].fate) fail_msg("%s: %d", cases[i].name, (int)entry.fate);
    }
}

static void say(void *context, const char *line)
{
    (void)context;
    (void)line;
}

/* Voided by hand between the last look and the booking: the ledger answers that the id is known, and the
 * entry is not settled but still to be given back. */
static void test_an_orphan_that_somebody_else_decides(void **state)
{
    (void)state;
    struct fake_ledger_store *store = fake_ledger_store_new();
    struct ledger *ledger = fake_ledger_open(store);
    struct fake_stock *fake = fake_stock_new(600);
    struct stock *stock = fake_stock_port(fake);
    struct error error;
    struct ledger_budget budget = {.id = BUDGET, .total = 10};
    struct stock_credit credit = {.budget_id = BUDGET, .credit_id = TEXT_LITERAL("c"), .amount = 10};
    struct stock_deduct deduct = {.budget_id = BUDGET, .message_id = ID, .amount = 5};
    assert_int_equal(ledger_initialise(ledger, &error), STATUS_OK);
    assert_int_equal(ledger_budget_create(ledger, &budget, TEXT_LITERAL("c"), &error), STATUS_OK);
    assert_int_equal(stock_credit(stock, &credit, 1, &error), STATUS_OK);
    assert_int_equal(stock_deduct(stock, &deduct, 1, &error), STATUS_OK);

    size_t chosen = 0;
    struct audited_budget audited = {.id = BUDGET, .limited = true, .right = true};
    struct entry entry = {
        .message_id = ID, .amount = 5, .deducted_at_us = deduct.deducted_at_us, .fate = ENTRY_UNDECIDED};
    struct reconcile reconcile = {
        .options = {.ledger = ledger,
                    .stock = stock,
                    .actor = TEXT_LITERAL("a@b"),
                    .repair = true,
                    .repair_max = INT64_MAX,
                    .settle_orphans = true,
                    .say = say},
        .budgets = &audited,
        .budget_count = 1,
        .measure = {.entries = &entry, .count = 1},
        .orphans = {.chosen = &chosen, .count = 1},
    };
    struct ledger_void by_hand = {.message_id = ID,
                                  .budget_id = BUDGET,
                                  .amount = 5,
                                  .deducted_at_us = deduct.deducted_at_us,
                                  .reason = REASON_DISCARDED,
                                  .refund = REFUND_DUE};
    assert_int_equal(ledger_voids_insert(ledger, TEXT_LITERAL("c@d"), &by_hand, 1, &error), STATUS_OK);
    bool mended = false;
    assert_int_equal(orphans_repair(&reconcile, &mended, &error), STATUS_OK);
    struct stock_query query = {.budget_id = BUDGET, .message_id = ID};
    assert_int_equal(stock_query(stock, &query, 1, &error), STATUS_OK);
    assert_int_equal(query.state, PENDING_PENDING);
    assert_false(mended);

    arena_free(&reconcile.slice);
    ledger_close(ledger);
    fake_ledger_store_free(store);
    fake_stock_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_row_says_of_an_entry),
        cmocka_unit_test(test_an_orphan_that_somebody_else_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
