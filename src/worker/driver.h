/* Between the core and the consuming connection: what arrives goes in as events, what follows is done as
 * effects. It has no thread, waits for nothing and asks nobody but its clock for the time, so that the loop
 * (loop.h) drives it under threads and a simulation drives it step by step.
 *
 * One thread at a time uses a driver. */
#ifndef BURSAR_WORKER_DRIVER_H
#define BURSAR_WORKER_DRIVER_H

#include "core/worker.h"
#include "port/broker.h"
#include "port/clock.h"
#include "worker/metrics.h"

struct driver_options {
    struct consumer *consumer; /* borrowed, as all below */
    const struct clock *clock;
    struct metrics *metrics;
    /* Starts the job; its end is told with driver_job_done. */
    void (*give_job)(void *context, enum hand hand, struct job *job);
    void (*say)(void *context, const struct note *note);
    void *context; /* of both */
};

struct driver {
    struct driver_options options;
    struct worker *worker; /* owned */
    bool connected;        /* the consuming connection is open */
    bool stopped;          /* drained, or the time was up: nothing more will be done */
};

/* The caller ends with driver_finish. */
void driver_begin(struct driver *driver, const struct driver_options *options,
                  const struct worker_settings *settings);
void driver_finish(struct driver *driver);

/* Hands one event in, at the clock's time. */
void driver_step(struct driver *driver, struct event event);

static inline void driver_job_done(struct driver *driver, enum hand hand)
{
    driver_step(driver, (struct event){.kind = EVENT_JOB_DONE, .hand = hand});
}

/* Whether the connection may be read: always while nothing is consumed (heartbeats, a close), else only with
 * room for a delivery. */
bool driver_may_read(const struct driver *driver);

/* Reads what has arrived, up to `most` deliveries; true: there may be more. */
bool driver_read(struct driver *driver, size_t most);

/* Sends a heartbeat where one is due while the connection is not read. */
void driver_keep_alive(struct driver *driver);

/* Does everything that follows from the events so far. */
void driver_effects(struct driver *driver);

#endif
