/* What a measurement says of a budget's numbers: findings, and their repair. */
#include "reconcile/reconcile_state.h"

#include "core/limits.h"

/* Raising the stock, or making it anew, is right only once no message from before the cut can still be
 * booked: it may be of a deduction that Redis forgot, or that never had an entry, where there are producers
 * that send no token. A stock alone that is too low beside totals that are right is raised at once: somebody
 * lowered it, and under load there always is a message. */
static bool repair_raises(const struct measure *measure)
{
    const struct reckoning_result *result = &measure->result;
    bool totals_are_right =
        result->credited == 0 && result->deducted == 0 && result->settled == 0 && measure->credits_lost == 0;
    if (measure_lacks_key(measure)) return true;
    return result->left > 0 && !(totals_are_right && !measure->tally->any_without_token);
}

/* More was deducted than there ever was, the stock is down to nothing, and nothing else is wrong. No change
 * of the numbers helps, only what is given back: so that is not held back. */
static bool is_oversold(const struct measure *measure)
{
    const struct reckoning_result *result = &measure->result;
    bool numbers_stay = result->left == 0 && result->credited == 0 && result->deducted == 0 &&
                        result->settled == 0 && result->ledger_behind == 0;
    return measure->limited && measure->first.left == 0 && result->left_expected < 0 && numbers_stay &&
           !measure->wrong_kind && measure->credits_lost == 0 && measure->credits_unknown == 0;
}

static void keep_sight(struct reconcile *reconcile)
{
    const struct stock_audit *second = &reconcile->measure.second;
    struct text budget_id = present_budget(reconcile)->id;
    /* One a budget, though an oversold one is concluded twice. */
    size_t count = reconcile->sight_count;
    if (count > 0 && text_equal(reconcile->sights[count - 1].budget_id, budget_id)) count--;
    reconcile->sight_count = count + 1;
    reconcile->sights[count] = (struct stock_sight){
        .budget_id = budget_id,
        .server = reconcile->server[0] == '\0' ? TEXT_NONE : text_of(reconcile->server),
        .credited = second->credited,
        .deducted = second->deducted,
        .settled = second->settled,
        .released = second->released,
    };
}

/* Goes on to the budget's entries. Only where the numbers are right may anything be voided: after a failover
 * or a restored ledger, what looks like an orphan may be something that one of the two forgot. */
static enum reconcile_progress conclude(struct reconcile *reconcile, bool right)
{
    const struct measure *measure = &reconcile->measure;
    struct audited_budget *budget = present_budget(reconcile);
    bool again = budget->concluded; /* an oversold one: all that it has was told of before */
    if (!again && measure->proven && measure->reckoning.untracked) {
        reconcile_report(reconcile,
                         &(struct finding){
                             .kind = FINDING_UNTRACKED,
                             .budget_id = present_budget(reconcile)->id,
                             .expected = FINDING_NUMBER_NONE,
                             .actual = FINDING_NUMBER_NONE,
                             .amount = measure->reckoning.rows_untracked,
                             .detail = "booked without a token: what Redis says of them cannot be proven",
                         });
    }
    if (right && !measure->is_new) keep_sight(reconcile);
    if (!again) ripen_collect(reconcile);
    reconcile->orphans.at = again ? measure->count : 0;
    reconcile->orphans.count = 0;
    reconcile->orphans.mended = false;
    reconcile->orphans.step = ORPHAN_CHOOSE;
    budget->right = right;
    budget->concluded = true;
    reconcile->stage = STAGE_ORPHANS;
    return RECONCILE_MORE;
}

/* Redis has numbers that are older than what was seen of it, or is another process than then. */
static enum status say_whether_redis_went_back(struct reconcile *reconcile, struct error *error)
{
    const struct audited_budget *budget = present_budget(reconcile);
    const struct stock_audit *now = &reconcile->measure.second;
    struct stock_sight sight;
    enum status status =
        ledger_sights_read(reconcile->options.ledger, &budget->id, 1, &reconcile->slice, &sight, error);
    if (status != STATUS_OK || !text_is_present(sight.budget_id)) return status;
    bool back = now->credited < sight.credited || now->deducted < sight.deducted ||
                now->settled < sight.settled || now->released < sight.released;
    bool replaced = text_is_present(sight.server) && reconcile->server[0] != '\0' &&
                    !text_equal_string(sight.server, reconcile->server);
    if (back || replaced) {
        reconcile_say(
            reconcile,
            "budget " TEXT_FORMAT ": Redis %s since the last look; no orphan of it is voided until its "
            "numbers are right",
            TEXT_ARGUMENTS(budget->id),
            back ? "forgot something (a failover, an older dump, a lost key)" : "was restarted or replaced");
    }
    return STATUS_OK;
}

/* Credits that Redis had, and forgot: they were written with the amendment. */
static void report_lost_credits(struct reconcile *reconcile, bool mended)
{
    const struct measure *measure = &reconcile->measure;
    for (size_t i = 0; i < measure->credit_count; i++) {
        const struct measured_credit *lost = &measure->credits[i];
        if (!measure_credit_is_forgotten(lost)) continue;
        reconcile_report(reconcile, &(struct finding){.kind = FINDING_CREDIT_DUE,
                                                      .budget_id = present_budget(reconcile)->id,
                                                      .credit_id = lost->credit_id,
                                                      .expected = FINDING_NUMBER_NONE,
                                                      .actual = FINDING_NUMBER_NONE,
                                                      .amount = lost->amount,
                                                      .mended = mended,
                                                      .detail = "it was applied, and Redis forgot it"});
    }
}

static void report_ledger_behind(struct reconcile *reconcile)
{
    const struct measure *measure = &reconcile->measure;
    const struct reckoning *reckoning = &measure->reckoning;
    struct finding finding = {.kind = FINDING_LEDGER_BEHIND, .budget_id = present_budget(reconcile)->id};
    if (measure->result.ledger_behind > 0) {
        finding.expected = reckoning->settled;
        finding.actual = reckoning->settled - measure->result.ledger_behind;
        finding.amount = measure->result.ledger_behind;
        finding.detail =
            "Redis saw this much more booked than the ledger holds: was the ledger restored from a "
            "backup? Stop selling, and restore what it lost; no repair is right here";
        reconcile_report(reconcile, &finding);
    }
    for (size_t i = 0; i < measure->credits_in_redis; i++) {
        const struct measured_credit *credit = &measure->credits[i];
        if (credit->in_ledger) continue;
        finding.credit_id = credit->credit_id;
        finding.expected = FINDING_NUMBER_NONE;
        finding.actual = FINDING_NUMBER_NONE;
        finding.amount = credit->amount;
        finding.detail =
            "Redis has a credit that the ledger does not: was the ledger restored from a backup?";
        reconcile_report(reconcile, &finding);
    }
}

/* The finding on the budget's own numbers, if they are wrong. */
static bool numbers_finding(struct reconcile *reconcile, struct finding *finding)
{
    const struct measure *measure = &reconcile->measure;
    const struct reckoning_result *result = &measure->result;
    bool missing = measure_lacks_key(measure);
    *finding = (struct finding){
        .kind = missing ? FINDING_MISSING_KEY : FINDING_LEFT_DRIFT,
        .budget_id = reconcile->budgets[reconcile->budget].id,
        .expected = !measure->limited ? TOTAL_UNLIMITED
                    : missing         ? result->left_expected
                                      : measure->first.left - result->drift,
        .actual = missing ? FINDING_NUMBER_NONE : measure->first.left,
        .amount = missing ? (measure->limited ? result->left_expected : 0) : result->drift,
    };
    if (measure->wrong_kind) {
        finding->wrong_kind = true;
        finding->amount = 0;
        finding->detail =
            "unlimited on one side and limited on the other: delete the stock key in Redis, and the "
            "next repair makes it anew";
    } else if (missing) {
        finding->detail =
            "rebuilt from the ledger and the entries that are left; a deduction whose entry was lost "
            "and whose message never came cannot be known";
    } else if (result->drift == 0) {
        finding->detail = arena_format(
            &reconcile->slice,
            "the stock is right; credited should change by %lld, deducted by %lld, settled by %lld",
            -(long long)result->credited_drift, (long long)result->deducted, (long long)result->settled);
    } else if (measure->credits_lost > 0) {
        finding->detail = arena_format(
            &reconcile->slice, "beside what Redis forgot of the credits; with them the stock should be %lld",
            (long long)result->left_expected);
    }
    return missing || measure->wrong_kind || result->drift != 0 || result->credited_drift != 0 ||
           result->deducted != 0 || result->settled != 0;
}

static enum reconcile_progress conclude_oversold(struct reconcile *reconcile)
{
    present_budget(reconcile)->oversold = true;
    return conclude(reconcile, true);
}

static enum reconcile_progress report_numbers(struct reconcile *reconcile, bool may_raise,
                                              struct error *error)
{
    struct measure *measure = &reconcile->measure;
    struct audited_budget *budget = present_budget(reconcile);
    struct finding finding;
    bool mended_all = true, amended = false;
    report_ledger_behind(reconcile);
    bool wrong = numbers_finding(reconcile, &finding);
    bool forgot = !measure_lacks_key(measure) && measure->credits_lost > 0;
    /* A stock below nothing is not made anew; one that is there is lowered as far as to nothing. Totals that
     * are changed would hide that the ledger is behind. */
    bool below = measure->limited && measure->result.left_expected < 0;
    bool behind = measure->result.ledger_behind > 0 || measure->credits_unknown > 0;
    bool oversold = is_oversold(measure);
    bool may = (wrong || forgot) && !oversold && !measure->wrong_kind && !behind &&
               !(measure_lacks_key(measure) && below);
    if (may && repair_raises(measure) && !may_raise) {
        may = false;
        if (reconcile->options.repair)
            finding.detail =
                "not repaired while the queue may hold deductions of it: run again once they are booked";
        else if (!measure_lacks_key(measure))
            finding.detail =
                "sales without a token whose messages are still in the queue look like this, too";
    }
    int64_t change = measure_lacks_key(measure) ? finding.amount : measure->result.left;
    enum status status = STATUS_OK;
    if (may && reconcile_allows(reconcile, budget, change)) {
        bool ready = true;
        if (measure_lacks_key(measure)) status = debts_pay_before_restore(reconcile, &ready, error);
        if (!ready)
            finding.detail = "not made anew: Redis refuses a refund that would be paid once more then";
        if (status == STATUS_OK && ready) status = numbers_amend(reconcile, &amended, error);
        if (status == STATUS_OK && amended && measure_lacks_key(measure))
            status = numbers_mark_credits(reconcile, error);
    }
    if (status != STATUS_OK) return reconcile_fail(reconcile, status);
    if (wrong) {
        finding.mended = amended && !below;
        mended_all = finding.mended;
        reconcile_report(reconcile, &finding);
    }
    if (forgot) report_lost_credits(reconcile, amended);
    mended_all = mended_all && (amended || !forgot);
    if (oversold) return conclude_oversold(reconcile);
    if (behind || !(mended_all || amended)) return conclude(reconcile, false);
    reconcile->measured_again = true;
    reconcile->measure_anew = true; /* are they right now? */
    return RECONCILE_MORE;
}

static enum reconcile_progress leave_unproven(struct reconcile *reconcile, const char *why)
{
    reconcile->measure.proven = false;
    reconcile->summary.unproven++;
    reconcile->summary.complete = false;
    reconcile_say(reconcile, "budget " TEXT_FORMAT ": %s; nothing is said of it this time",
                  TEXT_ARGUMENTS(present_budget(reconcile)->id), why);
    return conclude(reconcile, false);
}

enum reconcile_progress stage_numbers(struct reconcile *reconcile, struct error *error)
{
    struct measure *measure = &reconcile->measure;
    const struct audited_budget *budget = present_budget(reconcile);
    if (!measure->proven)
        return leave_unproven(reconcile,
                              "its refunds and credits never paused for as long as it took to read it");
    /* Nothing is sold or booked of a deleted budget any more: a lost key of it is no loss, and what is still
     * under way is given back. */
    bool gone = measure_lacks_key(measure) && budget->state == BUDGET_DELETED;
    if (!measure_found(measure) || gone) return conclude(reconcile, true);
    if (reconcile->measured_again && is_oversold(measure)) return conclude_oversold(reconcile);
    if (reconcile->measured_again) {
        reconcile->summary.complete = false;
        reconcile_say(reconcile,
                      "budget " TEXT_FORMAT ": it changed while it was repaired; the next run looks again",
                      TEXT_ARGUMENTS(budget->id));
        return conclude(reconcile, false);
    }
    enum raise_answer raise = RAISE_NOT_NOW;
    enum status status = STATUS_OK;
    if (reconcile->options.repair && repair_raises(measure)) status = raise_ask(reconcile, &raise, error);
    if (status != STATUS_OK) return reconcile_fail(reconcile, status);
    if (raise == RAISE_MORE) return RECONCILE_MORE;
    if (raise == RAISE_WAIT) return RECONCILE_WAIT;
    if (raise == RAISE_NEVER)
        return leave_unproven(reconcile, "more of it was booked each time the queue was waited for");
    reconcile->measure_anew = raise == RAISE_STALE;
    if (reconcile->measure_anew) return RECONCILE_MORE;
    status = say_whether_redis_went_back(reconcile, error);
    if (status != STATUS_OK) return reconcile_fail(reconcile, status);
    return report_numbers(reconcile, raise == RAISE_ALLOWED, error);
}
