/* The worker's own reconciliation: at an interval it compares Redis with the ledger, as `bursar reconcile`
 * does without --repair, so that drift is a metric and a line in the log. It changes nothing.
 *
 * It has a thread and connections of its own, takes no part in settling, and gives way: it rests for as long
 * as it works. Where another reconciliation is under way it leaves this time out. */
#ifndef BURSAR_WORKER_SELF_CHECK_H
#define BURSAR_WORKER_SELF_CHECK_H

#include "port/broker.h"
#include "port/ledger.h"
#include "port/stock.h"
#include "worker/loop.h"
#include "worker/metrics.h"

struct self_check_options {
    /* borrowed until self_check_finish; used by its thread only */
    struct ledger *ledger; /* not the one that settles */
    struct stock *stock;
    struct publisher *publisher;
    struct metrics *metrics; /* shared, as the next two */
    struct loop *loop;       /* tells what the worker holds */
    atomic_bool *cancel;     /* the publisher's: set when its waits must end */
    struct text queue, dead_letter_queue;
    struct text actor; /* in the ledger's record of a run; 1 to 255 bytes */
    int64_t orphan_after_us;
    bool settle_orphans;
    int64_t interval_us; /* from the end of a run to the next one; 0: off */
    void *context;       /* of the next two */
    void (*end_run)(void *context);
    /* As reconcile.h describes it. */
    enum status (*find_dead_letters)(void *context, const struct text *message_ids, size_t count, bool *found,
                                     struct error *error);
};

struct self_check;

/* Starts the thread. The first run comes after the interval, or after a minute where that is sooner. The
 * caller ends with self_check_finish. */
struct self_check *self_check_start(const struct self_check_options *options);

/* Returns at once; a run that is under way goes on. */
void self_check_set_interval(struct self_check *check, int64_t interval_us);

/* Asks for the end; returns at once. A run that is under way is given up, and nothing is recorded of it. */
void self_check_stop(struct self_check *check);

/* After self_check_stop. True: the thread ended and all is freed. False: it is still inside a call to a
 * service after `patience_us`; the caller must leave with _exit, for its memory is in use. NULL: true. */
bool self_check_finish(struct self_check *check, int64_t patience_us);

#endif
