/* Whether a worker answers on http.listen, and what it holds. */
#ifndef BURSAR_CLI_WORKER_PROBE_H
#define BURSAR_CLI_WORKER_PROBE_H

#include <stdbool.h>
#include <stdint.h>

enum worker_state {
    WORKER_WELL,    /* /livez answered 200 */
    WORKER_STALLED, /* it answered something else */
    WORKER_AWAY,    /* nothing listens there, or no answer within two seconds */
    WORKER_UNKNOWN, /* http.listen is off */
};

struct worker_look {
    enum worker_state state;
    bool has_held; /* /metrics told it, which it does only while the worker consumes */
    int64_t held;  /* messages delivered to it and not acknowledged yet */
};

struct worker_look worker_probe(const char *listen);

/* "well", "stalled", "away", "unknown". Static storage. */
const char *worker_state_name(enum worker_state state);

#endif
