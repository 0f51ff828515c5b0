/* The repair of a budget's numbers: one amendment, written down before. */
#include "reconcile/reconcile_state.h"

#include "core/limits.h"

#include <inttypes.h>

static const char *numbers_text(struct reconcile *reconcile, int64_t left, const struct stock_audit *audit,
                                const struct reckoning_result *change)
{
    int sign = change == NULL ? 0 : 1;
    static const struct reckoning_result none;
    if (change == NULL) change = &none;
    return arena_format(&reconcile->slice, "left=%lld credited=%lld deducted=%lld settled=%lld released=%lld",
                        (long long)left, (long long)(audit->credited + sign * change->credited),
                        (long long)(audit->deducted + sign * change->deducted),
                        (long long)(audit->settled + sign * change->settled), (long long)audit->released);
}

/* Where the key is made anew, all that Redis does not have. */
static void add_lost_credits(struct reconcile *reconcile, struct stock_amendment *amendment)
{
    const struct measure *measure = &reconcile->measure;
    struct stock_credit_entry *credits =
        arena_alloc(&reconcile->slice, (measure->credit_count + 1) * sizeof *credits);
    for (size_t i = 0; i < measure->credit_count; i++) {
        const struct measured_credit *credit = &measure->credits[i];
        if (credit->in_redis || (!measure_lacks_key(measure) && !credit->applied)) continue;
        credits[amendment->credit_count++] =
            (struct stock_credit_entry){.credit_id = credit->credit_id, .amount = credit->amount};
    }
    amendment->credits = credits;
}

/* The amendment's entry, and behind it one for each credit that Redis forgot: a run that finds them open
 * resolves the amendment first, and then the credits are there or never will be. */
static struct intervention *journal_entries(struct reconcile *reconcile, size_t *count)
{
    const struct measure *measure = &reconcile->measure;
    const struct reckoning_result *result = &measure->result;
    const struct audited_budget *budget = present_budget(reconcile);
    bool missing = measure_lacks_key(measure);
    int64_t before = missing ? 0 : measure->first.left;
    int64_t after = missing ? result->left_expected : before + result->left;
    struct intervention *entries =
        arena_alloc(&reconcile->slice, (measure->credit_count + 1) * sizeof *entries);
    entries[0] = (struct intervention){
        .kind = INTERVENTION_REPAIR,
        .budget_id = budget->id,
        .subject = missing ? TEXT_LITERAL("missing-key") : TEXT_LITERAL("left-drift"),
        .before = text_of(missing ? "no key" : numbers_text(reconcile, before, &measure->first, NULL)),
        .after = text_of(numbers_text(reconcile, after, &measure->first, result)),
        .amount = !missing          ? result->left
                  : budget->limited ? result->left_expected
                                    : 0,
    };
    *count = 1;
    for (size_t i = 0; !missing && i < measure->credit_count; i++) {
        const struct measured_credit *credit = &measure->credits[i];
        if (!measure_credit_is_forgotten(credit)) continue;
        entries[(*count)++] = (struct intervention){
            .kind = INTERVENTION_REPAIR,
            .budget_id = budget->id,
            .subject = REPAIR_OF_CREDIT,
            .before = TEXT_LITERAL("forgotten"),
            .after = credit->credit_id,
            .amount = credit->amount == TOTAL_UNLIMITED ? 0 : credit->amount,
        };
    }
    return entries;
}

/* Journal, Redis, journal: the entry's number makes the change happen once, whatever dies in between. */
enum status numbers_amend(struct reconcile *reconcile, bool *amended, struct error *error)
{
    const struct measure *measure = &reconcile->measure;
    const struct reckoning_result *result = &measure->result;
    const struct audited_budget *budget = present_budget(reconcile);
    bool missing = measure_lacks_key(measure);
    size_t count;
    struct intervention *repairs = journal_entries(reconcile, &count);
    enum status status = journal_begin(reconcile, repairs, count, error);
    if (status != STATUS_OK) return status;
    struct stock_amendment amendment = {
        .budget_id = budget->id,
        .id = repairs->sequence,
        .left = missing ? 0 : result->left,
        .credited = result->credited,
        .deducted = result->deducted,
        .settled = result->settled,
        .restore = !missing          ? STOCK_RESTORE_NONE
                   : budget->limited ? STOCK_RESTORE_LIMITED
                                     : STOCK_RESTORE_UNLIMITED,
        .state = budget->state,
    };
    add_lost_credits(reconcile, &amendment);
    status = stock_amend(reconcile->options.stock, &amendment, 1, error);
    if (status == STATUS_OK) status = amendment.status;
    if (status != STATUS_OK && status != STATUS_REFUSED) return status;
    *amended = status == STATUS_OK && amendment.applied;
    for (size_t i = 0; i < count; i++)
        repairs[i].state = *amended ? INTERVENTION_DONE : INTERVENTION_ABANDONED;
    if (status == STATUS_OK && !amendment.applied)
        reconcile_say(reconcile,
                      "budget " TEXT_FORMAT ": Redis remembers a later repair than number %" PRId64
                      " of this journal, and takes none before it: was the ledger restored from a backup?",
                      TEXT_ARGUMENTS(budget->id), repairs->sequence);
    if (status != STATUS_OK)
        reconcile_say(reconcile, "budget " TEXT_FORMAT ": Redis refuses the repair: %s",
                      TEXT_ARGUMENTS(budget->id), error->text);
    return journal_end(reconcile, repairs, count, error);
}

enum status numbers_mark_credits(struct reconcile *reconcile, struct error *error)
{
    const struct measure *measure = &reconcile->measure;
    for (size_t i = 0; i < measure->credit_count; i++) {
        const struct measured_credit *credit = &measure->credits[i];
        if (!credit->in_ledger || credit->applied) continue;
        enum status status = ledger_credit_mark(reconcile->options.ledger, present_budget(reconcile)->id,
                                                credit->credit_id, error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}
