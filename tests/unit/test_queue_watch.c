/* Whether a message of a deduction can still be in the queue, or in a worker's hands. */
#include "reconcile/reconcile_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)

struct post {
    struct clock clock; /* first */
    int64_t now_us;
    struct queue_look look;
    bool broker_away;
    size_t looks, lines;
    struct reconcile reconcile;
};

static int64_t monotonic(const struct clock *clock)
{
    return ((const struct post *)clock)->now_us;
}

static enum status look(void *context, struct queue_look *look, struct error *error)
{
    struct post *post = context;
    post->looks++;
    if (post->broker_away) return error_set(error, STATUS_RETRY, "the broker is away");
    *look = post->look;
    return STATUS_OK;
}

static void say(void *context, const char *line)
{
    (void)line;
    ((struct post *)context)->lines++;
}

/* Deductions are an hour old before they are orphans; Redis's clock is the other one, plus 100,000 s. */
static void begin(struct post *post, struct queue_look look_at)
{
    memset(post, 0, sizeof *post);
    post->clock = (struct clock){monotonic, monotonic};
    post->now_us = 100 * SECOND;
    post->look = look_at;
    post->reconcile.options = (struct reconcile_options){
        .clock = &post->clock, .context = post, .look = look, .say = say, .orphan_after_us = 3600 * SECOND};
    post->reconcile.summary.complete = true;
    post->reconcile.measure.second.now_us = 100100 * SECOND;
    post->reconcile.measure.second_at_us = post->now_us;
}

/* Asks, and waits for as long as it is told to. */
static enum queue_answer ask(struct post *post, int64_t token_us, bool strict)
{
    enum queue_answer answer;
    for (size_t i = 0; i < 1000; i++) {
        answer = queue_is_past(&post->reconcile, token_us, strict);
        if (answer != QUEUE_WAIT) break;
        assert_true(post->reconcile.wait_until_us > post->now_us);
        post->now_us = post->reconcile.wait_until_us;
    }
    return answer;
}

static void booked(struct post *post, int64_t token_us)
{
    struct tally *tally = &post->reconcile.tally;
    tally->recent[tally->recent_count++ % TALLY_RECENT] = token_us;
}

static void test_what_the_broker_tells(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct queue_look look;
        enum queue_answer answer;
    } cases[] = {
        {"nobody is there to hold any", {.consumers = 0, .held = -1}, QUEUE_PAST},
        {"a backlog, and nobody works on it", {.ready = 1, .consumers = 0, .held = -1}, QUEUE_NOT_PAST},
        {"a backlog", {.ready = 7, .consumers = 1, .held = 0}, QUEUE_NOT_PAST},
        {"the only worker holds nothing", {.consumers = 1, .held = 0}, QUEUE_PAST},
        {"the only worker holds one", {.consumers = 1, .held = 1}, QUEUE_NOT_PAST},
        {"what the only worker holds is not known", {.consumers = 1, .held = -1}, QUEUE_NOT_PAST},
        {"what several workers hold is not known", {.consumers = 2, .held = -1}, QUEUE_NOT_PAST},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct post post;
        begin(&post, cases[i].look);
        enum queue_answer answer = ask(&post, 90000 * SECOND, false);
        if (answer != cases[i].answer) print_error("%s\n", cases[i].name);
        assert_int_equal(answer, cases[i].answer);
    }
}

/* A worker whose connection was cut is given everything again; for a moment it says that it holds nothing. */
static void test_a_worker_that_connects_anew(void **state)
{
    (void)state;
    struct post post;
    begin(&post, (struct queue_look){.consumers = 1, .held = 6});
    assert_int_equal(queue_is_past(&post.reconcile, 0, true), QUEUE_WAIT);
    post.now_us += SECOND;
    post.look.held = 0;
    assert_int_equal(queue_is_past(&post.reconcile, 0, true), QUEUE_WAIT);
    post.now_us += SECOND / 5;
    post.look.held = 6;
    assert_int_equal(queue_is_past(&post.reconcile, 0, true), QUEUE_WAIT);
    post.look.held = 0;
    assert_int_equal(ask(&post, 0, true), QUEUE_PAST);
}

/* A queue that was quiet a while ago is looked at for as long as one that was never seen. */
static void test_a_queue_that_is_looked_at_anew(void **state)
{
    (void)state;
    struct post post;
    begin(&post, (struct queue_look){.consumers = 1, .held = 0});
    assert_int_equal(ask(&post, 0, true), QUEUE_PAST);
    post.now_us += 60 * SECOND;
    queue_forget(&post.reconcile);
    int64_t before_us = post.now_us;
    size_t looks = post.looks;
    assert_int_equal(ask(&post, 0, true), QUEUE_PAST);
    assert_true(post.now_us - before_us >= SECOND / 2);
    assert_true(post.looks - looks >= 5);
}

/* Bookings are beyond a deduction when all of the last ones are, by orphan_after, and have been for a while.
 */
static void test_bookings_beyond_a_deduction(void **state)
{
    (void)state;
    const struct queue_look backlog = {.ready = 5, .consumers = 2, .held = -1};
    const int64_t token_us = 90000 * SECOND;
    struct post post;
    begin(&post, backlog);
    booked(&post, token_us + 3600 * SECOND);
    booked(&post, token_us + 3700 * SECOND);
    int64_t before_us = post.now_us;
    assert_int_equal(ask(&post, token_us, false), QUEUE_PAST);
    assert_true(post.now_us - before_us >= 10 * SECOND);
    assert_int_equal(ask(&post, token_us, true), QUEUE_NOT_PAST); /* a replayed one stands behind them */
    assert_int_equal(ask(&post, token_us + 1, false), QUEUE_NOT_PAST);

    begin(&post, backlog);
    booked(&post, token_us + 3600 * SECOND - 1); /* published late by as much as is allowed */
    booked(&post, token_us + 3700 * SECOND);
    assert_int_equal(ask(&post, token_us, false), QUEUE_NOT_PAST);

    begin(&post, backlog);
    assert_int_equal(ask(&post, token_us, false), QUEUE_NOT_PAST); /* nothing is booked at all */
}

/* Redis's clock was set back by more than an hour: what was deducted before, and stands before the deduction
 * in the queue, seems to be younger. */
static void test_a_clock_that_was_set_back(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t booked_us, second_us; /* the token of what was booked, of all but one and of that one */
        size_t ahead_count;           /* entries whose time is still to come */
        enum queue_answer answer;
    } cases[] = {
        {"it was not set back", 93600 * SECOND, 100100 * SECOND, 0, QUEUE_PAST},
        {"an entry is still to come", 93600 * SECOND, 100100 * SECOND, 1, QUEUE_NOT_PAST},
        {"all that was booked is", 100200 * SECOND, 100200 * SECOND, 0, QUEUE_NOT_PAST},
        {"one of what was booked is", 93600 * SECOND, 100200 * SECOND, 0, QUEUE_NOT_PAST},
        {"booked since the audit", 93600 * SECOND, 100101 * SECOND, 0, QUEUE_PAST},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct post post;
        begin(&post, (struct queue_look){.ready = 5000, .consumers = 1, .held = 500});
        post.reconcile.measure.ahead_count = cases[i].ahead_count;
        for (size_t row = 1; row < TALLY_RECENT; row++) booked(&post, cases[i].booked_us);
        booked(&post, cases[i].second_us);
        enum queue_answer answer = ask(&post, 90000 * SECOND, false);
        if (answer != cases[i].answer) fail_msg("%s", cases[i].name);
    }
}

/* And so it is where it was set back after the bookings were seen, or another budget has the entry. */
static void test_a_clock_that_is_set_back_meanwhile(void **state)
{
    (void)state;
    for (unsigned of_another = 0; of_another < 2; of_another++) {
        struct post post;
        begin(&post, (struct queue_look){.ready = 5, .consumers = 1, .held = 5});
        booked(&post, 100000 * SECOND);
        queue_note_booked(&post.reconcile);
        post.now_us += 20 * SECOND;
        queue_note_booked(&post.reconcile);
        post.reconcile.measure.ahead_count = of_another;
        queue_note_booked(&post.reconcile);
        post.reconcile.measure.ahead_count = 0;
        post.reconcile.measure.second_at_us = post.now_us;
        if (of_another == 0) post.reconcile.measure.second.now_us = 95000 * SECOND;
        assert_int_equal(ask(&post, 90000 * SECOND, false), QUEUE_NOT_PAST);
    }
}

static void test_a_broker_that_does_not_answer(void **state)
{
    (void)state;
    struct post post;
    begin(&post, (struct queue_look){.consumers = 0});
    post.broker_away = true;
    assert_int_equal(ask(&post, 0, false), QUEUE_NOT_PAST);
    assert_int_equal(ask(&post, 0, false), QUEUE_NOT_PAST);
    assert_false(post.reconcile.summary.complete);
    assert_int_equal(post.looks, 1);
    assert_int_equal(post.lines, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_broker_tells),
        cmocka_unit_test(test_a_worker_that_connects_anew),
        cmocka_unit_test(test_a_queue_that_is_looked_at_anew),
        cmocka_unit_test(test_bookings_beyond_a_deduction),
        cmocka_unit_test(test_a_clock_that_was_set_back),
        cmocka_unit_test(test_a_clock_that_is_set_back_meanwhile),
        cmocka_unit_test(test_a_broker_that_does_not_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
