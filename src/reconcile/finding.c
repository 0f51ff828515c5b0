#include "reconcile/reconcile.h"

#include "core/limits.h"

enum finding_meaning finding_meaning_of(const struct finding *finding)
{
    switch (finding->kind) {
    case FINDING_LEFT_DRIFT:
        if (finding->wrong_kind)
            return finding->actual == TOTAL_UNLIMITED ? MEANING_OVER_ISSUE : MEANING_UNDER_ISSUE;
        if (finding->amount == 0) return MEANING_COSMETIC;
        return finding->amount > 0 ? MEANING_OVER_ISSUE : MEANING_UNDER_ISSUE;
    case FINDING_LEDGER_BEHIND: return MEANING_OVER_ISSUE;
    case FINDING_MISSING_KEY:
    case FINDING_REFUND_DUE:
    case FINDING_CREDIT_DUE:
    case FINDING_ORPHAN: return MEANING_UNDER_ISSUE;
    case FINDING_UNCLEARED:
    case FINDING_UNTRACKED:
    case FINDING_KIND_COUNT: break;
    }
    return MEANING_COSMETIC;
}

const char *finding_meaning_name(enum finding_meaning meaning)
{
    return meaning == MEANING_OVER_ISSUE    ? "may over-issue"
           : meaning == MEANING_UNDER_ISSUE ? "may under-issue"
                                            : "cosmetic";
}

const char *finding_remedy(const struct finding *finding, bool settle_orphans)
{
    switch (finding->kind) {
    case FINDING_LEFT_DRIFT:
        if (finding->wrong_kind) return "nothing: delete the stock key, and then it makes it anew";
        return "corrects Redis by the difference";
    case FINDING_MISSING_KEY: return "rebuilds the budget from the ledger and the entries that are left";
    case FINDING_UNCLEARED: return "clears the pending entry";
    case FINDING_REFUND_DUE: return "gives the amount back";
    case FINDING_CREDIT_DUE: return "applies the credit";
    case FINDING_ORPHAN: return settle_orphans ? "books it" : "voids it and gives the amount back";
    case FINDING_LEDGER_BEHIND: return "nothing: restore the ledger, or find out what it lost";
    case FINDING_UNTRACKED:
    case FINDING_KIND_COUNT: break;
    }
    return "nothing";
}
