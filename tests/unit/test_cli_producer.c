/* The producer against ports in memory that fail where they are told to: what is deducted is published, or
 * the caller is told to try again with the same id. */
#include "base/memory.h"
#include "producer/producer_state.h"

#include "fake/fake_broker.h"
#include "fake/fake_stock.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define QUEUE "bursar.deductions"

struct world {
    struct fake_stock *stock;
    struct fake_broker *broker;
    struct bursar_producer *producer;
    enum fake_broker_point fault;
    int faults; /* how many are left */
};

static bool fault_due(void *context, enum fake_broker_point point)
{
    struct world *world = context;
    if (world->faults == 0 || point != world->fault) return false;
    world->faults--;
    return true;
}

static int world_begin(void **state)
{
    static const struct fake_topology topology = {"bursar",     QUEUE,        "deduction",
                                                  "bursar.dlx", QUEUE ".dlq", 50};
    struct world *world = memory_alloc_zero(1, sizeof *world);
    world->stock = fake_stock_new(600);
    world->broker = fake_broker_new(&topology);
    fake_broker_declare(world->broker);
    fake_broker_set_fault(world->broker, fault_due, world);
    world->producer = memory_alloc_zero(1, sizeof *world->producer);
    world->producer->stock = fake_stock_port(world->stock);
    world->producer->publisher = fake_publisher_open(world->broker);
    world->producer->exchange = memory_copy_string("bursar");
    world->producer->routing_key = memory_copy_string("deduction");
    world->producer->queue = memory_copy_string(QUEUE);
    struct stock_credit credit = {
        .budget_id = text_of("camp"), .credit_id = text_of("create"), .amount = 100};
    *state = world;
    return stock_credit(world->producer->stock, &credit, 1, NULL) == STATUS_OK && credit.applied ? 0 : -1;
}

static int world_end(void **state)
{
    struct world *world = *state;
    publisher_close(world->producer->publisher);
    arena_free(&world->producer->arena);
    free(world->producer->exchange);
    free(world->producer->routing_key);
    free(world->producer->queue);
    free(world->producer);
    fake_broker_free(world->broker);
    fake_stock_free(world->stock);
    free(world);
    return 0;
}

static enum bursar_code deduct_id(struct world *world, const char *message_id, int64_t amount,
                                  struct bursar_result *result)
{
    struct bursar_request request = {.message_id = message_id, .budget_id = "camp", .amount = amount};
    assert_true(producer_request_check(&request, result));
    return producer_chunk_deduct(world->producer, &request, 1, result);
}

static void expect(const struct world *world, int64_t left, size_t queued)
{
    assert_int_equal(fake_stock_totals(world->stock, text_of("camp")).left, left);
    assert_int_equal(fake_broker_ready(world->broker, QUEUE), queued);
}

static void expect_well(struct world *world, const char *message_id, enum bursar_status status)
{
    struct bursar_result result;
    assert_int_equal(deduct_id(world, message_id, 3, &result), BURSAR_OK);
    assert_int_equal(result.status, status);
    assert_true(result.published);
    assert_false(result.unconfirmed);
    assert_string_equal(result.error, "");
}

static void expect_unconfirmed(struct world *world, const char *message_id, enum bursar_status status)
{
    struct bursar_result result;
    assert_int_equal(deduct_id(world, message_id, 3, &result), BURSAR_UNCONFIRMED);
    assert_int_equal(result.status, status);
    assert_true(result.unconfirmed);
    assert_false(result.published);
    assert_true(strlen(result.error) > 0);
    assert_true(strlen(world->producer->error.text) > 0);
}

static void test_redis_fails_on_the_way(void **state)
{
    static const struct {
        enum fake_stock_failure failure;
        size_t calls;
        enum bursar_code code;
        enum bursar_status status;
        int64_t left;
        size_t queued;
    } cases[] = {
        {FAKE_STOCK_AWAY, 1, BURSAR_OK, BURSAR_DEDUCTED, 97, 1},
        {FAKE_STOCK_AWAY, 2, BURSAR_AWAY, BURSAR_UNAVAILABLE, 100, 0},
        {FAKE_STOCK_LOST_QUESTION, 1, BURSAR_OK, BURSAR_DEDUCTED, 97, 1},
        {FAKE_STOCK_LOST_QUESTION, 2, BURSAR_UNCONFIRMED, BURSAR_UNKNOWN, 100, 0},
        {FAKE_STOCK_LOST_ANSWER, 1, BURSAR_OK, BURSAR_REPEAT, 97, 1},
        {FAKE_STOCK_LOST_ANSWER, 2, BURSAR_UNCONFIRMED, BURSAR_UNKNOWN, 97, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (i > 0) assert_int_equal(world_begin(state), 0);
        struct world *world = *state;
        struct bursar_result result;
        fake_stock_fail_next(world->stock, cases[i].calls, cases[i].failure);
        assert_int_equal(deduct_id(world, "m1", 3, &result), cases[i].code);
        assert_int_equal(result.status, cases[i].status);
        assert_int_equal(result.unconfirmed, cases[i].status == BURSAR_UNKNOWN);
        expect(world, cases[i].left, cases[i].queued);
        fake_stock_fail_next(world->stock, 0, FAKE_STOCK_AWAY);
        expect_well(world, "m1", cases[i].left == 97 ? BURSAR_REPEAT : BURSAR_DEDUCTED);
        expect(world, 97, cases[i].queued + 1);
        if (i + 1 < sizeof cases / sizeof cases[0]) world_end(state);
    }
}

static void test_what_was_deducted_is_published_though_the_rest_was_not(void **state)
{
    struct world *world = *state;
    struct bursar_request requests[4];
    struct bursar_result results[4];
    static const char *const ids[] = {"m1", "m2", "m3", "m4"};
    for (size_t i = 0; i < 4; i++) {
        requests[i] = (struct bursar_request){.message_id = ids[i], .budget_id = "camp", .amount = 3};
        assert_true(producer_request_check(&requests[i], &results[i]));
    }
    fake_stock_fail_next(world->stock, 2, FAKE_STOCK_HALF); /* two of four, then one of two */
    assert_int_equal(producer_chunk_deduct(world->producer, requests, 4, results), BURSAR_AWAY);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(results[i].status, BURSAR_DEDUCTED);
        assert_true(results[i].published);
    }
    assert_int_equal(results[3].status, BURSAR_UNAVAILABLE);
    assert_false(results[3].unconfirmed);
    expect(world, 91, 3);
}

static void credit(struct world *world, const char *budget_id)
{
    struct stock_credit item = {
        .budget_id = text_of(budget_id), .credit_id = text_of("first"), .amount = 100};
    assert_int_equal(stock_credit(world->producer->stock, &item, 1, NULL), STATUS_OK);
}

static void test_a_budget_that_redis_refuses_stops_no_other(void **state)
{
    enum { COUNT = PRODUCER_CHUNK + 3 };
    static const char *const budgets[] = {"spoilt-1", "camp", "spoilt-2"};
    struct world *world = *state;
    struct bursar_request *requests = memory_alloc_zero(COUNT, sizeof *requests);
    struct bursar_result *results = memory_alloc_zero(COUNT, sizeof *results);
    for (size_t i = 0; i < 3; i += 2) {
        credit(world, budgets[i]);
        fake_stock_corrupt(world->stock, text_of(budgets[i]));
    }
    /* One spoilt budget among the first chunk's, two and a good one in the second chunk. */
    for (size_t i = 0; i < COUNT; i++)
        requests[i] = (struct bursar_request){.budget_id = "none", .amount = 1};
    requests[1].budget_id = budgets[0];
    for (size_t i = 0; i < 3; i++) requests[PRODUCER_CHUNK + i].budget_id = budgets[i];
    assert_int_equal(bursar_producer_deduct(world->producer, requests, COUNT, results), BURSAR_OK);
    for (size_t i = 0; i < COUNT; i++) {
        const struct bursar_result *result = &results[i];
        bool refused = strncmp(requests[i].budget_id, "spoilt", 6) == 0;
        bool deducted = strcmp(requests[i].budget_id, "camp") == 0;
        assert_int_equal(result->status, refused    ? BURSAR_UNAVAILABLE
                                         : deducted ? BURSAR_DEDUCTED
                                                    : BURSAR_NOT_INITIALISED);
        assert_int_equal(result->published, deducted);
        assert_false(result->unconfirmed);
        assert_int_equal(strstr(result->error, requests[i].budget_id) != NULL, refused);
    }
    expect(world, 99, 1);
    free(requests);
    free(results);
}

static void test_a_refusal_does_not_hide_that_redis_is_away(void **state)
{
    struct world *world = *state;
    struct bursar_request requests[4] = {{.budget_id = "camp", .amount = 1},
                                         {.budget_id = "spoilt", .amount = 1},
                                         {.budget_id = "camp", .amount = 1},
                                         {.budget_id = "camp", .amount = 1}};
    struct bursar_result results[4];
    credit(world, "spoilt");
    fake_stock_corrupt(world->stock, text_of("spoilt"));
    fake_stock_fail_next(world->stock, PRODUCER_TRIES, FAKE_STOCK_HALF);
    assert_int_equal(bursar_producer_deduct(world->producer, requests, 4, results), BURSAR_AWAY);
    assert_int_equal(results[0].status, BURSAR_DEDUCTED);
    assert_int_equal(results[1].status, BURSAR_UNAVAILABLE);
    assert_int_equal(results[3].status, BURSAR_UNAVAILABLE);
}

static void test_the_broker_fails_on_the_way(void **state)
{
    struct world *world = *state;
    world->fault = FAKE_BROKER_PUBLISH;
    world->faults = 1;
    expect_well(world, "m1", BURSAR_DEDUCTED);
    expect(world, 97, 1);
    world->faults = PRODUCER_TRIES;
    expect_unconfirmed(world, "m2", BURSAR_DEDUCTED);
    expect(world, 94, 1);
    expect_well(world, "m2", BURSAR_REPEAT);
    expect(world, 94, 2);

    world->fault = FAKE_BROKER_PUBLISH_CONFIRM;
    world->faults = 1;
    expect_well(world, "m3", BURSAR_DEDUCTED); /* in the queue twice: the ledger books it once */
    expect(world, 91, 4);
    world->faults = PRODUCER_TRIES;
    expect_unconfirmed(world, "m4", BURSAR_DEDUCTED);
    expect(world, 88, 6);
    expect_well(world, "m4", BURSAR_REPEAT);
}

static void test_the_broker_does_not_take_it(void **state)
{
    struct world *world = *state;
    expect_well(world, "m0", BURSAR_DEDUCTED);
    fake_broker_set_full(world->broker, QUEUE, true);
    expect_unconfirmed(world, "m1", BURSAR_DEDUCTED);
    fake_broker_set_full(world->broker, QUEUE, false);
    fake_broker_set_blocked(world->broker, true);
    expect_unconfirmed(world, "m1", BURSAR_REPEAT);
    fake_broker_set_blocked(world->broker, false);
    fake_broker_delete_queue(world->broker, QUEUE);
    expect_unconfirmed(world, "m1", BURSAR_REPEAT);

    struct bursar_result result; /* a return makes it look for the queue again, before the next deduction */
    assert_int_equal(deduct_id(world, "m2", 3, &result), BURSAR_BAD_SETUP);
    assert_int_equal(result.status, BURSAR_UNAVAILABLE);
    fake_broker_declare(world->broker);
    expect_well(world, "m1", BURSAR_REPEAT);
    expect(world, 94, 1);
}

static void test_without_the_broker_nothing_is_deducted(void **state)
{
    struct world *world = *state;
    struct bursar_result result;
    fake_broker_set_down(world->broker, true);
    assert_int_equal(deduct_id(world, "m1", 3, &result), BURSAR_AWAY);
    assert_int_equal(result.status, BURSAR_UNAVAILABLE);
    fake_broker_set_down(world->broker, false);
    atomic_store(&world->producer->cancelled, true);
    assert_int_equal(deduct_id(world, "m1", 3, &result), BURSAR_AWAY);
    assert_int_equal(result.status, BURSAR_UNAVAILABLE);
    expect(world, 100, 0);
}

static enum status query_failing(struct stock *stock, struct stock_query *items, size_t count,
                                 struct error *error)
{
    (void)stock, (void)items, (void)count;
    return error_set(error, STATUS_RETRY, "away");
}

static void test_a_repeat_of_which_redis_cannot_tell_is_published(void **state)
{
    struct world *world = *state;
    expect_well(world, "m1", BURSAR_DEDUCTED);
    const struct stock_ops *ops = world->producer->stock->ops;
    struct stock_ops failing = *ops;
    failing.query = query_failing;
    world->producer->stock->ops = &failing;
    expect_well(world, "m1", BURSAR_REPEAT);
    world->producer->stock->ops = ops;
    expect(world, 97, 2);
}

static void test_the_bodies_are_what_the_protocol_says(void **state)
{
    struct world *world = *state;
    struct bursar_request request = {
        .message_id = "a\"b\\c", .budget_id = "camp", .amount = 3, .user_id = "\xc3\x9c\"\n"};
    struct bursar_result result;
    assert_true(producer_request_check(&request, &result));
    assert_int_equal(producer_chunk_deduct(world->producer, &request, 1, &result), BURSAR_OK);
    struct delivery message;
    assert_true(fake_broker_peek(world->broker, QUEUE, 0, &message));
    char expected[256];
    snprintf(expected, sizeof expected,
             "{\"message_id\":\"a\\\"b\\\\c\",\"budget_id\":\"camp\",\"amount\":3,\"deducted_at\":%lld,"
             "\"user_id\":\"\xc3\x9c\\\"\\n\"}",
             (long long)result.deducted_at_us);
    assert_true(text_equal_string(message.body, expected));
    assert_true(text_equal_string(message.message_id, "a\"b\\c"));
}

static void test_bad_requests(void **state)
{
    static const struct bursar_request cases[] = {
        {"", "camp", 1, NULL},    {"a b", "camp", 1, NULL},
        {"m", "", 1, NULL},       {"m", NULL, 1, NULL},
        {"m", "a b", 1, NULL},    {"m", "camp", 0, NULL},
        {"m", "camp", -1, NULL},  {"m", "camp", BURSAR_AMOUNT_MAX + 1, NULL},
        {"m", "camp", 1, "\xff"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bursar_result result;
        assert_false(producer_request_check(&cases[i], &result));
        assert_int_equal(result.status, BURSAR_INVALID);
        assert_true(strlen(result.error) > 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
    const struct CMUnitTest tests[] = {
        TEST(test_redis_fails_on_the_way),
        TEST(test_what_was_deducted_is_published_though_the_rest_was_not),
        TEST(test_a_budget_that_redis_refuses_stops_no_other),
        TEST(test_a_refusal_does_not_hide_that_redis_is_away),
        TEST(test_the_broker_fails_on_the_way),
        TEST(test_the_broker_does_not_take_it),
        TEST(test_without_the_broker_nothing_is_deducted),
        TEST(test_a_repeat_of_which_redis_cannot_tell_is_published),
        TEST(test_the_bodies_are_what_the_protocol_says),
        cmocka_unit_test(test_bad_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
