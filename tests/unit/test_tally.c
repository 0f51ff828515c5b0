/* What the ledger's rows add up to, on the ledger in memory. */
#include "core/batch.h"
#include "fake/fake_ledger.h"
#include "reconcile/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

struct stage {
    struct fake_ledger_store *store;
    struct ledger *ledger;
    struct tally tally;
    unsigned next_id;
};

static void begin(struct stage *stage)
{
    struct error error;
    *stage = (struct stage){.store = fake_ledger_store_new()};
    stage->ledger = fake_ledger_open(stage->store);
    assert_int_equal(ledger_initialise(stage->ledger, &error), STATUS_OK);
    static const char *const ids[] = {"a", "b", "other"};
    for (size_t i = 0; i < 3; i++) {
        struct ledger_budget budget = {.id = text_of(ids[i]), .total = 1000};
        assert_int_equal(ledger_budget_create(stage->ledger, &budget, text_of(ids[i]), &error), STATUS_OK);
    }
    assert_int_equal(tally_add(&stage->tally, TEXT_LITERAL("a")), 0);
    assert_int_equal(tally_add(&stage->tally, TEXT_LITERAL("b")), 1);
}

static void end(struct stage *stage)
{
    tally_free(&stage->tally);
    ledger_close(stage->ledger);
    fake_ledger_store_free(stage->store);
}

static void book(struct stage *stage, const char *budget_id, int64_t amount, int64_t token_us)
{
    struct batch batch;
    struct error error;
    char id[16];
    int size = snprintf(id, sizeof id, "m%u", stage->next_id++);
    batch_init(&batch, 1);
    struct deduction deduction = {.message_id = arena_copy(&batch.arena, (struct text){id, (size_t)size}),
                                  .budget_id = arena_copy(&batch.arena, text_of(budget_id)),
                                  .amount = amount,
                                  .deducted_at_us = token_us};
    batch_append(&batch, &deduction, NULL, TEXT_NONE);
    assert_int_equal(ledger_settle(stage->ledger, &batch, 0, 1, &error), STATUS_OK);
    batch_free(&batch);
}

static enum status read_all(struct stage *stage)
{
    struct error error;
    bool more = true;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && more) status = tally_read(&stage->tally, stage->ledger, &more, &error);
    return status;
}

static void test_sums_of_each_budget(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage);
    assert_int_equal(read_all(&stage), STATUS_OK);
    book(&stage, "a", 5, 100);
    book(&stage, "b", 7, 200);
    book(&stage, "a", 3, 0);
    book(&stage, "other", 9, 300);
    book(&stage, "a", 2000, 400); /* rejected */
    assert_int_equal(read_all(&stage), STATUS_OK);
    book(&stage, "a", 1, 500);
    assert_int_equal(read_all(&stage), STATUS_OK);
    assert_int_equal(read_all(&stage), STATUS_OK); /* the last row is read again, and counted once */
    assert_int_equal(stage.tally.sums[0].settled, 6);
    assert_int_equal(stage.tally.sums[0].untracked, 3);
    assert_true(stage.tally.sums[0].has_untracked);
    assert_int_equal(stage.tally.sums[1].settled, 7);
    assert_false(stage.tally.sums[1].has_untracked);
    assert_int_equal(stage.tally.rows, 6);
    end(&stage);
}

/* What is read after the cut is told apart by its token; what was read before is older, whatever it says. */
/* Marks the refunds that are due as done. */
static void pay_all(struct stage *stage)
{
    struct error error;
    struct arena arena = {0};
    struct debt debts[4];
    size_t count = 0;
    assert_int_equal(
        ledger_debts_fetch(stage->ledger, &(struct debt_cursor){0}, &arena, debts, 4, &count, &error),
        STATUS_OK);
    for (size_t i = 0; i < count; i++) debts[i].paid = true;
    assert_int_equal(ledger_debts_mark(stage->ledger, debts, count, &error), STATUS_OK);
    arena_free(&arena);
}

static void test_a_refund_without_token_counts_while_it_is_due(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage);
    book(&stage, "a", 2000, 0); /* rejected, as the next */
    pay_all(&stage);
    book(&stage, "b", 2000, 0);
    assert_int_equal(read_all(&stage), STATUS_OK);
    assert_false(stage.tally.sums[0].has_untracked);
    assert_true(stage.tally.sums[1].has_untracked);
    assert_int_equal(stage.tally.sums[1].untracked, 0);
    end(&stage);
}

static void test_rows_after_the_cut(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage);
    book(&stage, "a", 1, 5000);
    assert_int_equal(read_all(&stage), STATUS_OK);
    tally_cut(&stage.tally, 0, 1000);
    book(&stage, "a", 2, 1000);
    book(&stage, "a", 4, 1001);
    book(&stage, "a", 8, 1002);
    book(&stage, "b", 16, 1003);
    book(&stage, "b", 1, 999);
    book(&stage, "a", 2000, 1); /* rejected */
    book(&stage, "a", 32, 0);
    assert_int_equal(read_all(&stage), STATUS_OK);
    assert_int_equal(stage.tally.before_cut_rows, 3);
    assert_int_equal(stage.tally.sums[0].settled, 15);
    assert_int_equal(stage.tally.after_cut, 12);
    assert_int_equal(stage.tally.after_cut_last_us, 1002);
    tally_cut_end(&stage.tally);
    book(&stage, "a", 64, 2000);
    assert_int_equal(read_all(&stage), STATUS_OK);
    assert_int_equal(stage.tally.after_cut, 12);
    tally_cut(&stage.tally, 0, 3000);
    assert_int_equal(stage.tally.after_cut, 0);
    assert_int_equal(stage.tally.after_cut_last_us, 0);
    assert_int_equal(stage.tally.before_cut_rows, 0);
    end(&stage);
}

/* The earliest of the tokens booked last; one that is still to come shows that they tell nothing. */
static void test_how_far_the_bookings_are(void **state)
{
    (void)state;
    struct stage stage;
    begin(&stage);
    assert_int_equal(tally_booked_from_us(&stage.tally, 10000), 0);
    book(&stage, "other", 1, 300);
    book(&stage, "a", 1, 20000);
    book(&stage, "a", 1, 0);
    assert_int_equal(read_all(&stage), STATUS_OK);
    assert_int_equal(tally_booked_from_us(&stage.tally, 20000), 300);
    assert_int_equal(tally_booked_from_us(&stage.tally, 19999), 0);
    for (int64_t i = 0; i < TALLY_RECENT - 2; i++) book(&stage, "b", 1, 400 + i);
    assert_int_equal(read_all(&stage), STATUS_OK);
    assert_int_equal(tally_booked_from_us(&stage.tally, 20000), 300);
    book(&stage, "b", 1, 900);
    assert_int_equal(read_all(&stage), STATUS_OK);
    assert_int_equal(tally_booked_from_us(&stage.tally, 20000), 400);
    assert_int_equal(tally_booked_from_us(&stage.tally, 10000), 0);
    book(&stage, "b", 1, 901); /* the one from the future is none of the last ones any more */
    assert_int_equal(read_all(&stage), STATUS_OK);
    assert_int_equal(tally_booked_from_us(&stage.tally, 10000), 400);
    end(&stage);
}

/* A backup takes the ledger's place: with fewer rows, or with others under the same numbers. */
static void test_a_restored_ledger_is_noticed(void **state)
{
    (void)state;
    for (unsigned more = 0; more < 3; more++) {
        struct stage stage;
        begin(&stage);
        book(&stage, "a", 5, 100);
        struct fake_ledger_snapshot *backup = fake_ledger_snapshot_take(stage.store);
        book(&stage, "a", 7, 200);
        assert_int_equal(read_all(&stage), STATUS_OK);
        fake_ledger_snapshot_restore(stage.store, backup);
        for (unsigned i = 0; i < more; i++) book(&stage, "a", 9, 300);
        assert_int_equal(read_all(&stage), STATUS_RETRY);
        fake_ledger_snapshot_free(backup);
        end(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_of_each_budget),
        cmocka_unit_test(test_a_refund_without_token_counts_while_it_is_due),
        cmocka_unit_test(test_rows_after_the_cut),
        cmocka_unit_test(test_how_far_the_bookings_are),
        cmocka_unit_test(test_a_restored_ledger_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
