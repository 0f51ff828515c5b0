/* Wires the worker's own reconciliation: services, configuration, the name it has in the ledger. */
#ifndef BURSAR_CLI_RUN_SELF_CHECK_H
#define BURSAR_CLI_RUN_SELF_CHECK_H

#include "cli/actor.h"
#include "cli/queue_view.h"
#include "worker/self_check.h"

struct run_self_check {
    struct ledger *ledger;
    struct stock *stock;
    struct publisher *publisher;
    struct queue_view queue;
    atomic_bool cancel;
    char actor[ACTOR_SIZE];
    struct self_check *check; /* NULL: not started */
};

/* Opens its services; none is connected before the first run. The configuration is borrowed. */
MUST_CHECK enum status run_self_check_open(struct run_self_check *self, const struct config *config,
                                           struct error *error);

/* The loop and the metrics are borrowed until run_self_check_finish. */
void run_self_check_start(struct run_self_check *self, const struct config *config, struct loop *loop,
                          struct metrics *metrics);

void run_self_check_reload(struct run_self_check *self, const struct config *config);

/* As self_check_stop and self_check_finish. */
void run_self_check_stop(struct run_self_check *self);
bool run_self_check_finish(struct run_self_check *self, int64_t patience_us);

/* Not while it runs. */
void run_self_check_close(struct run_self_check *self);

#endif
