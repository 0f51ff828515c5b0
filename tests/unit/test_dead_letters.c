/* Stories of replay and discard, on fakes: they die after each step, and every call fails once; then they are
 * run again, and the books must be right. */
#include "unit/dead_letter_stage.h"

#define STEPS_MAX 100000

/* What an engine is to the stories. `steps` 0: to the end. True: it went to its end, well or not. */
typedef bool run_engine(struct stage *stage, size_t steps, enum step *last);

static struct replay_options replay_defaults(void)
{
    return (struct replay_options){.max_replays = 1000, .max_failures = 100};
}

static bool run_replay(struct stage *stage, size_t steps, enum step *last)
{
    struct replay *replay = calloc(1, sizeof *replay);
    struct replay_options options = replay_defaults();
    size_t taken = 0;
    replay_begin(replay, &stage->ports, &options);
    do {
        *last = replay_step(replay);
        stage_wait(stage, *last, replay->wait_until_us);
        taken++;
        assert_true(taken < STEPS_MAX);
    } while ((*last == STEP_MORE || *last == STEP_WAIT) && taken != steps);
    bool over = *last == STEP_DONE || *last == STEP_FAILED;
    if (*last == STEP_FAILED) assert_int_not_equal(replay->status, STATUS_OK);
    replay_free(replay);
    free(replay);
    return over;
}

static bool run_discard(struct stage *stage, size_t steps, enum step *last)
{
    struct discard *discard = calloc(1, sizeof *discard);
    const struct discard_options options = {.limit = 0};
    size_t taken = 0;
    discard_begin(discard, &stage->ports, &options);
    do {
        *last = discard_step(discard);
        stage_wait(stage, *last, discard->wait_until_us);
        taken++;
        assert_true(taken < STEPS_MAX);
    } while ((*last == STEP_MORE || *last == STEP_WAIT) && taken != steps);
    bool over = *last == STEP_DONE || *last == STEP_FAILED;
    discard_free(discard);
    free(discard);
    return over;
}

/* Runs it again and again, as a person would. */
static void run_to_the_end(struct stage *stage, run_engine *run)
{
    enum step last;
    for (int i = 0; i < 5; i++) {
        stage_disconnect(stage);
        stage_connect(stage);
        assert_true(run(stage, 0, &last));
        if (last == STEP_DONE) return;
    }
    fail_msg("it never ends well");
}

static void check_replayed(struct stage *stage)
{
    size_t ready = fake_broker_ready(stage->broker, QUEUE);
    assert_int_equal(fake_broker_ready(stage->broker, DEAD), 0);
    assert_int_equal(fake_broker_unacknowledged(stage->broker, DEAD), 0);
    for (size_t i = 0; i < STAGE_LETTERS; i++) {
        char id[16];
        bool found = false;
        stage_id(i, id);
        for (size_t k = 0; k < ready && !found; k++) {
            struct delivery message;
            assert_true(fake_broker_peek(stage->broker, QUEUE, k, &message));
            found = text_equal_string(id_in(message.body), id);
        }
        if (!found) fail_msg("%s is lost", id);
        assert_int_equal(fake_ledger_parked(stage->store, i)->state, PARKED_REPLAYED);
    }
    assert_int_equal(fake_ledger_deduction_count(stage->store), 0);
}

/* Everything that was taken is back, but for what nobody can know: an amount that cannot be read, of a
 * producer that keeps no entries (it took nothing here). */
static void check_discarded(struct stage *stage)
{
    int64_t untracked = 0;
    assert_int_equal(fake_broker_ready(stage->broker, DEAD), 0);
    assert_int_equal(fake_broker_ready(stage->broker, QUEUE), 0);
    assert_int_equal(fake_ledger_deduction_count(stage->store), STAGE_LETTERS);
    for (size_t i = 0; i < STAGE_LETTERS; i++) {
        char id[16];
        stage_id(i, id);
        const struct fake_deduction *row = fake_ledger_deduction_find(stage->store, text_of(id));
        assert_non_null(row);
        assert_int_equal(row->state, DEDUCTION_VOIDED);
        assert_int_equal(row->reason, REASON_DISCARDED);
        assert_int_equal(row->refund, REFUND_DONE);
        if (i % 3 == 0 && i % 4 != 3) untracked += 5;
        /* What Redis took, also where the message does not say it any more. */
        if (i % 3 != 0) assert_int_equal(row->amount, 5);
        if (i % 3 != 0) assert_int_equal(row->deducted_at_us, stage->tokens[i]);
        assert_int_equal(fake_ledger_parked(stage->store, i)->state, PARKED_DISCARDED);
    }
    struct fake_stock_totals totals = fake_stock_totals(stage->stock, TEXT_LITERAL("camp"));
    assert_int_equal(totals.left, STAGE_CREDIT + untracked);
    assert_int_equal(totals.pending_count, 0);
}

static void check(struct stage *stage)
{
    if (stage->discards)
        check_discarded(stage);
    else
        check_replayed(stage);
}

static void run_well(run_engine *run, bool discards)
{
    struct stage stage;
    enum step last;
    stage_begin(&stage, discards);
    assert_true(run(&stage, 0, &last));
    assert_int_equal(last, STEP_DONE);
    assert_int_equal(stage.gone, STAGE_LETTERS);
    check(&stage);
    stage_end(&stage);
}

static void die_after_each_step(run_engine *run, bool discards)
{
    bool over = false;
    size_t steps = 1;
    for (; !over; steps++) {
        struct stage stage;
        enum step last;
        stage_begin(&stage, discards);
        over = run(&stage, steps, &last);
        run_to_the_end(&stage, run);
        check(&stage);
        stage_end(&stage);
    }
    assert_true(steps > 8);
}

static void lose_each_connection(run_engine *run, bool discards)
{
    bool reached = true;
    for (size_t at = 1; reached; at++) {
        struct stage stage;
        enum step last;
        stage_begin(&stage, discards);
        fake_broker_set_fault(stage.broker, stage_fault, &stage);
        stage.fault_at = at;
        (void)run(&stage, 0, &last);
        reached = stage.calls >= at;
        fake_broker_set_fault(stage.broker, NULL, NULL);
        run_to_the_end(&stage, run);
        check(&stage);
        stage_end(&stage);
    }
}

static void fail_each_ledger_call(run_engine *run, bool discards)
{
    static const enum fake_ledger_fault faults[] = {FAKE_LEDGER_RETRY, FAKE_LEDGER_LOST_UNWRITTEN,
                                                    FAKE_LEDGER_LOST_WRITTEN, FAKE_LEDGER_CONFIG};
    for (size_t fault = 0; fault < sizeof faults / sizeof faults[0]; fault++) {
        for (unsigned skip = 0; skip < 12; skip++) {
            struct stage stage;
            enum step last;
            stage_begin(&stage, discards);
            fake_broker_set_observer(stage.broker, NULL, NULL); /* its look would be the call that fails */
            fake_ledger_fail(stage.store, faults[fault], skip, 1);
            (void)run(&stage, 0, &last);
            fake_ledger_fail(stage.store, FAKE_LEDGER_WELL, 0, 0);
            run_to_the_end(&stage, run);
            check(&stage);
            stage_end(&stage);
        }
    }
}

static void test_all_go_back(void **state)
{
    (void)state;
    run_well(run_replay, false);
}

static void test_all_are_thrown_away(void **state)
{
    (void)state;
    run_well(run_discard, true);
}

static void test_a_replay_dies_after_each_step(void **state)
{
    (void)state;
    die_after_each_step(run_replay, false);
}

static void test_a_discard_dies_after_each_step(void **state)
{
    (void)state;
    die_after_each_step(run_discard, true);
}

static void test_a_replay_loses_each_connection(void **state)
{
    (void)state;
    lose_each_connection(run_replay, false);
}

static void test_a_discard_loses_each_connection(void **state)
{
    (void)state;
    lose_each_connection(run_discard, true);
}

static void test_each_ledger_call_of_a_replay_fails(void **state)
{
    (void)state;
    fail_each_ledger_call(run_replay, false);
}

static void test_each_ledger_call_of_a_discard_fails(void **state)
{
    (void)state;
    fail_each_ledger_call(run_discard, true);
}

static void test_redis_fails_while_letters_are_discarded(void **state)
{
    static const enum fake_stock_failure failures[] = {FAKE_STOCK_AWAY, FAKE_STOCK_LOST_QUESTION,
                                                       FAKE_STOCK_LOST_ANSWER, FAKE_STOCK_HALF};
    (void)state;
    for (size_t failure = 0; failure < 4; failure++) {
        for (size_t steps = 1; steps < 14; steps++) {
            struct stage stage;
            enum step last;
            stage_begin(&stage, true);
            /* After so many steps Redis fails, for the rest of the run. */
            struct discard *discard = calloc(1, sizeof *discard);
            const struct discard_options options = {.limit = 0};
            discard_begin(discard, &stage.ports, &options);
            for (size_t taken = 0;;) {
                if (taken++ == steps) fake_stock_fail_next(stage.stock, 100, failures[failure]);
                last = discard_step(discard);
                if (last == STEP_DONE || last == STEP_FAILED) break;
                stage_wait(&stage, last, discard->wait_until_us);
            }
            discard_free(discard);
            free(discard);
            fake_stock_fail_next(stage.stock, 0, failures[failure]);
            run_to_the_end(&stage, run_discard);
            check(&stage);
            stage_end(&stage);
        }
    }
}

/* What is parked while a replay runs is not replayed by it, and keeps its row. */
static void test_what_comes_back_meanwhile_stays(void **state)
{
    struct stage stage;
    struct replay *replay = calloc(1, sizeof *replay);
    struct replay_options options = replay_defaults();
    enum step last;
    (void)state;
    stage_begin(&stage, false);
    replay_begin(replay, &stage.ports, &options);
    bool parked = false;
    do {
        last = replay_step(replay);
        stage_wait(&stage, last, replay->wait_until_us);
        if (stage.queued == 0 || parked) continue;
        /* A worker parks the first one again, before the replay has recorded it. */
        struct parked_row row = {
            .message_id = TEXT_LITERAL("id-00"), .reason = PARK_UNPROCESSABLE, .detail = TEXT_LITERAL("x")};
        assert_int_equal(ledger_record_parked(stage.witness, &row, 1, &stage.error), STATUS_OK);
        struct publication letter = {.exchange = TEXT_LITERAL("dlx"),
                                     .routing_key = TEXT_LITERAL("key"),
                                     .body = TEXT_LITERAL("{\"message_id\":\"id-00\"}")};
        assert_int_equal(publisher_publish(stage.filler, &letter, 1, &stage.error), STATUS_OK);
        parked = true;
    } while (last == STEP_MORE || last == STEP_WAIT);
    assert_int_equal(last, STEP_DONE);
    assert_int_equal(replay->done, STAGE_LETTERS);
    assert_int_equal(fake_broker_ready(stage.broker, DEAD), 1);
    assert_int_equal(fake_ledger_parked(stage.store, 0)->state, PARKED_REPLAYED);
    assert_int_equal(fake_ledger_parked(stage.store, STAGE_LETTERS)->state, PARKED_PARKED);
    replay_free(replay);
    free(replay);
    stage_end(&stage);
}

static void test_nothing_is_published_that_a_full_queue_refuses(void **state)
{
    struct stage stage;
    struct replay *replay = calloc(1, sizeof *replay);
    struct replay_options options = replay_defaults();
    enum step last;
    (void)state;
    stage_begin(&stage, false);
    fake_broker_set_full(stage.broker, QUEUE, true);
    replay_begin(replay, &stage.ports, &options);
    while ((last = replay_step(replay)) == STEP_MORE || last == STEP_WAIT)
        stage_wait(&stage, last, replay->wait_until_us);
    assert_int_equal(last, STEP_DONE);
    assert_non_null(replay->why_stopped);
    assert_int_equal(replay->done, 0);
    assert_int_equal(replay_left(replay), STAGE_LETTERS);
    assert_int_equal(fake_broker_ready(stage.broker, DEAD), STAGE_LETTERS);
    assert_int_equal(fake_ledger_intervention(stage.store, 0)->state, INTERVENTION_ABANDONED);
    replay_free(replay);
    free(replay);
    stage_end(&stage);
}

/* The id was booked with another amount, its entry forgotten, and then used again. Whoever asks for the
 * second purchase once more must not hear that it is paid. */
static void test_a_second_purchase_that_is_discarded_is_not_paid(void **state)
{
    struct stage stage;
    struct batch batch;
    enum step last;
    static struct origin origin;
    (void)state;
    stage_begin(&stage, true);
    struct deduction first = {
        .message_id = TEXT_LITERAL("id-01"), .budget_id = TEXT_LITERAL("camp"), .amount = 7};
    batch_init(&batch, 1);
    (void)batch_append(&batch, &first, &origin, TEXT_LITERAL("{}"));
    assert_int_equal(ledger_settle(stage.witness, &batch, 0, 1, &stage.error), STATUS_OK);
    batch_free(&batch);
    assert_true(run_discard(&stage, 0, &last));
    assert_int_equal(last, STEP_DONE);
    assert_int_equal(fake_ledger_deduction_find(stage.store, first.message_id)->state, DEDUCTION_SETTLED);
    struct stock_deduct again = {.budget_id = first.budget_id, .message_id = first.message_id, .amount = 5};
    assert_int_equal(stock_deduct(stage.ports.stock, &again, 1, &stage.error), STATUS_OK);
    assert_int_equal(again.result, DEDUCT_REFUNDED);
    stage_end(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_go_back),
        cmocka_unit_test(test_all_are_thrown_away),
        cmocka_unit_test(test_a_replay_dies_after_each_step),
        cmocka_unit_test(test_a_discard_dies_after_each_step),
        cmocka_unit_test(test_a_replay_loses_each_connection),
        cmocka_unit_test(test_a_discard_loses_each_connection),
        cmocka_unit_test(test_each_ledger_call_of_a_replay_fails),
        cmocka_unit_test(test_each_ledger_call_of_a_discard_fails),
        cmocka_unit_test(test_redis_fails_while_letters_are_discarded),
        cmocka_unit_test(test_what_comes_back_meanwhile_stays),
        cmocka_unit_test(test_nothing_is_published_that_a_full_queue_refuses),
        cmocka_unit_test(test_a_second_purchase_that_is_discarded_is_not_paid),
    };
    message_decoder_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
