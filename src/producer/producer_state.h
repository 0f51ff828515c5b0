/* The inside of a producer. */
#ifndef BURSAR_PRODUCER_PRODUCER_STATE_H
#define BURSAR_PRODUCER_PRODUCER_STATE_H

#include "bursar/producer.h"

#include "base/arena.h"
#include "base/status.h"
#include "port/broker.h"
#include "port/stock.h"

#include <stdatomic.h>

/* Requests that are pipelined together: bounds what is held, and what a crash can leave unpublished. */
#define PRODUCER_CHUNK 1000

/* What may be repeated is tried twice: a connection that was lost while idle is noticed by the first use, and
 * made anew by the second. */
#define PRODUCER_TRIES 2

struct bursar_producer {
    struct stock *stock;
    struct publisher *publisher;
    char *exchange, *routing_key, *queue; /* owned */
    bool queue_is_there;                  /* seen since the producer was opened */
    atomic_bool cancelled;
    struct error error; /* of the last call */
    /* room for one chunk */
    struct arena arena;
    size_t slots[PRODUCER_CHUNK]; /* which request an item below belongs to */
    struct stock_deduct deducts[PRODUCER_CHUNK];
    size_t sent;                  /* of `deducts` */
    bool refused[PRODUCER_CHUNK]; /* by Redis, which answers the others: the budget's keys are broken */
    struct stock_query queries[PRODUCER_CHUNK];
    struct publication publications[PRODUCER_CHUNK];
};

/* Checks a request and gives its result an id. False: the result is BURSAR_INVALID and says why. */
bool producer_request_check(const struct bursar_request *request, struct bursar_result *result);

/* The message's body, in the arena. */
struct text producer_body_render(const struct bursar_request *request, const struct bursar_result *result,
                                 struct arena *arena);

/* One chunk: at most PRODUCER_CHUNK requests, each with its result begun by producer_request_check. Answers
 * and fills the results as bursar_producer_deduct does. */
enum bursar_code producer_chunk_deduct(struct bursar_producer *producer,
                                       const struct bursar_request *requests, size_t count,
                                       struct bursar_result *results);

/* Writes one line into a result. */
void producer_result_explain(struct bursar_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
