/* One `bursar run`: the production driver, core and jobs, on ports that can fail. */
#ifndef BURSAR_TESTS_SIM_PROCESS_H
#define BURSAR_TESTS_SIM_PROCESS_H

#include "sim/ports.h"
#include "worker/driver.h"
#include "worker/job_run.h"

struct process {
    struct world *world;
    bool running;
    bool dead;           /* it was killed in the middle of something: no call of it reaches anything */
    unsigned calls_left; /* until it dies so; 0: it does not */
    bool stopping;
    int64_t stop_at_us; /* when it was asked to */
    uint64_t hung_connects;
    int64_t hung_since_us;        /* when it began to wait for a commit with everything up; 0: it does not */
    bool settled;                 /* the ledger's latest job was well */
    bool redis_away, ledger_away; /* out of its reach, and not out of the others' */
    bool redis_broken;            /* its connection to Redis is gone, and it does not know yet */
    struct driver driver;
    struct job_context context;
    struct metrics metrics;
    struct sim_consumer consumer;
    struct sim_publisher publisher;
    struct sim_stock stock;
    struct sim_ledger ledger;
    struct job *given[HAND_COUNT];   /* not carried out yet */
    bool done[HAND_COUNT];           /* carried out, not heard of yet */
    enum job_kind kinds[HAND_COUNT]; /* of the latest job of each hand */
};

void process_start(struct process *process, struct world *world);

/* As SIGKILL: what its connections hold goes back to the broker. */
void process_kill(struct process *process);

/* SIGTERM. */
void process_stop(struct process *process);
void process_reload(struct process *process);

/* One round of the loop, reading at most so many deliveries. False: there was nothing to do. */
bool process_turn(struct process *process, size_t deliveries);

/* The hand carries its job out; its end is heard later. False: it has none that it can do now. */
bool process_job_run(struct process *process, enum hand hand);
bool process_job_done(struct process *process, enum hand hand);

/* Whether it holds nothing, and does no more than look whether there is something to do. */
bool process_is_idle(const struct process *process);

/* What a process asks before each call that leaves it. */
enum call_fate {
    CALL_GOES,
    CALL_IS_LAST, /* it goes, and nobody hears the answer */
    CALL_IS_DEAD,
};
enum call_fate process_call(struct process *process);

#endif
