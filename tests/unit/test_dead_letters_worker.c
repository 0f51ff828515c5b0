/* Stories of a replay with a worker at the other end of the queue, on fakes: the replay dies after each step,
 * and in the end each deduction is booked once, and what cannot be read is parked again. */
#include "unit/dead_letter_stage.h"

struct worker_stand_in {
    struct consumer *consumer;
    struct batch batch;
    struct arena arena;
    bool parks_all; /* a fault that hits every message */
};

static void park(struct stage *stage, const struct delivery *delivery, struct text id)
{
    struct parked_row row = {.message_id = id, .reason = PARK_UNPROCESSABLE, .detail = TEXT_LITERAL("x")};
    struct publication letter = {
        .exchange = TEXT_LITERAL("dlx"),
        .routing_key = TEXT_LITERAL("key"),
        .properties = delivery->properties,
        .body = delivery->body,
        .header_count = 1,
        .headers = {{.name = "x-bursar-reason", .value = TEXT_LITERAL("unprocessable")}}};
    assert_int_equal(publisher_publish(stage->filler, &letter, 1, &stage->error), STATUS_OK);
    assert_int_equal(letter.outcome, PUBLICATION_CONFIRMED);
    assert_int_equal(ledger_record_parked(stage->witness, &row, 1, &stage->error), STATUS_OK);
}

/* Books or parks what is in the work queue. */
static void work(struct stage *stage, struct worker_stand_in *worker)
{
    static struct origin origin;
    enum consumer_event event;
    struct delivery delivery;
    for (;;) {
        assert_int_equal(consumer_next(worker->consumer, &event, &delivery, &stage->error), STATUS_OK);
        if (event != CONSUMER_DELIVERY) return;
        struct message message;
        arena_reset(&worker->arena);
        batch_reset(&worker->batch);
        message_decode(delivery.body, delivery.message_id, &worker->arena, &message);
        if (message.reason != PARK_NONE || worker->parks_all) {
            park(stage, &delivery, id_in(delivery.body));
        } else {
            (void)batch_append(&worker->batch, &message.items[0].deduction, &origin, delivery.body);
            assert_int_equal(ledger_settle(stage->witness, &worker->batch, 0, 1, &stage->error), STATUS_OK);
        }
        assert_int_equal(consumer_acknowledge(worker->consumer, delivery.tag, false, &stage->error),
                         STATUS_OK);
    }
}

static void worker_begin(struct stage *stage, struct worker_stand_in *worker)
{
    *worker = (struct worker_stand_in){.consumer = fake_consumer_open(stage->broker, QUEUE, 100)};
    batch_init(&worker->batch, 4);
    assert_int_equal(consumer_connect(worker->consumer, &stage->error), STATUS_OK);
    assert_int_equal(consumer_start(worker->consumer, &stage->error), STATUS_OK);
    fake_broker_set_observer(stage->broker, NULL, NULL); /* the worker parks, which is no replay */
}

static void worker_end(struct worker_stand_in *worker)
{
    consumer_close(worker->consumer);
    batch_free(&worker->batch);
    arena_free(&worker->arena);
}

/* At most so many steps, 0: to the end. The worker works after each `pace`th. */
static enum step run(struct stage *stage, struct worker_stand_in *worker, struct replay *replay,
                     const struct replay_options *options, size_t steps, size_t pace)
{
    enum step last = STEP_MORE;
    replay_begin(replay, &stage->ports, options);
    for (size_t taken = 1; last == STEP_MORE || last == STEP_WAIT; taken++) {
        last = replay_step(replay);
        stage_wait(stage, last, replay->wait_until_us);
        if (taken % pace == 0) work(stage, worker);
        if (taken == steps) break;
        assert_true(taken < 100000);
    }
    return last;
}

static bool is_readable(size_t index)
{
    return index % 4 != 3;
}

static void check_booked(struct stage *stage)
{
    size_t readable = 0;
    for (size_t i = 0; i < STAGE_LETTERS; i++) {
        char id[16];
        stage_id(i, id);
        const struct fake_deduction *row = fake_ledger_deduction_find(stage->store, text_of(id));
        if (!is_readable(i)) {
            assert_null(row);
            continue;
        }
        assert_non_null(row);
        assert_int_equal(row->state, DEDUCTION_SETTLED);
        readable++;
    }
    assert_int_equal(fake_ledger_deduction_count(stage->store), readable);
    assert_int_equal(fake_ledger_budget(stage->store, 0)->budget.settled, readable * 5);
    assert_int_equal(fake_broker_ready(stage->broker, QUEUE), 0);
    for (size_t i = 0; i < fake_broker_ready(stage->broker, DEAD); i++) {
        struct delivery letter;
        assert_true(fake_broker_peek(stage->broker, DEAD, i, &letter));
        assert_non_null(memmem(letter.body.data, letter.body.size, "\"x\"", 3));
    }
    assert_true(fake_broker_ready(stage->broker, DEAD) >= STAGE_LETTERS - readable);
}

static void test_it_dies_after_each_step_while_a_worker_works(void **state)
{
    (void)state;
    for (size_t pace = 1; pace < 4; pace++) {
        enum step last = STEP_MORE;
        for (size_t steps = 1; last == STEP_MORE || last == STEP_WAIT; steps++) {
            struct stage stage;
            struct worker_stand_in worker;
            struct replay *replay = calloc(1, sizeof *replay);
            struct replay_options options = {.max_replays = 5, .max_failures = 100, .rate = 8};
            stage_begin(&stage, false);
            worker_begin(&stage, &worker);
            last = run(&stage, &worker, replay, &options, steps, pace);
            replay_free(replay);
            stage_disconnect(&stage);
            stage_connect(&stage);
            assert_int_equal(run(&stage, &worker, replay, &options, 0, pace), STEP_DONE);
            replay_free(replay);
            work(&stage, &worker);
            check_booked(&stage);
            free(replay);
            worker_end(&worker);
            stage_end(&stage);
        }
    }
}

static void test_a_canary_that_lives(void **state)
{
    struct stage stage;
    struct worker_stand_in worker;
    struct replay *replay = calloc(1, sizeof *replay);
    struct replay_options options = {
        .max_replays = 5, .max_failures = 100, .canary = 2, .canary_wait_us = 60000000};
    (void)state;
    stage_begin(&stage, false);
    worker_begin(&stage, &worker);
    assert_int_equal(run(&stage, &worker, replay, &options, 0, 7), STEP_DONE);
    assert_null(replay->why_stopped);
    assert_int_equal(replay->done, STAGE_LETTERS);
    assert_int_equal(replay_matched(replay), STAGE_LETTERS);
    work(&stage, &worker);
    check_booked(&stage);
    replay_free(replay);
    free(replay);
    worker_end(&worker);
    stage_end(&stage);
}

static void test_a_canary_that_dies(void **state)
{
    (void)state;
    for (int unheard = 0; unheard < 2; unheard++) {
        struct stage stage;
        struct worker_stand_in worker;
        struct replay *replay = calloc(1, sizeof *replay);
        struct replay_options options = {
            .max_replays = 5, .max_failures = 100, .canary = 2, .canary_wait_us = 60000000};
        stage_begin(&stage, false);
        worker_begin(&stage, &worker);
        worker.parks_all = true;
        int64_t begun_us = stage.clock.now_us;
        assert_int_equal(run(&stage, &worker, replay, &options, 0, unheard ? 1000000 : 1), STEP_DONE);
        assert_non_null(strstr(replay->why_stopped, unheard ? "nothing was heard" : "was parked again"));
        assert_int_equal(replay->done, 2);
        assert_int_equal(replay_left(replay), STAGE_LETTERS - 2);
        int64_t waited_us = stage.clock.now_us - begun_us;
        assert_true(unheard ? waited_us >= 60000000 && waited_us < 70000000 : waited_us < 10000000);
        assert_int_equal(fake_ledger_deduction_count(stage.store), 0);
        replay_free(replay);
        free(replay);
        worker_end(&worker);
        stage_end(&stage);
    }
}

/* The first letters cannot go anywhere, and tell nothing of the others: those have a canary all the same. */
static void test_a_canary_that_cannot_go(void **state)
{
    struct stage stage;
    struct worker_stand_in worker;
    struct replay *replay = calloc(1, sizeof *replay);
    struct replay_options options = {
        .max_replays = 5, .max_failures = 100, .canary = 2, .canary_wait_us = 60000000};
    (void)state;
    stage_begin(&stage, false);
    worker_begin(&stage, &worker);
    fake_broker_delete_queue(stage.broker, DEAD);
    fake_broker_declare(stage.broker);
    for (int i = 0; i < 2; i++) {
        struct publication letter = {
            .exchange = TEXT_LITERAL("dlx"),
            .routing_key = TEXT_LITERAL("key"),
            .body = TEXT_LITERAL("{\"message_id\":\"elsewhere\",\"budget_id\":\"camp\",\"amount\":1}"),
            .header_count = 2,
            .headers = {{.name = "x-bursar-exchange", .value = TEXT_LITERAL("exchange")},
                        {.name = "x-bursar-routing-key", .value = TEXT_LITERAL("nowhere")}}};
        assert_int_equal(publisher_publish(stage.filler, &letter, 1, &stage.error), STATUS_OK);
    }
    stage_fill(&stage);
    worker.parks_all = true;
    assert_int_equal(run(&stage, &worker, replay, &options, 0, 1), STEP_DONE);
    assert_non_null(replay->why_stopped);
    assert_non_null(strstr(replay->why_stopped, "was parked again"));
    assert_int_equal(replay->done, 2);
    replay_free(replay);
    free(replay);
    worker_end(&worker);
    stage_end(&stage);
}

/* A ledger that stays away says nothing of the canary: it is waited for no longer than for the canary itself.
 */
static void test_a_canary_that_nobody_can_tell_of(void **state)
{
    struct stage stage;
    struct replay *replay = calloc(1, sizeof *replay);
    struct replay_options options = {
        .max_replays = 5, .max_failures = 100, .canary = 2, .canary_wait_us = 60000000};
    (void)state;
    stage_begin(&stage, false);
    replay_begin(replay, &stage.ports, &options);
    enum step step = STEP_MORE;
    for (size_t i = 0; i < 10000 && replay->stage != REPLAY_CANARY; i++)
        stage_wait(&stage, step = replay_step(replay), replay->wait_until_us);
    assert_int_equal(replay->stage, REPLAY_CANARY);
    int64_t begun_us = stage.clock.now_us;
    fake_ledger_fail(stage.store, FAKE_LEDGER_RETRY, 0, UINT32_MAX);
    for (size_t i = 0; i < 10000 && step != STEP_FAILED && step != STEP_DONE; i++)
        stage_wait(&stage, step = replay_step(replay), replay->wait_until_us);
    assert_int_equal(step, STEP_FAILED);
    assert_int_equal(replay->status, STATUS_RETRY);
    assert_true(stage.clock.now_us - begun_us < 70000000);
    assert_int_equal(replay->done, 2);
    replay_free(replay);
    free(replay);
    stage_end(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_dies_after_each_step_while_a_worker_works),
        cmocka_unit_test(test_a_canary_that_lives),
        cmocka_unit_test(test_a_canary_that_dies),
        cmocka_unit_test(test_a_canary_that_cannot_go),
        cmocka_unit_test(test_a_canary_that_nobody_can_tell_of),
    };
    message_decoder_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
