/* Services in memory in the place of the real ones: a program that includes this opens them wherever it would
 * open an adapter. */
#ifndef BURSAR_FUZZ_WORLD_H
#define BURSAR_FUZZ_WORLD_H

#include "amqp/amqp_broker.h"
#include "core/message.h"
#include "fake/fake_broker.h"
#include "fake/fake_ledger.h"
#include "fake/fake_stock.h"
#include "fuzz/target.h"
#include "redis/redis_stock.h"
#include "redis/redis_url.h"
#include "sqlite/sqlite_ledger.h"

#define WORLD_BUDGET "camp:42"
#define WORLD_QUEUE  "bursar.deductions"

static struct {
    struct fake_ledger_store *store;
    struct fake_stock *stock;
    struct fake_broker *broker;
} world;

/* With one budget, of 100. */
static void world_begin(void)
{
    static const struct fake_topology topology = {"bursar",     WORLD_QUEUE,        "deduction",
                                                  "bursar.dlx", WORLD_QUEUE ".dlq", 50};
    world.store = fake_ledger_store_new();
    world.stock = fake_stock_new(600);
    world.broker = fake_broker_new(&topology);
    fake_broker_declare(world.broker);
    struct ledger *ledger = fake_ledger_open(world.store);
    struct ledger_budget budget = {.id = TEXT_LITERAL(WORLD_BUDGET), .total = 100};
    struct stock_credit credit = {
        .budget_id = budget.id, .credit_id = TEXT_LITERAL("create"), .amount = budget.total};
    HOLDS(ledger_initialise(ledger, NULL) == STATUS_OK);
    HOLDS(ledger_budget_create(ledger, &budget, credit.credit_id, NULL) == STATUS_OK);
    HOLDS(stock_credit(fake_stock_port(world.stock), &credit, 1, NULL) == STATUS_OK && credit.applied);
    ledger_close(ledger);
}

static void world_end(void)
{
    fake_broker_free(world.broker);
    fake_stock_free(world.stock);
    fake_ledger_store_free(world.store);
}

/* What was published is what the worker can book: each message one deduction, from a budget that has it. */
static void world_hold_queue(void)
{
    size_t count = fake_broker_ready(world.broker, WORLD_QUEUE);
    for (size_t i = 0; i < count; i++) {
        struct delivery delivery;
        struct arena arena = {0};
        struct message message;
        HOLDS(fake_broker_peek(world.broker, WORLD_QUEUE, i, &delivery));
        message_decode(delivery.body, delivery.message_id, &arena, &message);
        HOLDS(message.reason == PARK_NONE && message.count == 1 && !message.is_batch);
        const struct deduction *deduction = &message.items[0].deduction;
        HOLDS(deduction->deducted_at_us != 0);
        struct fake_stock_totals totals = fake_stock_totals(world.stock, deduction->budget_id);
        HOLDS(totals.pending_count > 0 && deduction->amount <= totals.pending_sum && totals.left >= 0);
        arena_free(&arena);
    }
}

enum status sqlite_ledger_open(const struct sqlite_ledger_options *options, struct ledger **ledger,
                               struct error *error)
{
    if (options->path[0] == '\0') return error_set(error, STATUS_CONFIG, "no path");
    *ledger = fake_ledger_open(world.store);
    return STATUS_OK;
}

enum status redis_stock_open(const struct redis_stock_options *options, struct stock **stock,
                             struct error *error)
{
    struct redis_address address;
    enum status status = redis_url_parse(options->url, &address, error);
    if (status != STATUS_OK) return status;
    redis_address_free(&address);
    *stock = fake_stock_port(world.stock);
    return STATUS_OK;
}

enum status amqp_publisher_open(const struct amqp_options *options, struct publisher **publisher,
                                struct error *error)
{
    enum status status = amqp_options_check(options, error);
    if (status == STATUS_OK) *publisher = fake_publisher_open(world.broker);
    return status;
}

/* Nothing here consumes: the worker ends where it would begin. */
enum status amqp_consumer_open(const struct amqp_options *options, struct consumer **consumer,
                               struct error *error)
{
    enum status status = amqp_options_check(options, error);
    *consumer = NULL;
    return status == STATUS_OK ? error_set(error, STATUS_CONFIG, "no consumer here") : status;
}

#endif
