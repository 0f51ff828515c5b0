/* What the handling of dead letters works with, and how its engines answer a step.
 *
 * An engine does one bounded piece of work at each step: a slice of reading, one call of a port. It has no
 * clock and no loop of its own, so that the same engine runs under a command and in a simulation. */
#ifndef BURSAR_DEADLETTER_PORTS_H
#define BURSAR_DEADLETTER_PORTS_H

#include "port/broker.h"
#include "port/clock.h"
#include "port/ledger_audit.h"
#include "port/stock.h"

#include <string.h>

/* All borrowed. The consumer is one of the dead-letter queue, with a prefetch of LETTER_WINDOW_FIRST, and not
 * connected. */
struct dead_letter_ports {
    struct consumer *consumer;
    struct publisher *publisher;
    struct ledger *ledger; /* NULL for who only looks, as the next */
    struct stock *stock;
    const struct clock *clock;
    struct text queue;
    struct text actor; /* "user@host" */
};

/* Whether a publication failed because its exchange is not there, which costs the connection and not only the
 * messages for it. RabbitMQ says it so. */
static inline bool publication_has_no_exchange(const struct error *error)
{
    return strstr(error->text, "no exchange '") != NULL;
}

enum step {
    STEP_MORE, /* call again */
    STEP_WAIT, /* call again when the time has come, or something arrived at the consumer */
    STEP_DONE,
    STEP_FAILED, /* see the error; what was done stays done, and all may be run again */
};

#endif
