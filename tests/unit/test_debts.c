/* What reconcile makes of what the ledger owes Redis: the second look, which may take many slices. */
#include "core/batch.h"
#include "fake/fake_ledger.h"
#include "fake/fake_stock.h"
#include "reconcile/reconcile_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define OWED   1200 /* more than two slices */
#define CREDIT 2000

struct scene {
    struct clock clock;
    int64_t now_us;
    struct fake_ledger_store *store;
    struct ledger *ledger;
    struct fake_stock *fake;
    struct stock *stock;
    struct reconcile *reconcile;
    size_t findings, mended, said;
    struct error error;
};

static int64_t now(const struct clock *clock)
{
    return ((const struct scene *)clock)->now_us;
}

static void found(void *context, const struct finding *finding)
{
    struct scene *scene = context;
    assert_int_equal(finding->kind, FINDING_REFUND_DUE);
    scene->findings++;
    scene->mended += finding->mended;
}

static void say(void *context, const char *line)
{
    (void)line;
    ((struct scene *)context)->said++;
}

/* Deductions of budgets that the ledger does not have, and so rejects: what they took is owed. */
static void owe(struct scene *scene, struct text budget, size_t first, size_t count)
{
    static char ids[OWED][16];
    struct stock_credit credit = {.budget_id = budget, .credit_id = TEXT_LITERAL("c"), .amount = CREDIT};
    struct batch batch;
    assert_int_equal(stock_credit(scene->stock, &credit, 1, &scene->error), STATUS_OK);
    batch_init(&batch, count);
    for (size_t i = first; i < first + count; i++) {
        snprintf(ids[i], sizeof ids[i], "m%zu", i);
        struct stock_deduct taken = {.budget_id = budget, .message_id = text_of(ids[i]), .amount = 1};
        assert_int_equal(stock_deduct(scene->stock, &taken, 1, &scene->error), STATUS_OK);
        const struct deduction deduction = {.message_id = text_of(ids[i]),
                                            .budget_id = budget,
                                            .amount = 1,
                                            .deducted_at_us = taken.deducted_at_us};
        batch_append(&batch, &deduction, NULL, TEXT_NONE);
    }
    assert_int_equal(ledger_settle(scene->ledger, &batch, 0, count, &scene->error), STATUS_OK);
    batch_free(&batch);
}

static void begin(struct scene *scene)
{
    *scene = (struct scene){.clock = {now, now}, .now_us = 1000000000};
    scene->store = fake_ledger_store_new();
    scene->ledger = fake_ledger_open(scene->store);
    scene->fake = fake_stock_new(600);
    scene->stock = fake_stock_port(scene->fake);
    assert_int_equal(ledger_initialise(scene->ledger, &scene->error), STATUS_OK);
}

/* The first look. */
static void look(struct scene *scene, bool repair, int64_t repair_max)
{
    const struct reconcile_options options = {
        .ledger = scene->ledger,
        .stock = scene->stock,
        .clock = &scene->clock,
        .actor = TEXT_LITERAL("a@b"),
        .repair = repair,
        .repair_max = repair_max,
        .context = scene,
        .found = found,
        .say = say,
    };
    scene->reconcile = reconcile_new(&options);
    scene->reconcile->stage = STAGE_DEBTS;
    while (scene->reconcile->stage == STAGE_DEBTS) {
        arena_reset(&scene->reconcile->slice);
        assert_int_equal(stage_debts(scene->reconcile, &scene->error), RECONCILE_MORE);
    }
}

static enum reconcile_progress look_again(struct scene *scene, bool *done)
{
    arena_reset(&scene->reconcile->slice);
    enum reconcile_progress progress = debts_second_look(scene->reconcile, done, &scene->error);
    assert_int_not_equal(progress, RECONCILE_FAILED);
    return progress;
}

static int64_t left(struct scene *scene, struct text budget)
{
    struct stock_level level = {.budget_id = budget};
    assert_int_equal(stock_levels(scene->stock, &level, 1, &scene->error), STATUS_OK);
    return level.left;
}

static void end(struct scene *scene)
{
    reconcile_free(scene->reconcile);
    ledger_close(scene->ledger);
    fake_ledger_store_free(scene->store);
    fake_stock_free(scene->fake);
}

/* A round begins a moment before they are ripe, and they ripen in the middle of it. */
static void test_a_round_that_they_ripen_in_tells_all_or_none(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    owe(&scene, TEXT_LITERAL("nowhere"), 0, OWED);
    look(&scene, false, INT64_MAX);
    scene.now_us = scene.reconcile->debts.seen_at_us + RIPE_AFTER_US - 1;
    for (bool done = false; !done; scene.now_us++)
        if (look_again(&scene, &done) == RECONCILE_WAIT) scene.now_us = scene.reconcile->wait_until_us;
    assert_int_equal(scene.findings, OWED);
    assert_int_equal(scene.reconcile->summary.found[FINDING_REFUND_DUE], OWED);
    assert_false(scene.reconcile->summary.clean);
    end(&scene);
}

/* What is paid between the looks is no finding, and nobody waits for the rest of the time. */
static void test_what_is_paid_meanwhile_is_not_waited_for(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    owe(&scene, TEXT_LITERAL("nowhere"), 0, 1);
    look(&scene, false, INT64_MAX);
    bool done = false;
    assert_int_equal(look_again(&scene, &done), RECONCILE_WAIT);
    assert_false(done);
    struct debt paid = {.kind = DEBT_REFUND, .id = TEXT_LITERAL("m0"), .paid = true};
    assert_int_equal(ledger_debts_mark(scene.ledger, &paid, 1, &scene.error), STATUS_OK);
    assert_int_equal(look_again(&scene, &done), RECONCILE_MORE);
    assert_true(done && scene.findings == 0);
    end(&scene);
}

/* What repairs may change is counted for all budgets that the ledger does not have. */
static void test_budgets_that_the_ledger_does_not_have_share_a_limit(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    owe(&scene, TEXT_LITERAL("nowhere"), 0, 6);
    owe(&scene, TEXT_LITERAL("elsewhere"), 6, 6);
    look(&scene, true, 8);
    scene.now_us += RIPE_AFTER_US;
    bool done = false;
    assert_int_equal(look_again(&scene, &done), RECONCILE_MORE);
    assert_true(done && scene.findings == 12 && scene.mended == 8);
    assert_int_equal(scene.said, 1);
    assert_int_equal(left(&scene, TEXT_LITERAL("nowhere")), CREDIT);
    assert_int_equal(left(&scene, TEXT_LITERAL("elsewhere")), CREDIT - 6 + 2);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_round_that_they_ripen_in_tells_all_or_none),
        cmocka_unit_test(test_what_is_paid_meanwhile_is_not_waited_for),
        cmocka_unit_test(test_budgets_that_the_ledger_does_not_have_share_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
