/* The exchanges and queues that the settings name. */
#ifndef BURSAR_AMQP_TOPOLOGY_H
#define BURSAR_AMQP_TOPOLOGY_H

#include "amqp/link.h"

/* Declares everything, or where the settings say so only checks that it is there. STATUS_CONFIG: which part
 * exists with other arguments or does not exist; the channel is then closed. */
MUST_CHECK enum status broker_topology_ensure(struct broker_link *link, struct error *error);

/* Messages ready and consumers of a queue. STATUS_CONFIG: there is none; the channel is then closed. */
MUST_CHECK enum status broker_topology_depth(struct broker_link *link, struct text queue, int64_t *messages,
                                             int64_t *consumers, struct error *error);

/* Asks for one message and leaves it unacknowledged: where *empty is false the connection must be closed, so
 * that it goes back to the front. */
MUST_CHECK enum status broker_topology_is_empty(struct broker_link *link, struct text queue, bool *empty,
                                                struct error *error);

#endif
