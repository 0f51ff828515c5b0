/* What reconciling and the handling of dead letters need of a ledger, beyond what the worker needs: reading
 * every row in the order of booking, voids, the journal of interventions, runs, and locks.
 *
 * Answers and ownership are those of port/ledger.h. */
#ifndef BURSAR_PORT_LEDGER_AUDIT_H
#define BURSAR_PORT_LEDGER_AUDIT_H

#include "core/finding.h"
#include "port/ledger.h"

/* A deduction's row as a sum needs it. */
struct ledger_row {
    int64_t
        sequence; /* above 0; rows become visible in this order, so that what is read up to n is complete */
    struct text budget_id;
    int64_t amount;
    int64_t deducted_at_us; /* 0: without token */
    enum deduction_state state;
    enum refund_state refund;
};

struct ledger_credit {
    int64_t sequence;
    struct text credit_id;
    int64_t amount; /* TOTAL_UNLIMITED or 0 to AMOUNT_MAX */
    bool applied;
    int64_t created_at_us; /* Unix time */
};

/* A row to be inserted in state voided, unless the id is known. */
struct ledger_void {
    struct text message_id;
    struct text budget_id;
    int64_t amount;               /* 1 to AMOUNT_MAX */
    int64_t deducted_at_us;       /* the token; 0: without */
    enum deduction_reason reason; /* REASON_ORPHANED or REASON_DISCARDED */
    enum refund_state refund;     /* REFUND_DUE; REFUND_DONE: there is nothing to give back */
    bool inserted;                /* answer; false: the id has a row already, nothing changed */
};

/* The numbers are stored: never renumber. */
enum intervention_kind {
    INTERVENTION_REPAIR = 0,  /* of the stock in Redis */
    INTERVENTION_VOID = 1,    /* of an orphan */
    INTERVENTION_SETTLE = 2,  /* of an orphan */
    INTERVENTION_REPLAY = 3,  /* a dead letter goes back to its queue */
    INTERVENTION_EDIT = 4,    /* a field of a dead letter is changed */
    INTERVENTION_DISCARD = 5, /* a dead letter is thrown away */
    INTERVENTION_IMPORT = 6,  /* a saved dead letter is published again */
};

enum intervention_state {
    INTERVENTION_BEGUN = 0, /* written before it is done */
    INTERVENTION_DONE = 1,
    INTERVENTION_ABANDONED = 2, /* it turned out not to have been done, and will not be */
};

/* An entry of the journal: who changed what by hand or by reconcile, and how it was before. */
struct intervention {
    int64_t sequence; /* answer of interventions_begin; 1 to AMOUNT_MAX, never used again */
    enum intervention_kind kind;
    enum intervention_state state;
    int64_t at_us;         /* answer of interventions_open; Unix time */
    struct text actor;     /* "user@host", 1 to 255 bytes */
    struct text budget_id; /* absent: none, as the next four */
    struct text message_id;
    struct text subject; /* what is changed: "left", "amount", … */
    struct text before;
    struct text after;
    int64_t amount; /* by which the stock changes, signed; 0: not at all */
};

/* What the ledger remembers of a parked id that has no row. */
struct parked_look {
    bool parked;   /* a row of v_parked is in state parked */
    bool replayed; /* it was replayed or imported: its message may be in the queue again */
};

struct parked_entry {
    int64_t sequence;
    struct text message_id; /* absent: unreadable */
    struct text reason;
    int64_t parked_at_us; /* Unix time */
};

enum parked_state { PARKED_PARKED = 0, PARKED_REPLAYED = 1, PARKED_DISCARDED = 2 };

struct parked_mark {
    struct text message_id; /* absent: the oldest row in state parked without id, of this reason */
    struct text reason;     /* used without id only */
    int64_t up_to;          /* parked_entry.sequence: rows behind it are left alone; 0: none is */
};

/* One run of reconcile, finished. */
struct reconcile_run {
    int64_t started_at_us, finished_at_us; /* Unix time */
    struct text actor;
    bool repair;
    bool complete; /* every budget was looked at and proven */
    bool clean;
    int64_t budgets;
    int64_t found[FINDING_KIND_COUNT];
    int64_t mended;
    int64_t complete_at_us; /* answer of run_last: when the latest complete run finished; 0: none is kept */
};

/* Findings of the run that nobody mended; what is information only is none. */
static inline int64_t reconcile_run_not_mended(const struct reconcile_run *run)
{
    int64_t count = 0;
    for (int kind = 0; kind < FINDING_KIND_COUNT; kind++)
        count += kind == FINDING_UNTRACKED ? 0 : run->found[kind];
    return count - run->mended;
}

/* What Redis looked like when a budget was last proven: totals never go back, unless Redis does. */
struct stock_sight {
    struct text budget_id;
    struct text server; /* Redis's run id; absent: not known */
    int64_t credited, deducted, settled, released;
};

enum ledger_lock { LEDGER_LOCK_RECONCILE, LEDGER_LOCK_DEAD_LETTERS };

struct ledger_audit_ops {
    enum status (*rows_scan)(struct ledger *, int64_t after, struct arena *, struct ledger_row *,
                             size_t capacity, size_t *count, struct error *);
    enum status (*credits_list)(struct ledger *, struct text budget_id, int64_t after, struct arena *,
                                struct ledger_credit *, size_t capacity, size_t *count, struct error *);
    enum status (*voids_insert)(struct ledger *, struct text actor, struct ledger_void *, size_t count,
                                struct error *);
    enum status (*interventions_begin)(struct ledger *, struct intervention *, size_t count, struct error *);
    enum status (*interventions_end)(struct ledger *, const struct intervention *, size_t count,
                                     struct error *);
    enum status (*interventions_open)(struct ledger *, enum intervention_kind, struct arena *,
                                      struct intervention *, size_t capacity, size_t *count, struct error *);
    enum status (*parked_look)(struct ledger *, const struct text *message_ids, size_t count,
                               struct parked_look *, struct error *);
    enum status (*parked_since)(struct ledger *, int64_t after, struct arena *, struct parked_entry *,
                                size_t capacity, size_t *count, struct error *);
    enum status (*parked_mark)(struct ledger *, const struct parked_mark *, size_t count, enum parked_state,
                               struct error *);
    enum status (*run_record)(struct ledger *, const struct reconcile_run *, struct error *);
    enum status (*run_last)(struct ledger *, struct arena *, struct reconcile_run *, bool *found,
                            struct error *);
    enum status (*sights_read)(struct ledger *, const struct text *budget_ids, size_t count, struct arena *,
                               struct stock_sight *, struct error *);
    enum status (*sights_record)(struct ledger *, const struct stock_sight *, size_t count, struct error *);
    enum status (*lock)(struct ledger *, enum ledger_lock, struct error *);
    void (*unlock)(struct ledger *, enum ledger_lock);
};

/* The next up to `capacity` rows with a sequence above `after` (0: from the first), in order, in one short
 * transaction. *count < capacity: there are no more now. Budget ids lie in `arena`. */
MUST_CHECK static inline enum status ledger_rows_scan(struct ledger *ledger, int64_t after,
                                                      struct arena *arena, struct ledger_row *rows,
                                                      size_t capacity, size_t *count, struct error *error)
{
    return ledger->audit->rows_scan(ledger, after, arena, rows, capacity, count, error);
}

/* The same for the credits of one budget. */
MUST_CHECK static inline enum status ledger_credits_list(struct ledger *ledger, struct text budget_id,
                                                         int64_t after, struct arena *arena,
                                                         struct ledger_credit *credits, size_t capacity,
                                                         size_t *count, struct error *error)
{
    return ledger->audit->credits_list(ledger, budget_id, after, arena, credits, capacity, count, error);
}

/* Inserts a voided row for each id that has none, and for each inserted one an entry of the journal
 * (INTERVENTION_VOID for an orphan, INTERVENTION_DISCARD else; done; with budget, id, and the amount where
 * its refund is due), all in one transaction. `inserted` holds with STATUS_OK only. STATUS_REFUSED: the
 * content of one of them, and nothing is inserted. */
MUST_CHECK static inline enum status ledger_voids_insert(struct ledger *ledger, struct text actor,
                                                         struct ledger_void *voids, size_t count,
                                                         struct error *error)
{
    return ledger->audit->voids_insert(ledger, actor, voids, count, error);
}

/* Writes each into the journal with the state that it has, in one transaction, and gives it its sequence,
 * which holds with STATUS_OK only. Sequences grow, and are not below the time in microseconds: a ledger
 * restored from a backup gives none again that Redis may have seen. After STATUS_UNKNOWN the entries may be
 * there, begun: interventions_open finds them. */
MUST_CHECK static inline enum status ledger_interventions_begin(struct ledger *ledger,
                                                                struct intervention *interventions,
                                                                size_t count, struct error *error)
{
    return ledger->audit->interventions_begin(ledger, interventions, count, error);
}

/* Writes the state of each, found by its sequence, in one transaction. Writing it twice is harmless.
 * STATUS_REFUSED: one is not there, and nothing is written. */
MUST_CHECK static inline enum status ledger_interventions_end(struct ledger *ledger,
                                                              const struct intervention *interventions,
                                                              size_t count, struct error *error)
{
    return ledger->audit->interventions_end(ledger, interventions, count, error);
}

/* Up to `capacity` entries of the kind that are still in state begun: what a crash left. Oldest first. */
MUST_CHECK static inline enum status ledger_interventions_open(
    struct ledger *ledger, enum intervention_kind kind, struct arena *arena,
    struct intervention *interventions, size_t capacity, size_t *count, struct error *error)
{
    return ledger->audit->interventions_open(ledger, kind, arena, interventions, capacity, count, error);
}

/* looks[i]: what is known of message_ids[i] as a parked message. `replayed` holds for ever: an entry
 * INTERVENTION_REPLAY or INTERVENTION_IMPORT of the id (in any state), or a row of v_parked in state
 * replayed. */
MUST_CHECK static inline enum status ledger_parked_look(struct ledger *ledger, const struct text *message_ids,
                                                        size_t count, struct parked_look *looks,
                                                        struct error *error)
{
    return ledger->audit->parked_look(ledger, message_ids, count, looks, error);
}

/* What was parked after the row `after` (ledger_stats.last_parked_sequence), oldest first, in any state. */
MUST_CHECK static inline enum status ledger_parked_since(struct ledger *ledger, int64_t after,
                                                         struct arena *arena, struct parked_entry *entries,
                                                         size_t capacity, size_t *count, struct error *error)
{
    return ledger->audit->parked_since(ledger, after, arena, entries, capacity, count, error);
}

/* Moves rows of v_parked from state parked to `state` (PARKED_REPLAYED or PARKED_DISCARDED), in one
 * transaction: with an id all of that id, without one a single row. None there: nothing happens. */
MUST_CHECK static inline enum status ledger_parked_mark(struct ledger *ledger,
                                                        const struct parked_mark *marks, size_t count,
                                                        enum parked_state state, struct error *error)
{
    return ledger->audit->parked_mark(ledger, marks, count, state, error);
}

/* Keeps the run, and of older ones the last thousand. STATUS_REFUSED: a time that is not above 0, a number
 * below 0, no actor. */
MUST_CHECK static inline enum status ledger_run_record(struct ledger *ledger, const struct reconcile_run *run,
                                                       struct error *error)
{
    return ledger->audit->run_record(ledger, run, error);
}

/* The run that finished last. */
MUST_CHECK static inline enum status ledger_run_last(struct ledger *ledger, struct arena *arena,
                                                     struct reconcile_run *run, bool *found,
                                                     struct error *error)
{
    return ledger->audit->run_last(ledger, arena, run, found, error);
}

/* sights[i] is that of budget_ids[i]; where there is none its budget_id is absent. */
MUST_CHECK static inline enum status ledger_sights_read(struct ledger *ledger, const struct text *budget_ids,
                                                        size_t count, struct arena *arena,
                                                        struct stock_sight *sights, struct error *error)
{
    return ledger->audit->sights_read(ledger, budget_ids, count, arena, sights, error);
}

/* Writes or replaces each, in one transaction. */
MUST_CHECK static inline enum status ledger_sights_record(struct ledger *ledger,
                                                          const struct stock_sight *sights, size_t count,
                                                          struct error *error)
{
    return ledger->audit->sights_record(ledger, sights, count, error);
}

/* Takes a lock that one process at a time holds, until ledger_unlock, ledger_close or its end, however it
 * ends. Does not wait. Held by this ledger already: STATUS_OK. STATUS_REFUSED: another one, of this process
 * or of another (named, where that is known), holds it. */
MUST_CHECK static inline enum status ledger_lock(struct ledger *ledger, enum ledger_lock lock,
                                                 struct error *error)
{
    return ledger->audit->lock(ledger, lock, error);
}

/* Not held: nothing happens. */
static inline void ledger_unlock(struct ledger *ledger, enum ledger_lock lock)
{
    ledger->audit->unlock(ledger, lock);
}

#endif
