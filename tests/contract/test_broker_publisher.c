/* The publisher's contract in port/broker.h, held by the fake broker and by RabbitMQ alike. */
#include "contract/broker_world.h"

static const char test_order_key[] = KEY_DEDUCTION;

/* Confirmed, returned and refused in turn; many share an id, so only an exact match gets each outcome right.
 */
static void test_each_publication_gets_its_own_outcome(void **state)
{
    enum { COUNT = 3000 };
    static const char *const keys[] = {KEY_NOWHERE, test_order_key, KEY_FULL, KEY_NOWHERE, test_order_key};
    static const enum publication_outcome outcomes[] = {PUBLICATION_RETURNED, PUBLICATION_CONFIRMED,
                                                        PUBLICATION_REFUSED, PUBLICATION_RETURNED,
                                                        PUBLICATION_CONFIRMED};
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    world_add_full_queue(world);
    struct publication *publications = memory_alloc_zero(COUNT, sizeof *publications);
    char(*texts)[24] = memory_alloc_zero(COUNT, sizeof *texts);
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "%zu", i % 7);
        publications[i] = world_publication(world, keys[i * i % 11 % 5],
                                            i % 3 == 0 ? "one-for-all" : texts[i], text_of(texts[i]));
    }
    world_check(world, publisher_publish(publisher, publications, COUNT, &world->error));
    int64_t confirmed = 0;
    for (size_t i = 0; i < COUNT; i++) {
        if (publications[i].outcome != outcomes[i * i % 11 % 5])
            fail_msg("publication %zu: outcome %d", i, (int)publications[i].outcome);
        if (publications[i].outcome == PUBLICATION_CONFIRMED) confirmed++;
    }
    world_expect_depth(world, publisher, world->queue, confirmed);

    /* The same publisher again: tags go on where they were. */
    world_check(world, publisher_publish(publisher, publications, 7, &world->error));
    for (size_t i = 0; i < 7; i++) assert_int_equal(publications[i].outcome, outcomes[i * i % 11 % 5]);
    free(publications);
    free(texts);
    publisher_close(publisher);
}

/* The queue itself says whether something waits; what was asked for goes back to the front. */
static void test_a_queue_says_whether_it_is_empty(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    bool empty = false;
    world_check(world, publisher_is_empty(publisher, text_of(world->queue), &empty, &world->error));
    assert_true(empty);
    struct publication publications[] = {
        world_publication(world, KEY_DEDUCTION, "a", TEXT_LITERAL("1")),
        world_publication(world, KEY_DEDUCTION, "b", TEXT_LITERAL("2")),
    };
    world_check(world, publisher_publish(publisher, publications, 2, &world->error));
    world_expect_depth(world, publisher, world->queue, 2);
    world_check(world, publisher_is_empty(publisher, text_of(world->queue), &empty, &world->error));
    assert_false(empty);
    world_expect_depth(world, publisher, world->queue, 2);
    assert_int_equal(publisher_is_empty(publisher, TEXT_LITERAL("no-such-queue"), &empty, &world->error),
                     STATUS_CONFIG);
    world_check(world, publisher_publish(publisher, publications, 1, &world->error));
    assert_int_equal(publications[0].outcome, PUBLICATION_CONFIRMED);
    publisher_close(publisher);
}

static void test_a_large_message_is_returned_whole(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    char *bytes = memory_alloc_zero(1 << 20, 1);
    struct publication publications[] = {
        world_publication(world, KEY_NOWHERE, "a", (struct text){bytes, 1 << 20}),
        world_publication(world, KEY_DEDUCTION, "a", (struct text){bytes, 1 << 20}),
        world_publication(world, KEY_NOWHERE, "b", (struct text){bytes, 1 << 20}),
        world_publication(world, KEY_NOWHERE, "b", TEXT_LITERAL("")),
    };
    world_check(world, publisher_publish(publisher, publications, 4, &world->error));
    assert_int_equal(publications[0].outcome, PUBLICATION_RETURNED);
    assert_int_equal(publications[1].outcome, PUBLICATION_CONFIRMED);
    assert_int_equal(publications[2].outcome, PUBLICATION_RETURNED);
    assert_int_equal(publications[3].outcome, PUBLICATION_RETURNED);
    free(bytes);
    publisher_close(publisher);
}

static void test_a_missing_exchange_is_no_success(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    struct publication publications[3];
    for (size_t i = 0; i < 3; i++)
        publications[i] = world_publication(world, KEY_DEDUCTION, "id", TEXT_LITERAL("body"));
    publications[1].exchange = TEXT_LITERAL("no.such.exchange");
    enum status status = publisher_publish(publisher, publications, 3, &world->error);
    assert_true(status == STATUS_UNKNOWN || status == STATUS_RETRY);
    assert_int_not_equal(publications[1].outcome, PUBLICATION_CONFIRMED);
    assert_int_not_equal(publications[2].outcome, PUBLICATION_CONFIRMED);
    world_check(world, publisher_publish(publisher, publications, 1, &world->error));
    assert_int_equal(publications[0].outcome, PUBLICATION_CONFIRMED);
    publisher_close(publisher);
}

static void test_depth(void **state)
{
    struct world *world = *state;
    int64_t messages = -1, consumers = -1;
    struct publisher *publisher = world_publisher(world);
    assert_int_equal(publisher_depth(publisher, text_of(world->queue), &messages, &consumers, &world->error),
                     STATUS_CONFIG);
    assert_non_null(strstr(world->error.text, world->queue));
    world_check(world, publisher_initialise(publisher, &world->error));
    world_check(world, publisher_initialise(publisher, &world->error));
    world_fill(world, publisher, 5);
    world_expect_depth(world, publisher, world->queue, 5);
    world_check(world, publisher_depth(publisher, text_of(world->dead_letter_queue), &messages, &consumers,
                                       &world->error));
    assert_int_equal(messages, 0);
    assert_int_equal(consumers, 0);
    assert_int_equal(
        publisher_depth(publisher, TEXT_LITERAL("nothing"), &messages, &consumers, &world->error),
        STATUS_CONFIG);
    world_fill(world, publisher, 1);

    struct consumer *consumer = world_started_consumer(world, 4);
    (void)world_receive(world, consumer);
    world_check(world,
                publisher_depth(publisher, text_of(world->queue), &messages, &consumers, &world->error));
    assert_int_equal(messages, 2);
    assert_int_equal(consumers, 1);
    world_check(world, consumer_keep_alive(consumer, &world->error));
    consumer_close(consumer);
    publisher_close(publisher);
}

static void test_nothing_works_before_connecting(void **state)
{
    struct world *world = *state;
    enum consumer_event event;
    struct delivery delivery;
    struct consumer *consumer = world_consumer(world, 10);
    assert_int_equal(consumer_descriptor(consumer), -1);
    assert_int_equal(consumer_start(consumer, &world->error), STATUS_RETRY);
    assert_int_equal(consumer_next(consumer, &event, &delivery, &world->error), STATUS_RETRY);
    assert_int_equal(consumer_acknowledge(consumer, 1, true, &world->error), STATUS_RETRY);
    assert_int_equal(consumer_stop(consumer, &world->error), STATUS_RETRY);
    consumer_disconnect(consumer);
    consumer_close(consumer);
    consumer_close(NULL);
    publisher_close(NULL);
    struct publisher *publisher = world_publisher(world);
    world_check(world, publisher_connect(publisher, &world->error));
    world_check(world, publisher_connect(publisher, &world->error));
    world_check(world, publisher_publish(publisher, NULL, 0, &world->error));
    publisher_close(publisher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_each_publication_gets_its_own_outcome),
        ON_BOTH(test_a_queue_says_whether_it_is_empty),
        ON_BOTH(test_a_large_message_is_returned_whole),
        ON_BOTH(test_a_missing_exchange_is_no_success),
        ON_BOTH(test_depth),
        ON_BOTH(test_nothing_works_before_connecting),
    };
    if (!world_has_server()) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
