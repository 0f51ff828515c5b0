/* What the ledger owes Redis: refunds of what was rejected or voided, and credits that Redis has not seen
 * yet. */
#ifndef BURSAR_CORE_DEBT_H
#define BURSAR_CORE_DEBT_H

#include "base/arena.h"
#include "core/deduction.h"

#include <stdbool.h>
#include <stdint.h>

enum debt_kind { DEBT_REFUND, DEBT_CREDIT };

struct debt {
    enum debt_kind kind;
    int64_t sequence; /* the row; grows within a kind */
    struct text budget_id;
    struct text id;               /* message id or credit id */
    int64_t amount;               /* a credit may be 0 or TOTAL_UNLIMITED */
    int64_t deducted_at_us;       /* refund: the token; 0: without */
    enum deduction_state outcome; /* refund: DEDUCTION_REJECTED or DEDUCTION_VOIDED */
    bool paid;                    /* set by the stock's caller; ledger_debts_mark writes those that are */
};

/* Where a walk over the debts stands; zero: at the beginning. */
struct debt_cursor {
    int64_t refund_sequence;
    int64_t credit_sequence;
};

/* Debts read, paid and marked together. */
#define DEBTS_MAX 500

struct debt_list {
    struct debt_cursor cursor; /* moved by the fetch */
    size_t count;
    struct debt items[DEBTS_MAX];
    struct arena arena; /* the texts */
};

#endif
