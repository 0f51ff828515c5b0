/* The worker's decisions, stepped: events go in, effects come out, and nothing else happens. It knows no
 * clock, no thread and no connection; the same core runs under threads in `bursar run` and single-threaded in
 * a simulation.
 *
 *   worker_step(worker, &event);                       something happened
 *   while (worker_next_effect(worker, &effect)) ...    do what follows from it, in this order
 *
 * What must hold at every step: nothing is acknowledged before it is booked, or confirmed by the broker as
 * parked and recorded; a tag of an older connection is never acknowledged; nothing grows beyond what the
 * settings allow. */
#ifndef BURSAR_CORE_WORKER_H
#define BURSAR_CORE_WORKER_H

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "core/job.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker_settings {
    size_t prefetch;   /* deliveries held unacknowledged, at most; fixed for the life of the worker */
    size_t batch_max;  /* deductions in one ledger transaction, at most (one batch message may exceed it) */
    size_t memory_max; /* bytes of bodies held; one message may exceed it */
    int64_t retry_max_us;     /* the longest pause between two tries */
    int64_t stall_after_us;   /* without progress, until the worker says that it is stuck */
    int64_t drain_timeout_us; /* from EVENT_STOP to EFFECT_STOPPED, at most */
    uint64_t seed;            /* of the jitter; not 0 */
};

/* Where the consuming connection stands. */
enum link_state {
    LINK_DOWN, /* not connected; tried again at a time */
    LINK_CONNECTING,
    LINK_IDLE, /* connected, not consuming: the ledger is not there yet, or the queue went away */
    LINK_STARTING,
    LINK_CONSUMING,
    LINK_STOPPING, /* asked to end the consumer, or the broker ended it: what is held is finished */
};

enum event_kind {
    EVENT_CLOCK,     /* time passed */
    EVENT_CONNECTED, /* the answer to EFFECT_CONNECT */
    EVENT_STARTED,   /* the answer to EFFECT_START */
    EVENT_DELIVERY,
    EVENT_CANCELLED,    /* the broker ended the consumer */
    EVENT_DISCONNECTED, /* the connection was lost; `error` says how */
    EVENT_JOB_DONE,     /* the hand's job came back */
    EVENT_SETTINGS,     /* a reload: all but prefetch */
    EVENT_STOP,         /* drain and stop */
};

/* What the core needs of a message as it came; the texts are copied. */
struct worker_delivery {
    uint64_t tag;
    struct text exchange;
    struct text routing_key;
    struct text message_id; /* the property; absent: none */
    struct text properties; /* encoded */
    struct text body;
};

struct event {
    enum event_kind kind;
    int64_t now_us;            /* monotonic; never goes back */
    enum status status;        /* EVENT_CONNECTED, EVENT_STARTED */
    const struct error *error; /* where a status is not STATUS_OK, and EVENT_DISCONNECTED */
    const struct worker_delivery *delivery;
    enum hand hand;
    const struct worker_settings *settings;
};

enum effect_kind {
    EFFECT_CONNECT, /* open the consuming connection; answer with EVENT_CONNECTED */
    EFFECT_START,   /* begin to consume; answer with EVENT_STARTED */
    EFFECT_CANCEL,  /* ask the broker to end the consumer */
    EFFECT_DISCONNECT,
    EFFECT_ACKNOWLEDGE, /* `tag`, with `multiple` everything held up to it */
    EFFECT_JOB,         /* give `job` to `hand`; answer with EVENT_JOB_DONE */
    EFFECT_NOTE,        /* say `note` */
    EFFECT_STOPPED,     /* the end: everything is drained, or the time was up */
};

struct note {
    enum log_level level;
    const char *event;       /* static */
    const char *number_name; /* static; NULL: no number */
    int64_t number;
    char detail[480]; /* "" for none */
};

struct effect {
    enum effect_kind kind;
    uint64_t tag;
    bool multiple;
    enum hand hand;
    struct job *job;
    struct note note;
};

/* What one can see of the worker at an instant. */
struct worker_view {
    enum link_state link;
    bool broker_up, ledger_up, stock_up;
    bool stopping;
    bool stalled; /* the watchdog: work is there, everything is up, and nothing moves */
    size_t held;  /* deliveries */
    size_t held_bytes;
    size_t parks;          /* messages being parked */
    int64_t queue_ready;   /* -1: not known */
    int64_t dead_lettered; /* -1: not known */
    int64_t refunds_due;   /* -1: not known */
    /* since the start */
    uint64_t deliveries;
    uint64_t parked;
    uint64_t refunds; /* given back to Redis and booked as done */
    uint64_t credits; /* applied and booked as such */
    uint64_t extras;  /* second deductions given back */
    uint64_t late;    /* messages whose deduction was voided before they came */
    uint64_t connects;
    uint64_t commit_retries;
    uint64_t tells_dropped; /* pendings left to the clean-up because Redis was away */
};

struct worker;

/* The caller frees with worker_free. The settings are copied. */
struct worker *worker_new(const struct worker_settings *settings, int64_t now_us);
void worker_free(struct worker *worker);

void worker_step(struct worker *worker, const struct event *event);

/* The next thing to do; false: nothing until the next event. */
bool worker_next_effect(struct worker *worker, struct effect *effect);

/* Whether a delivery may be handed in now; false: leave it with the connection, without reading. */
bool worker_wants_delivery(const struct worker *worker);

/* When worker_step wants an EVENT_CLOCK at the latest (monotonic). */
int64_t worker_deadline_us(const struct worker *worker);

void worker_observe(const struct worker *worker, struct worker_view *view);

#endif
