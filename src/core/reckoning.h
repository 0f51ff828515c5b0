/* The reckoning of one budget: what Redis says of it at one instant against what the ledger holds, and by how
 * much each of Redis's numbers is wrong.
 *
 * The instant is the cut: Redis's own time, which is also what it gives deductions as tokens. Each deduction
 * before the cut that was not given back by then is, once the ledger is read after Redis, either booked as
 * settled or still pending: that sum must be deducted - released. docs/reconcile.md has the whole argument.
 */
#ifndef BURSAR_CORE_RECKONING_H
#define BURSAR_CORE_RECKONING_H

#include <stdbool.h>
#include <stdint.h>

/* Sums are 0 to INT64_MAX / 4; those of Redis are its own numbers, 0 to AMOUNT_MAX. */
struct reckoning {
    /* Redis, at the cut */
    bool limited; /* the ledger's total is a number */
    bool has_key; /* the stock key is there; otherwise `left` means nothing */
    int64_t left;
    int64_t credited, deducted, settled, released;
    int64_t credits;      /* applied, added up: those that Redis has, and those that it forgot */
    int64_t credits_lost; /* those that it forgot */
    /* pending entries older than the cut, and not in between: no refund was made while they were read */
    int64_t undecided;  /* no row */
    int64_t refundable; /* to be given back: rejected, voided, or a second deduction of a settled id */
    int64_t uncleared;  /* the ledger's row settles it, by its token */
    bool settled_still; /* nothing was cleared while they were read: `settled` and `uncleared` belong together
                         */
    /* the ledger's rows for deductions before the cut */
    int64_t rows_settled;   /* settled, with token */
    int64_t rows_untracked; /* settled, without token */
    bool untracked; /* there are rows without token, settled or due: Redis's totals do not know them */
    int64_t credits_booked; /* all credits; used where the key is missing */
};

/* By how much each number is to change for everything to be right; actual - expected is its negative. */
struct reckoning_result {
    bool well;             /* nothing is wrong */
    bool needs_settled;    /* something is, and it cannot be said what unless settled_still: measure again */
    int64_t ledger_behind; /* Redis cleared this much more than the ledger settled; never mended */
    int64_t left_expected; /* below 0: more was deducted than there ever was */
    /* What the lost credits do not explain; 0 where the key is missing or the budget unlimited. Where none is
     * lost: left - left_expected */
    int64_t drift;
    int64_t credited_drift;                    /* the same of `credited` */
    int64_t left, credited, deducted, settled; /* what to add */
};

void reckoning_compute(const struct reckoning *reckoning, struct reckoning_result *result);

#endif
