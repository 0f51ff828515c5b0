/* What Redis is owed, as stories in virtual time. */
#include "worker_stage.h"

static void a_rejected_deduction_is_refunded_and_marked(void **state)
{
    (void)state;
    publish(3, CONTENT_REJECTED);
    assert_true(story_run(&story, 5));
    story_run(&story, 40);
    assert_int_equal(story.debts_paid, 3);
    assert_int_equal(story.debts_marked, 3);
    assert_int_equal(view().refunds, 3);
}

static void a_refused_refund_is_tried_less_and_less(void **state)
{
    (void)state;
    story.refuse_debts = true;
    publish(1, CONTENT_REJECTED);
    story_run(&story, 6000); /* ten minutes */
    assert_in_range(story.debts_tries, 5, 40);
    story.refuse_debts = false;
    publish(1, CONTENT_REJECTED); /* a new one need not wait for the old one's pause */
    story_run(&story, 30);
    assert_int_equal(story.debts_marked, 2);
}

static void a_refused_refund_does_not_stop_those_behind_it(void **state)
{
    (void)state;
    story.refuse_first = 1;
    publish(3, CONTENT_REJECTED);
    story_run(&story, 30);
    assert_int_equal(story.debts_marked, 2);
    assert_int_equal(view().refunds, 2);
    story.refuse_first = 0;
    story_run(&story, 700);
    assert_int_equal(story.debts_marked, 3);
}

/* The refund was given, so the repeat finds its guard or no pending entry. */
static void a_refund_whose_mark_is_refused_comes_again(void **state)
{
    (void)state;
    story.refuses = JOB_DEBTS_MARK;
    publish(1, CONTENT_REJECTED);
    story_run(&story, 10);
    assert_int_equal(story.debts_marked, 0);
    story_run(&story, 100);
    assert_int_equal(story.debts_marked, 1);
    assert_int_equal(view().refunds, 1);
    assert_int_equal(story.debts_tries, 2);
}

static void a_guard_that_cannot_be_forgotten_is_left(void **state)
{
    (void)state;
    story.debts_without_token = true;
    publish(1, CONTENT_REJECTED);
    story_deliver(&story);
    run_up_to(HAND_STOCK, JOB_DEBTS_FORGET);
    story.stock = STATUS_RETRY;
    story_answer(&story, HAND_STOCK);
    assert_false(view().stock_up);
    story.stock = STATUS_OK;
    story_run(&story, 100);
    assert_int_equal(story.debts_marked, 1);
    assert_int_equal(story.debts_tries, 1); /* nothing is given back twice for it */
    assert_int_equal(story.debts_forgotten, 0);
}

static void a_saturated_queue_starves_no_refund(void **state)
{
    (void)state;
    publish(1, CONTENT_REJECTED);
    for (size_t i = 0; i < 200; i++) { /* the ledger always has a batch waiting */
        publish(10, CONTENT_GOOD);
        story_pass(&story, 1000);
        story_deliver(&story);
        for (enum hand hand = 0; hand < HAND_COUNT; hand++) story_answer(&story, hand);
    }
    assert_int_equal(story.debts_marked, 1);
}

/* Another worker may have paid it meanwhile, and let go of the guard that kept it from being paid twice. */
static void what_was_fetched_before_an_outage_is_fetched_again(void **state)
{
    (void)state;
    story_run(&story, 200);
    story.debts_due = 1;
    run_up_to(HAND_LEDGER, JOB_DEBTS_FETCH);
    /* The ledger takes its time, and Redis is being asked whether it is there when the debt comes. */
    for (size_t i = 0; i < 600; i++) {
        const struct job *asked = story.jobs[HAND_STOCK];
        if (asked != NULL && asked->kind == JOB_STOCK_PING) break;
        story_answer(&story, HAND_STOCK);
        story_pass(&story, 100000);
    }
    story_answer(&story, HAND_LEDGER);
    assert_int_equal(story.jobs[HAND_STOCK]->kind, JOB_STOCK_PING);
    story.stock = STATUS_RETRY;
    story_answer(&story, HAND_STOCK);
    assert_false(view().stock_up);
    story_pass(&story, 3600 * INT64_C(1000000));
    story.debts_marked = 1; /* by the other one */
    story.stock = STATUS_OK;
    size_t tries = story.debts_tries;
    story_run(&story, 100);
    assert_true(view().stock_up);
    assert_int_equal(story.debts_tries, tries);
}

/* The same, where Redis goes away while the ledger is being asked. */
static void what_is_fetched_during_an_outage_is_fetched_again(void **state)
{
    (void)state;
    story_run(&story, 200);
    story.debts_due = 1;
    run_up_to(HAND_LEDGER, JOB_DEBTS_FETCH);
    story.stock = STATUS_RETRY;
    for (size_t i = 0; i < 600 && view().stock_up; i++) {
        story_answer(&story, HAND_STOCK);
        story_pass(&story, 100000);
    }
    assert_false(view().stock_up);
    story_answer(&story, HAND_LEDGER);
    story_pass(&story, 3600 * INT64_C(1000000));
    story.debts_marked = 1; /* by another worker */
    story.stock = STATUS_OK;
    size_t tries = story.debts_tries;
    story_run(&story, 100);
    assert_true(view().stock_up);
    assert_int_equal(story.debts_tries, tries);
}

int main(void)
{
    message_decoder_install();
    const struct CMUnitTest tests[] = {
        STORY(what_was_fetched_before_an_outage_is_fetched_again),
        STORY(what_is_fetched_during_an_outage_is_fetched_again),
        STORY(a_rejected_deduction_is_refunded_and_marked),
        STORY(a_refused_refund_is_tried_less_and_less),
        STORY(a_refused_refund_does_not_stop_those_behind_it),
        STORY(a_refund_whose_mark_is_refused_comes_again),
        STORY(a_guard_that_cannot_be_forgotten_is_left),
        STORY(a_saturated_queue_starves_no_refund),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
