/* A deduction, and what the ledger says of it: the words that every layer shares. */
#ifndef BURSAR_CORE_DEDUCTION_H
#define BURSAR_CORE_DEDUCTION_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct deduction {
    struct text message_id;
    struct text budget_id;
    int64_t amount;         /* 1 to AMOUNT_MAX */
    int64_t deducted_at_us; /* the token: Redis's TIME at the deduction; 0: an older producer gave none */
    struct text user_id;    /* absent: none */
    struct text meta;       /* JSON object as text; absent: none */
};

/* The numbers are stored in ledgers: never renumber. */
enum deduction_state { DEDUCTION_SETTLED = 0, DEDUCTION_REJECTED = 1, DEDUCTION_VOIDED = 2 };

enum deduction_reason {
    REASON_NONE = 0,
    REASON_UNKNOWN_BUDGET = 1,
    REASON_CLOSED_BUDGET = 2,
    REASON_DELETED_BUDGET = 3,
    REASON_OVER_TOTAL = 4,
    REASON_ORPHANED = 5,
    REASON_DISCARDED = 6,
};

enum refund_state { REFUND_NONE = 0, REFUND_DUE = 1, REFUND_DONE = 2 };

enum budget_state { BUDGET_ACTIVE = 0, BUDGET_CLOSED = 1, BUDGET_DELETED = 2 };

/* The words of the contract; static storage; "?" for a value outside the enum.
 * deduction_reason_name(REASON_NONE) is NULL. */
const char *deduction_state_name(enum deduction_state state);
const char *deduction_reason_name(enum deduction_reason reason);
const char *refund_state_name(enum refund_state state);
const char *budget_state_name(enum budget_state state);

#endif
