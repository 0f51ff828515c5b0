/* A dead letter: a message in the dead-letter queue, and what is known of it. */
#ifndef BURSAR_DEADLETTER_LETTER_H
#define BURSAR_DEADLETTER_LETTER_H

#include "core/message.h"
#include "port/broker.h"

struct letter {
    uint64_t tag;
    struct text property_id; /* the message_id property; absent: none */
    struct text properties;  /* encoded */
    struct text body;
    struct letter_origin origin;
    struct text reason;                /* "malformed"…, the broker's "delivery_limit"…, or "unknown" */
    struct text detail;                /* absent: nothing is known; belongs to a reason of ours */
    int64_t parked_at_us;              /* Unix time; 0: not known */
    struct text exchange, routing_key; /* where it came from; absent: not known */
    /* After letter_decode: */
    bool decoded;
    struct message message;
    struct text message_id; /* the one a worker would read, else the property; absent: there is none */
    struct text budget_id;  /* absent: none is readable, or a batch message */
};

/* Reads all but the body. Borrows the delivery. */
void letter_read(const struct consumer *consumer, const struct delivery *delivery, struct letter *letter);

/* Decodes the body, once, as a worker would. What is made for it lies in `arena`. */
void letter_decode(struct letter *letter, struct arena *arena);

/* Copies what the letter borrows into `arena`, so that it outlives its delivery. It must be decoded again.
 */
void letter_keep(const struct consumer *consumer, struct letter *letter, struct arena *arena);

/* The message ids that its replay would book, or try to: each item's of a batch message, the one of a single
 * message, also where nothing else of it is readable. Absent: item `index` has none. `index` below
 * letter_item_count. */
size_t letter_item_count(const struct letter *letter);
struct text letter_item_id(const struct letter *letter, size_t index);

#endif
