/* RabbitMQ over networks that fail, block and crumble; headers as large as a frame. */
#include "amqp/confirms.h"
#include "contract/broker_proxy.h"
#include "contract/broker_world.h"

#include <pthread.h>

static void test_frames_may_come_in_crumbs(void **state)
{
    struct world *world = *state;
    struct amqp_options options = world_options(world);
    struct publisher *publisher = world_initialised_publisher(world);
    struct proxy *proxy = proxy_open(world->url);
    options.url = proxy->url;
    struct consumer *consumer = NULL;
    world_check(world, open_and_connect(world, &options, &consumer));
    static char bytes[300000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 7 + i / 253);
    struct publication publications[40];
    for (size_t i = 0; i < 40; i++)
        publications[i] = world_publication(world, KEY_DEDUCTION, "id",
                                            (struct text){bytes, i == 20 ? sizeof bytes : i * 3});
    world_check(world, publisher_publish(publisher, publications, 40, &world->error));
    atomic_store(&proxy->crumb, 7);
    world_check(world, consumer_start(consumer, &world->error));
    for (size_t i = 0; i < 40; i++) {
        if (i == 20) atomic_store(&proxy->crumb, 1001);
        struct delivery delivery = world_receive(world, consumer);
        assert_int_equal(delivery.tag, i + 1);
        assert_true(text_equal(delivery.body, publications[i].body));
        assert_true(text_equal_string(delivery.message_id, "id"));
        assert_true(text_equal_string(delivery.exchange, world->exchange));
    }
    consumer_close(consumer);
    proxy_close(proxy);
    publisher_close(publisher);
}

static struct publisher *proxied_publisher(struct world *world, const struct proxy *proxy,
                                           int confirm_timeout_ms, const atomic_bool *cancel)
{
    struct amqp_options options = world_options(world);
    struct publisher *publisher = NULL;
    options.url = proxy->url;
    options.confirm_timeout_ms = confirm_timeout_ms;
    options.cancel = cancel;
    world_check(world, amqp_publisher_open(&options, &publisher, &world->error));
    world_check(world, publisher_initialise(publisher, &world->error));
    return publisher;
}

static void test_a_lost_confirm_is_unknown(void **state)
{
    struct world *world = *state;
    struct proxy *proxy = proxy_open(world->url);
    struct publisher *publisher = proxied_publisher(world, proxy, 400, NULL);
    struct publisher *observer = world_publisher(world);
    struct publication publications[3];
    for (size_t i = 0; i < 3; i++)
        publications[i] = world_publication(world, KEY_DEDUCTION, "id", TEXT_LITERAL("body"));

    /* The time is up. */
    atomic_store(&proxy->hold_broker, true);
    int64_t begun_us = instant_monotonic_us();
    assert_int_equal(publisher_publish(publisher, publications, 3, &world->error), STATUS_UNKNOWN);
    assert_in_range(instant_monotonic_us() - begun_us, 400000, 3000000);
    for (size_t i = 0; i < 3; i++) assert_int_equal(publications[i].outcome, PUBLICATION_UNKNOWN);
    world_expect_depth(world, observer, world->queue, 3);

    /* Lost while it was idle: replaced without a word. */
    atomic_store(&proxy->hold_broker, false);
    world_check(world, publisher_publish(publisher, publications, 1, &world->error));
    int connections = atomic_load(&proxy->connections);
    atomic_store(&proxy->cut, true);
    usleep(200000);
    world_check(world, publisher_publish(publisher, publications, 3, &world->error));
    for (size_t i = 0; i < 3; i++) assert_int_equal(publications[i].outcome, PUBLICATION_CONFIRMED);
    assert_int_equal(atomic_load(&proxy->connections), connections + 1);
    world_expect_depth(world, observer, world->queue, 7);
    publisher_close(observer);
    publisher_close(publisher);
    proxy_close(proxy);
}

static void test_a_missing_queue_costs_no_connection(void **state)
{
    struct world *world = *state;
    struct proxy *proxy = proxy_open(world->url);
    struct publisher *publisher = proxied_publisher(world, proxy, 5000, NULL);
    int64_t messages, consumers;
    world_fill(world, publisher, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            publisher_depth(publisher, TEXT_LITERAL("nothing"), &messages, &consumers, &world->error),
            STATUS_CONFIG);
        world_fill(world, publisher, 3);
    }
    assert_int_equal(atomic_load(&proxy->connections), 1);
    publisher_close(publisher);
    proxy_close(proxy);
}

struct alarm_script {
    struct proxy *proxy;
    atomic_bool cancel;
};

/* As RabbitMQ does under an alarm: says so, reads nothing for longer than the confirm timeout, says that it
 * is over. */
static void *play_alarm(void *argument)
{
    static const unsigned char unblocked[] = {1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 61, 0xce};
    struct alarm_script *script = argument;
    usleep(1200000);
    atomic_store(&script->proxy->hold_client, false);
    usleep(50000);
    proxy_inject(script->proxy, unblocked, sizeof unblocked);
    return NULL;
}

static const unsigned char blocked_frame[] = {1,  0, 0,   0,   0,   0,   11,  0,   10,  0,
                                              60, 6, 'm', 'e', 'm', 'o', 'r', 'y', 0xce};

static void test_no_time_runs_while_the_broker_is_blocked(void **state)
{
    enum { COUNT = 200, SIZE = 100000 };
    struct world *world = *state;
    struct alarm_script script = {.proxy = proxy_open(world->url)};
    struct publisher *publisher = proxied_publisher(world, script.proxy, 400, &script.cancel);
    char *bytes = memory_alloc_zero(SIZE, 1);
    struct publication *publications = memory_alloc_zero(COUNT, sizeof *publications);
    for (size_t i = 0; i < COUNT; i++)
        publications[i] = world_publication(world, KEY_DEDUCTION, "id", (struct text){bytes, SIZE});

    /* More than the socket's buffers take: neither side may be stuck in a send. */
    proxy_hold_client(script.proxy);
    proxy_inject(script.proxy, blocked_frame, sizeof blocked_frame);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, play_alarm, &script), 0);
    int64_t begun_us = instant_monotonic_us();
    world_check(world, publisher_publish(publisher, publications, COUNT, &world->error));
    assert_true(instant_monotonic_us() - begun_us > MICROSECONDS_PER_SECOND);
    pthread_join(thread, NULL);
    for (size_t i = 0; i < COUNT; i++) assert_int_equal(publications[i].outcome, PUBLICATION_CONFIRMED);
    free(publications);
    free(bytes);
    publisher_close(publisher);
    proxy_close(script.proxy);
}

static void *play_cancel(void *argument)
{
    struct alarm_script *script = argument;
    usleep(900000);
    atomic_store(&script->cancel, true);
    return NULL;
}

static void test_cancelling_ends_a_blocked_wait(void **state)
{
    struct world *world = *state;
    struct alarm_script script = {.proxy = proxy_open(world->url)};
    struct publisher *publisher = proxied_publisher(world, script.proxy, 400, &script.cancel);
    struct publication publication = world_publication(world, KEY_DEDUCTION, "id", TEXT_LITERAL("body"));
    proxy_hold_client(script.proxy);
    proxy_inject(script.proxy, blocked_frame, sizeof blocked_frame);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, play_cancel, &script), 0);
    int64_t begun_us = instant_monotonic_us();
    enum status status = publisher_publish(publisher, &publication, 1, &world->error);
    assert_true(status == STATUS_UNKNOWN || status == STATUS_RETRY);
    assert_in_range(instant_monotonic_us() - begun_us, 700000, 3000000);
    pthread_join(thread, NULL);
    assert_int_equal(publisher_connect(publisher, &world->error), STATUS_RETRY);
    publisher_close(publisher);
    proxy_close(script.proxy);
}

static void test_keep_alive_holds_an_unread_connection(void **state)
{
    struct world *world = *state;
    struct amqp_options options = world_options(world);
    struct consumer *consumer = NULL;
    struct publisher *publisher = world_initialised_publisher(world);
    options.heartbeat_s = 1;
    world_check(world, open_and_connect(world, &options, &consumer));
    world_check(world, consumer_start(consumer, &world->error));
    /* RabbitMQ gives up after two to three heartbeats of silence. */
    for (int i = 0; i < 50; i++) {
        usleep(100000);
        world_check(world, consumer_keep_alive(consumer, &world->error));
    }
    world_fill(world, publisher, 1);
    struct delivery delivery = world_receive(world, consumer);
    assert_false(delivery.redelivered);
    world_check(world, consumer_acknowledge(consumer, delivery.tag, false, &world->error));
    world_expect_silence(world, consumer);
    consumer_close(consumer);
    publisher_close(publisher);
}

static void test_a_foreign_user_id_does_not_cost_the_channel(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    struct consumer *consumer = world_started_consumer(world, 10);
    struct publication publication = world_publication(world, KEY_DEDUCTION, "id", TEXT_LITERAL("body"));
    publication.properties = (struct text){"\x00\x10\x05"
                                           "alice",
                                           8};
    world_check(world, publisher_publish(publisher, &publication, 1, &world->error));
    struct delivery delivery = world_receive(world, consumer);
    assert_true(text_equal(fake_properties_header(delivery.properties, "x-bursar-user-id"),
                           (struct text){"S\0\0\0\5alice", 10}));
    publication.properties = (struct text){"\x00\x10\x05"
                                           "guest",
                                           8};
    world_check(world, publisher_publish(publisher, &publication, 1, &world->error));
    delivery = world_receive(world, consumer);
    assert_false(text_is_present(fake_properties_header(delivery.properties, "x-bursar-user-id")));
    assert_int_equal((unsigned char)delivery.properties.data[1] & 0x10, 0x10);
    consumer_close(consumer);
    publisher_close(publisher);
}

/* A frame holds 131,072 bytes: what is larger than that with the added headers goes without its old ones. */
static void test_headers_as_large_as_a_frame(void **state)
{
    const struct {
        uint32_t size;
        bool kept;
    } cases[] = {{100000, true}, {129000, true}, {130990, false}};
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    struct consumer *consumer = world_started_consumer(world, 10);
    for (size_t i = 0; i < 3; i++) {
        struct buffer properties = {0};
        uint32_t size = cases[i].size, table = size + 9;
        const unsigned char head[] = {0x20,
                                      0,
                                      (unsigned char)(table >> 24),
                                      (unsigned char)(table >> 16),
                                      (unsigned char)(table >> 8),
                                      (unsigned char)table,
                                      3,
                                      'b',
                                      'i',
                                      'g',
                                      'S',
                                      (unsigned char)(size >> 24),
                                      (unsigned char)(size >> 16),
                                      (unsigned char)(size >> 8),
                                      (unsigned char)size};
        char *value = memory_alloc_zero(size, 1);
        buffer_append(&properties, (struct text){(const char *)head, sizeof head});
        buffer_append(&properties, (struct text){value, size});
        struct publication publications[3];
        for (size_t n = 0; n < 3; n++) {
            publications[n] =
                world_publication(world, KEY_DEDUCTION, "id", (struct text){value, n == 0 ? 20000 : 5});
            publications[n].properties = (struct text){properties.data, properties.size};
            publications[n].headers[0] =
                (struct publication_header){.name = "added", .value = TEXT_LITERAL("now")};
            publications[n].header_count = 1;
        }
        world_check(world, publisher_publish(publisher, publications, 3, &world->error));
        for (size_t n = 0; n < 3; n++) {
            struct delivery delivery = world_receive(world, consumer);
            assert_true(text_equal(delivery.body, publications[n].body));
            assert_true(text_is_present(fake_properties_header(delivery.properties, "added")));
            assert_int_equal(text_is_present(fake_properties_header(delivery.properties, "big")),
                             cases[i].kept);
        }
        buffer_free(&properties);
        free(value);
    }
    struct publication publication = world_publication(world, KEY_DEDUCTION, "id", TEXT_LITERAL("body"));
    char *value = memory_alloc_zero(131072, 1);
    publication.headers[0] = (struct publication_header){.name = "added", .value = {value, 131072}};
    publication.header_count = 1;
    assert_int_equal(publisher_publish(publisher, &publication, 1, &world->error), STATUS_REFUSED);
    assert_int_equal(publication.outcome, PUBLICATION_NONE);
    free(value);
    world_fill(world, publisher, 1);
    consumer_close(consumer);
    publisher_close(publisher);
}

/* Bindings may change in the middle of a call, so that of two alike but for one detail only one is returned.
 */
static void test_a_return_is_matched_by_content_in_order(void **state)
{
    const struct properties_limits limits = {.user = TEXT_LITERAL("guest"), .frame_max = 131072};
    struct confirms confirms = {0};
    amqp_pool_t pool;
    struct publication publications[6];
    static const char *const ids[] = {"a", "b", NULL, "a", "b", "b"};
    (void)state;
    init_amqp_pool(&pool, 4096);
    for (size_t i = 0; i < 6; i++)
        publications[i] = (struct publication){.exchange = TEXT_LITERAL("e"),
                                               .routing_key = TEXT_LITERAL("k"),
                                               .message_id = text_of(ids[i]),
                                               .body = TEXT_LITERAL("body")};
    confirms_begin(&confirms, publications, 6, 40);
    for (size_t i = 0; i < 5; i++) confirms_sent(&confirms);

    struct assembly returned = {.exchange = TEXT_LITERAL("e"),
                                .routing_key = TEXT_LITERAL("k"),
                                .message_id = TEXT_LITERAL("b"),
                                .body = TEXT_LITERAL("body")};
    assert_true(confirms_return(&confirms, &returned, &limits, &pool)); /* the second */
    returned.message_id = TEXT_NONE;
    assert_true(confirms_return(&confirms, &returned, &limits, &pool)); /* the third */
    assert_false(confirms_return(&confirms, &returned, &limits, &pool));
    returned.message_id = TEXT_LITERAL("b");
    assert_true(confirms_return(&confirms, &returned, &limits, &pool)); /* the fifth; the sixth is not sent */
    assert_false(confirms_return(&confirms, &returned, &limits, &pool));

    assert_false(confirms_answer(&confirms, 40, false, PUBLICATION_CONFIRMED));
    assert_false(confirms_answer(&confirms, 46, true, PUBLICATION_CONFIRMED));
    assert_true(confirms_answer(&confirms, 44, false, PUBLICATION_REFUSED));
    assert_true(confirms_answer(&confirms, 42, true, PUBLICATION_CONFIRMED));
    assert_true(confirms_answer(&confirms, 42, true, PUBLICATION_CONFIRMED));
    assert_int_equal(confirms.answered, 3);
    assert_int_equal(confirms.oldest, 2);
    assert_true(confirms_answer(&confirms, 45, true, PUBLICATION_CONFIRMED));
    assert_int_equal(confirms.answered, 5);
    static const enum publication_outcome outcomes[] = {PUBLICATION_CONFIRMED, PUBLICATION_RETURNED,
                                                        PUBLICATION_RETURNED,  PUBLICATION_REFUSED,
                                                        PUBLICATION_RETURNED,  PUBLICATION_NONE};
    for (size_t i = 0; i < 6; i++) assert_int_equal(publications[i].outcome, outcomes[i]);
    confirms_free(&confirms);
    empty_amqp_pool(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_RABBITMQ(test_frames_may_come_in_crumbs),
        ON_RABBITMQ(test_a_lost_confirm_is_unknown),
        ON_RABBITMQ(test_a_missing_queue_costs_no_connection),
        ON_RABBITMQ(test_no_time_runs_while_the_broker_is_blocked),
        ON_RABBITMQ(test_cancelling_ends_a_blocked_wait),
        ON_RABBITMQ(test_keep_alive_holds_an_unread_connection),
        ON_RABBITMQ(test_a_foreign_user_id_does_not_cost_the_channel),
        ON_RABBITMQ(test_headers_as_large_as_a_frame),
        cmocka_unit_test(test_a_return_is_matched_by_content_in_order),
    };
    if (!world_has_server()) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
