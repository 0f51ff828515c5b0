#include "core/finding.h"

const char *finding_kind_name(enum finding_kind kind)
{
    switch (kind) {
    case FINDING_LEFT_DRIFT: return "left-drift";
    case FINDING_MISSING_KEY: return "missing-key";
    case FINDING_UNCLEARED: return "uncleared";
    case FINDING_REFUND_DUE: return "refund-due";
    case FINDING_CREDIT_DUE: return "credit-due";
    case FINDING_ORPHAN: return "orphan";
    case FINDING_LEDGER_BEHIND: return "ledger-behind";
    case FINDING_UNTRACKED: return "untracked";
    case FINDING_KIND_COUNT: break;
    }
    return "?";
}
