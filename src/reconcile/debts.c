/* Refunds and credits that the ledger owes Redis. The worker pays them within moments, so only what is owed
 * at two looks, a while apart, is a finding. */
#include "reconcile/reconcile_state.h"

#include "base/memory.h"
#include "core/limits.h"
#include "reconcile/measure_sums.h"

#include <stdlib.h>

#define DEBTS_SLICE    500
#define DEBTS_SEEN_MAX 20000 /* the first ones; of more at once the run says so */

static bool concerns(const struct reconcile *reconcile, const struct debt *debt)
{
    struct text only = reconcile->options.budget_id;
    return !text_is_present(only) || text_equal(debt->budget_id, only);
}

static void keep_debt(struct reconcile *reconcile, const struct debt *debt)
{
    struct debts_seen *seen = &reconcile->debts;
    if (seen->count == seen->capacity) {
        seen->capacity = seen->capacity == 0 ? 64 : seen->capacity * 2;
        seen->items = memory_resize(seen->items, seen->capacity, sizeof *seen->items);
    }
    struct debt *kept = &seen->items[seen->count++];
    *kept = *debt;
    kept->budget_id = arena_copy(&reconcile->arena, debt->budget_id);
    kept->id = arena_copy(&reconcile->arena, debt->id);
}

enum reconcile_progress stage_debts(struct reconcile *reconcile, struct error *error)
{
    struct debts_seen *seen = &reconcile->debts;
    struct debt *debts = arena_alloc(&reconcile->slice, DEBTS_SLICE * sizeof *debts);
    size_t count = 0;
    enum status status = ledger_debts_fetch(reconcile->options.ledger, &seen->cursor, &reconcile->slice,
                                            debts, DEBTS_SLICE, &count, error);
    if (status != STATUS_OK) return reconcile_fail(reconcile, status);
    for (size_t i = 0; i < count; i++)
        if (concerns(reconcile, &debts[i])) keep_debt(reconcile, &debts[i]);
    bool cut_off = count == DEBTS_SLICE && seen->count >= DEBTS_SEEN_MAX;
    if (cut_off) {
        reconcile->summary.complete = false;
        reconcile_say(reconcile, "more than %d refunds and credits are due; the next run looks at the others",
                      DEBTS_SEEN_MAX);
    }
    if (count < DEBTS_SLICE || cut_off) {
        seen->seen_at_us = clock_monotonic_us(reconcile->options.clock);
        reconcile->stage = STAGE_BASE;
    }
    return RECONCILE_MORE;
}

static int compare_debts(const void *left, const void *right)
{
    const struct debt *a = left, *b = right;
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static bool was_seen(const struct debts_seen *seen, const struct debt *debt)
{
    return bsearch(debt, seen->items, seen->count, sizeof *debt, compare_debts) != NULL;
}

/* Where the ledger does not have it: what stands for all of those. */
static struct audited_budget *budget_of(struct reconcile *reconcile, struct text budget_id)
{
    for (size_t i = 0; i < reconcile->budget_count; i++)
        if (text_equal(reconcile->budgets[i].id, budget_id)) return &reconcile->budgets[i];
    return &reconcile->unlisted;
}

static enum status repair_credit(struct reconcile *reconcile, const struct stock_credit *due, bool *mended,
                                 struct error *error)
{
    struct intervention repair = {
        .kind = INTERVENTION_REPAIR,
        .budget_id = due->budget_id,
        .subject = REPAIR_OF_CREDIT,
        .before = TEXT_LITERAL("due"),
        .after = due->credit_id,
        .amount = due->amount == TOTAL_UNLIMITED ? 0 : due->amount,
    };
    struct stock_credit credit = *due;
    enum status status = journal_begin(reconcile, &repair, 1, error);
    if (status == STATUS_OK) status = stock_credit(reconcile->options.stock, &credit, 1, error);
    if (status == STATUS_OK) status = credit.status;
    if (status != STATUS_OK && status != STATUS_REFUSED) return status;
    *mended = status == STATUS_OK;
    repair.state = *mended && credit.applied ? INTERVENTION_DONE : INTERVENTION_ABANDONED;
    return journal_end(reconcile, &repair, 1, error);
}

static struct stock_release release_of(const struct debt *debt)
{
    return (struct stock_release){
        .budget_id = debt->budget_id,
        .message_id = debt->id,
        .deducted_at_us = debt->deducted_at_us,
        .amount = debt->amount,
        .outcome = debt->outcome == DEDUCTION_VOIDED ? RELEASE_VOIDED : RELEASE_REJECTED,
    };
}

/* As the worker pays it; harmless where it pays at the same time. */
static enum status repair_refund(struct reconcile *reconcile, const struct debt *debt, bool *mended,
                                 struct error *error)
{
    struct intervention repair = {
        .kind = INTERVENTION_REPAIR,
        .budget_id = debt->budget_id,
        .message_id = debt->id,
        .subject = TEXT_LITERAL("refund-due"),
        .before = TEXT_LITERAL("due"),
        .after = TEXT_LITERAL("given back"),
        .amount = debt->amount,
    };
    struct stock_release release = release_of(debt);
    enum status status = journal_begin(reconcile, &repair, 1, error);
    if (status == STATUS_OK) status = stock_release(reconcile->options.stock, &release, 1, error);
    if (status == STATUS_OK) status = release.status;
    if (status != STATUS_OK && status != STATUS_REFUSED) return status;
    *mended = status == STATUS_OK;
    /* Given back before, only the ledger did not know. */
    repair.state = *mended && release.released ? INTERVENTION_DONE : INTERVENTION_ABANDONED;
    return journal_end(reconcile, &repair, 1, error);
}

/* Its amount is in no sum of the measurement, so a key that is made anew has it. One with an entry is taken
 * off for that, and comes back with it. */
static bool is_in_new_stock(struct reconcile *reconcile, const struct debt *debt)
{
    bool untracked = debt->kind == DEBT_REFUND && debt->deducted_at_us == 0 &&
                     text_equal(debt->budget_id, present_budget(reconcile)->id);
    const struct entry *entry = untracked ? measure_find_entry(&reconcile->measure, debt->id) : NULL;
    return untracked && (entry == NULL || entry->amount != debt->amount);
}

/* As the worker pays and marks them: without a stock key nothing is added, and each leaves its guard for a
 * worker that read of it before. */
static enum status pay_without_key(struct reconcile *reconcile, struct debt *debts, size_t count, bool *done,
                                   struct error *error)
{
    struct stock_release *releases = arena_alloc(&reconcile->slice, count * sizeof *releases);
    for (size_t i = 0; i < count; i++) releases[i] = release_of(&debts[i]);
    enum status status = stock_release(reconcile->options.stock, releases, count, error);
    if (status != STATUS_OK && status != STATUS_REFUSED) return status;
    for (size_t i = 0; i < count; i++) {
        debts[i].paid = releases[i].status == STATUS_OK;
        *done = *done && debts[i].paid;
    }
    status = ledger_debts_mark(reconcile->options.ledger, debts, count, error);
    if (status == STATUS_OK) status = stock_forget_guards(reconcile->options.stock, releases, count, error);
    return status == STATUS_REFUSED ? STATUS_OK : status;
}

/* Where Redis lost everything it knows of no budget that a guard could be kept with: an amendment of nothing
 * makes it. */
static enum status begin_without_key(struct reconcile *reconcile, struct intervention *repair, bool *done,
                                     struct error *error)
{
    *repair = (struct intervention){
        .kind = INTERVENTION_REPAIR,
        .budget_id = present_budget(reconcile)->id,
        .subject = TEXT_LITERAL("refund-due"),
        .before = TEXT_LITERAL("due, without token and without stock"),
        .after = TEXT_LITERAL("in the stock that is made anew"),
    };
    enum status status = journal_begin(reconcile, repair, 1, error);
    if (status != STATUS_OK) return status;
    struct stock_amendment nothing = {.budget_id = repair->budget_id, .id = repair->sequence};
    status = stock_amend(reconcile->options.stock, &nothing, 1, error);
    if (status == STATUS_OK) status = nothing.status;
    *done = status == STATUS_OK;
    return status == STATUS_REFUSED ? STATUS_OK : status;
}

enum status debts_pay_before_restore(struct reconcile *reconcile, bool *done, struct error *error)
{
    struct debt *debts = arena_alloc(&reconcile->slice, DEBTS_SLICE * sizeof *debts);
    struct debt_cursor cursor = {0};
    struct intervention repair = {0};
    size_t count = DEBTS_SLICE;
    *done = true;
    while (count == DEBTS_SLICE && *done) {
        enum status status = ledger_debts_fetch(reconcile->options.ledger, &cursor, &reconcile->slice, debts,
                                                DEBTS_SLICE, &count, error);
        size_t chosen = 0;
        for (size_t i = 0; i < count && status == STATUS_OK; i++)
            if (is_in_new_stock(reconcile, &debts[i])) debts[chosen++] = debts[i];
        if (status == STATUS_OK && chosen > 0 && repair.sequence == 0)
            status = begin_without_key(reconcile, &repair, done, error);
        if (status == STATUS_OK && chosen > 0 && *done)
            status = pay_without_key(reconcile, debts, chosen, done, error);
        if (status != STATUS_OK) return status;
    }
    if (repair.sequence == 0) return STATUS_OK;
    repair.state = *done ? INTERVENTION_DONE : INTERVENTION_ABANDONED;
    return journal_end(reconcile, &repair, 1, error);
}

static enum status repair_debt(struct reconcile *reconcile, struct debt *debt, struct error *error)
{
    enum status status;
    if (debt->kind == DEBT_CREDIT) {
        struct stock_credit due = {
            .budget_id = debt->budget_id, .credit_id = debt->id, .amount = debt->amount};
        status = repair_credit(reconcile, &due, &debt->paid, error);
    } else {
        status = repair_refund(reconcile, debt, &debt->paid, error);
    }
    return status == STATUS_OK ? ledger_debts_mark(reconcile->options.ledger, debt, 1, error) : status;
}

static enum status report_debt(struct reconcile *reconcile, struct debt *debt, struct error *error)
{
    struct audited_budget *budget = budget_of(reconcile, debt->budget_id);
    bool is_credit = debt->kind == DEBT_CREDIT;
    bool held_back = reconcile->options.repair && !is_credit && !budget->right;
    int64_t change = debt->amount == TOTAL_UNLIMITED ? 0 : debt->amount;
    if (!held_back && reconcile_allows(reconcile, budget, change)) {
        enum status status = repair_debt(reconcile, debt, error);
        if (status != STATUS_OK) return status;
    }
    reconcile_report(reconcile, &(struct finding){
                                    .kind = is_credit ? FINDING_CREDIT_DUE : FINDING_REFUND_DUE,
                                    .budget_id = debt->budget_id,
                                    .message_id = is_credit ? TEXT_NONE : debt->id,
                                    .credit_id = is_credit ? debt->id : TEXT_NONE,
                                    .expected = FINDING_NUMBER_NONE,
                                    .actual = FINDING_NUMBER_NONE,
                                    .amount = debt->amount,
                                    .mended = debt->paid,
                                    .detail = held_back ? HELD_BACK : NULL,
                                });
    return STATUS_OK;
}

/* What is reported must be complete: so it is decided for all of a round, however long it takes, whether what
 * it meets is ripe. */
static void begin_round(struct reconcile *reconcile)
{
    struct debts_seen *seen = &reconcile->debts;
    qsort(seen->items, seen->count, sizeof *seen->items, compare_debts);
    seen->round = (struct debts_round){
        .begun = true,
        .ripe = clock_monotonic_us(reconcile->options.clock) >= seen->seen_at_us + RIPE_AFTER_US,
    };
}

/* What was paid in the meantime is seen early, so that a healthy run need not wait for the rest of the time.
 */
static enum reconcile_progress end_round(struct reconcile *reconcile, bool *done)
{
    struct debts_round *round = &reconcile->debts.round;
    *done = round->ripe || round->still == 0;
    round->begun = false;
    if (*done) return RECONCILE_MORE;
    reconcile->wait_until_us = clock_monotonic_us(reconcile->options.clock) + RIPE_AFTER_US / 10;
    return RECONCILE_WAIT;
}

enum reconcile_progress debts_second_look(struct reconcile *reconcile, bool *done, struct error *error)
{
    struct debts_seen *seen = &reconcile->debts;
    struct debts_round *round = &seen->round;
    *done = seen->count == 0;
    if (*done) return RECONCILE_MORE;
    if (!round->begun) begin_round(reconcile);
    struct debt *debts = arena_alloc(&reconcile->slice, DEBTS_SLICE * sizeof *debts);
    size_t count = 0;
    enum status status = ledger_debts_fetch(reconcile->options.ledger, &round->cursor, &reconcile->slice,
                                            debts, DEBTS_SLICE, &count, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (!was_seen(seen, &debts[i])) continue;
        round->still++;
        if (round->ripe) status = report_debt(reconcile, &debts[i], error);
    }
    if (status != STATUS_OK) return reconcile_fail(reconcile, status);
    return count == DEBTS_SLICE ? RECONCILE_MORE : end_round(reconcile, done);
}
