/* Looking through a queue of dead letters: the consumer's contract in port/broker.h as far as only that needs
 * it, held by the fake broker and by RabbitMQ alike. */
#include "contract/broker_world.h"

static struct consumer *reader_of(struct world *world, const char *queue, int prefetch)
{
    struct consumer *consumer = NULL;
    struct amqp_options options = world_options(world);
    options.prefetch = prefetch;
    options.consume_queue = queue;
    if (!world->real) consumer = fake_consumer_open(world->fake, queue, (size_t)prefetch);
    if (world->real) world_check(world, amqp_consumer_open(&options, &consumer, &world->error));
    world_check(world, consumer_connect(consumer, &world->error));
    world_check(world, consumer_start(consumer, &world->error));
    return consumer;
}

static void expect_bodies(struct world *world, struct consumer *consumer, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct delivery delivery = world_receive(world, consumer);
        assert_body_number(&delivery, first + i);
    }
}

static void test_a_window_beside_what_is_held(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    world_fill(world, publisher, 20);
    struct consumer *consumer = reader_of(world, world->queue, 3);
    expect_bodies(world, consumer, 0, 3);
    world_expect_silence(world, consumer);
    world_check(world, consumer_widen(consumer, 5, &world->error));
    expect_bodies(world, consumer, 3, 5);
    world_expect_silence(world, consumer);

    /* What is acknowledged of the older window makes no room, of the present one it does. */
    world_check(world, consumer_acknowledge(consumer, 2, false, &world->error));
    world_expect_silence(world, consumer);
    world_check(world, consumer_acknowledge(consumer, 5, false, &world->error));
    expect_bodies(world, consumer, 8, 1);
    world_expect_silence(world, consumer);
    world_check(world, consumer_widen(consumer, 2, &world->error));
    expect_bodies(world, consumer, 9, 2);
    world_check(world, consumer_acknowledge(consumer, 11, true, &world->error));
    expect_bodies(world, consumer, 11, 2);
    consumer_close(consumer);
    world_expect_depth(world, publisher, world->queue, 9);
    publisher_close(publisher);
}

/* Twice, and with windows that a broker without a limit of deliveries takes back: the order is what it was.
 */
static void test_what_is_given_back_keeps_its_order(void **state)
{
    enum { COUNT = 3000 };
    static const size_t windows[] = {100, 200, 400, 800, 1600};
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    struct publication *publications = memory_alloc_zero(COUNT, sizeof *publications);
    char(*bodies)[24] = memory_alloc_zero(COUNT, sizeof *bodies);
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(bodies[i], sizeof bodies[i], "%zu", i);
        publications[i] = (struct publication){.exchange = text_of(world->dead_letter_exchange),
                                               .routing_key = TEXT_LITERAL(KEY_DEDUCTION),
                                               .body = text_of(bodies[i])};
    }
    world_check(world, publisher_publish(publisher, publications, COUNT, &world->error));
    for (size_t round = 0; round < 4; round++) {
        struct consumer *consumer = reader_of(world, world->dead_letter_queue, (int)windows[0]);
        for (size_t i = 0, seen = 0; seen < COUNT; i++) {
            size_t count = windows[i] < COUNT - seen ? windows[i] : COUNT - seen;
            if (i > 0) world_check(world, consumer_widen(consumer, windows[i], &world->error));
            expect_bodies(world, consumer, seen, count);
            seen += count;
        }
        if (round == 2) world_cut(world, consumer);
        consumer_close(consumer);
        world_expect_depth(world, publisher, world->dead_letter_queue, COUNT);
    }
    free(publications);
    free(bodies);
    publisher_close(publisher);
}

/* Given back while more is on its way, and more than that was never sent. */
static void test_what_was_not_read_stays_behind(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    world_fill(world, publisher, 500);
    struct consumer *consumer = reader_of(world, world->queue, 50);
    expect_bodies(world, consumer, 0, 50);
    world_check(world, consumer_widen(consumer, 100, &world->error));
    expect_bodies(world, consumer, 50, 7);
    consumer_disconnect(consumer);
    world_expect_depth(world, publisher, world->queue, 500);
    world_check(world, consumer_connect(consumer, &world->error));
    world_check(world, consumer_start(consumer, &world->error));
    expect_bodies(world, consumer, 0, 50);
    world_check(world, consumer_widen(consumer, 450, &world->error));
    expect_bodies(world, consumer, 50, 450);
    consumer_close(consumer);
    publisher_close(publisher);
}

static void test_some_are_taken_and_the_others_keep_their_order(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    world_fill(world, publisher, 40);
    struct consumer *consumer = reader_of(world, world->queue, 10);
    expect_bodies(world, consumer, 0, 10);
    for (uint64_t tag = 1; tag <= 10; tag += 2)
        world_check(world, consumer_acknowledge(consumer, tag, false, &world->error));
    expect_bodies(world, consumer, 10, 5);
    world_check(world, consumer_widen(consumer, 20, &world->error));
    expect_bodies(world, consumer, 15, 20);
    for (uint64_t tag = 11; tag <= 35; tag += 2)
        world_check(world, consumer_acknowledge(consumer, tag, false, &world->error));
    consumer_close(consumer);
    world_expect_depth(world, publisher, world->queue, 22);

    consumer = reader_of(world, world->queue, 30);
    for (size_t i = 1; i < 34; i += 2) expect_bodies(world, consumer, i, 1);
    expect_bodies(world, consumer, 35, 5);
    consumer_close(consumer);
    publisher_close(publisher);
}

static void assert_text(struct text found, const char *wanted)
{
    if (wanted == NULL ? text_is_present(found) : !text_equal_string(found, wanted))
        fail_msg("'" TEXT_FORMAT "' is not '%s'", TEXT_ARGUMENTS(found), wanted == NULL ? "absent" : wanted);
}

static void test_the_origin_of_what_a_worker_parked(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    struct consumer *consumer = world_started_consumer(world, 10);
    struct publication publication = world_publication(world, KEY_DEDUCTION, "id", TEXT_LITERAL("body"));
    const struct publication_header headers[] = {
        {.name = "x-bursar-reason", .value = TEXT_LITERAL("invalid-amount")},
        {.name = "x-bursar-detail", .value = TEXT_LITERAL("amount: 0")},
        {.name = "x-bursar-parked-at", .value = TEXT_LITERAL("2026-01-02T03:04:05.678901Z")},
        {.name = "x-bursar-exchange", .value = TEXT_LITERAL("from")},
        {.name = "x-bursar-routing-key", .value = TEXT_LITERAL("there")},
        {.name = "x-bursar-replays", .number = 7},
    };
    memcpy(publication.headers, headers, sizeof headers);
    publication.header_count = sizeof headers / sizeof headers[0];
    world_check(world, publisher_publish(publisher, &publication, 1, &world->error));
    struct delivery delivery = world_receive(world, consumer);
    struct letter_origin origin;
    consumer_origin(consumer, delivery.properties, &origin);
    assert_text(origin.reason, "invalid-amount");
    assert_text(origin.detail, "amount: 0");
    assert_text(origin.parked_at, "2026-01-02T03:04:05.678901Z");
    assert_text(origin.exchange, "from");
    assert_text(origin.routing_key, "there");
    assert_int_equal(origin.replays, 7);
    assert_int_equal(origin.returns, 0);
    assert_text(origin.death_reason, NULL);
    assert_text(origin.first_exchange, NULL);
    consumer_close(consumer);
    publisher_close(publisher);
}

static void test_the_origin_of_what_the_broker_gave_up(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    world_fill(world, publisher, 1);
    for (int i = 0; i <= WORLD_DELIVERY_LIMIT; i++) {
        struct consumer *consumer = world_started_consumer(world, 10);
        (void)world_receive(world, consumer);
        consumer_close(consumer);
    }
    struct consumer *reader = reader_of(world, world->dead_letter_queue, 10);
    struct delivery delivery = world_receive(world, reader);
    struct letter_origin origin;
    consumer_origin(reader, delivery.properties, &origin);
    assert_text(origin.reason, NULL);
    assert_text(origin.exchange, NULL);
    assert_text(origin.death_reason, "delivery_limit");
    assert_text(origin.death_queue, world->queue);
    assert_text(origin.first_exchange, world->exchange);
    assert_text(origin.first_routing_key, KEY_DEDUCTION);
    if (world->real) assert_true(origin.died_at_us > INT64_C(1000000000000000));
    consumer_close(reader);

    /* Looked at twice: the broker counts. */
    reader = reader_of(world, world->dead_letter_queue, 10);
    delivery = world_receive(world, reader);
    consumer_origin(reader, delivery.properties, &origin);
    assert_int_equal(origin.returns, 1);
    assert_text(origin.first_exchange, world->exchange);
    consumer_close(reader);
    publisher_close(publisher);
}

/* An entry of a table, its value encoded. */
static void append_entry(struct buffer *out, const char *name, const char *value, size_t size)
{
    buffer_append(out, (struct text){(char[]){(char)strlen(name)}, 1});
    buffer_append_string(out, name);
    buffer_append(out, (struct text){value, size});
}

static void origin_of_headers(struct world *world, const struct buffer *headers, struct letter_origin *origin)
{
    struct consumer *consumer = world_consumer(world, 1);
    struct buffer properties = {0};
    buffer_append(&properties, (struct text){"\x20\0", 2});
    for (int i = 3; i >= 0; i--)
        buffer_append(&properties, (struct text){(char[]){(char)(headers->size >> (8 * i))}, 1});
    buffer_append(&properties, (struct text){headers->data, headers->size});
    /* As large as it is and no larger, so that reading beyond it is noticed. */
    char *exact = memory_alloc(properties.size);
    memcpy(exact, properties.data, properties.size);
    consumer_origin(consumer, (struct text){exact, properties.size}, origin);
    assert_text(origin->reason, NULL);
    for (size_t size = 0; size < properties.size && size < 400; size++) {
        struct letter_origin shorter;
        char *cut = memory_alloc(size);
        memcpy(cut, exact, size);
        consumer_origin(consumer, (struct text){cut, size}, &shorter);
        free(cut);
    }
    free(exact);
    buffer_free(&properties);
    consumer_close(consumer);
}

static void test_a_strangers_headers_do_no_harm(void **state)
{
    struct world *world = *state;
    struct letter_origin origin;
    struct buffer headers = {0};
    append_entry(&headers, "x-bursar-reason", "l\0\0\0\0\0\0\0\1", 9);
    append_entry(&headers, "x-bursar-replays", "l\xff\xff\xff\xff\xff\xff\xff\xff", 9);
    append_entry(&headers, "x-death", "S\0\0\0\1x", 6);
    origin_of_headers(world, &headers, &origin);
    assert_int_equal(origin.replays, 0);

    static const struct text deaths[] = {
        {"A\0\0\0\0", 5},
        {"A\0\0\0\2F\0", 7},
        {"A\0\0\0\5F\0\0\0\0", 10},
        {"A\0\0\0\5F\xff\xff\xff\xff", 10},
        {"A\0\0\0\6S\0\0\0\1x", 11},
        {"A\xff\xff\xff\xff", 5},
        {"A\0\0\0\x15"
         "F\0\0\0\x10\x4time"
         "T\x7f\xff\xff\xff\xff\xff\xff\xff\0",
         26},
    };
    for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++) {
        buffer_clear(&headers);
        append_entry(&headers, "x-death", deaths[i].data, deaths[i].size);
        origin_of_headers(world, &headers, &origin);
        assert_text(origin.death_reason, NULL);
        assert_text(origin.first_exchange, NULL);
    }

    /* Tables in tables, 20,000 deep. */
    buffer_clear(&headers);
    struct buffer deep = {0};
    for (size_t depth = 20000; depth > 0; depth--) {
        size_t size = (depth - 1) * 5;
        char head[5] = {'A', (char)(size >> 24), (char)(size >> 16), (char)(size >> 8), (char)size};
        buffer_append(&deep, (struct text){head, 5});
    }
    append_entry(&headers, "x-death", deep.data, deep.size);
    origin_of_headers(world, &headers, &origin);
    assert_text(origin.death_reason, NULL);
    buffer_free(&deep);
    buffer_free(&headers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_a_window_beside_what_is_held),
        ON_BOTH(test_what_is_given_back_keeps_its_order),
        ON_BOTH(test_what_was_not_read_stays_behind),
        ON_BOTH(test_some_are_taken_and_the_others_keep_their_order),
        ON_BOTH(test_the_origin_of_what_a_worker_parked),
        ON_BOTH(test_the_origin_of_what_the_broker_gave_up),
        ON_BOTH(test_a_strangers_headers_do_no_harm),
    };
    if (!world_has_server()) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
