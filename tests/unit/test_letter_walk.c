/* A walk through the dead-letter queue: it sees what was there at the start, in order, and changes nothing.
 */
#include "unit/dead_letter_stage.h"

/* Some windows. */
#define LETTERS 2500

struct scene {
    struct stage stage;
    struct letter_walk walk;
};

static void fill(struct stage *stage, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char body[24];
        snprintf(body, sizeof body, "%zu", i);
        struct publication letter = {.exchange = TEXT_LITERAL("dlx"),
                                     .routing_key = TEXT_LITERAL("key"),
                                     .body = text_of(body),
                                     .header_count = 1,
                                     .headers = {{.name = "x-bursar-reason", .value = TEXT_LITERAL("here")}}};
        assert_int_equal(publisher_publish(stage->filler, &letter, 1, &stage->error), STATUS_OK);
    }
}

static enum walk_event step(struct scene *scene, struct letter *letter)
{
    enum walk_event event = letter_walk_step(&scene->walk, letter, &scene->stage.error);
    assert_int_not_equal(event, WALK_FAILED);
    if (event == WALK_WAIT) stage_wait(&scene->stage, STEP_WAIT, scene->walk.wait_until_us);
    return event;
}

/* Looks at `limit` letters (0: all), which must come in order, and gives all back. */
static void look(struct scene *scene, int64_t limit)
{
    const struct letter_filter filter = {.reason = TEXT_LITERAL("here")};
    struct letter letter;
    int64_t seen = 0;
    letter_walk_begin(&scene->walk, &scene->stage.ports, &filter, limit);
    for (enum walk_event event = WALK_MORE; event != WALK_END;) {
        event = step(scene, &letter);
        if (event != WALK_LETTER) continue;
        char body[24];
        snprintf(body, sizeof body, "%lld", (long long)seen++);
        if (!text_equal_string(letter.body, body))
            fail_msg("'" TEXT_FORMAT "' is not %s", TEXT_ARGUMENTS(letter.body), body);
    }
    assert_int_equal(seen, limit == 0 ? LETTERS : limit);
    assert_false(scene->walk.silent);
    for (enum step closing = STEP_MORE; closing != STEP_DONE;) {
        closing = letter_walk_close_step(&scene->walk);
        stage_wait(&scene->stage, closing, scene->walk.wait_until_us);
    }
    letter_walk_free(&scene->walk);
    assert_int_equal(scene->stage.gone, 0);
}

static void test_the_order_stays(void **state)
{
    struct scene scene;
    (void)state;
    stage_begin(&scene.stage, true);
    fill(&scene.stage, LETTERS);
    look(&scene, 3); /* nothing went back before */
    look(&scene, 0);
    look(&scene, 1500); /* all went back before: it must take all of them again */
    look(&scene, 3);
    look(&scene, 0);
    assert_int_equal(fake_broker_ready(scene.stage.broker, DEAD), STAGE_LETTERS + LETTERS);
    stage_end(&scene.stage);
}

static void test_what_is_parked_meanwhile_is_not_seen(void **state)
{
    const struct letter_filter filter = {.reason = TEXT_NONE};
    struct scene scene;
    struct letter letter;
    int64_t seen = 0;
    (void)state;
    stage_begin(&scene.stage, true);
    letter_walk_begin(&scene.walk, &scene.stage.ports, &filter, 0);
    for (enum walk_event event = WALK_MORE; event != WALK_END;) {
        event = step(&scene, &letter);
        seen += event == WALK_LETTER;
        if (seen == 2) fill(&scene.stage, 5);
    }
    assert_int_equal(seen, STAGE_LETTERS);
    letter_walk_free(&scene.walk);
    stage_end(&scene.stage);
}

static void test_what_somebody_else_holds_does_not_hold_it_up_for_ever(void **state)
{
    const struct letter_filter filter = {.reason = TEXT_NONE};
    struct scene scene;
    struct letter letter;
    int64_t seen = 0, begun_us;
    (void)state;
    stage_begin(&scene.stage, true);
    begun_us = scene.stage.clock.now_us;
    letter_walk_begin(&scene.walk, &scene.stage.ports, &filter, 0);
    assert_int_equal(step(&scene, &letter), WALK_MORE);
    scene.walk.total += 7; /* as if the broker had counted what another one then took */
    for (enum walk_event event = WALK_MORE; event != WALK_END;) {
        event = step(&scene, &letter);
        seen += event == WALK_LETTER;
    }
    assert_int_equal(seen, STAGE_LETTERS);
    assert_true(scene.walk.silent);
    assert_true(scene.stage.clock.now_us - begun_us < 60 * INT64_C(1000000));
    letter_walk_free(&scene.walk);
    stage_end(&scene.stage);
}

static void test_an_empty_queue_is_not_consumed(void **state)
{
    const struct letter_filter filter = {.reason = TEXT_NONE};
    struct scene scene;
    struct letter letter;
    (void)state;
    stage_begin(&scene.stage, true);
    struct consumer *consumer = scene.stage.ports.consumer;
    scene.stage.ports.queue = TEXT_LITERAL(QUEUE);
    scene.stage.ports.consumer = NULL; /* nothing may be asked of it */
    letter_walk_begin(&scene.walk, &scene.stage.ports, &filter, 0);
    assert_int_equal(step(&scene, &letter), WALK_MORE);
    assert_int_equal(step(&scene, &letter), WALK_END);
    assert_true(!scene.walk.silent && scene.walk.others == 0);
    letter_walk_free(&scene.walk);
    scene.stage.ports.consumer = consumer;
    stage_end(&scene.stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_order_stays),
        cmocka_unit_test(test_what_is_parked_meanwhile_is_not_seen),
        cmocka_unit_test(test_what_somebody_else_holds_does_not_hold_it_up_for_ever),
        cmocka_unit_test(test_an_empty_queue_is_not_consumed),
    };
    message_decoder_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
