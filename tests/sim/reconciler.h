/* One `bursar reconcile` after the other: the production engine, a step at a time, on ports that can fail. */
#ifndef BURSAR_TESTS_SIM_RECONCILER_H
#define BURSAR_TESTS_SIM_RECONCILER_H

#include "reconcile/reconcile.h"
#include "sim/books.h"
#include "sim/ports.h"
#include "sim/truth.h"

#define FOUND_MAX 1024

/* What was true of a budget when the run read its numbers last. */
struct looked {
    struct books books;
    int64_t at_us;              /* on Redis's clock */
    size_t rights;              /* the last looks at which it was right, in a row */
    int64_t spent;              /* units of its stock that the run changed */
    bool knows_older_producers; /* the ledger has a sale without a token */
};

/* A finding as it was handed out. */
struct found {
    enum finding_kind kind;
    uint32_t budget;
    uint32_t id; /* of a message; TRUTH_NONE: none */
    char credit_id[16];
    int64_t expected, actual, amount;
    bool mended;
};

struct reconciler {
    struct world *world;
    struct caller caller;
    bool running;
    bool stepping; /* the engine is at work: what changes now is its doing */
    struct sim_stock stock;
    struct sim_ledger ledger;
    struct sim_publisher publisher;
    struct reconcile_options options;
    struct reconcile *engine;
    int64_t wait_until_us;
    uint64_t steps;
    uint64_t upsets_at_start, unnamed_at_start, restores_at_start; /* world's counts when the run began */
    struct looked looks[TRUTH_BUDGETS_MAX];
    bool walked;   /* through the dead letters */
    bool *letters; /* owned; for each id below letter_ids whether one spoke of it then */
    size_t letter_ids;
    struct found found[FOUND_MAX];
    size_t found_count;
    /* how the last run ended */
    bool done; /* to its end; what it found is above */
    struct reconcile_summary summary;
};

/* What a run is to do. */
struct reconciler_wish {
    bool repair, settle_orphans;
    int64_t repair_max, orphan_after_us;
};

/* Begins a run; none is under way. */
void reconciler_start(struct reconciler *reconciler, struct world *world, const struct reconciler_wish *wish);

/* One step, or a look at the clock where it waits; false: no run is under way. */
bool reconciler_step(struct reconciler *reconciler);

/* As SIGKILL: its lock is free, and what it had begun stays begun. */
void reconciler_kill(struct reconciler *reconciler);

/* Whether a letter that speaks of the id comes too late for the run that is under way: one that only looks
 * walks through the dead letters once, and there was none then. */
bool reconciler_cannot_see_letter(const struct reconciler *reconciler, uint32_t id);

/* Whether the dead-letter queue holds what speaks of the id. */
bool reconciler_is_dead_letter(struct world *world, uint32_t id);

#endif
