/* One history: a broker, a Redis and a ledger in memory, workers that run the production core and driver
 * against them, producers, operators, and everything that can go wrong; all on one thread, in virtual time.
 */
#ifndef BURSAR_TESTS_SIM_WORLD_H
#define BURSAR_TESTS_SIM_WORLD_H

#include "fake/fake_broker.h"
#include "fake/fake_ledger.h"
#include "fake/fake_stock.h"
#include "port/clock.h"
#include "sim/dice.h"
#include "sim/late.h"
#include "sim/operator.h"
#include "sim/ports.h"
#include "sim/process.h"
#include "sim/producer.h"
#include "sim/reconciler.h"
#include "sim/replayer.h"
#include "sim/swarm.h"
#include "sim/truth.h"

#include <stdio.h>

#define QUEUE                "bursar.deductions"
#define DEAD_LETTER_QUEUE    "bursar.deductions.dlq"
#define EXCHANGE             "bursar"
#define DEAD_LETTER_EXCHANGE "bursar.dlx"
#define ROUTING_KEY          "deduction"

/* A rule that was broken: the history ends with it. */
struct violation {
    bool found;
    char rule[48];
    char text[400];
    size_t step;
};

struct world_clock {
    struct clock base; /* first */
    const struct world *world;
};

struct world {
    uint64_t seed;
    struct swarm swarm;
    struct dice dice; /* of the present step */
    size_t step;
    int64_t now_us;   /* monotonic */
    int64_t wall_us;  /* what it is ahead of that: Unix time */
    int64_t redis_us; /* what Redis's clock is ahead of the others */
    struct world_clock clock;
    FILE *trace; /* NULL: none */

    struct fake_broker *broker;
    struct fake_stock *stock;
    struct fake_ledger_store *ledger;
    struct fake_stock_snapshot *replica; /* NULL: none */
    struct fake_ledger_snapshot *backup; /* NULL: none */
    int64_t guards_left; /* in Redis when the faults ended; -1: a request was under way, so that nothing is
                            known */
    bool gives_up;       /* the broker is just moving a message to the dead-letter queue by itself */
    bool healing;        /* nothing fails any more */
    bool alarm, broker_down, dlq_full, redis_down, ledger_down, ledger_full;

    struct process processes[PROCESSES_MAX];
    struct producer producers[PRODUCERS_MAX];
    struct operator operator;
    struct reconciler reconciler;
    struct replayer replayer;
    struct late late;
    struct truth truth;
    uint64_t ledger_restores;
    uint64_t upsets;  /* how often something made a budget's numbers wrong, or may have */
    uint64_t unnamed; /* of these, bookings of what was deducted and what Redis cannot name */
    struct violation violation;
    uint64_t ledger_calls_seen; /* by the checkers: without a call nothing changed */

    /* for the report */
    uint64_t events;
    uint64_t actions[ACTION_COUNT];
    uint64_t faults[CHANCE_COUNT];
    uint64_t runs[2]; /* of reconcile that came to their end: in the middle of everything, and afterwards */
    uint64_t found[2][FINDING_KIND_COUNT], mended[2][FINDING_KIND_COUNT];
    uint64_t letters[FATE_COUNT]; /* by what replays and discards said of them */
};

/* How a history is run: all its steps, or some. */
struct history {
    uint64_t seed;
    const bool *keep; /* which steps happen, by number from 1; NULL: all */
    size_t keep_count;
    FILE *trace;
};

/* What became of it. */
struct outcome {
    struct violation violation;
    size_t steps; /* that the swarm drew */
    uint64_t events;
    uint64_t actions[ACTION_COUNT];
    uint64_t faults[CHANCE_COUNT];
    uint64_t sales, messages, rows, parked;
    uint64_t runs[2];
    uint64_t found[2][FINDING_KIND_COUNT], mended[2][FINDING_KIND_COUNT];
    uint64_t letters[FATE_COUNT];
};

/* Runs it: the steps, then the healing, then the end. */
void history_run(const struct history *history, struct outcome *outcome);

/* Sets the clocks of every system forward. */
void world_pass(struct world *world, int64_t microseconds);

int64_t world_wall_us(const struct world *world);

/* A thousandth's chance of this kind, now; counted when it comes up; never while healing. */
bool world_chance(struct world *world, enum chance chance);

/* Writes a line of the trace, where there is one. */
void world_trace(const struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Notes the first broken rule. */
void world_violate(struct world *world, const char *rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Does one step (actions.c). */
void world_act(struct world *world, enum action action);

/* Guards of refunds without token that Redis holds, over all budgets (check_stock.c). */
int64_t world_guards(struct world *world);

/* Puts a budget's stock out of the range that the scripts take, or back; with `only_mend` never out
 * (actions.c). */
void redis_spoil(struct world *world, uint32_t number, bool only_mend);

/* Changes or loses something of a budget's keys, as a hand or a half-lost Redis does (tamper.c). */
void world_tamper(struct world *world);

/* Reconciles when all is drained: finds everything, mends it, and is clean then (heal_books.c). */
void world_reconcile(struct world *world);

/* When all is drained: replays what is set aside, then perhaps discards the rest, each to its end, while the
 * workers go on; and everything drains again (heal_letters.c). */
void world_handle_letters(struct world *world);

/* One round of every worker, in which nothing fails; time goes on to the next deadline. */
void world_round(struct world *world);
bool world_drain(struct world *world);

/* Ends every fault, starts what is not running, and insists that everything drains (heal.c). */
void world_heal(struct world *world);

#endif
