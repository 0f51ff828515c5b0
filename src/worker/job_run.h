/* Does a job of the core's against the ports. Each hand calls it from its own thread, with jobs of its own
 * kinds only. */
#ifndef BURSAR_WORKER_JOB_RUN_H
#define BURSAR_WORKER_JOB_RUN_H

#include "core/job.h"
#include "port/broker.h"
#include "port/clock.h"
#include "port/ledger.h"
#include "port/stock.h"
#include "worker/metrics.h"

struct job_context {
    struct ledger *ledger;       /* used by HAND_LEDGER only */
    struct stock *stock;         /* by HAND_STOCK only */
    struct publisher *publisher; /* by HAND_PUBLISHER only */
    struct text dead_letter_exchange;
    struct text dead_letter_queue;
    struct text queue;
    struct text routing_key;
    const struct clock *clock;
    struct metrics *metrics;
    uint64_t stock_connections; /* seen by HAND_STOCK */
    /* scratch of HAND_STOCK, owned */
    struct stock_settlement *settlements;
    struct stock_release *releases;
    size_t settlement_count, release_count, capacity;
};

void job_run(struct job_context *context, struct job *job);
void job_context_free(struct job_context *context);

#endif
