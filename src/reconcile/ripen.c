/* Entries whose row is booked and that are still pending. The worker clears them within moments of the
 * booking, so only what stays for a while is a finding. */
#include "reconcile/reconcile_state.h"

#include "base/memory.h"

#define RIPENING_MAX 200000 /* a full list is worked off before the next budget */
#define ROUND_US     INT64_C(200000)

static void collect_entry(struct reconcile *reconcile, const struct entry *entry, int64_t wall_us,
                          int64_t now_us)
{
    struct ripening_list *list = &reconcile->ripening;
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 256 : list->capacity * 2;
        list->items = memory_resize(list->items, list->capacity, sizeof *list->items);
    }
    int64_t age_us = wall_us - entry->booked_at_us;
    if (age_us < 0) age_us = 0; /* a clock that went back */
    if (age_us > RIPE_AFTER_US) age_us = RIPE_AFTER_US;
    list->items[list->count++] = (struct ripening){
        .budget = reconcile->budget,
        .message_id = arena_copy(&list->arena, entry->message_id),
        .amount = entry->amount,
        .deducted_at_us = entry->deducted_at_us,
        .ripe_at_us = now_us + RIPE_AFTER_US - age_us,
        .settled = entry->fate == ENTRY_UNCLEARED,
        .row_state = entry->row_state,
    };
}

void ripen_collect(struct reconcile *reconcile)
{
    const struct measure *measure = &reconcile->measure;
    int64_t wall_us = clock_wall_us(reconcile->options.clock);
    int64_t now_us = clock_monotonic_us(reconcile->options.clock);
    if (!measure->proven) return;
    for (size_t i = 0; i < measure->count; i++) {
        const struct entry *entry = &measure->entries[i];
        if (entry->fate != ENTRY_UNCLEARED && entry->fate != ENTRY_REFUND) continue;
        if (reconcile->ripening.count == RIPENING_MAX) {
            reconcile_say(reconcile,
                          "more than %d entries wait to be cleared; the next run looks at the others",
                          RIPENING_MAX);
            reconcile->summary.complete = false;
            return;
        }
        collect_entry(reconcile, entry, wall_us, now_us);
    }
}

/* Whether it is a debt that the second look at the debts reports. */
static bool is_known_debt(const struct reconcile *reconcile, const struct ripening *item)
{
    if (item->settled) return false;
    for (size_t i = 0; i < reconcile->debts.count; i++) {
        const struct debt *debt = &reconcile->debts.items[i];
        if (debt->kind == DEBT_REFUND && text_equal(debt->id, item->message_id)) return true;
    }
    return false;
}

static enum status clear(struct reconcile *reconcile, struct ripening *const *items, size_t count,
                         struct error *error)
{
    struct stock_settlement *settlements = arena_alloc(&reconcile->slice, count * sizeof *settlements);
    for (size_t i = 0; i < count; i++) {
        settlements[i] = (struct stock_settlement){.budget_id = reconcile->budgets[items[i]->budget].id,
                                                   .message_id = items[i]->message_id,
                                                   .deducted_at_us = items[i]->deducted_at_us};
    }
    enum status status = stock_settle(reconcile->options.stock, settlements, count, NULL, error);
    for (size_t i = 0; i < count; i++) items[i]->mended = status == STATUS_OK;
    return status;
}

static enum status give_back(struct reconcile *reconcile, struct ripening *const *items, size_t count,
                             struct error *error)
{
    struct stock_release *releases = arena_alloc(&reconcile->slice, count * sizeof *releases);
    struct debt *paid = arena_alloc(&reconcile->slice, count * sizeof *paid);
    for (size_t i = 0; i < count; i++) {
        releases[i] = (struct stock_release){
            .budget_id = reconcile->budgets[items[i]->budget].id,
            .message_id = items[i]->message_id,
            .deducted_at_us = items[i]->deducted_at_us,
            .amount = items[i]->amount,
            .outcome = items[i]->row_state == DEDUCTION_VOIDED ? RELEASE_VOIDED : RELEASE_REJECTED,
        };
    }
    enum status status = stock_release(reconcile->options.stock, releases, count, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        items[i]->mended = releases[i].status == STATUS_OK;
        paid[i] = (struct debt){.kind = DEBT_REFUND, .id = items[i]->message_id, .paid = items[i]->mended};
    }
    return ledger_debts_mark(reconcile->options.ledger, paid, count, error);
}

/* Journal, Redis, journal, for items of one sort. */
static enum status repair_items(struct reconcile *reconcile, struct ripening *const *items, size_t count,
                                bool settled, struct error *error)
{
    struct intervention *repairs = arena_alloc(&reconcile->slice, count * sizeof *repairs);
    for (size_t i = 0; i < count; i++) {
        repairs[i] = (struct intervention){
            .kind = INTERVENTION_REPAIR,
            .budget_id = reconcile->budgets[items[i]->budget].id,
            .message_id = items[i]->message_id,
            .subject = settled ? TEXT_LITERAL("uncleared") : TEXT_LITERAL("refund-due"),
            .before = TEXT_LITERAL("pending"),
            .after = settled ? TEXT_LITERAL("settled") : TEXT_LITERAL("given back"),
            .amount = settled ? 0 : items[i]->amount,
        };
    }
    enum status status = journal_begin(reconcile, repairs, count, error);
    if (status != STATUS_OK) return status;
    status = settled ? clear(reconcile, items, count, error) : give_back(reconcile, items, count, error);
    if (status != STATUS_OK && status != STATUS_REFUSED) return status;
    if (status == STATUS_REFUSED) reconcile_say(reconcile, "%s", error->text);
    for (size_t i = 0; i < count; i++)
        repairs[i].state = items[i]->mended ? INTERVENTION_DONE : INTERVENTION_ABANDONED;
    return journal_end(reconcile, repairs, count, error);
}

static bool is_held_back(const struct reconcile *reconcile, const struct ripening *item)
{
    return reconcile->options.repair && !item->settled && !reconcile->budgets[item->budget].right;
}

static enum status report_ripe(struct reconcile *reconcile, struct ripening **ripe, size_t count,
                               struct error *error)
{
    struct ripening **chosen = arena_alloc(&reconcile->slice, (count + 1) * sizeof *chosen);
    enum status status = STATUS_OK;
    for (int settled = 0; settled < 2 && status == STATUS_OK; settled++) {
        size_t chosen_count = 0;
        for (size_t i = 0; i < count; i++) {
            if (ripe[i]->settled != (settled == 1)) continue;
            struct audited_budget *budget = &reconcile->budgets[ripe[i]->budget];
            if (!is_held_back(reconcile, ripe[i]) &&
                reconcile_allows(reconcile, budget, ripe[i]->settled ? 0 : ripe[i]->amount))
                chosen[chosen_count++] = ripe[i];
        }
        if (chosen_count > 0) status = repair_items(reconcile, chosen, chosen_count, settled == 1, error);
    }
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        reconcile_report(reconcile, &(struct finding){
                                        .kind = ripe[i]->settled ? FINDING_UNCLEARED : FINDING_REFUND_DUE,
                                        .budget_id = reconcile->budgets[ripe[i]->budget].id,
                                        .message_id = ripe[i]->message_id,
                                        .expected = FINDING_NUMBER_NONE,
                                        .actual = FINDING_NUMBER_NONE,
                                        .amount = ripe[i]->amount,
                                        .mended = ripe[i]->mended,
                                        .detail = is_held_back(reconcile, ripe[i]) ? HELD_BACK : NULL,
                                    });
    }
    return STATUS_OK;
}

/* One slice of a round over the list: what is not pending any more is dropped, what is and is ripe is
 * reported, the rest is kept for the next round. */
static enum status ripen_slice(struct reconcile *reconcile, struct error *error)
{
    struct ripening_list *list = &reconcile->ripening;
    size_t count = list->count - list->at < REPAIR_SLICE ? list->count - list->at : REPAIR_SLICE;
    struct ripening *items = &list->items[list->at];
    struct stock_query *queries = arena_alloc(&reconcile->slice, (count + 1) * sizeof *queries);
    for (size_t i = 0; i < count; i++) {
        queries[i] = (struct stock_query){.budget_id = reconcile->budgets[items[i].budget].id,
                                          .message_id = items[i].message_id};
    }
    enum status status = stock_query(reconcile->options.stock, queries, count, error);
    if (status != STATUS_OK) return status;
    int64_t now_us = clock_monotonic_us(reconcile->options.clock);
    struct ripening **ripe = arena_alloc(&reconcile->slice, (count + 1) * sizeof *ripe);
    struct ripening *copies = arena_alloc(&reconcile->slice, (count + 1) * sizeof *copies);
    size_t ripe_count = 0;
    for (size_t i = 0; i < count; i++) {
        bool still = queries[i].status == STATUS_OK && queries[i].state == PENDING_PENDING &&
                     queries[i].deducted_at_us == items[i].deducted_at_us;
        if (!still) continue;
        if (now_us >= items[i].ripe_at_us && is_known_debt(reconcile, &items[i])) continue;
        if (now_us >= items[i].ripe_at_us) {
            copies[ripe_count] = items[i];
            ripe[ripe_count] = &copies[ripe_count];
            ripe_count++;
        } else {
            list->items[list->kept++] = items[i];
        }
    }
    list->at += count;
    return report_ripe(reconcile, ripe, ripe_count, error);
}

enum reconcile_progress stage_ripen(struct reconcile *reconcile, struct error *error)
{
    struct ripening_list *list = &reconcile->ripening;
    if (list->at < list->count) {
        enum status status = ripen_slice(reconcile, error);
        return status == STATUS_OK ? RECONCILE_MORE : reconcile_fail(reconcile, status);
    }
    list->count = list->kept;
    list->at = 0;
    list->kept = 0;
    if (list->count > 0) {
        reconcile->wait_until_us = clock_monotonic_us(reconcile->options.clock) + ROUND_US;
        return RECONCILE_WAIT;
    }
    bool done = false;
    enum reconcile_progress progress = debts_second_look(reconcile, &done, error);
    if (done) reconcile->stage = STAGE_RECORD;
    return progress;
}
