/* What only RabbitMQ has: logins, hosts in turn, a topology that may differ. */
#include "contract/broker_proxy.h"
#include "contract/broker_world.h"

static void expect_refusal(struct world *world, const struct amqp_options *options, enum status wanted,
                           const char *const *words)
{
    struct consumer *consumer = NULL;
    enum status status = open_and_connect(world, options, &consumer);
    if (status != wanted) fail_msg("%s: %s", status_name(status), world->error.text);
    for (; *words != NULL; words++)
        if (strstr(world->error.text, *words) == NULL)
            fail_msg("'%s' is not in: %s", *words, world->error.text);
    assert_null(strstr(world->error.text, "s3cret"));
    assert_null(strchr(world->error.text, '\n'));
    assert_int_equal(consumer_descriptor(consumer), -1);
    consumer_close(consumer);
}

static int broker_port(const struct world *world)
{
    return atoi(strrchr(world->url, ':') + 1);
}

static void test_refusals_say_why(void **state)
{
    struct world *world = *state;
    struct amqp_options options = world_options(world);
    char url[200], where[40];
    snprintf(where, sizeof where, "127.0.0.1:%d", broker_port(world));

    snprintf(url, sizeof url, "amqp://guest:s3cret@%s/", where);
    options.url = url;
    expect_refusal(world, &options, STATUS_CONFIG,
                   (const char *[]){where, "logging in", "403", "ACCESS_REFUSED", "password", NULL});

    snprintf(url, sizeof url, "amqp://guest:guest@%s/no-such-host", where);
    expect_refusal(world, &options, STATUS_CONFIG,
                   (const char *[]){where, "530", "no-such-host", "virtual host", NULL});

    snprintf(url, sizeof url, "amqp://guest:s3cret@127.0.0.1:1/");
    expect_refusal(world, &options, STATUS_RETRY,
                   (const char *[]){"127.0.0.1:1", "Connection refused", NULL});

    snprintf(url, sizeof url, "amqp://guest:s3cret@no-such-host.invalid/");
    expect_refusal(world, &options, STATUS_RETRY,
                   (const char *[]){"no-such-host.invalid:5672", "resolved", NULL});

    snprintf(url, sizeof url, "amqps://guest:s3cret@%s/", where);
    expect_refusal(world, &options, STATUS_RETRY, (const char *[]){where, "SSL", NULL});

    snprintf(url, sizeof url, "amqp://guest:s3cret@127.0.0.1:1,amqp://guest:s3cret@%s", where);
    expect_refusal(world, &options, STATUS_CONFIG,
                   (const char *[]){"127.0.0.1:1", "refused", where, "403", NULL});
}

static void test_the_next_host_is_tried(void **state)
{
    struct world *world = *state;
    struct amqp_options options = world_options(world);
    char url[200];
    snprintf(url, sizeof url, "amqp://127.0.0.1:1/,%s,amqp://127.0.0.1:2", world->url);
    options.url = url;
    struct consumer *consumer = NULL;
    world_check(world, open_and_connect(world, &options, &consumer));
    assert_true(consumer_descriptor(consumer) >= 0);
    /* Begins with the third, comes round to the second. */
    world_check(world, consumer_connect(consumer, &world->error));
    assert_true(consumer_descriptor(consumer) >= 0);
    consumer_close(consumer);
}

static void test_a_host_that_is_silent_takes_no_longer_than_its_timeout(void **state)
{
    struct world *world = *state;
    struct amqp_options options = world_options(world);
    struct proxy *proxy = proxy_open(world->url);
    atomic_store(&proxy->hold_broker, true);
    options.url = proxy->url;
    options.connect_timeout_ms = 300;
    int64_t begun_us = instant_monotonic_us();
    expect_refusal(world, &options, STATUS_RETRY, (const char *[]){"timed out", NULL});
    assert_true(instant_monotonic_us() - begun_us < 3 * MICROSECONDS_PER_SECOND);
    proxy_close(proxy);
}

static void test_a_queue_with_other_arguments_is_named(void **state)
{
    struct world *world = *state;
    struct amqp_options options = world_options(world);
    struct publisher *publisher = world_initialised_publisher(world);
    publisher_close(publisher);

    options.delivery_limit++;
    expect_refusal(world, &options, STATUS_CONFIG,
                   (const char *[]){world->queue, "x-delivery-limit", "406", "'3'", "'2'", NULL});
    options = world_options(world);
    options.dead_letter_queue = world->queue;
    expect_refusal(world, &options, STATUS_CONFIG,
                   (const char *[]){world->queue, "406", "x-dead-letter", NULL});
    options = world_options(world);
    options.exchange = "amq.fanout";
    expect_refusal(world, &options, STATUS_CONFIG, (const char *[]){"exchange 'amq.fanout'", "type", NULL});

    /* As it is, both declaring and checking are content. */
    options = world_options(world);
    for (int declare = 0; declare <= 1; declare++) {
        struct consumer *consumer = NULL;
        options.declare = declare;
        world_check(world, open_and_connect(world, &options, &consumer));
        consumer_close(consumer);
    }
}

static void test_checking_declares_nothing(void **state)
{
    struct world *world = *state;
    struct amqp_options options = world_options(world);
    options.declare = false;
    for (int i = 0; i < 2; i++)
        expect_refusal(
            world, &options, STATUS_CONFIG,
            (const char *[]){world->dead_letter_exchange, "404", "NOT_FOUND", "bursar init", NULL});
    struct publisher *publisher = NULL;
    world_check(world, amqp_publisher_open(&options, &publisher, &world->error));
    world_check(world, publisher_connect(publisher, &world->error));
    assert_int_equal(publisher_initialise(publisher, &world->error), STATUS_CONFIG);
    assert_non_null(strstr(world->error.text, world->dead_letter_exchange));
    publisher_close(publisher);
}

static void test_the_dead_letter_queue_can_be_consumed(void **state)
{
    struct world *world = *state;
    struct amqp_options options = world_options(world);
    struct publisher *publisher = world_initialised_publisher(world);
    struct publication publication = world_publication(world, KEY_DEDUCTION, "id", TEXT_LITERAL("parked"));
    publication.exchange = text_of(world->dead_letter_exchange);
    world_check(world, publisher_publish(publisher, &publication, 1, &world->error));
    options.consume_queue = world->dead_letter_queue;
    struct consumer *consumer = NULL;
    world_check(world, open_and_connect(world, &options, &consumer));
    world_check(world, consumer_start(consumer, &world->error));
    assert_true(text_equal_string(world_receive(world, consumer).body, "parked"));
    consumer_close(consumer);
    publisher_close(publisher);
}

static void test_a_deleted_exchange_comes_back(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    struct publication publication = world_publication(world, KEY_DEDUCTION, "id", TEXT_LITERAL("body"));
    publication.exchange = text_of(world->dead_letter_exchange);
    amqp_exchange_delete(world->admin, 1, amqp_cstring_bytes(world->dead_letter_exchange), 0);
    admin_check(world, "deleting an exchange");
    assert_int_equal(publisher_publish(publisher, &publication, 1, &world->error), STATUS_UNKNOWN);
    assert_non_null(strstr(world->error.text, "404"));
    world_check(world, publisher_publish(publisher, &publication, 1, &world->error));
    assert_int_equal(publication.outcome, PUBLICATION_CONFIRMED);
    publisher_close(publisher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_RABBITMQ(test_refusals_say_why),
        ON_RABBITMQ(test_the_next_host_is_tried),
        ON_RABBITMQ(test_a_host_that_is_silent_takes_no_longer_than_its_timeout),
        ON_RABBITMQ(test_a_queue_with_other_arguments_is_named),
        ON_RABBITMQ(test_checking_declares_nothing),
        ON_RABBITMQ(test_the_dead_letter_queue_can_be_consumed),
        ON_RABBITMQ(test_a_deleted_exchange_comes_back),
    };
    if (!world_has_server()) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
