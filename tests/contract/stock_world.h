/* A stock to test, the fake one or Redis, and what the port alone cannot do to it. */
#ifndef BURSAR_TESTS_STOCK_WORLD_H
#define BURSAR_TESTS_STOCK_WORLD_H

#include "base/instant.h"
#include "base/memory.h"
#include "core/limits.h"
#include "fake/fake_stock.h"
#include "redis/redis_stock.h"

#include <hiredis/hiredis.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define DONE_WINDOW_S 600
#define TIMEOUT_MS    10000

struct world {
    struct stock *stock;
    struct fake_stock *fake; /* NULL: Redis */
    redisContext *redis;     /* the test's own connection; NULL: the fake */
    struct arena arena;
    struct error error;
};

/* A command on the test's own connection; anything but an error. */
__attribute__((format(printf, 2, 3))) static inline void world_redis(struct world *world, const char *format,
                                                                     ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = redisvCommand(world->redis, format, arguments);
    va_end(arguments);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR) fail_msg("%s: %s", format, reply->str);
    freeReplyObject(reply);
}

static inline redisContext *world_redis_connect(void)
{
    const char *url = getenv("BURSAR_TEST_REDIS_URL");
    if (url == NULL)
        fail_msg("BURSAR_TEST_REDIS_URL is not set: run this under tests/support/servers.py --redis");
    int port = 0;
    assert_int_equal(sscanf(url, "redis://127.0.0.1:%d/", &port), 1);
    redisContext *redis = redisConnect("127.0.0.1", port);
    assert_true(redis != NULL && redis->err == 0);
    return redis;
}

static inline struct redis_stock_options world_options(void)
{
    return (struct redis_stock_options){
        .url = getenv("BURSAR_TEST_REDIS_URL"), .done_window_s = DONE_WINDOW_S, .timeout_ms = TIMEOUT_MS};
}

static inline int world_setup_redis(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    struct world *world = memory_alloc_zero(1, sizeof *world);
    *state = world;
    world->redis = world_redis_connect();
    world_redis(world, "FLUSHALL");
    struct redis_stock_options options = world_options();
    return redis_stock_open(&options, &world->stock, &world->error) == STATUS_OK ? 0 : -1;
}

static inline int world_setup_fake(void **state)
{
    struct world *world = memory_alloc_zero(1, sizeof *world);
    *state = world;
    world->fake = fake_stock_new(DONE_WINDOW_S);
    world->stock = fake_stock_port(world->fake);
    return 0;
}

static inline int world_teardown(void **state)
{
    struct world *world = *state;
    stock_close(world->stock);
    fake_stock_free(world->fake);
    if (world->redis != NULL) redisFree(world->redis);
    arena_free(&world->arena);
    free(world);
    return 0;
}

/* Time goes on by itself in Redis. */
static inline void world_tick(struct world *world)
{
    if (world->fake != NULL) fake_stock_set_now(world->fake, fake_stock_now(world->fake) + 1);
}

/* As if a done window had passed since the budget's generations were last turned. */
static inline void world_pass_window(struct world *world, const char *budget)
{
    if (world->fake != NULL) {
        fake_stock_set_now(world->fake,
                           fake_stock_now(world->fake) + DONE_WINDOW_S * MICROSECONDS_PER_SECOND);
    } else {
        world_redis(world, "HINCRBY budget:{%s}:meta gen_started_us -%lld", budget,
                    DONE_WINDOW_S * (long long)MICROSECONDS_PER_SECOND);
    }
}

static inline void world_lose_left(struct world *world, const char *budget)
{
    if (world->fake != NULL) {
        fake_stock_lose_left(world->fake, text_of(budget));
    } else {
        world_redis(world, "DEL budget:{%s}", budget);
    }
}

static inline void world_set_left(struct world *world, const char *budget, int64_t left)
{
    if (world->fake != NULL) {
        fake_stock_set_left(world->fake, text_of(budget), left);
    } else {
        world_redis(world, "SET budget:{%s} %lld", budget, (long long)left);
    }
}

/* A pending entry that no script wrote. */
static inline void world_plant_pending(struct world *world, const char *budget, const char *id)
{
    if (world->fake != NULL) {
        fake_stock_plant_pending(world->fake, text_of(budget), text_of(id));
    } else {
        world_redis(world, "HSET budget:{%s}:pending %s x", budget, id);
    }
}

static inline void world_corrupt(struct world *world, const char *budget)
{
    if (world->fake != NULL) {
        fake_stock_corrupt(world->fake, text_of(budget));
        return;
    }
    world_redis(world, "DEL budget:{%s} budget:{%s}:meta budget:{%s}:pending budget:{%s}:credits", budget,
                budget, budget, budget);
    world_redis(world, "RPUSH budget:{%s} x", budget);
    world_redis(world, "RPUSH budget:{%s}:pending x", budget);
    world_redis(world, "RPUSH budget:{%s}:meta x", budget);
    world_redis(world, "RPUSH budget:{%s}:credits x", budget);
}

static inline void world_check(struct world *world, enum status status)
{
    if (status != STATUS_OK) fail_msg("%s: %s", status_name(status), world->error.text);
}

/* One deduction; the clock moves a little, so that tokens differ. */
static inline struct stock_deduct world_deduct(struct world *world, const char *budget, const char *id,
                                               int64_t amount)
{
    struct stock_deduct item = {.budget_id = text_of(budget), .message_id = text_of(id), .amount = amount};
    world_tick(world);
    world_check(world, stock_deduct(world->stock, &item, 1, &world->error));
    assert_int_equal(item.status, STATUS_OK);
    return item;
}

/* A deduction that must succeed; its token. */
static inline int64_t world_take(struct world *world, const char *budget, const char *id, int64_t amount)
{
    struct stock_deduct item = world_deduct(world, budget, id, amount);
    assert_int_equal(item.result, DEDUCT_DONE);
    assert_true(item.deducted_at_us > 0);
    return item.deducted_at_us;
}

static inline struct stock_credit world_try_credit(struct world *world, const char *budget, const char *id,
                                                   int64_t amount)
{
    struct stock_credit item = {.budget_id = text_of(budget), .credit_id = text_of(id), .amount = amount};
    world_check(world, stock_credit(world->stock, &item, 1, &world->error));
    return item;
}

static inline void world_credit(struct world *world, const char *budget, const char *id, int64_t amount)
{
    struct stock_credit item = world_try_credit(world, budget, id, amount);
    assert_int_equal(item.status, STATUS_OK);
    assert_true(item.applied);
}

static inline int64_t world_settle(struct world *world, const char *budget, const char *id, int64_t token)
{
    struct stock_settlement item = {
        .budget_id = text_of(budget), .message_id = text_of(id), .deducted_at_us = token};
    int64_t cleared = -1;
    world_check(world, stock_settle(world->stock, &item, 1, &cleared, &world->error));
    return cleared;
}

static inline struct stock_release world_release(struct world *world, const char *budget, const char *id,
                                                 int64_t token, enum release_outcome outcome)
{
    struct stock_release item = {
        .budget_id = text_of(budget), .message_id = text_of(id), .deducted_at_us = token, .outcome = outcome};
    world_check(world, stock_release(world->stock, &item, 1, &world->error));
    return item;
}

/* A refund without token. */
static inline struct stock_release world_refund(struct world *world, const char *budget, const char *id,
                                                int64_t amount)
{
    struct stock_release item = {.budget_id = text_of(budget), .message_id = text_of(id), .amount = amount};
    world_check(world, stock_release(world->stock, &item, 1, &world->error));
    return item;
}

static inline void world_forget_guard(struct world *world, const char *budget, const char *id)
{
    struct stock_release item = {.budget_id = text_of(budget), .message_id = text_of(id)};
    world_check(world, stock_forget_guards(world->stock, &item, 1, &world->error));
}

static inline struct stock_query world_query(struct world *world, const char *budget, const char *id)
{
    struct stock_query item = {.budget_id = text_of(budget), .message_id = text_of(id)};
    world_check(world, stock_query(world->stock, &item, 1, &world->error));
    assert_int_equal(item.status, STATUS_OK);
    return item;
}

static inline void world_expect_level(struct world *world, const char *budget, int64_t left, int64_t pending)
{
    struct stock_level item = {.budget_id = text_of(budget)};
    world_check(world, stock_levels(world->stock, &item, 1, &world->error));
    assert_int_equal(item.status, STATUS_OK);
    assert_int_equal(item.left, left);
    assert_int_equal(item.pending, pending);
}

/* How many pending entries there are, and the sum of their amounts, by scanning. */
static inline size_t world_scan(struct world *world, const char *budget, int64_t *sum)
{
    uint64_t cursor = 0;
    size_t total = 0;
    *sum = 0;
    do {
        struct stock_pending *entries = NULL;
        size_t count = 0;
        world_check(world, stock_pending_scan(world->stock, text_of(budget), &cursor, &world->arena, &entries,
                                              &count, &world->error));
        for (size_t i = 0; i < count; i++) *sum += entries[i].amount;
        total += count;
    } while (cursor != 0);
    return total;
}

/* One row of a group for the fake, one for Redis. */
#define BOTH(test)                                                                                           \
    {#test ": fake", test, world_setup_fake, world_teardown, NULL},                                          \
    {                                                                                                        \
#test ": Redis", test, world_setup_redis, world_teardown, NULL                                       \
    }

#endif
