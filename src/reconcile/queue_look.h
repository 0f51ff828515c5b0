/* A look at the queues through the publisher's port. */
#ifndef BURSAR_RECONCILE_QUEUE_LOOK_H
#define BURSAR_RECONCILE_QUEUE_LOOK_H

#include "port/broker.h"
#include "reconcile/reconcile.h"

/* Fills everything but what the worker holds, which becomes not known. A queue that shows neither message nor
 * consumer is asked itself: one without a leader looks the same, and may hold a backlog. What then waits is
 * counted as one. */
MUST_CHECK enum status queue_look_at(struct publisher *publisher, struct text queue,
                                     struct text dead_letter_queue, struct queue_look *look,
                                     struct error *error);

#endif
