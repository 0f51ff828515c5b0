/* What is true of a budget at this instant, reckoned from everything that Redis and the ledger hold, seen at
 * once: what a reconcile, which sees one after the other and in slices, must come to. It shares no line with
 * the engine.
 *
 * The rule: what is left is what Redis was credited with, whether it still knows or not, less what is booked,
 * less what is pending and not booked, less what Redis saw booked and the ledger has forgotten. */
#ifndef BURSAR_TESTS_SIM_BOOKS_H
#define BURSAR_TESTS_SIM_BOOKS_H

#include "base/text.h"
#include "sim/truth.h"

struct world;

struct books {
    bool known;   /* the ledger has the budget */
    bool limited; /* there, as the next */
    bool deleted;
    bool has_key;          /* in Redis */
    bool is_new;           /* Redis never had it, and was never told to */
    bool untracked;        /* booked without token: Redis's side cannot be proven */
    bool other_kind;       /* limited here and unlimited there */
    bool right;            /* nothing is wrong with its numbers */
    int64_t left_expected; /* below 0: more was sold than there ever was */
    int64_t drift;         /* left - left_expected, beside what credits that Redis forgot explain; 0
                              where there is no key, or no limit */
    int64_t behind;        /* Redis saw that much more booked */
    /* too much in Redis's running totals, beside the same */
    int64_t credited, deducted, settled;
    int64_t credits_lost;    /* how many the ledger applied, and Redis does not have */
    int64_t credits_unknown; /* how many Redis has, and the ledger does not */
};

struct books books_of(struct world *world, uint32_t budget);

/* The ledger's row decides about this very deduction. */
bool books_is_own(const struct truth_row *row, const struct truth_sale *sale);

/* Somebody did to the budget what makes its numbers wrong: a disaster, a hand, a lie. Without one a reconcile
 * has nothing to say about them, whatever else goes on. */
bool books_have_cause(const struct truth *truth, uint32_t budget);

bool books_credit_is_in_redis(struct world *world, struct text budget_id, struct text credit_id);

#endif
