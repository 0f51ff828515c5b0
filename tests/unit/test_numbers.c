/* When a run changes a budget's stock, and what it says where it does not: the engine on the stock and the
 * ledger in memory, with a queue that is told what to show. */
#include "core/batch.h"
#include "fake/fake_ledger.h"
#include "fake/fake_stock.h"
#include "reconcile/reconcile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BUDGET TEXT_LITERAL("camp")
#define TOTAL  1000
#define AMOUNT 10
#define SECOND INT64_C(1000000)
#define STEPS  100000
#define FOUND  8
#define HELD   16

struct night {
    struct clock clock; /* first */
    int64_t now_us;
    struct fake_ledger_store *store;
    struct ledger *ledger;
    struct fake_stock *fake;
    struct stock *stock;
    struct queue_look look; /* what the queue shows */
    /* Deductions whose messages the worker holds; it books one at each look. */
    struct stock_deduct held[HELD];
    char ids[HELD][8];
    size_t held_count, booked_count;
    size_t looks;
    struct finding found[FOUND];
    size_t found_count;
    struct reconcile_summary summary;
};

static int64_t now(const struct clock *clock)
{
    return ((const struct night *)clock)->now_us;
}

static void book(struct night *night, const struct stock_deduct *sale)
{
    struct batch batch;
    struct error error;
    batch_init(&batch, 1);
    struct deduction deduction = {.message_id = sale->message_id,
                                  .budget_id = BUDGET,
                                  .amount = sale->amount,
                                  .deducted_at_us = sale->deducted_at_us};
    batch_append(&batch, &deduction, NULL, TEXT_NONE);
    assert_int_equal(ledger_settle(night->ledger, &batch, 0, 1, &error), STATUS_OK);
    batch_free(&batch);
}

static enum status look(void *context, struct queue_look *look, struct error *error)
{
    struct night *night = context;
    (void)error;
    night->looks++;
    if (night->booked_count < night->held_count) book(night, &night->held[night->booked_count++]);
    *look = night->look;
    return STATUS_OK;
}

static enum status find_dead_letters(void *context, const struct text *ids, size_t count, bool *found,
                                     struct error *error)
{
    (void)context, (void)ids, (void)error;
    memset(found, 0, count * sizeof *found);
    return STATUS_OK;
}

static void found_one(void *context, const struct finding *finding)
{
    struct night *night = context;
    assert_true(night->found_count < FOUND);
    night->found[night->found_count++] = *finding;
}

static void say(void *context, const char *line)
{
    (void)context;
    (void)line;
}

static void begin(struct night *night)
{
    struct error error;
    *night = (struct night){.clock = {now, now}, .now_us = SECOND, .store = fake_ledger_store_new()};
    night->ledger = fake_ledger_open(night->store);
    night->fake = fake_stock_new(600);
    night->stock = fake_stock_port(night->fake);
    struct ledger_budget budget = {.id = BUDGET, .total = TOTAL};
    struct stock_credit credit = {.budget_id = BUDGET, .credit_id = BUDGET, .amount = TOTAL};
    assert_int_equal(ledger_initialise(night->ledger, &error), STATUS_OK);
    assert_int_equal(ledger_budget_create(night->ledger, &budget, BUDGET, &error), STATUS_OK);
    assert_int_equal(stock_credit(night->stock, &credit, 1, &error), STATUS_OK);
    assert_int_equal(ledger_credit_mark(night->ledger, BUDGET, BUDGET, &error), STATUS_OK);
}

static void end(struct night *night)
{
    ledger_close(night->ledger);
    fake_ledger_store_free(night->store);
    fake_stock_free(night->fake);
}

/* Sold, and forgotten by Redis, while a worker holds the message. */
static void sell_and_forget(struct night *night)
{
    struct error error;
    struct stock_deduct *sale = &night->held[night->held_count];
    snprintf(night->ids[night->held_count], sizeof night->ids[0], "m%zu", night->held_count);
    *sale = (struct stock_deduct){
        .budget_id = BUDGET, .message_id = text_of(night->ids[night->held_count++]), .amount = AMOUNT};
    assert_int_equal(stock_deduct(night->stock, sale, 1, &error), STATUS_OK);
    assert_true(fake_stock_lose_pending(night->fake, BUDGET, sale->message_id));
}

static int64_t left(const struct night *night)
{
    return fake_stock_totals(night->fake, BUDGET).left;
}

/* A run to its end; true: it repairs. */
static void run(struct night *night, bool repair)
{
    const struct reconcile_options options = {.ledger = night->ledger,
                                              .stock = night->stock,
                                              .clock = &night->clock,
                                              .actor = TEXT_LITERAL("night@unit"),
                                              .repair = repair,
                                              .repair_max = INT64_MAX,
                                              .orphan_after_us = 3600 * SECOND,
                                              .context = night,
                                              .look = look,
                                              .find_dead_letters = find_dead_letters,
                                              .found = found_one,
                                              .say = say};
    struct error error;
    struct reconcile *reconcile = reconcile_new(&options);
    enum reconcile_progress progress = RECONCILE_MORE;
    night->found_count = 0;
    for (size_t i = 0; i < STEPS && (progress == RECONCILE_MORE || progress == RECONCILE_WAIT); i++) {
        progress = reconcile_step(reconcile, &error);
        if (progress == RECONCILE_WAIT) night->now_us = reconcile_wait_until_us(reconcile);
    }
    assert_int_equal(progress, RECONCILE_DONE);
    night->summary = *reconcile_summary(reconcile);
    reconcile_free(reconcile);
}

/* It is in no sum that was measured, so that its amount seems to be deducted for nobody; it must not be given
 * out again. */
static void test_what_is_booked_while_the_queue_is_waited_for(void **state)
{
    (void)state;
    for (unsigned lost = 0; lost < 2; lost++) {
        struct night night;
        begin(&night);
        sell_and_forget(&night);
        if (lost == 1) fake_stock_wipe(night.fake);
        run(&night, true);
        assert_int_equal(left(&night), TOTAL - AMOUNT);
        assert_int_equal(night.found_count, 1);
        assert_int_equal(night.found[0].kind, lost == 1 ? FINDING_MISSING_KEY : FINDING_LEFT_DRIFT);
        assert_true(night.found[0].mended);
        assert_true(night.summary.complete);
        end(&night);
    }
}

/* Where that happens each time, nothing is said, and nothing changed. */
static void test_more_is_booked_each_time(void **state)
{
    (void)state;
    struct night night;
    begin(&night);
    for (size_t i = 0; i < HELD; i++) sell_and_forget(&night);
    run(&night, true);
    assert_int_equal(left(&night), TOTAL - HELD * AMOUNT);
    assert_int_equal(night.looks, 6);
    assert_int_equal(night.found_count, 0);
    assert_int_equal(night.summary.unproven, 1);
    assert_false(night.summary.complete);
    end(&night);
}

static void raise_by_hand(void *context, const struct fake_stock_change *change)
{
    struct night *night = context;
    if (change->kind == FAKE_STOCK_AMENDED) fake_stock_set_left(night->fake, BUDGET, left(night) + 7);
}

/* A run that mended one thing, and then found another, cannot say that all is well. */
static void test_what_changes_while_it_is_repaired(void **state)
{
    (void)state;
    struct night night;
    begin(&night);
    fake_stock_set_left(night.fake, BUDGET, TOTAL + 5);
    fake_stock_set_observer(night.fake, raise_by_hand, &night);
    run(&night, true);
    assert_int_equal(left(&night), TOTAL + 7);
    assert_int_equal(night.found_count, 1);
    assert_true(night.found[0].mended);
    assert_false(night.summary.complete);
    fake_stock_set_observer(night.fake, NULL, NULL);
    run(&night, true);
    assert_int_equal(left(&night), TOTAL);
    assert_true(night.summary.complete);
    end(&night);
}

/* A sale without token of a budget that the ledger does not know: rejected, and given back. */
static void sell_elsewhere(struct night *night)
{
    struct batch batch;
    struct error error;
    struct deduction deduction = {
        .message_id = TEXT_LITERAL("known"), .budget_id = TEXT_LITERAL("old"), .amount = AMOUNT};
    batch_init(&batch, 1);
    batch_append(&batch, &deduction, NULL, TEXT_NONE);
    assert_int_equal(ledger_settle(night->ledger, &batch, 0, 1, &error), STATUS_OK);
    batch_free(&batch);
    struct debt_cursor cursor = {0};
    struct arena arena = {0};
    struct debt debt;
    size_t count = 0;
    assert_int_equal(ledger_debts_fetch(night->ledger, &cursor, &arena, &debt, 1, &count, &error), STATUS_OK);
    assert_int_equal(count, 1);
    debt.paid = true;
    assert_int_equal(ledger_debts_mark(night->ledger, &debt, 1, &error), STATUS_OK);
    arena_free(&arena);
}

/* Lowered by hand: while nobody sells without token, nothing in the queue explains that. */
static void test_what_is_too_low_is_raised_under_load(void **state)
{
    (void)state;
    struct night night;
    begin(&night);
    fake_stock_set_left(night.fake, BUDGET, TOTAL - AMOUNT);
    night.look.ready = 1;
    run(&night, true);
    assert_int_equal(left(&night), TOTAL);
    assert_true(night.found[0].mended);
    end(&night);
}

/* An older producer's first sale: taken from the stock, and in nothing else before its message is booked. */
static void test_a_sale_without_token_in_the_queue(void **state)
{
    (void)state;
    struct night night;
    begin(&night);
    sell_elsewhere(&night);
    fake_stock_set_left(night.fake, BUDGET, TOTAL - AMOUNT);
    night.look.ready = 1;
    run(&night, false);
    assert_int_equal(night.found_count, 1);
    assert_non_null(strstr(night.found[0].detail, "without a token"));
    run(&night, true);
    assert_int_equal(left(&night), TOTAL - AMOUNT);
    assert_int_equal(night.found_count, 1);
    assert_false(night.found[0].mended);

    night.look.ready = 0;
    night.held[night.held_count++] =
        (struct stock_deduct){.message_id = TEXT_LITERAL("older"), .amount = AMOUNT};
    run(&night, true);
    assert_int_equal(left(&night), TOTAL - AMOUNT);
    assert_int_equal(night.found_count, 1);
    assert_int_equal(night.found[0].kind, FINDING_UNTRACKED);
    end(&night);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_booked_while_the_queue_is_waited_for),
        cmocka_unit_test(test_more_is_booked_each_time),
        cmocka_unit_test(test_what_changes_while_it_is_repaired),
        cmocka_unit_test(test_what_is_too_low_is_raised_under_load),
        cmocka_unit_test(test_a_sale_without_token_in_the_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
