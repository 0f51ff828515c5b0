/* A person at the dead-letter queue: one `bursar dlq replay` or `bursar dlq discard` after the other, the
 * production engines, a step at a time, on ports that can fail. */
#ifndef BURSAR_TESTS_SIM_REPLAYER_H
#define BURSAR_TESTS_SIM_REPLAYER_H

#include "deadletter/discard.h"
#include "deadletter/replay.h"
#include "sim/ports.h"
#include "sim/truth.h"

#define LETTERS_SEEN_MAX 2048

/* What an edit makes of unreadable fields: always the same, so that a letter has one readable form at most.
 */
#define EDIT_AMOUNT "1"
#define EDIT_BUDGET "b0"

/* What the person asks for. */
struct letters_wish {
    bool discards, dry_run, edits;
    bool nowhere; /* to a key that no queue is bound to */
    int64_t limit, max_replays, rate, canary, canary_wait_us, max_failures;
};

/* A letter that the broker gave to the run. */
struct letter_given {
    struct truth_place place;
    uint64_t body, properties; /* fingerprints */
    int64_t replays;
};

/* A copy that the run published. */
struct letter_sent {
    struct truth_place place;
    size_t call; /* of publish, from 1 */
    enum publication_outcome outcome;
    bool acknowledged; /* its letter */
};

struct replayer {
    struct world *world;
    struct caller caller;
    bool running;
    bool stepping; /* the engine is at work: what changes now is its doing */
    struct letters_wish wish;
    struct sim_consumer consumer;
    struct sim_publisher publisher;
    struct sim_stock stock;
    struct sim_ledger ledger;
    struct dead_letter_ports ports;
    struct replay *replay;   /* NULL: it is a discard, or nothing */
    struct discard *discard; /* NULL: it is a replay, or nothing */
    int64_t wait_until_us;
    bool wait_listens;
    uint64_t steps;
    /* For the checkers. */
    uint64_t restores_at_start, upsets_at_start; /* world's counts when the run began */
    size_t entries_at_start;                     /* of the journal */
    int64_t asked_us; /* on Redis's clock: when the run asked last what is pending */
    struct letter_given given[LETTERS_SEEN_MAX];
    size_t given_count;
    struct letter_sent sent[LETTERS_SEEN_MAX];
    size_t sent_count, publish_calls;
    /* how the last run ended */
    bool done;
    int64_t letters_done, letters_left;
    char failure[160];
};

/* Draws what the next run is to do. */
struct letters_wish replayer_wish(struct world *world);

/* Begins a run; none is under way. */
void replayer_start(struct replayer *replayer, struct world *world, const struct letters_wish *wish);

/* Somebody begins another one meanwhile: the ledger's lock keeps him out. */
void replayer_refuse_second(struct world *world);

/* One step, or a look at the clock where it waits; false: no run is under way. */
bool replayer_step(struct replayer *replayer);

/* SIGINT: it ends after what is under way. */
void replayer_stop(struct replayer *replayer);

/* As SIGKILL: its lock is free, the letters that it held go back, and what it had begun stays begun. */
void replayer_kill(struct replayer *replayer);

/* Whether a discard is between planning refunds and recording them: for one that stands still there for
 * longer than Redis guards a refund without token, nothing is promised, as for a worker. */
bool replayer_has_refunds(const struct replayer *replayer);

#endif
