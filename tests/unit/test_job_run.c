/* What a job answers, on the stock and the ledger in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake/fake_ledger.h"
#include "fake/fake_stock.h"
#include "port/ledger_audit.h"
#include "worker/job_run.h"

static struct fake_stock *fake;
static struct job_context context;

static int set_up(void **state)
{
    (void)state;
    struct error error;
    fake = fake_stock_new(600);
    context = (struct job_context){.stock = fake_stock_port(fake)};
    struct stock_credit credit = {
        .budget_id = TEXT_LITERAL("b"), .credit_id = TEXT_LITERAL("c"), .amount = 10};
    assert_int_equal(stock_credit(context.stock, &credit, 1, &error), STATUS_OK);
    struct stock_deduct deduct = {
        .budget_id = TEXT_LITERAL("b"), .message_id = TEXT_LITERAL("m"), .amount = 3};
    assert_int_equal(stock_deduct(context.stock, &deduct, 1, &error), STATUS_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    job_context_free(&context);
    fake_stock_free(fake);
    return 0;
}

static enum status tell_extra(void)
{
    struct tell tell = {.budget_id = TEXT_LITERAL("b"),
                        .message_id = TEXT_LITERAL("m"),
                        .deducted_at_us = fake_stock_now(fake),
                        .kind = TELL_EXTRA};
    struct tells tells = {.count = 1, .items = &tell};
    struct job job = {.kind = JOB_TELL, .tells = &tells};
    job_run(&context, &job);
    return job.status;
}

/* The call is answered, and one item of it is refused: it must not pass for done, or nobody tries again. */
static void a_refused_release_is_seen(void **state)
{
    (void)state;
    fake_stock_set_left(fake, TEXT_LITERAL("b"), -1000);
    assert_int_equal(tell_extra(), STATUS_REFUSED);
    assert_int_equal(fake_stock_totals(fake, TEXT_LITERAL("b")).pending_sum, 3);
    fake_stock_set_left(fake, TEXT_LITERAL("b"), 7);
    assert_int_equal(tell_extra(), STATUS_OK);
    assert_int_equal(fake_stock_totals(fake, TEXT_LITERAL("b")).left, 10);
}

static void a_new_connection_is_told_once(void **state)
{
    (void)state;
    struct job job = {.kind = JOB_STOCK_PING};
    job_run(&context, &job);
    assert_true(job.reconnected);
    job_run(&context, &job);
    assert_false(job.reconnected);
}

static void assert_page(const struct metrics *metrics, const char *part, bool is_there)
{
    struct buffer page = {0};
    metrics_render(metrics, &page);
    if ((strstr(page.data, part) != NULL) != is_there) fail_msg("%s in\n%s", part, page.data);
    buffer_free(&page);
}

/* Whoever made it: cron's runs are on the worker's page too. */
static void the_figures_bring_the_last_reconciliation_along(void **state)
{
    (void)state;
    struct error error;
    struct metrics metrics;
    metrics_init(&metrics);
    struct fake_ledger_store *store = fake_ledger_store_new();
    struct ledger *ledger = fake_ledger_open(store);
    assert_int_equal(ledger_initialise(ledger, &error), STATUS_OK);
    struct job_context with_ledger = {.ledger = ledger, .metrics = &metrics};
    struct job job = {.kind = JOB_LEDGER_STATS};
    job_run(&with_ledger, &job);
    assert_int_equal(job.status, STATUS_OK);
    assert_page(&metrics, "bursar_reconcile_last_success", false);
    assert_page(&metrics, "bursar_reconcile_findings", false);

    struct reconcile_run run = {
        .started_at_us = 1, .finished_at_us = 2500000, .actor = TEXT_LITERAL("cron@here"), .mended = 1};
    run.found[FINDING_LEFT_DRIFT] = 3;
    run.found[FINDING_UNTRACKED] = 8;
    assert_int_equal(ledger_run_record(ledger, &run, &error), STATUS_OK);
    job_run(&with_ledger, &job);
    assert_page(&metrics, "bursar_reconcile_last_success_timestamp_seconds 0\n", true);
    assert_page(&metrics, "bursar_reconcile_findings{kind=\"left-drift\"} 3\n", true);
    assert_page(&metrics, "bursar_reconcile_findings{kind=\"untracked\"} 8\n", true);
    assert_page(&metrics, "bursar_reconcile_findings{kind=\"orphan\"} 0\n", true);
    assert_page(&metrics, "bursar_reconcile_findings_not_mended 2\n", true);
    run.complete = true;
    assert_int_equal(ledger_run_record(ledger, &run, &error), STATUS_OK);
    job_run(&with_ledger, &job);
    assert_page(&metrics, "bursar_reconcile_last_success_timestamp_seconds 2.5\n", true);

    fake_ledger_fail(store, FAKE_LEDGER_RETRY, 1, 1); /* the second of its two calls */
    job_run(&with_ledger, &job);
    assert_int_equal(job.status, STATUS_RETRY);
    ledger_close(ledger);
    fake_ledger_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_refused_release_is_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_connection_is_told_once, set_up, tear_down),
        cmocka_unit_test(the_figures_bring_the_last_reconciliation_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
