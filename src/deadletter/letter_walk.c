#include "deadletter/letter_walk.h"

#include "base/instant.h"

#include <assert.h>

/* Letters looked at in one step. */
#define SLICE 256

/* A consumer that just ended may still hold some: its letters are on their way back. */
#define OTHERS_PATIENCE_US (2 * MICROSECONDS_PER_SECOND)
#define OTHERS_PAUSE_US    (100 * INT64_C(1000))

/* No delivery for so long: somebody else holds what is missing, or it expired. */
#define SILENCE_US (10 * MICROSECONDS_PER_SECOND)

#define RETURN_PATIENCE_US (5 * MICROSECONDS_PER_SECOND)
#define RETURN_PAUSE_US    (20 * INT64_C(1000))

/* How often a step is wanted for heartbeats. */
#define HEARTBEAT_PAUSE_US MICROSECONDS_PER_SECOND

void letter_walk_begin(struct letter_walk *walk, const struct dead_letter_ports *ports,
                       const struct letter_filter *filter, int64_t limit)
{
    *walk = (struct letter_walk){.ports = ports, .filter = *filter, .limit = limit};
}

void letter_walk_free(struct letter_walk *walk)
{
    arena_free(&walk->scratch);
}

static int64_t now_us(const struct letter_walk *walk)
{
    return clock_monotonic_us(walk->ports->clock);
}

static enum walk_event fail(struct letter_walk *walk, enum status status)
{
    walk->status = status;
    walk->stage = WALK_CLOSED;
    consumer_disconnect(walk->ports->consumer);
    return WALK_FAILED;
}

static enum walk_event wait_for(struct letter_walk *walk, int64_t pause_us)
{
    walk->wait_until_us = now_us(walk) + pause_us;
    return WALK_WAIT;
}

static enum walk_event open_queue(struct letter_walk *walk, struct error *error)
{
    const struct dead_letter_ports *ports = walk->ports;
    enum status status = publisher_depth(ports->publisher, ports->queue, &walk->total, &walk->others, error);
    if (status != STATUS_OK) return fail(walk, status);
    if (walk->deadline_us == 0) walk->deadline_us = now_us(walk) + OTHERS_PATIENCE_US;
    if (walk->others > 0 && now_us(walk) < walk->deadline_us) return wait_for(walk, OTHERS_PAUSE_US);
    if (walk->total_max > 0 && walk->total > walk->total_max) walk->total = walk->total_max;
    if (walk->total_max < 0) walk->total = 0;
    walk->stage = WALK_ENDED;
    if (walk->total == 0) return WALK_MORE;
    status = consumer_connect(ports->consumer, error);
    if (status == STATUS_OK) status = consumer_start(ports->consumer, error);
    if (status != STATUS_OK) return fail(walk, status);
    walk->stage = WALK_READING;
    walk->window = LETTER_WINDOW_FIRST;
    walk->deadline_us = now_us(walk) + SILENCE_US;
    return WALK_MORE;
}

/* What is held fills the window: the next one is twice as large, so that a hundred thousand need few. */
static enum status make_room(struct letter_walk *walk, struct error *error)
{
    if (walk->window_held < walk->window) return STATUS_OK;
    walk->window = walk->window * 2 < LETTER_WINDOW_MAX ? walk->window * 2 : LETTER_WINDOW_MAX;
    walk->window_held = 0;
    walk->window_after = walk->last_tag;
    return consumer_widen(walk->ports->consumer, walk->window, error);
}

static void count(struct letter_walk *walk, const struct delivery *delivery)
{
    walk->last_tag = delivery->tag;
    walk->last_is_fresh = !delivery->redelivered;
    walk->read++;
    walk->held++;
    walk->window_held++;
    walk->deadline_us = now_us(walk) + SILENCE_US;
}

static enum walk_event take(struct letter_walk *walk, const struct delivery *delivery, struct letter *letter)
{
    arena_reset(&walk->scratch);
    letter_read(walk->ports->consumer, delivery, letter);
    count(walk, delivery);
    if (letter->origin.returns > walk->returns_max) walk->returns_max = letter->origin.returns;
    if (!letter_filter_accepts(&walk->filter, letter, &walk->scratch)) return WALK_MORE;
    walk->matched++;
    return WALK_LETTER;
}

/* STATUS_OK with CONSUMER_IDLE: nothing has arrived. */
static enum status next_delivery(struct letter_walk *walk, enum consumer_event *event,
                                 struct delivery *delivery, struct error *error)
{
    enum status status = make_room(walk, error);
    if (status == STATUS_OK) status = consumer_next(walk->ports->consumer, event, delivery, error);
    if (status != STATUS_OK || *event != CONSUMER_CANCELLED) return status;
    return error_set(error, STATUS_RETRY,
                     "queue " TEXT_FORMAT ": the broker ended the consumer: the queue was deleted or its "
                     "node went down; run it again once the queue is back",
                     TEXT_ARGUMENTS(walk->ports->queue));
}

static enum walk_event read_slice(struct letter_walk *walk, struct letter *letter, struct error *error)
{
    for (size_t i = 0; i < SLICE; i++) {
        struct delivery delivery;
        enum consumer_event event;
        if (walk->read == walk->total || (walk->limit != 0 && walk->matched == walk->limit)) {
            walk->stage = WALK_ENDED;
            return WALK_END;
        }
        enum status status = next_delivery(walk, &event, &delivery, error);
        if (status != STATUS_OK) return fail(walk, status);
        if (event == CONSUMER_IDLE) {
            walk->silent = now_us(walk) >= walk->deadline_us;
            if (walk->silent) walk->stage = WALK_ENDED;
            return wait_for(walk, HEARTBEAT_PAUSE_US);
        }
        enum walk_event taken = take(walk, &delivery, letter);
        if (taken == WALK_LETTER) return taken;
    }
    return WALK_MORE;
}

enum walk_event letter_walk_step(struct letter_walk *walk, struct letter *letter, struct error *error)
{
    switch (walk->stage) {
    case WALK_OPENING: return open_queue(walk, error);
    case WALK_READING: return read_slice(walk, letter, error);
    case WALK_ENDED: return WALK_END;
    case WALK_RETURNING:
    case WALK_CLOSED: break;
    }
    assert(false && "a walk that is over");
    return WALK_END;
}

enum status letter_walk_acknowledge(struct letter_walk *walk, const uint64_t *tags, size_t count,
                                    struct error *error)
{
    struct consumer *consumer = walk->ports->consumer;
    enum status status = STATUS_OK;
    if (count == 0) return STATUS_OK;
    if (walk->held == (int64_t)count) {
        /* Nothing else is held: one frame for all. */
        status = consumer_acknowledge(consumer, walk->last_tag, true, error);
    } else {
        for (size_t i = 0; i < count && status == STATUS_OK; i++)
            status = consumer_acknowledge(consumer, tags[i], false, error);
    }
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) walk->window_held -= tags[i] > walk->window_after;
    walk->held -= (int64_t)count;
    return STATUS_OK;
}

/* By closing the connection, for then a quorum queue puts them back to its front. What is given back by a
 * negative acknowledgement it would put behind all others, where it has no delivery limit. */
static enum step give_back(struct letter_walk *walk)
{
    consumer_disconnect(walk->ports->consumer);
    walk->stage = walk->held > 0 ? WALK_RETURNING : WALK_CLOSED;
    walk->deadline_us = now_us(walk) + RETURN_PATIENCE_US;
    return walk->stage == WALK_CLOSED ? STEP_DONE : STEP_MORE;
}

/* What goes back joins the end of what went back before, and all of that comes before the rest of the queue.
 * So the order stays only where everything that went back before is held too: read on up to the first message
 * that never did. */
static enum step drain_slice(struct letter_walk *walk)
{
    struct error ignored; /* the letters go back with the connection */
    for (size_t i = 0; i < SLICE; i++) {
        struct delivery delivery;
        enum consumer_event event;
        bool in_order = walk->held == 0 || walk->last_is_fresh || walk->read >= walk->total;
        if (in_order || next_delivery(walk, &event, &delivery, &ignored) != STATUS_OK) return give_back(walk);
        if (event == CONSUMER_IDLE) {
            if (now_us(walk) >= walk->deadline_us) return give_back(walk);
            (void)wait_for(walk, HEARTBEAT_PAUSE_US);
            return STEP_WAIT;
        }
        count(walk, &delivery);
    }
    return STEP_MORE;
}

enum step letter_walk_close_step(struct letter_walk *walk)
{
    struct error ignored;
    int64_t ready = 0, consumers = 0;
    switch (walk->stage) {
    case WALK_CLOSED: return STEP_DONE;
    case WALK_RETURNING: break;
    case WALK_OPENING: return give_back(walk);
    default: return drain_slice(walk);
    }
    enum status status =
        publisher_depth(walk->ports->publisher, walk->ports->queue, &ready, &consumers, &ignored);
    if (status == STATUS_OK && ready < walk->held && now_us(walk) < walk->deadline_us) {
        walk->wait_until_us = now_us(walk) + RETURN_PAUSE_US;
        return STEP_WAIT;
    }
    walk->stage = WALK_CLOSED;
    return STEP_DONE;
}
