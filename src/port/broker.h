/* What Bursar needs of a broker: a consumer with manual acknowledgements, and a publisher with confirms. Each
 * has a connection of its own, for a broker's alarm blocks whoever publishes.
 *
 * One thread at a time uses a consumer or a publisher. Nothing here waits longer than its timeout. */
#ifndef BURSAR_PORT_BROKER_H
#define BURSAR_PORT_BROKER_H

#include "base/status.h"
#include "base/text.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A message as it came. Texts are valid until the next consumer_next(). */
struct delivery {
    uint64_t tag; /* 1, 2, 3… on one connection */
    bool redelivered;
    struct text exchange;
    struct text routing_key;
    struct text message_id; /* the property; absent: none */
    struct text properties; /* all properties, encoded as on the wire: what a publication takes back */
    struct text body;
};

/* What a dead letter's headers say of its past. Texts borrow the properties; absent: not said. Nothing of it
 * is checked: anybody may have written it. */
struct letter_origin {
    struct text reason, detail, parked_at, exchange, routing_key; /* x-bursar-…: parked by a worker */
    int64_t replays;                                              /* x-bursar-replays; 0 too: not said */
    int64_t returns; /* x-delivery-count: how often a consumer gave it back; 0 too: not said */
    /* x-death: given up by the broker itself. Of the last time: */
    struct text death_reason; /* "delivery_limit", "expired", "maxlen", "rejected" */
    struct text death_queue;
    int64_t died_at_us; /* Unix time, in whole seconds; 0: not said */
    /* Of the first time: where it had been published to. */
    struct text first_exchange, first_routing_key;
};

enum consumer_event {
    CONSUMER_IDLE, /* nothing to read now */
    CONSUMER_DELIVERY,
    CONSUMER_CANCELLED, /* the broker ended the consumer (its queue was deleted, its node went down);
                           deliveries held stay valid */
};

struct consumer;

struct consumer_ops {
    enum status (*connect)(struct consumer *, struct error *);
    enum status (*start)(struct consumer *, struct error *);
    enum status (*next)(struct consumer *, enum consumer_event *, struct delivery *, struct error *);
    enum status (*acknowledge)(struct consumer *, uint64_t tag, bool multiple, struct error *);
    enum status (*stop)(struct consumer *, struct error *);
    enum status (*widen)(struct consumer *, size_t more, struct error *);
    void (*origin)(const struct consumer *, struct text properties, struct letter_origin *);
    int (*descriptor)(const struct consumer *);
    enum status (*keep_alive)(struct consumer *, struct error *);
    void (*disconnect)(struct consumer *);
    void (*close)(struct consumer *);
};

/* The head of every consumer; an adapter puts it first in its own struct. */
struct consumer {
    const struct consumer_ops *ops;
};

/* Connects to the first host of the list that answers (each call begins with the next one), logs in, opens
 * the channel, declares or checks the topology. STATUS_CONFIG: the broker has the queue with other arguments,
 * no permission, no such vhost; the text says what to do. A connection that is open is closed first. */
MUST_CHECK static inline enum status consumer_connect(struct consumer *consumer, struct error *error)
{
    return consumer->ops->connect(consumer, error);
}

/* Begins to consume, with the prefetch it was made with. */
MUST_CHECK static inline enum status consumer_start(struct consumer *consumer, struct error *error)
{
    return consumer->ops->start(consumer, error);
}

/* The next thing that arrived; never waits. STATUS_RETRY: the connection is lost (or was closed by the
 * broker, with its words in the error): every tag of it is void; disconnect and connect again. */
MUST_CHECK static inline enum status consumer_next(struct consumer *consumer, enum consumer_event *event,
                                                   struct delivery *delivery, struct error *error)
{
    return consumer->ops->next(consumer, event, delivery, error);
}

/* Acknowledges `tag`, with `multiple` everything unacknowledged up to it too. Asynchronous, as AMQP is:
 * STATUS_OK means sent. */
MUST_CHECK static inline enum status consumer_acknowledge(struct consumer *consumer, uint64_t tag,
                                                          bool multiple, struct error *error)
{
    return consumer->ops->acknowledge(consumer, tag, multiple, error);
}

/* Asks the broker to end the consumer; what is on its way still arrives from consumer_next. The connection
 * stays open for acks. */
MUST_CHECK static inline enum status consumer_stop(struct consumer *consumer, struct error *error)
{
    return consumer->ops->stop(consumer, error);
}

/* For who looks through a queue and keeps what it saw. Call when as many deliveries as were allowed have
 * arrived: they stay held, and up to `more` (1 to 65535) further ones may come beside them; what is
 * acknowledged of the older ones makes no more room. */
MUST_CHECK static inline enum status consumer_widen(struct consumer *consumer, size_t more,
                                                    struct error *error)
{
    return consumer->ops->widen(consumer, more, error);
}

/* Reads the headers in a delivery's properties; what is not there or cannot be read is left out. Needs no
 * connection. */
static inline void consumer_origin(const struct consumer *consumer, struct text properties,
                                   struct letter_origin *origin)
{
    consumer->ops->origin(consumer, properties, origin);
}

/* A descriptor to poll for reading before the next consumer_next(), once that said CONSUMER_IDLE; -1: not
 * connected. */
static inline int consumer_descriptor(const struct consumer *consumer)
{
    return consumer->ops->descriptor(consumer);
}

/* Sends a heartbeat where one is due, without reading: for a caller that holds back from reading. */
MUST_CHECK static inline enum status consumer_keep_alive(struct consumer *consumer, struct error *error)
{
    return consumer->ops->keep_alive(consumer, error);
}

/* Closes the connection in an orderly way, within a second or so; what is unacknowledged goes back to the
 * front of its queue, in its order. Not connected: nothing happens. */
static inline void consumer_disconnect(struct consumer *consumer)
{
    consumer->ops->disconnect(consumer);
}

/* Disconnects and frees it; NULL is fine. */
static inline void consumer_close(struct consumer *consumer)
{
    if (consumer != NULL) consumer->ops->close(consumer);
}

#define PUBLICATION_HEADERS_MAX 8

struct publication_header {
    const char *name;
    struct text value; /* absent: the header is the number */
    int64_t number;
    bool unless_present; /* kept as it is where the properties have it already */
};

enum publication_outcome {
    PUBLICATION_NONE,      /* not sent */
    PUBLICATION_CONFIRMED, /* the broker has it, in a queue */
    PUBLICATION_RETURNED,  /* no queue is bound for it; the broker does not have it */
    PUBLICATION_REFUSED,   /* negatively confirmed (queue full or failing); the broker does not have it */
    PUBLICATION_UNKNOWN,   /* sent, and the connection was lost or the time was up before the answer */
};

struct publication {
    struct text exchange;
    struct text routing_key;
    struct text properties; /* encoded, as in a delivery: kept as they are; absent: persistent
                               application/json with `message_id` */
    struct text message_id; /* absent: the properties' own; else it replaces theirs */
    bool drop_message_id; /* the properties' own message id is taken out (an item of a batch message that has
                             none) */
    size_t header_count;
    struct publication_header
        headers[PUBLICATION_HEADERS_MAX]; /* added to the properties' headers, replacing equal names */
    struct text body;
    enum publication_outcome outcome; /* answer */
};

struct publisher;

struct publisher_ops {
    enum status (*connect)(struct publisher *, struct error *);
    enum status (*publish)(struct publisher *, struct publication *, size_t count, struct error *);
    enum status (*depth)(struct publisher *, struct text queue, int64_t *messages, int64_t *consumers,
                         struct error *);
    enum status (*is_empty)(struct publisher *, struct text queue, bool *empty, struct error *);
    enum status (*initialise)(struct publisher *, struct error *);
    void (*close)(struct publisher *);
};

/* The head of every publisher; an adapter puts it first in its own struct. */
struct publisher {
    const struct publisher_ops *ops;
};

/* Connects if it is not connected. */
MUST_CHECK static inline enum status publisher_connect(struct publisher *publisher, struct error *error)
{
    return publisher->ops->connect(publisher, error);
}

/* Publishes all, persistent and mandatory, and waits for the confirms; connects if need be. STATUS_OK: every
 * publication has an outcome of CONFIRMED, RETURNED or REFUSED. STATUS_RETRY or STATUS_UNKNOWN: the
 * connection was lost or the time was up: those that are not CONFIRMED may be published again. While the
 * broker says that it is blocked (an alarm) the time does not run, for what was sent will still arrive; the
 * publisher's cancel flag ends even that. */
MUST_CHECK static inline enum status publisher_publish(struct publisher *publisher,
                                                       struct publication *publications, size_t count,
                                                       struct error *error)
{
    return publisher->ops->publish(publisher, publications, count, error);
}

/* Messages ready in a queue, and its consumers; connects if need be. No message and no consumer may also mean
 * that the queue does not answer just now (it has no leader): publisher_is_empty() tells. STATUS_CONFIG: no
 * such queue. */
MUST_CHECK static inline enum status publisher_depth(struct publisher *publisher, struct text queue,
                                                     int64_t *messages, int64_t *consumers,
                                                     struct error *error)
{
    return publisher->ops->depth(publisher, queue, messages, consumers, error);
}

/* Whether the queue itself says that nothing waits in it. Where something does, that message counts as
 * delivered once more: ask only where publisher_depth() says that there is none. STATUS_RETRY: the queue does
 * not answer. STATUS_CONFIG: no such queue. */
MUST_CHECK static inline enum status publisher_is_empty(struct publisher *publisher, struct text queue,
                                                        bool *empty, struct error *error)
{
    return publisher->ops->is_empty(publisher, queue, empty, error);
}

/* Declares the whole topology, or with amqp.declare = false checks that it is there. STATUS_CONFIG names what
 * exists with other arguments or does not exist. */
MUST_CHECK static inline enum status publisher_initialise(struct publisher *publisher, struct error *error)
{
    return publisher->ops->initialise(publisher, error);
}

/* Disconnects and frees it; NULL is fine. */
static inline void publisher_close(struct publisher *publisher)
{
    if (publisher != NULL) publisher->ops->close(publisher);
}

#endif
