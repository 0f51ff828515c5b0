/* A stage for replay and discard: broker, ledger and Redis in memory, letters of every kind, and what must
 * hold at each moment. It can die after any step, and every call can fail. */
#ifndef BURSAR_TESTS_DEAD_LETTER_STAGE_H
#define BURSAR_TESTS_DEAD_LETTER_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deadletter/discard.h"
#include "deadletter/replay.h"
#include "fake/fake_broker.h"
#include "fake/fake_ledger.h"
#include "fake/fake_stock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAGE_LETTERS 12
#define STAGE_CREDIT  1000
#define QUEUE         "queue"
#define DEAD          "dead"

struct stage_clock {
    struct clock base;
    int64_t now_us;
};

struct stage {
    struct stage_clock clock;
    struct fake_broker *broker;
    struct fake_ledger_store *store;
    struct fake_stock *stock;
    struct ledger *witness; /* the test's own connection */
    struct dead_letter_ports ports;
    struct publisher *filler;
    size_t queued; /* messages that came into the work queue */
    size_t gone;   /* letters that were acknowledged */
    bool discards;
    size_t fault_at; /* the broker's call with this number loses its connection; 0: none */
    size_t calls;
    int64_t tokens[STAGE_LETTERS];
    struct error error;
};

static inline int64_t stage_now(const struct clock *clock)
{
    return ((const struct stage_clock *)clock)->now_us;
}

static inline void stage_id(size_t index, char id[16])
{
    snprintf(id, 16, "id-%02zu", index);
}

static inline struct text id_in(struct text body)
{
    const char *at = body.size == 0 ? NULL : memmem(body.data, body.size, "id-", 3);
    return at == NULL ? TEXT_NONE : (struct text){at, 5};
}

/* At the moment it happens: nothing is in the work queue that the journal does not tell of, and nothing
 * leaves the dead-letter queue that is not safe elsewhere. */
static inline void stage_observe(void *context, enum fake_broker_event event, const char *queue,
                                 const struct delivery *message)
{
    struct stage *stage = context;
    struct text id = id_in(message->body);
    if (event == FAKE_BROKER_QUEUED && strcmp(queue, QUEUE) == 0) {
        struct parked_look look = {0};
        assert_int_equal(ledger_parked_look(stage->witness, &id, 1, &look, &stage->error), STATUS_OK);
        assert_true(look.replayed);
        stage->queued++;
    }
    if (event != FAKE_BROKER_ACKNOWLEDGED || strcmp(queue, DEAD) != 0) return;
    stage->gone++;
    if (stage->discards) {
        const struct fake_deduction *row = fake_ledger_deduction_find(stage->store, id);
        assert_true(!text_is_present(id) || row != NULL);
    } else {
        assert_true(stage->gone <= stage->queued);
    }
}

static inline bool stage_fault(void *context, enum fake_broker_point point)
{
    struct stage *stage = context;
    (void)point;
    return ++stage->calls == stage->fault_at;
}

/* A process begins: its connections are its own. */
static inline void stage_connect(struct stage *stage)
{
    stage->ports = (struct dead_letter_ports){
        .consumer = fake_consumer_open(stage->broker, DEAD, LETTER_WINDOW_FIRST),
        .publisher = fake_publisher_open(stage->broker),
        .ledger = fake_ledger_open(stage->store),
        .stock = fake_stock_port(stage->stock),
        .clock = &stage->clock.base,
        .queue = TEXT_LITERAL(DEAD),
        .actor = TEXT_LITERAL("somebody@somewhere"),
    };
}

/* …and ends, however it ends. */
static inline void stage_disconnect(struct stage *stage)
{
    consumer_close(stage->ports.consumer);
    publisher_close(stage->ports.publisher);
    ledger_close(stage->ports.ledger);
}

/* Each third letter is of a producer that keeps no pending entries, each fourth unreadable. */
static inline void stage_fill(struct stage *stage)
{
    struct text budget = TEXT_LITERAL("camp");
    for (size_t i = 0; i < STAGE_LETTERS; i++) {
        char id[16], body[128];
        stage_id(i, id);
        struct stock_deduct deduct = {.budget_id = budget, .message_id = text_of(id), .amount = 5};
        if (i % 3 != 0)
            assert_int_equal(stock_deduct(stage->ports.stock, &deduct, 1, &stage->error), STATUS_OK);
        stage->tokens[i] = deduct.deducted_at_us;
        char token[48] = "";
        if (i % 3 != 0) snprintf(token, sizeof token, ",\"deducted_at\":%lld", (long long)stage->tokens[i]);
        snprintf(body, sizeof body, "{\"message_id\":\"%s\",\"budget_id\":\"camp\",\"amount\":%s%s}", id,
                 i % 4 == 3 ? "\"x\"" : "5", token);
        struct parked_row row = {
            .message_id = text_of(id), .reason = PARK_UNPROCESSABLE, .detail = TEXT_LITERAL("x")};
        assert_int_equal(ledger_record_parked(stage->witness, &row, 1, &stage->error), STATUS_OK);
        struct publication letter = {
            .exchange = TEXT_LITERAL("dlx"),
            .routing_key = TEXT_LITERAL("key"),
            .body = text_of(body),
            .header_count = 3,
            .headers = {{.name = "x-bursar-reason", .value = TEXT_LITERAL("unprocessable")},
                        {.name = "x-bursar-exchange", .value = TEXT_LITERAL("exchange")},
                        {.name = "x-bursar-routing-key", .value = TEXT_LITERAL("key")}}};
        assert_int_equal(publisher_publish(stage->filler, &letter, 1, &stage->error), STATUS_OK);
        assert_int_equal(letter.outcome, PUBLICATION_CONFIRMED);
    }
}

static inline void stage_begin(struct stage *stage, bool discards)
{
    static const struct fake_topology topology = {.exchange = "exchange",
                                                  .queue = QUEUE,
                                                  .routing_key = "key",
                                                  .dead_letter_exchange = "dlx",
                                                  .dead_letter_queue = DEAD,
                                                  .delivery_limit = 50};
    *stage = (struct stage){.clock = {{stage_now, stage_now}, 1000000}, .discards = discards};
    stage->broker = fake_broker_new(&topology);
    fake_broker_declare(stage->broker);
    stage->store = fake_ledger_store_new();
    stage->stock = fake_stock_new(600);
    stage->witness = fake_ledger_open(stage->store);
    assert_int_equal(ledger_initialise(stage->witness, &stage->error), STATUS_OK);
    struct ledger_budget budget = {.id = TEXT_LITERAL("camp"), .total = STAGE_CREDIT};
    assert_int_equal(ledger_budget_create(stage->witness, &budget, TEXT_LITERAL("c"), &stage->error),
                     STATUS_OK);
    stage_connect(stage);
    struct stock_credit credit = {
        .budget_id = budget.id, .credit_id = TEXT_LITERAL("c"), .amount = STAGE_CREDIT};
    assert_int_equal(stock_credit(stage->ports.stock, &credit, 1, &stage->error), STATUS_OK);
    stage->filler = fake_publisher_open(stage->broker);
    stage_fill(stage);
    fake_broker_set_observer(stage->broker, stage_observe, stage);
}

static inline void stage_end(struct stage *stage)
{
    fake_broker_set_observer(stage->broker, NULL, NULL);
    stage_disconnect(stage);
    publisher_close(stage->filler);
    ledger_close(stage->witness);
    fake_broker_free(stage->broker);
    fake_ledger_store_free(stage->store);
    fake_stock_free(stage->stock);
}

/* Time passes where an engine waits. */
static inline void stage_wait(struct stage *stage, enum step step, int64_t until_us)
{
    if (step == STEP_WAIT && until_us > stage->clock.now_us) stage->clock.now_us = until_us;
}

#endif
