#include "core/deduction.h"

const char *deduction_state_name(enum deduction_state state)
{
    switch (state) {
    case DEDUCTION_SETTLED: return "settled";
    case DEDUCTION_REJECTED: return "rejected";
    case DEDUCTION_VOIDED: return "voided";
    }
    return "?";
}

const char *deduction_reason_name(enum deduction_reason reason)
{
    switch (reason) {
    case REASON_NONE: return NULL;
    case REASON_UNKNOWN_BUDGET: return "unknown-budget";
    case REASON_CLOSED_BUDGET: return "closed-budget";
    case REASON_DELETED_BUDGET: return "deleted-budget";
    case REASON_OVER_TOTAL: return "over-total";
    case REASON_ORPHANED: return "orphaned";
    case REASON_DISCARDED: return "discarded";
    }
    return "?";
}

const char *refund_state_name(enum refund_state state)
{
    switch (state) {
    case REFUND_NONE: return "none";
    case REFUND_DUE: return "due";
    case REFUND_DONE: return "done";
    }
    return "?";
}

const char *budget_state_name(enum budget_state state)
{
    switch (state) {
    case BUDGET_ACTIVE: return "active";
    case BUDGET_CLOSED: return "closed";
    case BUDGET_DELETED: return "deleted";
    }
    return "?";
}
