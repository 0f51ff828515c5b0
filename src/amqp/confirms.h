/* Which of a call's publications were sent, and what the broker answered to each: acks and nacks by tag,
 * single or multiple and in any order, and returns, which carry no tag.
 *
 * A return is matched by content, in the order of sending. RabbitMQ writes the returns of a channel in the
 * order in which the messages were published, each before the ack of its own message. So the search goes on
 * behind the last match and takes the first publication, neither answered nor returned, with the same
 * exchange, routing key, message id and body. Publications that agree in all of these are the same message to
 * everyone: whether the first or the second of them went astray changes nothing. */
#ifndef BURSAR_AMQP_CONFIRMS_H
#define BURSAR_AMQP_CONFIRMS_H

#include "amqp/assembly.h"
#include "amqp/properties.h"

struct confirms {
    struct publication *publications; /* borrowed */
    size_t count;
    uint64_t tag_base;  /* publication i has the tag tag_base + i + 1 */
    size_t sent;        /* publications sent whole */
    size_t answered;    /* of them */
    size_t oldest;      /* the first without an answer */
    size_t search_from; /* where the next return is looked for */
    bool *is_answered;  /* owned; one for each publication */
    size_t capacity;
};

/* Begins with `count` publications, none sent: their outcomes become PUBLICATION_NONE. */
void confirms_begin(struct confirms *confirms, struct publication *publications, size_t count,
                    uint64_t tag_base);

/* The next publication is sent whole. */
void confirms_sent(struct confirms *confirms);

/* An ack or nack. False: for a tag that nothing was sent with. */
MUST_CHECK bool confirms_answer(struct confirms *confirms, uint64_t tag, bool multiple,
                                enum publication_outcome outcome);

/* A returned message. False: nothing like it is unanswered. `pool` is for scratch and recycled. */
MUST_CHECK bool confirms_return(struct confirms *confirms, const struct assembly *returned,
                                const struct properties_limits *limits, amqp_pool_t *pool);

void confirms_free(struct confirms *confirms);

#endif
