/* One reconciliation of Redis with the ledger, while traffic runs: a machine of small steps, each one call of
 * a port, so that neither is held for long and a simulation can put anything between two of them.
 *
 * docs/reconcile.md has the argument why it is exact. Without `repair` it changes no stock and books nothing;
 * it keeps only the record of the run. A run that ends early (a service away, a kill) leaves nothing half
 * done that the next one does not finish or undo. One thread at a time uses it. */
#ifndef BURSAR_RECONCILE_RECONCILE_H
#define BURSAR_RECONCILE_RECONCILE_H

#include "core/finding.h"
#include "port/clock.h"
#include "port/ledger_audit.h"
#include "port/stock_audit.h"

#include <stdbool.h>
#include <stdint.h>

#define FINDING_NUMBER_NONE INT64_MIN

/* Texts are valid during the call that hands it out. */
struct finding {
    enum finding_kind kind;
    struct text budget_id;
    struct text message_id; /* absent: none, as the next one */
    struct text credit_id;
    int64_t expected, actual; /* FINDING_NUMBER_NONE: not said, as the next one */
    int64_t amount;           /* a drift is signed: actual - expected */
    bool mended;
    bool wrong_kind;    /* of a left-drift: limited on one side and unlimited on the other */
    const char *detail; /* what a person should know beyond the kind; NULL: nothing */
};

/* What a finding means for money. */
enum finding_meaning { MEANING_OVER_ISSUE, MEANING_UNDER_ISSUE, MEANING_COSMETIC };

enum finding_meaning finding_meaning_of(const struct finding *finding);

/* "may over-issue", "may under-issue", "cosmetic". Static storage. */
const char *finding_meaning_name(enum finding_meaning meaning);

/* What `--repair` does about it, as a phrase. Static storage. */
const char *finding_remedy(const struct finding *finding, bool settle_orphans);

/* The queue of deductions, as far as it can be seen. */
struct queue_look {
    int64_t ready; /* messages that wait */
    int64_t consumers;
    int64_t held;         /* messages that the only worker holds; -1: not known */
    bool nobody_tells;    /* it is set up so that no worker can be asked; `held` is then -1 */
    int64_t dead_letters; /* messages that wait in the dead-letter queue */
};

struct reconcile_options {
    struct ledger *ledger; /* borrowed, as all of this */
    struct stock *stock;
    const struct clock *clock;
    struct text actor;     /* "user@host" */
    struct text budget_id; /* absent: all budgets */
    bool repair;
    /* Units of stock a budget that repairs may change in all, and of all budgets that the ledger does not
     * have together; INT64_MAX: any. */
    int64_t repair_max;
    int64_t orphan_after_us;
    bool settle_orphans; /* false: they are voided and refunded */

    void *context; /* of the calls below */
    /* Anything but STATUS_OK: orphans cannot be judged, and the run is not complete. */
    enum status (*look)(void *context, struct queue_look *, struct error *);
    /* found[i]: a message with this id lies in the dead-letter queue. */
    enum status (*find_dead_letters)(void *context, const struct text *message_ids, size_t count, bool *found,
                                     struct error *);
    /* Each finding once, when it is final. */
    void (*found)(void *context, const struct finding *);
    /* What a person should know that is no finding; one line. */
    void (*say)(void *context, const char *line);
};

enum reconcile_progress {
    RECONCILE_MORE, /* call again */
    RECONCILE_WAIT, /* call again at reconcile_wait_until_us */
    RECONCILE_DONE,
    RECONCILE_FAILED, /* the error says why; reconcile_status how */
};

/* How far it is, and what it came to. */
struct reconcile_summary {
    int64_t budgets; /* to be looked at, once known */
    int64_t looked_at;
    int64_t rows; /* of the ledger, read */
    int64_t found[FINDING_KIND_COUNT];
    int64_t mended;
    int64_t refused;     /* budgets whose keys hold what no script wrote */
    int64_t unproven;    /* budgets whose numbers never stood still for long enough */
    bool clean;          /* nothing was found, but for what is information only */
    bool complete;       /* everything could be judged */
    bool locked_out;     /* failed because another run holds the lock */
    bool unknown_budget; /* failed because options.budget_id is none */
    enum status status;  /* how it failed */
};

struct reconcile;

/* The caller frees with reconcile_free. */
struct reconcile *reconcile_new(const struct reconcile_options *options);

enum reconcile_progress reconcile_step(struct reconcile *reconcile, struct error *error);

/* Monotonic; after RECONCILE_WAIT. */
int64_t reconcile_wait_until_us(const struct reconcile *reconcile);

const struct reconcile_summary *reconcile_summary(const struct reconcile *reconcile);

/* Gives the lock back; NULL is fine. */
void reconcile_free(struct reconcile *reconcile);

#endif
