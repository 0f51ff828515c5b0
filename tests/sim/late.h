/* Requests to Redis that somebody gave up on: they still lie in a socket's buffer, and arrive when others
 * have been answered, or never. */
#ifndef BURSAR_TESTS_SIM_LATE_H
#define BURSAR_TESTS_SIM_LATE_H

#include "port/stock_audit.h"

#define LATE_MAX 16

struct late_request {
    enum late_kind {
        LATE_SETTLE,
        LATE_RELEASE,
        LATE_FORGET,
        LATE_CREDIT,
        LATE_DEDUCT,
        LATE_STATE,
        LATE_AMEND,
    } kind;
    size_t count;
    void *items; /* owned, with what they point to behind the array */
    int64_t sent_at_us;
    enum budget_state state;
};

/* What is older than this many microseconds, or than half a done window, has gone with its connection: a
 * guard that holds for one window must outlive every request. */
#define LATE_AGE_MAX_US (30 * INT64_C(1000000))

struct late {
    struct late_request requests[LATE_MAX];
    size_t count;
};

struct world;

/* Copies the items; false: there is no room, and the request is lost. */
bool late_add(struct world *world, enum late_kind kind, const void *items, size_t count,
              enum budget_state state);

/* One of them arrives, or its time is over; false: there is none. */
bool late_arrive(struct world *world);

/* None of them will arrive. */
void late_free(struct late *late);

#endif
