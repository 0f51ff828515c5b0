/* A broker in memory, with a quorum queue's rules, for the contract suite and the simulator. Nothing in it
 * waits, draws lots or reads a clock: the same calls give the same answers.
 *
 *  - A message goes to every queue bound to its exchange with its routing key; bound to none, it is returned.
 * An exchange that does not exist costs the publisher its connection.
 *  - A queue gives a message out at once to whoever consumes, up to the prefetch; unacknowledged messages of
 * a lost connection go back to the front in their order, marked as redelivered; one that went back more than
 * `delivery_limit` times moves to the dead-letter exchange with its routing key, or is gone where the queue
 * has none.
 *  - A tag that was never given out, or acknowledged before, costs the consumer its connection.
 *
 * One thread at a time uses a broker with all its consumers and publishers. */
#ifndef BURSAR_TESTS_FAKE_BROKER_H
#define BURSAR_TESTS_FAKE_BROKER_H

#include "port/broker.h"

struct fake_topology {
    const char *exchange, *queue, *routing_key, *dead_letter_exchange, *dead_letter_queue;
    int64_t delivery_limit;
};

struct fake_broker;

/* Copies the topology, declares nothing yet. The caller frees, after all consumers and publishers are closed.
 */
struct fake_broker *fake_broker_new(const struct fake_topology *topology);
void fake_broker_free(struct fake_broker *broker);

/* A consumer of one queue. Connecting declares the topology, as the real one does with amqp.declare = true.
 */
struct consumer *fake_consumer_open(struct fake_broker *broker, const char *queue, size_t prefetch);
struct publisher *fake_publisher_open(struct fake_broker *broker);

/* What this consumer has been given and has not acknowledged, whether it has read it or not. */
size_t fake_consumer_held(const struct consumer *consumer);

/* The topology by hand. Deleting a queue loses its messages and cancels its consumers. */
void fake_broker_declare(struct fake_broker *broker);
void fake_broker_delete_queue(struct fake_broker *broker, const char *queue);
void fake_broker_bind(struct fake_broker *broker, const char *exchange, const char *routing_key,
                      const char *queue);

/* While it is down, connecting fails and every connection is lost; queues keep their messages. */
void fake_broker_set_down(struct fake_broker *broker, bool down);

/* Loses all consumers' or all publishers' connections now. */
void fake_broker_drop_consumers(struct fake_broker *broker);
void fake_broker_drop_publishers(struct fake_broker *broker);

/* An alarm: what is published arrives only when it is over, and nobody waits for that here: the call ends
 * with STATUS_UNKNOWN. */
void fake_broker_set_blocked(struct fake_broker *broker, bool blocked);

/* A full queue refuses what is published to it. */
void fake_broker_set_full(struct fake_broker *broker, const char *queue, bool full);

/* Asked at each point where a connection can be lost; true loses it there. */
enum fake_broker_point {
    FAKE_BROKER_CONNECT,
    FAKE_BROKER_NEXT,
    FAKE_BROKER_ACKNOWLEDGE,     /* before the broker has it */
    FAKE_BROKER_PUBLISH,         /* before the broker has the publication */
    FAKE_BROKER_PUBLISH_CONFIRM, /* the broker has it, and its confirm is lost */
};
typedef bool fake_broker_fault(void *context, enum fake_broker_point point);
void fake_broker_set_fault(struct fake_broker *broker, fake_broker_fault *fault, void *context);

/* Told of what becomes of a message, at the moment it does. The texts of `message` are borrowed until the
 * return. */
enum fake_broker_event {
    FAKE_BROKER_QUEUED,        /* it is in `queue` now */
    FAKE_BROKER_GIVEN,         /* a consumer of `queue` holds it now */
    FAKE_BROKER_ACKNOWLEDGED,  /* `queue` forgot it */
    FAKE_BROKER_DEAD_LETTERED, /* it went back to `queue` too often and was moved, or dropped where there is
                                  nowhere */
    FAKE_BROKER_DROPPED,       /* `queue` was deleted with it */
    FAKE_BROKER_BAD_TAG,       /* a consumer of `queue` acknowledged what it does not hold; no message */
};
typedef void fake_broker_observer(void *context, enum fake_broker_event event, const char *queue,
                                  const struct delivery *message);
void fake_broker_set_observer(struct fake_broker *broker, fake_broker_observer *observer, void *context);

/* Ends every consumer of a queue that stays, as when the queue's node goes down. */
void fake_broker_cancel_consumers(struct fake_broker *broker, const char *queue);

bool fake_broker_exists(const struct fake_broker *broker, const char *queue);

/* What is where. Unacknowledged counts what is held by consumers, delivered or on its way. */
size_t fake_broker_ready(const struct fake_broker *broker, const char *queue);
size_t fake_broker_unacknowledged(const struct fake_broker *broker, const char *queue);

/* The ready message at `index` from the front; texts are borrowed until the queue changes. False: there is
 * none. */
bool fake_broker_peek(const struct fake_broker *broker, const char *queue, size_t index,
                      struct delivery *message);

#endif
