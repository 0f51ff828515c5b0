/* What the fake broker's files share. */
#ifndef BURSAR_TESTS_FAKE_BROKER_PRIVATE_H
#define BURSAR_TESTS_FAKE_BROKER_PRIVATE_H

#include "base/buffer.h"
#include "fake/fake_broker.h"

struct fake_message {
    struct fake_message *next;
    struct buffer exchange, routing_key, properties, body; /* owned */
    struct buffer properties_again; /* owned; what it is given out with after it went back */
    int64_t returns;                /* how often it went back unacknowledged */
};

struct fake_list {
    struct fake_message *first, *last;
};

struct fake_queue {
    struct fake_queue *next;
    char *name;
    bool exists, full;
    uint64_t generation; /* counts its deletions: what is held of an older one has nowhere to go back to */
    struct fake_list returned, fresh; /* given out in this order */
    const char *dead_letter_exchange; /* borrowed from the topology; NULL: none */
    int64_t delivery_limit;           /* -1: none */
    size_t turn;                      /* consumers take turns */
};

struct fake_binding {
    struct fake_binding *next;
    char *exchange, *routing_key;
    struct fake_queue *queue;
};

/* A message with a consumer, delivered or on its way. */
struct fake_held {
    struct fake_held *next;
    uint64_t tag;
    struct fake_message *message;
    uint64_t generation;
};

struct fake_consumer {
    struct consumer base;
    struct fake_consumer *next;
    struct fake_broker *broker;
    struct fake_queue *queue;
    size_t prefetch, held_count;
    size_t prefetch_first;     /* of every new connection */
    uint64_t window_after;     /* the present window begins behind this tag */
    size_t held_before_window; /* of held_count: what takes no room in it */
    bool connected, consuming, cancelled;
    char lost[160]; /* why the connection was lost, until it is told */
    uint64_t last_tag;
    struct fake_held *held, *held_last; /* by tag */
    struct fake_held *undelivered;      /* the first of them that is on its way */
    struct fake_list spent;             /* acknowledged; its texts live until the next call of next */
};

struct fake_publisher {
    struct publisher base;
    struct fake_publisher *next;
    struct fake_broker *broker;
    bool connected;
};

struct fake_broker {
    struct fake_topology topology; /* owned strings */
    bool down, blocked, declared;
    struct fake_queue *queues;
    struct fake_binding *bindings;
    struct fake_consumer *consumers;
    struct fake_publisher *publishers;
    struct fake_list stalled; /* published under an alarm */
    fake_broker_fault *fault;
    void *fault_context;
    fake_broker_observer *observer;
    void *observer_context;
};

bool fake_broker_faults(struct fake_broker *broker, enum fake_broker_point point);

/* Tells the observer; `message` may be NULL. */
void fake_broker_tell(struct fake_broker *broker, enum fake_broker_event event,
                      const struct fake_queue *queue, const struct fake_message *message);
struct fake_queue *fake_broker_queue(struct fake_broker *broker, const char *name);
bool fake_broker_has_exchange(const struct fake_broker *broker, struct text exchange);

/* Gives the messages of a queue to its consumers. */
void fake_queue_give_out(struct fake_broker *broker, struct fake_queue *queue);

/* Copies the message to every queue that its exchange and routing key lead to: confirmed, returned or
 * refused. */
enum publication_outcome fake_broker_route(struct fake_broker *broker, const struct fake_message *message);

void fake_list_append(struct fake_list *list, struct fake_message *message);
struct fake_message *fake_list_take(struct fake_list *list);
void fake_list_free(struct fake_list *list);
size_t fake_list_count(const struct fake_list *list);
struct fake_message *fake_message_copy(struct text exchange, struct text routing_key, struct text properties,
                                       struct text body);
void fake_message_free(struct fake_message *message);

/* A message as a delivery without a tag; borrowed. */
void fake_message_view(const struct fake_message *message, struct delivery *delivery);

/* Ends a consumer's connection; what it holds goes back. */
void fake_consumer_lose(struct fake_consumer *consumer, const char *why);

#endif
