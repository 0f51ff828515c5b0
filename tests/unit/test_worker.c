/* From a delivery to its acknowledgement, as stories in virtual time. */
#include "worker_stage.h"

#include <string.h>

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

static void the_token_tells_a_second_deduction(void **state)
{
    (void)state;
    const struct booked with = {DEDUCTION_SETTLED, 1, 100, 500, false};
    const struct booked without = {DEDUCTION_SETTLED, 1, 0, 500, false};
    const struct booked rejected = {DEDUCTION_REJECTED, 1, 100, 500, false},
                        voided = {DEDUCTION_VOIDED, 1, 100, 500, false};
    assert_int_equal(tell_kind_for(&with, 100), TELL_SETTLE);
    assert_int_equal(tell_kind_for(&with, 101), TELL_EXTRA);
    assert_int_equal(tell_kind_for(&with, 99), TELL_EXTRA);
    assert_int_equal(tell_kind_for(&without, 499), TELL_SETTLE);
    assert_int_equal(tell_kind_for(&without, 501), TELL_EXTRA);
    assert_int_equal(tell_kind_for(&rejected, 101), TELL_REJECTED);
    assert_int_equal(tell_kind_for(&voided, 100), TELL_VOIDED);
}

static void the_clean_up_takes_only_what_the_row_owns(void **state)
{
    (void)state;
    const struct booked with = {DEDUCTION_SETTLED, 7, 100, 500, false};
    const struct booked due = {DEDUCTION_REJECTED, 7, 100, 500, true};
    const struct booked due_without = {DEDUCTION_REJECTED, 7, 0, 500, true};
    const struct sweep_entry own = {.amount = 7, .deducted_at_us = 100};
    const struct sweep_entry second = {.amount = 7, .deducted_at_us = 101};
    const struct sweep_entry lied = {.amount = 8, .deducted_at_us = 100};
    const struct sweep_entry other = {.amount = 8, .deducted_at_us = 101};
    assert_true(pending_is_owned(&own, &with));
    assert_true(pending_is_owned(&second, &with));
    assert_true(pending_is_owned(&lied, &with));
    assert_false(pending_is_owned(&other, &with));
    assert_false(pending_is_owned(&own, &due));
    assert_true(pending_is_owned(&second, &due));
    assert_false(pending_is_owned(&second, &due_without));
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

static void a_large_batch_is_booked_in_slices(void **state)
{
    (void)state;
    story_end(&story);
    struct worker_settings settings = story_settings();
    settings.batch_max = 1;
    story_begin(&story, &settings);
    assert_true(story_run(&story, 5));
    publish(90, CONTENT_GOOD);
    assert_true(story_run(&story, 20));
    assert_int_equal(story.largest_settle, 1);
    assert_int_equal(story.tells_settled, 90);
}

static void items_of_one_message_are_parked_with_one_copy_of_its_properties(void **state)
{
    (void)state;
    struct worker_delivery delivery = {.tag = story.next_tag,
                                       .exchange = text_of("bursar"),
                                       .routing_key = text_of("deduction"),
                                       .properties = text_of("properties that could be large"),
                                       .body = text_of("[1,1,1]")};
    worker_step(story.worker,
                &(struct event){.kind = EVENT_DELIVERY, .now_us = story.now_us, .delivery = &delivery});
    story_effects(&story);
    const struct park *park = story.jobs[HAND_PUBLISHER]->parks;
    assert_ptr_equal(park->source, park->next->source);
    assert_ptr_equal(park->source, park->next->next->source);
    assert_int_equal(park->source->users, 3);
}

/* Twenty bytes of a batch message may hold as much as a hundred messages. */
static void the_bound_of_memory_counts_what_items_take(void **state)
{
    (void)state;
    story_end(&story);
    struct worker_settings settings = story_settings();
    settings.memory_max = 64 << 10;
    story_begin(&story, &settings);
    assert_true(story_run(&story, 5));
    char body[4096] = "[";
    for (size_t i = 0; i < 200; i++) strcat(body, i == 0 ? "1" : ",1");
    strcat(body, "]");
    struct worker_delivery delivery = {.tag = story.next_tag, .body = text_of(body)};
    assert_true(worker_wants_delivery(story.worker));
    worker_step(story.worker,
                &(struct event){.kind = EVENT_DELIVERY, .now_us = story.now_us, .delivery = &delivery});
    assert_false(worker_wants_delivery(story.worker));
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

/* They are confirmed, and wait for the ledger: so many bytes of them, and the worker reads no more. */
static void what_older_connections_parked_is_bounded_too(void **state)
{
    (void)state;
    story_end(&story);
    struct worker_settings settings = story_settings();
    settings.memory_max = 20000;
    story_begin(&story, &settings);
    assert_true(story_run(&story, 5));
    publish(1, CONTENT_GOOD);
    story_deliver(&story);
    assert_int_equal(story.jobs[HAND_LEDGER]->kind, JOB_SETTLE); /* and it does not come back */
    publish(100, CONTENT_UNREADABLE);
    for (size_t i = 0; i < 40; i++) {
        story_deliver(&story);
        while (story_answer(&story, HAND_PUBLISHER)) continue;
        story_disconnect(&story);
        story_pass(&story, 1000000);
        story_pass(&story, 1000000);
    }
    assert_in_range(story.worker->park_bytes, 1, 2 * settings.memory_max);
    assert_true(story_run(&story, 600));
    assert_int_equal(story.worker->park_bytes, 0);
}

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
        STORY(the_token_tells_a_second_deduction),
        STORY(the_clean_up_takes_only_what_the_row_owns),
        STORY(a_conflict_found_by_the_ledger_is_parked),
        STORY(one_refused_row_stands_alone_in_the_end),
        STORY(a_lost_answer_to_commit_is_asked_again_and_finds_its_own_rows),
        STORY(a_large_batch_is_booked_in_slices),
        STORY(items_of_one_message_are_parked_with_one_copy_of_its_properties),
        STORY(the_bound_of_memory_counts_what_items_take),
        STORY(a_flood_of_unreadable_messages_needs_no_memory),
        STORY(what_older_connections_parked_is_bounded_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
