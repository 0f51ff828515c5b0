/* Whether a worker answers on http.listen. */
#ifndef BURSAR_CLI_WORKER_PROBE_H
#define BURSAR_CLI_WORKER_PROBE_H

enum worker_state {
    WORKER_WELL,    /* /livez answered 200 */
    WORKER_STALLED, /* it answered something else */
    WORKER_AWAY,    /* nothing listens there, or no answer within two seconds */
    WORKER_UNKNOWN, /* http.listen is off */
};

enum worker_state worker_probe(const char *listen);

/* "well", "stalled", "away", "unknown". Static storage. */
const char *worker_state_name(enum worker_state state);

#endif
