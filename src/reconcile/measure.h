/* Measures one budget: Redis at a cut, its pending entries, the ledger after it.
 *
 *  TAIL -> AUDIT -> CREDITS -> PENDINGS -> AUDIT_AGAIN -> CREDITS_BOOKED -> TAIL_AGAIN -> LOOKUP -> (TAIL … |
 * done)
 *
 * Each arrow is one call of a port, or one of several slices of it. Where a refund or a credit came in
 * between, the numbers do not belong together and it begins anew; and what is not well counts only once a
 * second measurement, with a cut of its own, says the same. */
#ifndef BURSAR_RECONCILE_MEASURE_H
#define BURSAR_RECONCILE_MEASURE_H

#include "core/reckoning.h"
#include "port/clock.h"
#include "port/ledger_audit.h"
#include "port/stock_audit.h"
#include "reconcile/tally.h"

/* What the ledger says of a pending entry. */
enum entry_fate {
    ENTRY_UNDECIDED, /* no row */
    ENTRY_UNCLEARED, /* its row is settled */
    ENTRY_REFUND,    /* its row is rejected or voided */
    ENTRY_EXTRA,     /* the id's row is of another deduction */
};

struct entry {
    struct text message_id;
    int64_t amount;
    int64_t deducted_at_us;
    enum entry_fate fate;
    enum deduction_state row_state; /* where there is a row, as the next ones */
    int64_t booked_at_us;
    int64_t row_deducted_at_us; /* 0: the row has no token */
    bool is_conflict;           /* the row says another amount or another budget */
};

struct measured_credit {
    struct text credit_id;
    int64_t amount;
    bool in_redis, in_ledger;
    bool applied; /* the ledger says so */
};

enum measure_stage {
    MEASURE_TAIL,
    MEASURE_AUDIT,
    MEASURE_CREDITS,
    MEASURE_PENDINGS,
    MEASURE_AUDIT_AGAIN,
    MEASURE_CREDITS_BOOKED,
    MEASURE_TAIL_AGAIN,
    MEASURE_LOOKUP,
    MEASURE_DONE,
};

struct measure {
    /* borrowed */
    struct ledger *ledger;
    struct stock *stock;
    const struct clock *clock;
    struct tally *tally;
    size_t budget; /* in the tally */
    struct text budget_id;
    bool limited;

    enum measure_stage stage;
    unsigned tries;
    int64_t wait_until_us; /* monotonic; 0: none */
    struct stock_audit first, second;
    int64_t second_at_us; /* monotonic; the second was asked for then */
    uint64_t connections; /* as many as the stock had made at the first audit */
    uint64_t cursor;
    int64_t credit_sequence;
    struct entry *entries; /* owned; by id, each once; before the cut, from the second audit on */
    size_t count, capacity, looked_up;
    struct measured_credit *credits; /* owned; by id */
    size_t credit_count, credit_capacity;
    /* owned; times still to come, of entries that the measurement before this one saw: there are such only
     * where Redis's clock was set back */
    int64_t *ahead_us;
    size_t ahead_count, ahead_capacity;
    size_t credits_in_redis; /* that many come first, by id; behind them what only the ledger has */
    struct arena arena;      /* texts of both */
    struct arena slice;

    /* answers, once done */
    bool proven;     /* false: it never stood still, and nothing can be said */
    bool is_new;     /* Redis never had this budget, and was never told to */
    bool wrong_kind; /* limited here and unlimited there */
    struct reckoning reckoning;
    struct reckoning_result result;
    size_t credits_lost;    /* how many the ledger has applied, and Redis does not have */
    size_t credits_unknown; /* how many Redis has, and the ledger does not */
    struct reckoning_result previous;
    bool has_previous;
};

/* Begins with a budget; what was measured before is forgotten. */
void measure_begin(struct measure *measure, size_t budget, struct text budget_id, bool limited);

/* One step. *measure->stage is MEASURE_DONE at the end; wait_until_us above 0: not before that. */
MUST_CHECK enum status measure_step(struct measure *measure, struct error *error);

static inline bool measure_lacks_key(const struct measure *measure)
{
    return measure->first.left == STOCK_LEFT_NONE;
}

/* Redis had it. What it never had is a debt, and not in the numbers. */
static inline bool measure_credit_is_forgotten(const struct measured_credit *credit)
{
    return !credit->in_redis && credit->applied;
}

/* True when there is something wrong with the budget's numbers. */
bool measure_found(const struct measure *measure);

void measure_free(struct measure *measure);

#endif
