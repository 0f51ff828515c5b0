/* Services that go away and come back, stopping and being stuck, as stories in virtual time. */
#include "worker_stage.h"

static void with_the_ledger_away_everything_is_kept_and_nothing_returned(void **state)
{
    (void)state;
    story.ledger = STATUS_RETRY;
    publish(300, CONTENT_GOOD);
    story_run(&story, 100);
    assert_int_equal(story.acks, 0);
    assert_int_equal(story.connects, 1);
    assert_int_equal(view().held, 100); /* the prefetch */
    assert_false(view().ledger_up);
    story.ledger = STATUS_OK;
    assert_true(story_run(&story, 600));
    assert_true(view().ledger_up);
    assert_int_equal(story.connects, 1);
}

static void without_a_ledger_nothing_is_fetched(void **state)
{
    (void)state;
    story_end(&story);
    begin();
    story.ledger = STATUS_RETRY;
    publish(1, CONTENT_GOOD);
    story_run(&story, 50);
    assert_true(story.connected);
    assert_int_equal(story.starts, 0);
    story.ledger = STATUS_OK;
    assert_true(story_run(&story, 600));
}

static void with_redis_away_bookings_go_on_and_the_clean_up_follows(void **state)
{
    (void)state;
    size_t sweeps = story.sweeps;
    story.stock = STATUS_RETRY;
    publish(400, CONTENT_GOOD);
    assert_true(story_run(&story, 60));
    assert_false(view().stock_up);
    story.stock = STATUS_OK;
    story_run(&story, 400);
    assert_true(view().stock_up);
    assert_int_equal(view().tells_dropped + story.tells_settled, 400);
    assert_true(view().tells_dropped > 0);
    assert_true(story.sweeps > sweeps);
}

/* It may be another one: after a failover, or from a dump, entries that were cleared long ago are pending
 * again. */
static void a_redis_that_comes_back_is_cleaned_up(void **state)
{
    (void)state;
    size_t sweeps = story.sweeps;
    story.stock = STATUS_RETRY;
    for (size_t i = 0; i < 600 && view().stock_up; i++) { /* until a walk over the debts notices */
        story.debts_due++;
        story_run(&story, 1);
    }
    assert_false(view().stock_up);
    assert_int_equal(view().tells_dropped, 0);
    story.stock = STATUS_OK;
    story_run(&story, 600);
    assert_true(view().stock_up);
    assert_int_equal(story.sweeps, sweeps + 1);
}

static void a_redis_that_dies_in_silence_is_noticed(void **state)
{
    (void)state;
    assert_true(view().stock_up);
    story.stock = STATUS_RETRY;
    int64_t begun_us = story.now_us;
    for (size_t i = 0; i < 600 && view().stock_up; i++) story_run(&story, 1);
    assert_false(view().stock_up);
    assert_in_range(story.now_us - begun_us, 0, 2 * STOCK_INTERVAL_US);
    story.stock = STATUS_OK;
    for (size_t i = 0; i < 600 && !view().stock_up; i++) story_run(&story, 1);
    assert_true(view().stock_up);
}

/* Redis goes away for a moment while it is told of a deduction, so that a clean-up follows. */
static void provoke_clean_up(void)
{
    story.stock = STATUS_RETRY;
    publish(1, CONTENT_GOOD);
    assert_true(story_run(&story, 5));
    story.stock = STATUS_OK;
}

static void the_clean_up_resolves_what_the_ledger_knows(void **state)
{
    (void)state;
    story.pendings = 10;
    provoke_clean_up();
    story_run(&story, 400);
    assert_int_equal(story.resolved, 6); /* 3 of 5, twice */
}

static void a_refused_slice_does_not_end_the_clean_up(void **state)
{
    (void)state;
    static const enum job_kind kinds[] = {JOB_SWEEP_SCAN, JOB_SWEEP_RESOLVE};
    for (size_t i = 0; i < 2; i++) {
        size_t sweeps = story.sweeps;
        story.pendings = 10;
        story.refuses = kinds[i];
        provoke_clean_up();
        story_run(&story, 400);
        assert_int_equal(story.refuses, JOB_NONE);
        assert_int_equal(story.sweeps, sweeps + 1);
        story_run(&story, 400); /* and what was refused is tried again */
        assert_int_equal(story.sweeps, sweeps + 2);
    }
}

/* The ledger refuses it as a whole: that is no matter of one budget. */
static void a_refused_look_up_begins_the_clean_up_anew(void **state)
{
    (void)state;
    size_t sweeps = story.sweeps;
    story.pendings = 10;
    story.refuses = JOB_SWEEP_LOOKUP;
    provoke_clean_up();
    story_run(&story, 400);
    assert_int_equal(story.refuses, JOB_NONE);
    assert_int_equal(story.sweeps, sweeps + 2);
    assert_int_equal(story.resolved, 6);
}

static void a_spoilt_budget_does_not_keep_the_clean_up_running(void **state)
{
    (void)state;
    story_run(&story, 200);
    size_t sweeps = story.sweeps;
    story.stock_refuses_tells = true;  /* every batch asks for a clean-up */
    for (size_t i = 0; i < 600; i++) { /* a minute */
        publish(1, CONTENT_GOOD);
        story_run(&story, 1);
    }
    assert_in_range(story.sweeps - sweeps, 4, 8);
}

static void a_redis_that_refuses_writes_is_not_read_again_and_again(void **state)
{
    (void)state;
    story_run(&story, 200);
    size_t sweeps = story.sweeps;
    story.pendings = 10;
    provoke_clean_up();
    for (size_t i = 0; i < 600; i++) { /* a minute */
        story.stock_refuses_writes = true;
        story_run(&story, 1);
    }
    assert_in_range(story.sweeps - sweeps, 3, 8);
    story.stock_refuses_writes = false;
    for (size_t i = 0; i < 300 && story.resolved < 6; i++) story_run(&story, 1);
    assert_int_equal(story.resolved, 6);
}

static void a_clean_up_begins_anew_after_an_outage(void **state)
{
    (void)state;
    static const struct {
        enum hand hand;
        enum job_kind kind;
    } outages[] = {{HAND_LEDGER, JOB_SWEEP_BUDGET},
                   {HAND_STOCK, JOB_SWEEP_SCAN},
                   {HAND_LEDGER, JOB_SWEEP_LOOKUP},
                   {HAND_STOCK, JOB_SWEEP_RESOLVE}};
    for (size_t i = 0; i < sizeof outages / sizeof outages[0]; i++) {
        story.pendings = 10;
        story.resolved = 0;
        provoke_clean_up();
        run_up_to(outages[i].hand, outages[i].kind);
        story.ledger = outages[i].hand == HAND_LEDGER ? STATUS_RETRY : STATUS_OK;
        story.stock = outages[i].hand == HAND_STOCK ? STATUS_RETRY : STATUS_OK;
        story_answer(&story, outages[i].hand);
        assert_true(view().ledger_up == (story.ledger == STATUS_OK));
        assert_true(view().stock_up == (story.stock == STATUS_OK));
        story.ledger = story.stock = STATUS_OK;
        story_run(&story, 400);
        assert_int_equal(story.resolved, 6);
    }
}

static void an_unreachable_broker_is_tried_again_with_growing_pauses(void **state)
{
    (void)state;
    story.connect = STATUS_RETRY;
    story_disconnect(&story);
    size_t before = story.connects;
    for (size_t i = 0; i < 600; i++) story_pass(&story, 100000); /* a minute */
    size_t tries = story.connects - before;
    assert_in_range(tries, 5, 20);
    story.connect = STATUS_OK;
    publish(1, CONTENT_GOOD);
    assert_true(story_run(&story, 700));
}

/* An acknowledgement and the next read may both find the connection gone. */
static void a_loss_told_twice_is_one_loss(void **state)
{
    (void)state;
    static const struct error lost = {"connection reset"};
    story.connect = STATUS_RETRY;
    story_disconnect(&story);
    int64_t at_us = worker_deadline_us(story.worker);
    worker_step(story.worker,
                &(struct event){.kind = EVENT_DISCONNECTED, .now_us = story.now_us, .error = &lost});
    assert_int_equal(worker_deadline_us(story.worker), at_us);
    struct effect effect;
    assert_false(worker_next_effect(story.worker, &effect));
}

static void a_cancelled_consumer_finishes_and_connects_again(void **state)
{
    (void)state;
    publish(5, CONTENT_GOOD);
    story_deliver(&story);
    story_cancel(&story);
    assert_int_equal(story.disconnects, 0);
    assert_true(story_run(&story, 50));
    assert_int_equal(story.disconnects, 1);
    assert_int_equal(story.connects, 2);
    assert_true(story.consuming);
}

static void a_stop_finishes_what_is_held_and_says_so(void **state)
{
    (void)state;
    publish(25, CONTENT_GOOD);
    publish(2, CONTENT_UNREADABLE);
    story_deliver(&story);
    story_stop(&story);
    assert_int_equal(story.cancels, 1);
    story_cancel(&story); /* the broker says yes: nothing to remark on */
    assert_string_not_equal(story.last_note, "consumer-cancelled");
    assert_false(story.stopped);
    assert_true(story_run(&story, 50));
    assert_true(story.stopped);
    assert_int_equal(story.tells_settled, 25);
    assert_int_equal(story.disconnects, 0); /* the shell closes what is left */
    struct effect effect;
    assert_false(worker_next_effect(story.worker, &effect));
}

static void a_stop_does_not_wait_longer_than_its_time(void **state)
{
    (void)state;
    story.ledger = STATUS_RETRY;
    publish(5, CONTENT_GOOD);
    story_deliver(&story);
    story_stop(&story);
    story_run(&story, 200);
    story_stop(&story); /* asked for again: no reason to wait longer */
    story_run(&story, 40);
    assert_false(story.stopped);
    story_run(&story, 20);
    assert_true(story.stopped);
    assert_false(worker_wants_delivery(story.worker));
    assert_int_equal(story.acks, 0);
}

static void a_stuck_worker_says_so(void **state)
{
    (void)state;
    publish(1, CONTENT_GOOD);
    story_deliver(&story); /* the commit never comes back */
    story_pass(&story, 59000000);
    assert_false(view().stalled);
    story_pass(&story, 2000000);
    assert_true(view().stalled);
    story_answer(&story, HAND_LEDGER);
    assert_false(view().stalled);
}

static void a_worker_whose_parking_waits_for_the_broker_is_not_stuck(void **state)
{
    (void)state;
    story.refuse_confirms = true;
    publish(3, CONTENT_UNREADABLE);
    story_run(&story, 1500); /* longer than stall_after */
    assert_int_equal(view().held, 3);
    assert_false(view().stalled);
}

static void an_idle_worker_is_not_stuck(void **state)
{
    (void)state;
    for (size_t i = 0; i < 100; i++) story_run(&story, 10);
    assert_false(view().stalled);
}

int main(void)
{
    message_decoder_install();
    const struct CMUnitTest tests[] = {
        STORY(with_the_ledger_away_everything_is_kept_and_nothing_returned),
        STORY(without_a_ledger_nothing_is_fetched),
        STORY(with_redis_away_bookings_go_on_and_the_clean_up_follows),
        STORY(a_redis_that_comes_back_is_cleaned_up),
        STORY(a_redis_that_dies_in_silence_is_noticed),
        STORY(the_clean_up_resolves_what_the_ledger_knows),
        STORY(a_refused_slice_does_not_end_the_clean_up),
        STORY(a_refused_look_up_begins_the_clean_up_anew),
        STORY(a_spoilt_budget_does_not_keep_the_clean_up_running),
        STORY(a_redis_that_refuses_writes_is_not_read_again_and_again),
        STORY(a_clean_up_begins_anew_after_an_outage),
        STORY(an_unreachable_broker_is_tried_again_with_growing_pauses),
        STORY(a_loss_told_twice_is_one_loss),
        STORY(a_cancelled_consumer_finishes_and_connects_again),
        STORY(a_stop_finishes_what_is_held_and_says_so),
        STORY(a_stop_does_not_wait_longer_than_its_time),
        STORY(a_stuck_worker_says_so),
        STORY(a_worker_whose_parking_waits_for_the_broker_is_not_stuck),
        STORY(an_idle_worker_is_not_stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
