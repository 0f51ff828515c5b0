/* The worker under threads: one loop that owns the consuming connection and steps the core, and a hand each
 * for the ledger, the stock and the publisher. */
#ifndef BURSAR_WORKER_LOOP_H
#define BURSAR_WORKER_LOOP_H

#include "core/worker.h"
#include "port/broker.h"
#include "port/ledger.h"
#include "port/stock.h"
#include "worker/metrics.h"

struct loop_options {
    /* borrowed until loop_finish; used by the loop's threads only */
    struct consumer *consumer;
    struct publisher *publisher;
    struct stock *stock;
    struct ledger *ledger;
    struct metrics *metrics; /* shared */
    struct text queue, dead_letter_exchange, dead_letter_queue, routing_key;
    struct worker_settings settings;
    atomic_bool *cancel; /* shared with the adapters: set when waits must end */
};

struct loop;

/* No thread runs yet. The caller ends with loop_finish, or without loop_start with loop_free. */
struct loop *loop_new(const struct loop_options *options);

/* Starts the threads. */
void loop_start(struct loop *loop);
void loop_free(struct loop *loop);

/* Asks for a drain; returns at once. Any thread. */
void loop_stop(struct loop *loop);

/* New settings; prefetch is ignored. Returns at once. Any thread. */
void loop_reload(struct loop *loop, const struct worker_settings *settings);

/* Readable once the loop has stopped. */
int loop_finished_descriptor(const struct loop *loop);

/* The latest view. Any thread. */
void loop_observe(struct loop *loop, struct worker_view *view);

/* After loop_finished_descriptor is readable. True: all threads ended and everything is freed. False: a hand
 * is still stuck in a call to a service after `patience_us`; the caller must leave with _exit, for its memory
 * is in use. */
bool loop_finish(struct loop *loop, int64_t patience_us);

#endif
