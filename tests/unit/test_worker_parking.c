/* What is parked, what is told to Redis, and what becomes of either at the limits, as stories in virtual
 * time. */
#include "worker_stage.h"

#include <string.h>

/* The stage with another prefetch and batch size. */
static void begin_with(size_t prefetch, size_t batch_max)
{
    story_end(&story);
    struct worker_settings settings = story_settings();
    settings.prefetch = prefetch;
    settings.batch_max = batch_max;
    settings.memory_max = 8 << 20;
    story_begin(&story, &settings);
    assert_true(story_run(&story, 5));
}

static size_t parks_in_job(void)
{
    size_t count = 0;
    for (const struct park *park = story.jobs[HAND_PUBLISHER]->parks; park != NULL; park = park->next) {
        count++;
    }
    return count;
}

static void a_flood_is_parked_in_pieces(void **state)
{
    (void)state;
    begin_with(400, 10);
    publish(400, CONTENT_UNREADABLE);
    story_deliver(&story);
    assert_int_equal(parks_in_job(), 1); /* nobody waits under light load */
    story_answer(&story, HAND_PUBLISHER);
    assert_int_equal(parks_in_job(), PARKS_AT_ONCE);
    story_answer(&story, HAND_PUBLISHER);
    assert_int_equal(parks_in_job(), 400 - 1 - PARKS_AT_ONCE);
    assert_true(story_run(&story, 10));
    assert_int_equal(story.parks, 400);
}

/* They come in one batch, where one copy does for those that are alike. */
static void each_message_keeps_where_it_came_from(void **state)
{
    (void)state;
    static const char *const keys[] = {"deduction", "deduction", "replay", ""};
    for (size_t i = 0; i < 4; i++) {
        struct worker_delivery delivery = {.tag = i + 1,
                                           .exchange = text_of(keys[i]),
                                           .routing_key = text_of(keys[i]),
                                           .properties = text_of("\x80"),
                                           .message_id = text_of("m"),
                                           .body = text_of("{\"budget_id\":\"b\",\"amount\":1}")};
        worker_step(story.worker,
                    &(struct event){.kind = EVENT_DELIVERY, .now_us = story.now_us, .delivery = &delivery});
    }
    const struct batch_item *items = story.worker->filling->items;
    for (size_t i = 0; i < 4; i++) {
        assert_true(text_equal_string(items[i].origin->routing_key, keys[i]));
        assert_true(text_equal_string(items[i].origin->exchange, keys[i]));
    }
    assert_ptr_equal(items[0].origin->exchange.data, items[1].origin->exchange.data);
}

static void a_long_reason_is_cut(void **state)
{
    (void)state;
    char reason[ERROR_TEXT_MAX];
    memset(reason, 'r', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    story.says = reason;
    publish(1, CONTENT_REFUSED);
    story_deliver(&story);
    story_answer(&story, HAND_LEDGER);
    struct text detail = story.jobs[HAND_PUBLISHER]->parks->detail;
    assert_int_equal(detail.size, 400);
    assert_memory_equal(detail.data, reason, detail.size);
    assert_true(story_run(&story, 5));
}

/* It is safe in the dead-letter queue. */
static void what_the_ledger_will_never_record_is_let_go(void **state)
{
    (void)state;
    story.refuses = JOB_RECORD;
    publish(1, CONTENT_UNREADABLE);
    assert_true(story_run(&story, 5));
    assert_true(story.messages[0].unrecordable);
    assert_int_equal(view().parks, 0);
    assert_true(view().ledger_up);
}

static void one_row_that_is_refused_takes_no_others_along(void **state)
{
    (void)state;
    story.ledger = STATUS_RETRY; /* until all three wait for it */
    publish(3, CONTENT_UNREADABLE);
    story_run(&story, 5);
    story.ledger = STATUS_OK;
    run_up_to(HAND_LEDGER, JOB_RECORD);
    assert_non_null(story.jobs[HAND_LEDGER]->parks->next);
    story.refuses = JOB_RECORD;
    assert_true(story_run(&story, 5));
    for (size_t i = 0; i < 3; i++) assert_true(story.messages[i].recorded && !story.messages[i].unrecordable);
    assert_int_equal(view().parks, 0);
}

static void a_stop_waits_for_the_record_of_what_was_parked_on_a_lost_connection(void **state)
{
    (void)state;
    story.ledger = STATUS_RETRY;
    publish(1, CONTENT_UNREADABLE);
    story_deliver(&story);
    story_answer(&story, HAND_PUBLISHER);
    story_answer(&story, HAND_LEDGER);
    story_disconnect(&story);
    story_stop(&story);
    story_answer(&story, HAND_PUBLISHER);
    assert_int_equal(view().held, 0);
    assert_false(story.stopped);
    story.ledger = STATUS_OK;
    story_run(&story, 200);
    assert_true(story.stopped);
    assert_true(story.messages[0].recorded);
}

static void a_stop_waits_for_the_commit_of_a_lost_connection(void **state)
{
    (void)state;
    publish(1, CONTENT_GOOD);
    story_deliver(&story);
    story.ledger = STATUS_RETRY;
    story_answer(&story, HAND_LEDGER);
    story_disconnect(&story);
    story_stop(&story);
    story_pass(&story, 10000);
    assert_int_equal(view().held, 0);
    assert_false(story.stopped);
    story.ledger = STATUS_OK;
    story_run(&story, 200);
    assert_true(story.stopped);
    assert_true(story.messages[0].booked);
}

static void what_comes_after_it_was_voided_is_told_so_and_acknowledged(void **state)
{
    (void)state;
    publish(1, CONTENT_VOIDED);
    story_deliver(&story);
    story_answer(&story, HAND_LEDGER);
    assert_string_equal(story.last_note, "late");
    assert_non_null(strstr(story.last_detail, "m0 of budget b"));
    assert_non_null(strstr(story.last_detail, "orphaned"));
    assert_true(story_run(&story, 5));
    assert_int_equal(view().late, 1);
    assert_int_equal(story.tells_voided, 1);
    assert_int_equal(view().parks, 0);
}

static void redis_is_told_of_a_batch_of_any_size(void **state)
{
    (void)state;
    begin_with(3000, 3000);
    publish(3000, CONTENT_GOOD);
    assert_true(story_run(&story, 10));
    assert_int_equal(story.largest_settle, 2999);
    assert_int_equal(story.tells_settled, 3000);
}

/* Redis answers nothing, not even that it is away, while batches of one deduction are booked. */
static void book_without_redis(size_t batches)
{
    story.stock = STATUS_RETRY;
    publish(1, CONTENT_GOOD);
    assert_true(story_run(&story, 5));
    run_up_to(HAND_STOCK, JOB_STOCK_PING);
    for (size_t i = 0; i < batches; i++) {
        publish(1, CONTENT_GOOD);
        story_deliver(&story);
        for (size_t turn = 0; turn < 10; turn++) story_answer(&story, HAND_LEDGER);
        assert_true(story.messages[story.message_count - 1].gone);
    }
}

static void a_silent_redis_holds_up_no_booking(void **state)
{
    (void)state;
    book_without_redis(TELLS_MAX + 1);
    assert_int_equal(view().tells_dropped, 1 + TELLS_MAX);
    story.stock = STATUS_OK;
    size_t sweeps = story.sweeps;
    story_run(&story, 400);
    assert_int_equal(story.tells_settled, 1);
    assert_int_equal(story.sweeps, sweeps + 1); /* finds the others */
}

/* All room is taken, a batch is being committed, and Redis comes back: the list in its hand stays. */
static void what_redis_has_in_hand_is_not_dropped(void **state)
{
    (void)state;
    book_without_redis(TELLS_MAX);
    uint64_t dropped = view().tells_dropped;
    publish(1, CONTENT_GOOD);
    story_deliver(&story);
    assert_int_equal(story.jobs[HAND_LEDGER]->kind, JOB_SETTLE);
    story.stock = STATUS_OK;
    story_answer(&story, HAND_STOCK);
    assert_int_equal(story.jobs[HAND_STOCK]->kind, JOB_TELL);
    story_answer(&story, HAND_LEDGER);
    assert_int_equal(view().tells_dropped, dropped + TELLS_MAX - 1);
    story_answer(&story, HAND_STOCK);
    assert_int_equal(story.tells_settled, 1);
    assert_true(story_run(&story, 5));
    assert_int_equal(story.tells_settled, 2);
}

int main(void)
{
    message_decoder_install();
    const struct CMUnitTest tests[] = {
        STORY(a_flood_is_parked_in_pieces),
        STORY(each_message_keeps_where_it_came_from),
        STORY(a_long_reason_is_cut),
        STORY(what_the_ledger_will_never_record_is_let_go),
        STORY(one_row_that_is_refused_takes_no_others_along),
        STORY(a_stop_waits_for_the_record_of_what_was_parked_on_a_lost_connection),
        STORY(a_stop_waits_for_the_commit_of_a_lost_connection),
        STORY(what_comes_after_it_was_voided_is_told_so_and_acknowledged),
        STORY(redis_is_told_of_a_batch_of_any_size),
        STORY(a_silent_redis_holds_up_no_booking),
        STORY(what_redis_has_in_hand_is_not_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
