/* What becomes of a dead letter. */
#ifndef BURSAR_DEADLETTER_LETTER_FATE_H
#define BURSAR_DEADLETTER_LETTER_FATE_H

#include "deadletter/letter_chunk.h"

enum letter_fate {
    /* What a replay would come to, the worst last: of a batch message the worst of its items. */
    FATE_WOULD_SETTLE,
    FATE_DUPLICATE,    /* booked already, the same: nothing changes */
    FATE_WOULD_REJECT, /* booked as rejected, and given back */
    FATE_REFUNDED,     /* its id was given back before: it is never booked */
    FATE_CONFLICT,     /* the ledger knows the id with another amount or budget: parked again */
    FATE_UNREADABLE,   /* parked again */
    FATE_WOULD_DISCARD,
    /* What was done. */
    FATE_REPLAYED,
    FATE_DISCARDED,
    /* Left where it is. */
    FATE_NO_ROUTE,   /* nothing says where it came from */
    FATE_TOO_OFTEN,  /* it was replayed too often */
    FATE_NOT_EDITED, /* the edit does not suit it */
    FATE_UNROUTABLE, /* no queue is bound where it would go */
    FATE_REFUSED,    /* the broker or the ledger does not take it now */
    FATE_COUNT,
};

/* "would-settle"…; static storage. */
const char *letter_fate_name(enum letter_fate fate);

/* Told of each letter. `detail` may be NULL. Borrowed until the return. */
typedef void letter_told(void *context, const struct letter *letter, enum letter_fate fate,
                         const char *detail);

struct letter_forecast {
    enum letter_fate fate;
    const char *detail; /* in the chunk's arena; NULL: none */
};

/* Against the ledger as it is now: forecasts[i] is that of the chunk's letter i. */
MUST_CHECK enum status letter_forecast(const struct dead_letter_ports *ports, struct letter_chunk *chunk,
                                       struct letter_forecast *forecasts, struct error *error);

#endif
