/* The same random schedules on the fake broker and, through the adapter, on RabbitMQ. RabbitMQ does things in
 * its own time: after each step the test waits until its queues look like the fake's, and only then goes on.
 * Then each delivery is the same, to its tag and its redelivered flag, and in the end so is what every queue
 * holds. */
#include "contract/twins_broker.h"

enum { EPISODE_OPERATIONS = 60, PUBLICATIONS_MAX = 8 };

/* One event of both; false: there is none. */
static bool read_one(struct pair *pair)
{
    enum consumer_event one, two;
    struct delivery fake, real;
    enum status status = consumer_next(pair->fake_consumer, &one, &fake, &pair->fake->error);
    bool patient = status != STATUS_OK || one != CONSUMER_IDLE;
    SAME_STATUS(pair, status,
                world_next(pair->real, pair->real_consumer, patient ? PATIENCE_MS : 0, &two, &real));
    if (status != STATUS_OK) return false;
    twins_same(&pair->twins, "event", 0, one, two);
    if (one == CONSUMER_CANCELLED) {
        twins_note(&pair->twins, " cancelled");
        pair->consuming = false;
    }
    if (one != CONSUMER_DELIVERY) return one == CONSUMER_CANCELLED;
    twins_note(&pair->twins, " " TEXT_FORMAT "%s", TEXT_ARGUMENTS(fake.body), fake.redelivered ? "r" : "");
    same_delivery(pair, &fake, &real, false);
    assert_true(pair->tag_count < TAGS_MAX);
    pair->tags[pair->tag_count++] = pair->tag_last = fake.tag;
    pair->deliveries++;
    pair->redeliveries += fake.redelivered;
    return true;
}

static void read_some(struct pair *pair)
{
    twins_note(&pair->twins, "read");
    for (size_t count = 1 + roll(&pair->twins, 8); count > 0 && read_one(pair); count--) continue;
}

static void publish(struct pair *pair)
{
    static const char *const keys[] = {KEY_DEDUCTION, KEY_DEDUCTION, KEY_DEDUCTION,
                                       KEY_DEDUCTION, KEY_NOWHERE,   KEY_FULL};
    struct publication one[PUBLICATIONS_MAX], two[PUBLICATIONS_MAX];
    char bodies[PUBLICATIONS_MAX][24];
    size_t count = 1 + roll(&pair->twins, PUBLICATIONS_MAX);
    twins_note(&pair->twins, "publish");
    for (size_t i = 0; i < count; i++) {
        const char *key = keys[roll(&pair->twins, sizeof keys / sizeof keys[0])];
        snprintf(bodies[i], sizeof bodies[0], "%zu", ++pair->bodies);
        twins_note(&pair->twins, " %s:%s", bodies[i], key);
        one[i] = world_publication(pair->fake, key, chance(&pair->twins, 50) ? bodies[i] : NULL,
                                   text_of(bodies[i]));
        if (chance(&pair->twins, 30)) {
            one[i].headers[one[i].header_count++] =
                (struct publication_header){.name = "x-number", .number = (int64_t)i};
            one[i].headers[one[i].header_count++] =
                (struct publication_header){.name = "x-text", .value = text_of(bodies[i])};
        }
        two[i] = one[i];
        two[i].exchange = text_of(pair->real->exchange);
    }
    SAME_STATUS(pair, publisher_publish(pair->fake_publisher, one, count, &pair->fake->error),
                publisher_publish(pair->real_publisher, two, count, &pair->real->error));
    for (size_t i = 0; i < count; i++) twins_same(&pair->twins, "outcome", i, one[i].outcome, two[i].outcome);
}

static void forget_connection(struct pair *pair)
{
    pair->connected = pair->consuming = false;
    pair->tag_count = 0;
    pair->tag_last = 0;
}

/* Reads until both say that the connection is lost; what RabbitMQ had sent before is void. */
static void hear_of_loss(struct pair *pair)
{
    enum consumer_event event = CONSUMER_IDLE;
    struct delivery delivery;
    enum status status = STATUS_OK;
    twins_same(&pair->twins, "loss", 0,
               consumer_next(pair->fake_consumer, &event, &delivery, &pair->fake->error), STATUS_RETRY);
    event = CONSUMER_DELIVERY;
    while (status == STATUS_OK && event != CONSUMER_IDLE)
        status = world_next(pair->real, pair->real_consumer, PATIENCE_MS, &event, &delivery);
    twins_same(&pair->twins, "loss", 1, STATUS_RETRY, status);
    forget_connection(pair);
}

static void forget_tags(struct pair *pair, uint64_t tag, bool multiple)
{
    size_t kept = 0;
    for (size_t i = 0; i < pair->tag_count; i++) {
        bool gone = pair->tags[i] == tag || (multiple && pair->tags[i] < tag);
        if (!gone) pair->tags[kept++] = pair->tags[i];
    }
    pair->tag_count = kept;
}

static bool tag_is_known(const struct pair *pair, uint64_t tag)
{
    for (size_t i = 0; i < pair->tag_count; i++)
        if (pair->tags[i] == tag) return true;
    return false;
}

/* A tag that was acknowledged before, or one beyond what is on its way. */
static uint64_t pick_wild_tag(struct pair *pair)
{
    for (int tries = 0; tries < 20 && pair->tag_last > 0; tries++) {
        uint64_t tag = 1 + roll(&pair->twins, (size_t)pair->tag_last);
        if (!tag_is_known(pair, tag)) return tag;
    }
    return pair->tag_last + 1000;
}

/* A tag that was read; now and then a wild one. */
static void acknowledge(struct pair *pair)
{
    bool wild = chance(&pair->twins, 8), multiple = chance(&pair->twins, wild ? 70 : 40);
    if (pair->tag_count == 0 && !wild) return;
    uint64_t tag = wild ? pick_wild_tag(pair) : pair->tags[roll(&pair->twins, pair->tag_count)];
    twins_note(&pair->twins, "acknowledge %" PRIu64 "%s", tag, multiple ? " and before" : "");
    bool known = tag_is_known(pair, tag);
    SAME_STATUS(pair, consumer_acknowledge(pair->fake_consumer, tag, multiple, &pair->fake->error),
                consumer_acknowledge(pair->real_consumer, tag, multiple, &pair->real->error));
    if (known)
        forget_tags(pair, tag, multiple);
    else
        hear_of_loss(pair);
}

static void lose_connection(struct pair *pair)
{
    bool cut = chance(&pair->twins, 50);
    twins_note(&pair->twins, cut ? "cut" : "disconnect");
    if (!cut) {
        consumer_disconnect(pair->fake_consumer);
        consumer_disconnect(pair->real_consumer);
        forget_connection(pair);
        return;
    }
    world_cut(pair->fake, pair->fake_consumer);
    world_cut(pair->real, pair->real_consumer);
    quiesce(pair); /* RabbitMQ reads what was sent before the cut, and then that it was cut */
    hear_of_loss(pair);
}

static void start(struct pair *pair)
{
    SAME_STATUS(pair, consumer_start(pair->fake_consumer, &pair->fake->error),
                consumer_start(pair->real_consumer, &pair->real->error));
    pair->consuming = true;
}

static void connect_both(struct pair *pair)
{
    twins_note(&pair->twins, "connect");
    SAME_STATUS(pair, consumer_connect(pair->fake_consumer, &pair->fake->error),
                consumer_connect(pair->real_consumer, &pair->real->error));
    forget_connection(pair);
    pair->connected = true;
    if (chance(&pair->twins, 90)) start(pair);
}

/* RabbitMQ 3.10 loses a connection that starts again while it holds unacknowledged messages of its stopped
 * consumer; nobody here does that. */
static void acknowledge_all(struct pair *pair)
{
    while (read_one(pair)) continue;
    if (!pair->connected || pair->tag_count == 0) return;
    uint64_t last = pair->tags[pair->tag_count - 1];
    SAME_STATUS(pair, consumer_acknowledge(pair->fake_consumer, last, true, &pair->fake->error),
                consumer_acknowledge(pair->real_consumer, last, true, &pair->real->error));
    pair->tag_count = 0;
    quiesce(pair);
}

static void stop_or_start(struct pair *pair)
{
    twins_note(&pair->twins, pair->consuming ? "stop" : "start");
    if (!pair->consuming) {
        acknowledge_all(pair);
        start(pair);
        return;
    }
    SAME_STATUS(pair, consumer_stop(pair->fake_consumer, &pair->fake->error),
                consumer_stop(pair->real_consumer, &pair->real->error));
    pair->consuming = false;
}

/* Both read on until there is nothing, and RabbitMQ stays silent. */
static void expect_nothing_more(struct pair *pair)
{
    twins_note(&pair->twins, "read all");
    while (read_one(pair)) continue;
    if (!pair->connected) return;
    enum consumer_event event;
    struct delivery delivery;
    world_check(pair->real, world_next(pair->real, pair->real_consumer, 30, &event, &delivery));
    if (event != CONSUMER_IDLE) twins_fail(&pair->twins, "RabbitMQ delivers more than the fake");
}

static void delete_queue(struct pair *pair)
{
    twins_note(&pair->twins, "delete the queue");
    world_delete_queue(pair->fake, pair->fake->queue);
    world_delete_queue(pair->real, pair->real->queue);
    while (pair->connected && pair->consuming && read_one(pair)) continue;
    quiesce(pair);
    if (chance(&pair->twins, 50)) acknowledge(pair);
    if (pair->connected) lose_connection(pair); /* as the worker does, which then declares the queue again */
    connect_both(pair);
}

static void operate(struct pair *pair)
{
    size_t kind = roll(&pair->twins, 100);
    if (kind < 30)
        publish(pair);
    else if (!pair->connected && kind < 80)
        connect_both(pair);
    else if (!pair->connected)
        publish(pair);
    else if (kind < 60)
        read_some(pair);
    else if (kind < 82)
        acknowledge(pair);
    else if (kind < 90)
        lose_connection(pair);
    else if (kind < 95)
        stop_or_start(pair);
    else if (kind < 99)
        expect_nothing_more(pair);
    else
        delete_queue(pair);
    quiesce(pair);
}

/* Everything that a queue holds, from its front. */
static void compare_queue(struct pair *pair, bool dead_letters)
{
    struct world *one = pair->fake, *two = pair->real;
    struct consumer *fake =
        fake_consumer_open(one->fake, dead_letters ? one->dead_letter_queue : one->queue, 5000);
    struct consumer *real = NULL;
    struct amqp_options options = world_options(two);
    options.consume_queue = dead_letters ? two->dead_letter_queue : two->queue;
    options.prefetch = 5000;
    world_check(two, amqp_consumer_open(&options, &real, &two->error));
    struct consumer *consumers[] = {fake, real};
    struct world *worlds[] = {one, two};
    for (size_t i = 0; i < 2; i++) {
        world_check(worlds[i], consumer_connect(consumers[i], &worlds[i]->error));
        world_check(worlds[i], consumer_start(consumers[i], &worlds[i]->error));
    }
    for (;;) {
        enum consumer_event event;
        struct delivery from_fake, from_real;
        world_check(one, consumer_next(fake, &event, &from_fake, &one->error));
        if (event == CONSUMER_IDLE) break;
        from_real = world_receive(two, real);
        same_delivery(pair, &from_fake, &from_real, dead_letters);
        pair->dead_letters += dead_letters;
    }
    world_expect_silence(two, real);
    consumer_close(fake);
    consumer_close(real);
}

static void begin_episode(struct pair *pair)
{
    int prefetch = 1 + (int)roll(&pair->twins, 12);
    pair->fake = world_open(false);
    pair->real = world_open(true);
    pair->fake_publisher = world_initialised_publisher(pair->fake);
    pair->real_publisher = world_initialised_publisher(pair->real);
    world_add_full_queue(pair->fake);
    world_add_full_queue(pair->real);
    pair->fake_consumer = world_consumer(pair->fake, prefetch);
    pair->real_consumer = world_consumer(pair->real, prefetch);
    forget_connection(pair);
    twins_note(&pair->twins, "prefetch %d; ", prefetch);
}

static void end_episode(struct pair *pair)
{
    twins_note(&pair->twins, "; the end");
    consumer_close(pair->fake_consumer);
    consumer_close(pair->real_consumer);
    forget_connection(pair);
    quiesce(pair);
    compare_queue(pair, true);
    compare_queue(pair, false);
    publisher_close(pair->fake_publisher);
    publisher_close(pair->real_publisher);
    world_close(pair->fake);
    world_close(pair->real);
}

static void the_fake_answers_as_rabbitmq(void **state)
{
    static struct pair pair;
    (void)state;
    pair = (struct pair){.twins = twins_begin(180, 6000)};
    while (twins_next(&pair.twins)) {
        bool last = pair.twins.number % EPISODE_OPERATIONS == 0 || pair.twins.number == pair.twins.operations;
        if (pair.twins.number % EPISODE_OPERATIONS == 1) begin_episode(&pair);
        operate(&pair);
        if (last) end_episode(&pair);
    }
    print_message("%zu deliveries, %zu redeliveries, %zu dead letters\n", pair.deliveries, pair.redeliveries,
                  pair.dead_letters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_fake_answers_as_rabbitmq)};
    if (!world_has_server()) return 1;
    return cmocka_run_group_tests_name("the fake broker and RabbitMQ", tests, NULL, NULL);
}
