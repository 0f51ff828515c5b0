/* What the broker's contract suite needs of either broker, the one in memory and the real one, to set the
 * stage. Every world has names of its own, so that no test sees another's messages. */
#ifndef BURSAR_TESTS_BROKER_WORLD_H
#define BURSAR_TESTS_BROKER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "amqp/amqp_broker.h"
#include "amqp/vendor.h"
#include "base/instant.h"
#include "base/memory.h"
#include "fake/fake_broker.h"
#include "fake/fake_properties.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define WORLD_DELIVERY_LIMIT 2
#define KEY_DEDUCTION        "deduction"
#define KEY_FULL             "full"
#define KEY_NOWHERE          "nowhere"

struct world {
    bool real;
    struct fake_broker *fake;      /* where it is not real */
    amqp_connection_state_t admin; /* where it is: a connection to set the stage with */
    const char *url;
    char exchange[64], queue[64], dead_letter_exchange[64], dead_letter_queue[64], full_queue[64];
    struct error error;
};

static inline void world_check(struct world *world, enum status status)
{
    if (status != STATUS_OK) fail_msg("%s: %s", status_name(status), world->error.text);
}

static inline void admin_check(struct world *world, const char *what)
{
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(world->admin);
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail_msg("the stage: %s failed", what);
}

static inline void admin_open(struct world *world)
{
    struct amqp_connection_info info;
    char *url = memory_copy_string(world->url);
    assert_int_equal(amqp_parse_url(url, &info), AMQP_STATUS_OK);
    world->admin = amqp_new_connection();
    assert_int_equal(amqp_socket_open(amqp_tcp_socket_new(world->admin), info.host, info.port),
                     AMQP_STATUS_OK);
    amqp_rpc_reply_t reply =
        amqp_login(world->admin, info.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, info.user, info.password);
    assert_int_equal(reply.reply_type, AMQP_RESPONSE_NORMAL);
    amqp_channel_open(world->admin, 1);
    admin_check(world, "a channel");
    free(url);
}

static inline struct amqp_options world_options(const struct world *world)
{
    return (struct amqp_options){
        .url = world->url,
        .declare = true,
        .exchange = world->exchange,
        .queue = world->queue,
        .routing_key = KEY_DEDUCTION,
        .dead_letter_exchange = world->dead_letter_exchange,
        .dead_letter_queue = world->dead_letter_queue,
        .delivery_limit = WORLD_DELIVERY_LIMIT,
        .heartbeat_s = 10,
        .connect_timeout_ms = 5000,
        .confirm_timeout_ms = 10000,
        .prefetch = 100,
        .connection_name = "contract",
    };
}

static inline struct consumer *world_consumer(struct world *world, int prefetch)
{
    struct consumer *consumer = NULL;
    struct amqp_options options = world_options(world);
    options.prefetch = prefetch;
    if (!world->real) return fake_consumer_open(world->fake, world->queue, (size_t)prefetch);
    world_check(world, amqp_consumer_open(&options, &consumer, &world->error));
    return consumer;
}

static inline struct publisher *world_publisher(struct world *world)
{
    struct publisher *publisher = NULL;
    struct amqp_options options = world_options(world);
    if (!world->real) return fake_publisher_open(world->fake);
    world_check(world, amqp_publisher_open(&options, &publisher, &world->error));
    return publisher;
}

static inline void world_delete_queue(struct world *world, const char *queue)
{
    if (!world->real) {
        fake_broker_delete_queue(world->fake, queue);
        return;
    }
    amqp_queue_delete(world->admin, 1, amqp_cstring_bytes(queue), 0, 0);
    admin_check(world, "deleting a queue");
}

/* A queue that refuses everything, bound with KEY_FULL. */
static inline void world_add_full_queue(struct world *world)
{
    if (!world->real) {
        fake_broker_bind(world->fake, world->exchange, KEY_FULL, world->full_queue);
        fake_broker_set_full(world->fake, world->full_queue, true);
        return;
    }
    amqp_table_entry_t arguments[] = {
        {.key = amqp_cstring_bytes("x-max-length"), .value = {.kind = AMQP_FIELD_KIND_I32, .value.i32 = 0}},
        {.key = amqp_cstring_bytes("x-overflow"),
         .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("reject-publish")}},
    };
    amqp_queue_declare(world->admin, 1, amqp_cstring_bytes(world->full_queue), 0, 0, 0, 0,
                       (amqp_table_t){.num_entries = 2, .entries = arguments});
    admin_check(world, "a full queue");
    amqp_queue_bind(world->admin, 1, amqp_cstring_bytes(world->full_queue),
                    amqp_cstring_bytes(world->exchange), amqp_cstring_bytes(KEY_FULL), amqp_empty_table);
    admin_check(world, "binding a full queue");
}

/* Cuts the consumer's connection from outside. */
static inline void world_cut(struct world *world, struct consumer *consumer)
{
    if (world->real)
        assert_int_equal(shutdown(consumer_descriptor(consumer), SHUT_RDWR), 0);
    else
        fake_broker_drop_consumers(world->fake);
}

/* The next event; waits for one where the broker is real and `patience_ms` is not 0. */
static inline enum status world_next(struct world *world, struct consumer *consumer, int patience_ms,
                                     enum consumer_event *event, struct delivery *delivery)
{
    int64_t end_us = instant_monotonic_us() + patience_ms * INT64_C(1000);
    for (;;) {
        enum status status = consumer_next(consumer, event, delivery, &world->error);
        if (status != STATUS_OK || *event != CONSUMER_IDLE || !world->real ||
            instant_monotonic_us() >= end_us)
            return status;
        struct pollfd poller = {.fd = consumer_descriptor(consumer), .events = POLLIN};
        poll(&poller, 1, 20);
    }
}

#define PATIENCE_MS 10000
#define SILENCE_MS  300

static inline struct delivery world_receive(struct world *world, struct consumer *consumer)
{
    enum consumer_event event;
    struct delivery delivery;
    world_check(world, world_next(world, consumer, PATIENCE_MS, &event, &delivery));
    assert_int_equal(event, CONSUMER_DELIVERY);
    return delivery;
}

static inline void world_expect_silence(struct world *world, struct consumer *consumer)
{
    enum consumer_event event;
    struct delivery delivery;
    world_check(world, world_next(world, consumer, SILENCE_MS, &event, &delivery));
    assert_int_equal(event, CONSUMER_IDLE);
}

static inline struct consumer *world_started_consumer(struct world *world, int prefetch)
{
    struct consumer *consumer = world_consumer(world, prefetch);
    world_check(world, consumer_connect(consumer, &world->error));
    world_check(world, consumer_start(consumer, &world->error));
    return consumer;
}

static inline struct publisher *world_initialised_publisher(struct world *world)
{
    struct publisher *publisher = world_publisher(world);
    world_check(world, publisher_initialise(publisher, &world->error));
    return publisher;
}

static inline struct publication world_publication(const struct world *world, const char *routing_key,
                                                   const char *id, struct text body)
{
    return (struct publication){.exchange = text_of(world->exchange),
                                .routing_key = text_of(routing_key),
                                .message_id = text_of(id),
                                .body = body};
}

/* Publishes `count` messages with the bodies 0, 1, 2… */
static inline void world_fill(struct world *world, struct publisher *publisher, size_t count)
{
    struct publication *publications = memory_alloc_zero(count, sizeof *publications);
    char(*bodies)[24] = memory_alloc_zero(count, sizeof *bodies);
    for (size_t i = 0; i < count; i++) {
        snprintf(bodies[i], sizeof bodies[i], "%zu", i);
        publications[i] = world_publication(world, KEY_DEDUCTION, NULL, text_of(bodies[i]));
    }
    world_check(world, publisher_publish(publisher, publications, count, &world->error));
    for (size_t i = 0; i < count; i++) assert_int_equal(publications[i].outcome, PUBLICATION_CONFIRMED);
    free(publications);
    free(bodies);
}

static inline void assert_body_number(const struct delivery *delivery, size_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", number);
    if (!text_equal_string(delivery->body, text))
        fail_msg("body is '" TEXT_FORMAT "', not %s", TEXT_ARGUMENTS(delivery->body), text);
}

static inline int64_t world_depth(struct world *world, struct publisher *publisher, const char *queue)
{
    int64_t messages = -1, consumers = -1;
    world_check(world, publisher_depth(publisher, text_of(queue), &messages, &consumers, &world->error));
    return messages;
}

/* Waits, where the broker is real, until the queue has so many ready messages. */
static inline void world_expect_depth(struct world *world, struct publisher *publisher, const char *queue,
                                      int64_t wanted)
{
    int64_t end_us = instant_monotonic_us() + PATIENCE_MS * INT64_C(1000);
    int64_t found;
    while ((found = world_depth(world, publisher, queue)) != wanted && world->real &&
           instant_monotonic_us() < end_us)
        usleep(20000);
    assert_int_equal(found, wanted);
}

static inline struct world *world_open(bool real)
{
    static int serial;
    struct world *world = memory_alloc_zero(1, sizeof *world);
    int number = ++serial;
    world->real = real;
    snprintf(world->exchange, sizeof world->exchange, "t%d.exchange", number);
    snprintf(world->queue, sizeof world->queue, "t%d.queue", number);
    snprintf(world->dead_letter_exchange, sizeof world->dead_letter_exchange, "t%d.dlx", number);
    snprintf(world->dead_letter_queue, sizeof world->dead_letter_queue, "t%d.dlq", number);
    snprintf(world->full_queue, sizeof world->full_queue, "t%d.full", number);
    if (real) {
        world->url = getenv("BURSAR_TEST_AMQP_URL");
        admin_open(world);
    } else {
        const struct fake_topology topology = {
            .exchange = world->exchange,
            .queue = world->queue,
            .routing_key = KEY_DEDUCTION,
            .dead_letter_exchange = world->dead_letter_exchange,
            .dead_letter_queue = world->dead_letter_queue,
            .delivery_limit = WORLD_DELIVERY_LIMIT,
        };
        world->fake = fake_broker_new(&topology);
    }
    return world;
}

static inline void world_close(struct world *world)
{
    if (world->real) {
        const char *queues[] = {world->queue, world->dead_letter_queue, world->full_queue};
        for (size_t i = 0; i < 3; i++)
            amqp_queue_delete(world->admin, 1, amqp_cstring_bytes(queues[i]), 0, 0);
        amqp_connection_close(world->admin, AMQP_REPLY_SUCCESS);
        amqp_destroy_connection(world->admin);
    } else {
        fake_broker_free(world->fake);
    }
    free(world);
}

static inline int world_setup_fake(void **state)
{
    *state = world_open(false);
    return 0;
}

static inline int world_setup_real(void **state)
{
    *state = world_open(true);
    return 0;
}

static inline int world_teardown(void **state)
{
    world_close(*state);
    return 0;
}

static inline enum status open_and_connect(struct world *world, const struct amqp_options *options,
                                           struct consumer **consumer)
{
    enum status status = amqp_consumer_open(options, consumer, &world->error);
    return status == STATUS_OK ? consumer_connect(*consumer, &world->error) : status;
}

#define ON_BOTH(test)                                                                                        \
    {"fake: " #test, test, world_setup_fake, world_teardown, NULL},                                          \
    {                                                                                                        \
        "rabbitmq: " #test, test, world_setup_real, world_teardown, NULL                                     \
    }

#define ON_RABBITMQ(test)                                                                                    \
    {                                                                                                        \
#test, test, world_setup_real, world_teardown, NULL                                                  \
    }

/* True where there is a RabbitMQ to test on; says so where not. */
static inline bool world_has_server(void)
{
    if (getenv("BURSAR_TEST_AMQP_URL") != NULL) return true;
    fprintf(stderr, "BURSAR_TEST_AMQP_URL is not set: run this under tests/support/servers.py --rabbitmq\n");
    return false;
}

#endif
