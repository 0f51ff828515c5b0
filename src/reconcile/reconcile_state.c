#include "reconcile/reconcile_state.h"

#include <stdarg.h>
#include <stdio.h>

enum reconcile_progress reconcile_fail(struct reconcile *reconcile, enum status status)
{
    reconcile->summary.status = status;
    reconcile->summary.complete = false;
    return RECONCILE_FAILED;
}

void reconcile_report(struct reconcile *reconcile, const struct finding *finding)
{
    reconcile->summary.found[finding->kind]++;
    if (finding->mended) reconcile->summary.mended++;
    if (finding->kind != FINDING_UNTRACKED) reconcile->summary.clean = false;
    reconcile->options.found(reconcile->options.context, finding);
}

void reconcile_say(struct reconcile *reconcile, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    reconcile->options.say(reconcile->options.context, line);
}

bool reconcile_allows(struct reconcile *reconcile, struct audited_budget *budget, int64_t amount)
{
    int64_t spent;
    if (!reconcile->options.repair || budget->stopped) return false;
    if (__builtin_add_overflow(budget->spent, amount < 0 ? -amount : amount, &spent) ||
        spent > reconcile->options.repair_max) {
        budget->stopped = true;
        reconcile_say(
            reconcile,
            "budget " TEXT_FORMAT ": a repair of %lld would change more than the %lld units that are "
            "allowed; nothing more of it is repaired: look at the findings, then allow more",
            TEXT_ARGUMENTS(budget->id), (long long)amount, (long long)reconcile->options.repair_max);
        return false;
    }
    budget->spent = spent;
    return true;
}
