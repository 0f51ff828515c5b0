/* The fake broker and RabbitMQ side by side: how to wait until both stand still, and what of a delivery is
 * compared. */
#ifndef BURSAR_TESTS_TWINS_BROKER_H
#define BURSAR_TESTS_TWINS_BROKER_H

#include "contract/broker_world.h"
#include "contract/twins.h"

enum { TAGS_MAX = 4000 };

struct pair {
    struct twins twins;
    struct world *fake, *real;
    struct consumer *fake_consumer, *real_consumer;
    struct publisher *fake_publisher, *real_publisher;
    bool connected, consuming;
    uint64_t tags[TAGS_MAX]; /* read on this connection and not acknowledged */
    size_t tag_count;
    uint64_t tag_last; /* read on this connection */
    size_t bodies;     /* each message has a body of its own */
    size_t deliveries, redeliveries, dead_letters;
};

#define SAME_STATUS(pair, fake_call, real_call)                                                              \
    do {                                                                                                     \
        enum status fake_status = (fake_call);                                                               \
        enum status real_status = (real_call);                                                               \
        if (fake_status != real_status)                                                                      \
            twins_fail(&(pair)->twins, "the fake answers %s, the real one %s: %s", status_name(fake_status), \
                       status_name(real_status),                                                             \
                       real_status == STATUS_OK ? (pair)->fake->error.text : (pair)->real->error.text);      \
    } while (false)

/* How a queue looks to others. */
struct look {
    enum status status;
    int64_t messages, consumers;
};

static inline struct look look_at(struct world *world, struct publisher *publisher, const char *queue)
{
    struct look look = {.messages = -1, .consumers = -1};
    look.status = publisher_depth(publisher, text_of(queue), &look.messages, &look.consumers, &world->error);
    return look;
}

static inline bool looks_same(struct pair *pair, bool dead_letters, struct look *fake, struct look *real)
{
    const struct world *one = pair->fake, *two = pair->real;
    *fake = look_at(pair->fake, pair->fake_publisher, dead_letters ? one->dead_letter_queue : one->queue);
    *real = look_at(pair->real, pair->real_publisher, dead_letters ? two->dead_letter_queue : two->queue);
    if (fake->status != real->status) return false;
    return fake->messages == real->messages && fake->consumers == real->consumers;
}

/* Waits until RabbitMQ has done what the fake does at once. */
static inline void quiesce(struct pair *pair)
{
    int64_t end_us = instant_monotonic_us() + PATIENCE_MS * INT64_C(1000);
    for (int dead_letters = 0; dead_letters < 2; dead_letters++) {
        struct look fake, real;
        while (!looks_same(pair, dead_letters == 1, &fake, &real)) {
            if (instant_monotonic_us() > end_us) {
                twins_fail(&pair->twins,
                           "the %squeue has %" PRId64 " messages, %" PRId64
                           " consumers (%s) in the fake, and %" PRId64 ", %" PRId64 " (%s) in RabbitMQ",
                           dead_letters == 1 ? "dead-letter " : "", fake.messages, fake.consumers,
                           status_name(fake.status), real.messages, real.consumers, status_name(real.status));
            }
            usleep(2000);
        }
    }
}

static inline const char *exchange_name(const struct world *world, struct text exchange)
{
    if (text_equal_string(exchange, world->exchange)) return "the exchange";
    return text_equal_string(exchange, world->dead_letter_exchange) ? "the dead-letter exchange"
                                                                    : "another exchange";
}

/* Bytes that are not visible as numbers. */
static inline const char *shown(struct arena *arena, struct text text)
{
    if (!text_is_present(text)) return "nothing";
    char *line = arena_alloc(arena, 4 * text.size + 1), *end = line;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        end += byte > ' ' && byte < 0x7f ? snprintf(end, 2, "%c", byte) : snprintf(end, 5, "\\x%02x", byte);
    }
    *end = '\0';
    return line;
}

static inline void same_text(struct pair *pair, const char *what, struct text fake, struct text real)
{
    if (text_is_present(fake) == text_is_present(real) && text_equal(fake, real)) return;
    struct arena arena = {0};
    const char *one = shown(&arena, fake), *two = shown(&arena, real);
    twins_fail(&pair->twins, "the %s is '%s' in the fake and '%s' in RabbitMQ", what, one, two);
}

/* `dead`: the broker moved it, and adds headers of its own. */
static inline void same_delivery(struct pair *pair, const struct delivery *fake, const struct delivery *real,
                                 bool dead)
{
    same_text(pair, "body", fake->body, real->body);
    twins_same(&pair->twins, "tag", 0, (int64_t)fake->tag, (int64_t)real->tag);
    twins_same(&pair->twins, "redelivered", 0, fake->redelivered, real->redelivered);
    same_text(pair, "routing key", fake->routing_key, real->routing_key);
    same_text(pair, "message id", fake->message_id, real->message_id);
    same_text(pair, "exchange", text_of(exchange_name(pair->fake, fake->exchange)),
              text_of(exchange_name(pair->real, real->exchange)));
    if (!dead) same_text(pair, "properties", fake->properties, real->properties);
}

#endif
