/* The worker's core as stories in virtual time. What must hold at every effect is asserted by the stage
 * itself (fake/story.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/worker_state.h"
#include "fake/story.h"

static struct story story;

static void begin(void)
{
    struct worker_settings settings = story_settings();
    story_begin(&story, &settings);
}

/* Connected, ledger and Redis up, the first clean-up done. */
static void begin_running(void)
{
    begin();
    assert_true(story_run(&story, 5));
    assert_true(story.consuming);
}

static struct worker_view view(void)
{
    struct worker_view seen;
    worker_observe(story.worker, &seen);
    return seen;
}

static int set_up(void **state)
{
    (void)state;
    begin_running();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    story_end(&story);
    return 0;
}

static void publish(size_t count, enum story_content content)
{
    for (size_t i = 0; i < count; i++) story_publish(&story, content);
}

static void a_delivery_is_acknowledged_after_its_commit_and_not_before(void **state)
{
    (void)state;
    publish(1, CONTENT_GOOD);
    story_deliver(&story);
    assert_non_null(story.jobs[HAND_LEDGER]);
    assert_int_equal(story.jobs[HAND_LEDGER]->kind, JOB_SETTLE);
    story_pass(&story, 500000);
    assert_int_equal(story.acks, 0);
    story_answer(&story, HAND_LEDGER);
    assert_int_equal(story.acks, 1);
    assert_true(story.messages[0].gone);
}

static void the_next_batch_fills_while_one_commits(void **state)
{
    (void)state;
    publish(31, CONTENT_GOOD);
    story_deliver(&story);
    assert_int_equal(story.jobs[HAND_LEDGER]->settle.count, 1); /* nobody waits under light load */
    story_answer(&story, HAND_LEDGER);
    assert_int_equal(story.jobs[HAND_LEDGER]->settle.count, 10); /* batch_max */
    assert_true(story_run(&story, 5));
    assert_int_equal(story.multiple_acks, story.acks);
    assert_int_equal(story.tells_settled, 31);
}

static void a_tag_of_an_older_connection_is_never_acknowledged(void **state)
{
    (void)state;
    publish(3, CONTENT_GOOD);
    story_deliver(&story);
    story_disconnect(&story);
    story_answer(&story, HAND_LEDGER); /* booked, but its connection is gone */
    assert_int_equal(story.acks, 0);
    assert_true(story_run(&story, 20));
    assert_int_equal(story.connects, 2);
}

static void a_late_commit_does_not_acknowledge_the_same_tag_of_the_next_connection(void **state)
{
    (void)state;
    publish(1, CONTENT_GOOD);
    story_deliver(&story);
    story_disconnect(&story);
    story.messages[0].gone = true; /* another worker took it meanwhile */
    story_pass(&story, 1000000);
    publish(1, CONTENT_GOOD);
    story_deliver(&story);
    assert_int_equal(story.messages[1].tag, 1);
    story_answer(&story, HAND_LEDGER); /* the commit of the first connection's batch */
    assert_int_equal(story.acks, 0);
    assert_true(story_run(&story, 20));
}

static void what_cannot_be_recorded_is_not_acknowledged(void **state)
{
    (void)state;
    publish(1, CONTENT_UNREADABLE);
    story_deliver(&story);
    story.ledger = STATUS_RETRY;
    story_answer(&story, HAND_PUBLISHER);
    story_run(&story, 20);
    assert_int_equal(story.acks, 0);
    story.ledger = STATUS_OK;
    assert_true(story_run(&story, 600));
    assert_int_equal(story.parks, 1); /* parked once all the same */
}

static void what_is_unreadable_is_acknowledged_once_confirmed_and_recorded(void **state)
{
    (void)state;
    publish(1, CONTENT_UNREADABLE);
    story_deliver(&story);
    assert_int_equal(story.jobs[HAND_PUBLISHER]->kind, JOB_PARK);
    story_answer(&story, HAND_PUBLISHER);
    assert_int_equal(story.acks, 0);
    assert_int_equal(story.jobs[HAND_LEDGER]->kind, JOB_RECORD);
    story_answer(&story, HAND_LEDGER);
    assert_int_equal(story.acks, 1);
    assert_int_equal(view().parks, 0);
}

static void without_confirm_it_stays_and_is_tried_again(void **state)
{
    (void)state;
    story.refuse_confirms = true;
    publish(1, CONTENT_UNREADABLE);
    assert_false(story_run(&story, 50));
    assert_int_equal(story.acks, 0);
    story.refuse_confirms = false;
    assert_true(story_run(&story, 400));
    assert_int_equal(story.parks, 1);
}

static void a_message_stuck_in_parking_does_not_hold_up_the_others(void **state)
{
    (void)state;
    story.refuse_confirms = true;
    publish(1, CONTENT_UNREADABLE);
    publish(250, CONTENT_GOOD); /* more than the prefetch */
    assert_false(story_run(&story, 50));
    for (size_t i = 1; i <= 250; i++) assert_true(story.messages[i].gone);
    assert_false(story.messages[0].gone);
    story.refuse_confirms = false;
    assert_true(story_run(&story, 400));
}

static void a_conflict_found_by_the_ledger_is_parked(void **state)
{
    (void)state;
    publish(5, CONTENT_GOOD);
    publish(1, CONTENT_CONFLICT);
    publish(5, CONTENT_GOOD);
    assert_true(story_run(&story, 20));
    assert_int_equal(story.parks, 1);
    assert_true(story.messages[5].recorded);
}

static void one_refused_row_stands_alone_in_the_end(void **state)
{
    (void)state;
    publish(13, CONTENT_GOOD);
    publish(1, CONTENT_REFUSED);
    publish(11, CONTENT_GOOD);
    publish(1, CONTENT_REFUSED);
    assert_true(story_run(&story, 40));
    assert_int_equal(story.parks, 2);
    for (size_t i = 0; i < story.message_count; i++) {
        bool refused = story.messages[i].content == CONTENT_REFUSED;
        assert_int_equal(story.messages[i].recorded, refused);
        assert_int_equal(story.messages[i].booked, !refused);
    }
}

static void a_lost_answer_to_commit_is_asked_again_and_finds_its_own_rows(void **state)
{
    (void)state;
    story.lose_commit_answer = true;
    publish(1, CONTENT_GOOD);
    story_deliver(&story);
    story_answer(&story, HAND_LEDGER);
    assert_int_equal(story.acks, 0);
    assert_true(story_run(&story, 20));
    assert_int_equal(story.settles, 2);
    assert_int_equal(story.tells_settled, 1);
}

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
    assert_false(story.stopped);
    assert_true(story_run(&story, 50));
    assert_true(story.stopped);
    assert_int_equal(story.tells_settled, 25);
    assert_int_equal(story.disconnects, 0); /* the shell closes what is left */
}

static void a_stop_does_not_wait_longer_than_its_time(void **state)
{
    (void)state;
    story.ledger = STATUS_RETRY;
    publish(5, CONTENT_GOOD);
    story_deliver(&story);
    story_stop(&story);
    story_run(&story, 240);
    assert_false(story.stopped);
    story_run(&story, 20);
    assert_true(story.stopped);
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

static void an_idle_worker_is_not_stuck(void **state)
{
    (void)state;
    for (size_t i = 0; i < 100; i++) story_run(&story, 10);
    assert_false(view().stalled);
}

static void a_flood_of_unreadable_messages_needs_no_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < 40; i++) {
        publish(100, CONTENT_UNREADABLE);
        assert_true(story_run(&story, 10));
        assert_in_range(story.worker->filling->arena.used, 0, 4096);
    }
    assert_int_equal(story.parks, 4000);
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    message_decoder_install();
    const struct CMUnitTest tests[] = {
        STORY(a_delivery_is_acknowledged_after_its_commit_and_not_before),
        STORY(the_next_batch_fills_while_one_commits),
        STORY(a_tag_of_an_older_connection_is_never_acknowledged),
        STORY(a_late_commit_does_not_acknowledge_the_same_tag_of_the_next_connection),
        STORY(what_cannot_be_recorded_is_not_acknowledged),
        STORY(what_is_unreadable_is_acknowledged_once_confirmed_and_recorded),
        STORY(without_confirm_it_stays_and_is_tried_again),
        STORY(a_message_stuck_in_parking_does_not_hold_up_the_others),
        STORY(a_conflict_found_by_the_ledger_is_parked),
        STORY(one_refused_row_stands_alone_in_the_end),
        STORY(a_lost_answer_to_commit_is_asked_again_and_finds_its_own_rows),
        STORY(with_the_ledger_away_everything_is_kept_and_nothing_returned),
        STORY(without_a_ledger_nothing_is_fetched),
        STORY(with_redis_away_bookings_go_on_and_the_clean_up_follows),
        STORY(a_rejected_deduction_is_refunded_and_marked),
        STORY(a_saturated_queue_starves_no_refund),
        STORY(an_unreachable_broker_is_tried_again_with_growing_pauses),
        STORY(a_cancelled_consumer_finishes_and_connects_again),
        STORY(a_stop_finishes_what_is_held_and_says_so),
        STORY(a_stop_does_not_wait_longer_than_its_time),
        STORY(a_stuck_worker_says_so),
        STORY(an_idle_worker_is_not_stuck),
        STORY(a_flood_of_unreadable_messages_needs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
