/* What becomes of a publication's properties: the contract of port/broker.h, held by the fake broker and by
 * RabbitMQ alike. */
#include "contract/broker_world.h"

static void append_length(struct buffer *out, size_t length, size_t bytes)
{
    for (size_t i = bytes; i-- > 0;)
        buffer_append(out, (struct text){(char[]){(char)(length >> (8 * i))}, 1});
}

/* Properties with a content type and headers (a table's content). */
static void encode_properties(struct buffer *out, struct text headers)
{
    buffer_append(out, (struct text){"\xa0\x00"
                                     "\x04"
                                     "text",
                                     7});
    append_length(out, headers.size, 4);
    buffer_append(out, headers);
}

static void append_header(struct buffer *out, const char *name, const char *value)
{
    append_length(out, strlen(name), 1);
    buffer_append_string(out, name);
    buffer_append_string(out, "S");
    append_length(out, strlen(value), 4);
    buffer_append_string(out, value);
}

static void assert_header(struct text properties, const char *name, const char *value)
{
    struct text found = fake_properties_header(properties, name);
    if (value == NULL) {
        assert_false(text_is_present(found));
        return;
    }
    if (found.size != strlen(value) + 5 || found.data[0] != 'S' ||
        memcmp(found.data + 5, value, strlen(value)) != 0)
        fail_msg("header %s is not %s", name, value);
}

static struct delivery through(struct world *world, struct publisher *publisher, struct consumer *consumer,
                               struct publication *publication)
{
    world_check(world, publisher_publish(publisher, publication, 1, &world->error));
    assert_int_equal(publication->outcome, PUBLICATION_CONFIRMED);
    struct delivery delivery = world_receive(world, consumer);
    assert_true(text_equal(delivery.body, publication->body));
    return delivery;
}

static void test_headers_are_added_and_replaced(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    struct consumer *consumer = world_started_consumer(world, 10);
    struct buffer headers = {0}, properties = {0};
    append_header(&headers, "kept", "as it was");
    append_header(&headers, "replaced", "old");
    append_header(&headers, "origin", "first");
    append_header(&headers, "replaced", "older");
    append_header(&headers, "counted", "text");
    encode_properties(&properties, (struct text){headers.data, headers.size});

    struct publication publication = world_publication(world, KEY_DEDUCTION, NULL, TEXT_LITERAL("body"));
    publication.properties = (struct text){properties.data, properties.size};
    const struct publication_header added[] = {
        {.name = "added", .value = TEXT_LITERAL("now")},
        {.name = "replaced", .value = TEXT_LITERAL("new")},
        {.name = "origin", .value = TEXT_LITERAL("second"), .unless_present = true},
        {.name = "source", .value = TEXT_LITERAL("here"), .unless_present = true},
        {.name = "counted", .number = INT64_C(-9007199254740991)},
        {.name = "empty", .value = TEXT_LITERAL("")},
    };
    memcpy(publication.headers, added, sizeof added);
    publication.header_count = sizeof added / sizeof added[0];
    struct delivery delivery = through(world, publisher, consumer, &publication);
    assert_header(delivery.properties, "kept", "as it was");
    assert_header(delivery.properties, "added", "now");
    assert_header(delivery.properties, "replaced", "new");
    assert_header(delivery.properties, "origin", "first");
    assert_header(delivery.properties, "source", "here");
    assert_header(delivery.properties, "empty", "");
    assert_header(delivery.properties, "missing", NULL);
    assert_true(text_equal(fake_properties_header(delivery.properties, "counted"),
                           (struct text){"l\xff\xe0\x00\x00\x00\x00\x00\x01", 9}));
    /* The content type stays, the delivery mode is persistent (0x1000) now. */
    assert_int_equal((unsigned char)delivery.properties.data[0], 0xb0);
    assert_memory_equal(delivery.properties.data + 2, "\x04text", 5);

    /* Once more round, from what was delivered: all is still there, nothing twice. */
    struct buffer copy = {0};
    buffer_append(&copy, delivery.properties);
    publication.properties = (struct text){copy.data, copy.size};
    delivery = through(world, publisher, consumer, &publication);
    assert_int_equal(delivery.properties.size, copy.size);
    assert_header(delivery.properties, "origin", "first");
    buffer_free(&copy);
    buffer_free(&headers);
    buffer_free(&properties);
    consumer_close(consumer);
    publisher_close(publisher);
}

static void test_the_message_id_is_kept_replaced_or_dropped(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    struct consumer *consumer = world_started_consumer(world, 10);
    struct buffer copy = {0};
    struct publication publication = world_publication(world, KEY_DEDUCTION, "one", TEXT_LITERAL("body"));
    struct delivery delivery = through(world, publisher, consumer, &publication);
    assert_true(text_equal_string(delivery.message_id, "one"));
    buffer_append(&copy, delivery.properties);

    publication.properties = (struct text){copy.data, copy.size};
    publication.message_id = TEXT_NONE;
    assert_true(text_equal_string(through(world, publisher, consumer, &publication).message_id, "one"));
    publication.message_id = TEXT_LITERAL("two");
    assert_true(text_equal_string(through(world, publisher, consumer, &publication).message_id, "two"));
    publication.message_id = TEXT_NONE;
    publication.drop_message_id = true;
    assert_false(text_is_present(through(world, publisher, consumer, &publication).message_id));

    char *long_id = memory_alloc(300);
    memset(long_id, 'x', 300);
    publication.drop_message_id = false;
    publication.message_id = (struct text){long_id, 255};
    assert_int_equal(through(world, publisher, consumer, &publication).message_id.size, 255);
    publication.message_id = (struct text){long_id, 256};
    assert_false(text_is_present(through(world, publisher, consumer, &publication).message_id));
    free(long_id);
    buffer_free(&copy);
    consumer_close(consumer);
    publisher_close(publisher);
}

static void test_deeply_nested_headers_survive(void **state)
{
    enum { DEPTH = 90 };
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    struct consumer *consumer = world_started_consumer(world, 10);
    struct buffer value = {0}, headers = {0}, properties = {0};
    int depth = amqp_version_number() >= AMQP_VERSION_CODE(0, 12, 0, 0) ? DEPTH : 1500;
    buffer_append_string(&value, "S");
    append_length(&value, 6, 4);
    buffer_append_string(&value, "bottom");
    for (int i = 0; i < depth; i++) {
        struct buffer outer = {0};
        buffer_append_string(&outer, i % 2 == 0 ? "F" : "A");
        append_length(&outer, value.size + (i % 2 == 0 ? 2 : 0), 4);
        if (i % 2 == 0) buffer_append(&outer, (struct text){"\1n", 2});
        buffer_append(&outer, (struct text){value.data, value.size});
        buffer_free(&value);
        value = outer;
    }
    buffer_append(&headers, (struct text){"\4deep", 5});
    buffer_append(&headers, (struct text){value.data, value.size});
    encode_properties(&properties, (struct text){headers.data, headers.size});
    struct publication publication = world_publication(world, KEY_DEDUCTION, "deep", TEXT_LITERAL("body"));
    publication.properties = (struct text){properties.data, properties.size};
    publication.headers[0] = (struct publication_header){.name = "added", .value = TEXT_LITERAL("now")};
    publication.header_count = 1;
    struct delivery delivery = through(world, publisher, consumer, &publication);
    assert_true(text_equal(fake_properties_header(delivery.properties, "deep"),
                           (struct text){value.data, value.size}));
    assert_header(delivery.properties, "added", "now");
    buffer_free(&value);
    buffer_free(&headers);
    buffer_free(&properties);
    consumer_close(consumer);
    publisher_close(publisher);
}

static void test_a_time_to_live_does_not_end_a_parked_message(void **state)
{
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    /* An expiration of one millisecond, and nothing else. */
    struct publication publication = world_publication(world, KEY_DEDUCTION, "id", TEXT_LITERAL("body"));
    publication.properties = (struct text){"\x01\x00\x01"
                                           "1",
                                           4};
    world_check(world, publisher_publish(publisher, &publication, 1, &world->error));
    if (world->real) usleep(50000);
    struct consumer *consumer = world_started_consumer(world, 10);
    struct delivery delivery = world_receive(world, consumer);
    assert_header(delivery.properties, "x-bursar-expiration", "1");
    assert_int_equal(delivery.properties.data[0] & 0x01, 0);
    consumer_close(consumer);
    publisher_close(publisher);
}

static void test_unreadable_properties_do_not_stop_a_body(void **state)
{
    static const struct text unreadable[] = {
        {"", 0},
        {"\x80", 1},
        {"\x80\x00", 2},
        {"\x80\x00\x05"
         "abc",
         6},
        {"\xff\xff\xff\xff", 4},
        {"\x20\x00\xff\xff\xff\xff", 6},
        {"\x20\x00\x00\x00\x00\x04\x01"
         "a?x",
         10}, /* a header of an unknown kind */
    };
    struct world *world = *state;
    struct publisher *publisher = world_initialised_publisher(world);
    struct consumer *consumer = world_started_consumer(world, 10);
    for (size_t i = 0; i < sizeof unreadable / sizeof unreadable[0]; i++) {
        struct publication publication = world_publication(world, KEY_DEDUCTION, "id", TEXT_LITERAL("body"));
        publication.properties = unreadable[i];
        publication.headers[0] = (struct publication_header){.name = "added", .value = TEXT_LITERAL("now")};
        publication.header_count = 1;
        struct delivery delivery = through(world, publisher, consumer, &publication);
        assert_header(delivery.properties, "added", "now");
        assert_true(text_equal_string(delivery.message_id, "id"));
    }
    consumer_close(consumer);
    publisher_close(publisher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_headers_are_added_and_replaced),
        ON_BOTH(test_the_message_id_is_kept_replaced_or_dropped),
        ON_BOTH(test_deeply_nested_headers_survive),
        ON_BOTH(test_a_time_to_live_does_not_end_a_parked_message),
        ON_BOTH(test_unreadable_properties_do_not_stop_a_body),
    };
    if (!world_has_server()) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
