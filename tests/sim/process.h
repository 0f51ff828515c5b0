/* One `bursar run`: the production driver, core and jobs, on ports that can fail. */
#ifndef BURSAR_TESTS_SIM_PROCESS_H
#define BURSAR_TESTS_SIM_PROCESS_H

#include "sim/ports.h"
#include "worker/driver.h"
#include "worker/job_run.h"

struct process {
    struct world *world;
    struct caller caller;
    bool running;
    bool stopping;
    int64_t stop_at_us; /* when it was asked to */
    uint64_t hung_connects;
    int64_t hung_since_us;  /* when it began to wait for a commit with everything up; 0: it does not */
    int64_t read_all_at_us; /* when it last had read all that the broker had given out */
    bool settled;           /* the ledger's latest job was well */
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

#endif
