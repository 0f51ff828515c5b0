/* The consumer's contract in port/broker.h, held by the fake broker and by RabbitMQ alike. */
#include "contract/broker_world.h"

static void test_a_delivery_carries_everything(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    struct consumer *consumer = world_started_consumer(world, 10);
    struct publication publications[] = {
        world_publication(world, KEY_DEDUCTION, "id-1", TEXT_LITERAL("{\"a\":1}")),
        world_publication(world, KEY_DEDUCTION, NULL, TEXT_LITERAL("second")),
    };
    publications[0].headers[0] =
        (struct publication_header){.name = "x-colour", .value = TEXT_LITERAL("blue")};
    publications[0].header_count = 1;
    world_check(world, publisher_publish(publisher, publications, 2, &world->error));

    struct delivery delivery = world_receive(world, consumer);
    assert_int_equal(delivery.tag, 1);
    assert_false(delivery.redelivered);
    assert_true(text_equal_string(delivery.exchange, world->exchange));
    assert_true(text_equal_string(delivery.routing_key, KEY_DEDUCTION));
    assert_true(text_equal_string(delivery.message_id, "id-1"));
    assert_true(text_equal_string(delivery.body, "{\"a\":1}"));
    assert_true(text_equal(fake_properties_header(delivery.properties, "x-colour"),
                           (struct text){"S\0\0\0\4blue", 9}));

    delivery = world_receive(world, consumer);
    assert_int_equal(delivery.tag, 2);
    assert_false(text_is_present(delivery.message_id));
    assert_true(text_equal_string(delivery.body, "second"));
    world_expect_silence(world, consumer);
    consumer_close(consumer);
    publisher_close(publisher);
}

static void test_the_prefetch_is_respected(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    world_fill(world, publisher, 30);
    struct consumer *consumer = world_started_consumer(world, 10);
    for (size_t i = 0; i < 10; i++) assert_int_equal(world_receive(world, consumer).tag, i + 1);
    world_expect_silence(world, consumer);

    for (uint64_t tag = 2; tag <= 6; tag += 2)
        world_check(world, consumer_acknowledge(consumer, tag, false, &world->error));
    for (size_t i = 10; i < 13; i++) {
        struct delivery delivery = world_receive(world, consumer);
        assert_int_equal(delivery.tag, i + 1);
        assert_body_number(&delivery, i);
    }
    world_expect_silence(world, consumer);

    world_check(world, consumer_acknowledge(consumer, 13, true, &world->error));
    for (size_t i = 13; i < 23; i++) assert_int_equal(world_receive(world, consumer).tag, i + 1);
    world_expect_silence(world, consumer);
    consumer_close(consumer);
    world_expect_depth(world, publisher, world->queue, 17);
    publisher_close(publisher);
}

/* The broker's words arrive with one of the next calls. */
static void expect_loss(struct world *world, struct consumer *consumer, const char *words)
{
    enum consumer_event event;
    struct delivery delivery;
    enum status status = world_next(world, consumer, PATIENCE_MS, &event, &delivery);
    assert_int_equal(status, STATUS_RETRY);
    if (strstr(world->error.text, words) == NULL) fail_msg("'%s' is not in: %s", words, world->error.text);
    assert_int_equal(consumer_descriptor(consumer), -1);
    assert_int_equal(consumer_next(consumer, &event, &delivery, &world->error), STATUS_RETRY);
    assert_int_equal(consumer_acknowledge(consumer, 1, false, &world->error), STATUS_RETRY);
    assert_int_equal(consumer_stop(consumer, &world->error), STATUS_RETRY);
    assert_int_equal(consumer_keep_alive(consumer, &world->error), STATUS_RETRY);
    assert_int_equal(consumer_start(consumer, &world->error), STATUS_RETRY);
}

static void test_an_unknown_tag_costs_the_connection(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    world_fill(world, publisher, 3);
    struct consumer *consumer = world_started_consumer(world, 10);
    for (size_t i = 0; i < 3; i++) (void)world_receive(world, consumer);
    world_check(world, consumer_acknowledge(consumer, 7, false, &world->error));
    expect_loss(world, consumer, "unknown delivery tag");

    /* Twice the same tag is an unknown tag, too; and nothing of the first connection was acknowledged. */
    world_check(world, consumer_connect(consumer, &world->error));
    world_check(world, consumer_start(consumer, &world->error));
    for (size_t i = 0; i < 3; i++) {
        struct delivery delivery = world_receive(world, consumer);
        assert_int_equal(delivery.tag, i + 1);
        assert_true(delivery.redelivered);
        assert_body_number(&delivery, i);
    }
    world_check(world, consumer_acknowledge(consumer, 2, true, &world->error));
    world_check(world, consumer_acknowledge(consumer, 1, false, &world->error));
    expect_loss(world, consumer, "unknown delivery tag");
    consumer_close(consumer);
    world_expect_depth(world, publisher, world->queue, 1);
    publisher_close(publisher);
}

static void test_what_was_not_acknowledged_comes_again(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    world_fill(world, publisher, 6);
    struct consumer *consumer = world_started_consumer(world, 4);
    for (size_t i = 0; i < 3; i++) (void)world_receive(world, consumer);
    world_check(world, consumer_acknowledge(consumer, 2, false, &world->error));
    consumer_disconnect(consumer);
    consumer_disconnect(consumer);
    assert_int_equal(consumer_descriptor(consumer), -1);

    const size_t again[] = {0, 2, 3, 4, 5};
    world_check(world, consumer_connect(consumer, &world->error));
    world_check(world, consumer_start(consumer, &world->error));
    for (size_t i = 0; i < 5; i++) {
        struct delivery delivery = world_receive(world, consumer);
        assert_body_number(&delivery, again[i]);
        /* 3 was on its way when the connection ended; 4 may have been, in the place of what was acknowledged.
         */
        if (again[i] != 4) assert_int_equal(delivery.redelivered, again[i] <= 3);
        world_check(world, consumer_acknowledge(consumer, delivery.tag, false, &world->error));
    }
    world_expect_silence(world, consumer);
    consumer_close(consumer);
    world_expect_depth(world, publisher, world->queue, 0);
    publisher_close(publisher);
}

static void test_a_lost_connection_is_told_and_replaced(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    world_fill(world, publisher, 2);
    struct consumer *consumer = world_started_consumer(world, 1);
    (void)world_receive(world, consumer);
    world_cut(world, consumer);
    expect_loss(world, consumer, "");
    world_check(world, consumer_connect(consumer, &world->error));
    world_check(world, consumer_start(consumer, &world->error));
    struct delivery delivery = world_receive(world, consumer);
    assert_int_equal(delivery.tag, 1);
    assert_true(delivery.redelivered);
    assert_body_number(&delivery, 0);
    consumer_close(consumer);
    publisher_close(publisher);
}

static void test_a_message_given_out_too_often_is_dead_lettered(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    world_fill(world, publisher, 1);
    struct consumer *consumer = world_started_consumer(world, 1);
    for (int times = 0; times <= WORLD_DELIVERY_LIMIT; times++) {
        if (times > 0) {
            world_check(world, consumer_connect(consumer, &world->error));
            world_check(world, consumer_start(consumer, &world->error));
        }
        assert_int_equal(world_receive(world, consumer).redelivered, times > 0);
        consumer_disconnect(consumer);
    }
    world_expect_depth(world, publisher, world->dead_letter_queue, 1);
    world_expect_depth(world, publisher, world->queue, 0);
    consumer_close(consumer);
    publisher_close(publisher);
}

static void test_a_deleted_queue_cancels_the_consumer(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    struct consumer *consumer = world_started_consumer(world, 10);
    world_fill(world, publisher, 2);
    for (size_t i = 0; i < 2; i++) (void)world_receive(world, consumer);
    world_delete_queue(world, world->queue);

    enum consumer_event event;
    struct delivery delivery;
    world_check(world, world_next(world, consumer, PATIENCE_MS, &event, &delivery));
    assert_int_equal(event, CONSUMER_CANCELLED);
    world_expect_silence(world, consumer);
    world_check(world, consumer_acknowledge(consumer, 2, true, &world->error));
    world_expect_silence(world, consumer);

    world_check(world, consumer_connect(consumer, &world->error));
    world_check(world, consumer_start(consumer, &world->error));
    world_fill(world, publisher, 1);
    delivery = world_receive(world, consumer);
    assert_int_equal(delivery.tag, 1);
    assert_false(delivery.redelivered);
    consumer_close(consumer);
    publisher_close(publisher);
}

static void test_stop_still_brings_what_is_on_its_way(void **state)
{
    enum { COUNT = 500 };
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    world_fill(world, publisher, COUNT);
    struct consumer *consumer = world_started_consumer(world, COUNT);
    (void)world_receive(world, consumer);
    world_check(world, consumer_stop(consumer, &world->error));
    size_t received = 1;
    for (;;) {
        enum consumer_event event;
        struct delivery delivery;
        world_check(world, world_next(world, consumer, SILENCE_MS, &event, &delivery));
        if (event == CONSUMER_IDLE) break;
        assert_int_equal(event, CONSUMER_DELIVERY);
        assert_body_number(&delivery, received++);
    }
    /* Whatever the broker had not sent is still there: nothing fell between. */
    assert_int_equal(world_depth(world, publisher, world->queue), COUNT - received);
    assert_true(received > 1);
    world_check(world, consumer_acknowledge(consumer, received, true, &world->error));
    world_fill(world, publisher, 1);
    world_expect_silence(world, consumer);

    world_check(world, consumer_start(consumer, &world->error));
    for (size_t left = COUNT - received + 1; left > 0; left--) (void)world_receive(world, consumer);
    world_expect_silence(world, consumer);
    consumer_close(consumer);
    publisher_close(publisher);
}

static void test_bodies_of_all_sizes(void **state)
{
    static const size_t sizes[] = {0, 1, 131064 - 1, 131064, 131064 + 1, 64 << 10, 7, 1 << 20, 0, 5 << 20, 3};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    struct consumer *consumer = world_started_consumer(world, 100);
    struct publication publications[COUNT];
    char *bytes = memory_alloc(5 << 20);
    for (size_t i = 0; i < 5 << 20; i++) bytes[i] = (char)(i * 31 + i / 251);
    for (size_t i = 0; i < COUNT; i++)
        publications[i] = world_publication(world, KEY_DEDUCTION, i % 2 == 0 ? "even" : NULL,
                                            (struct text){bytes, sizes[i]});
    world_check(world, publisher_publish(publisher, publications, COUNT, &world->error));
    for (size_t i = 0; i < COUNT; i++) {
        struct delivery delivery = world_receive(world, consumer);
        assert_int_equal(delivery.body.size, sizes[i]);
        assert_true(text_is_present(delivery.body));
        assert_true(text_equal(delivery.body, publications[i].body));
        assert_true(text_equal_string(delivery.exchange, world->exchange));
        assert_true(text_equal_string(delivery.routing_key, KEY_DEDUCTION));
        assert_true(text_equal(delivery.message_id, publications[i].message_id));
        assert_int_equal(text_is_present(delivery.message_id), i % 2 == 0);
        assert_true(text_equal(fake_properties_message_id(delivery.properties), delivery.message_id));
    }
    free(bytes);
    consumer_close(consumer);
    publisher_close(publisher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_a_delivery_carries_everything),
        ON_BOTH(test_the_prefetch_is_respected),
        ON_BOTH(test_an_unknown_tag_costs_the_connection),
        ON_BOTH(test_what_was_not_acknowledged_comes_again),
        ON_BOTH(test_a_lost_connection_is_told_and_replaced),
        ON_BOTH(test_a_message_given_out_too_often_is_dead_lettered),
        ON_BOTH(test_a_deleted_queue_cancels_the_consumer),
        ON_BOTH(test_stop_still_brings_what_is_on_its_way),
        ON_BOTH(test_bodies_of_all_sizes),
    };
    if (!world_has_server()) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
