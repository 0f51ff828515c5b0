#include "reconcile/measure_sums.h"

#include "base/memory.h"
#include "core/limits.h"
#include "reconcile/sum.h"

#include <assert.h>
#include <stdlib.h>

static int compare_texts(struct text a, struct text b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size == 0 ? 0 : memcmp(a.data, b.data, size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = compare_texts(a->message_id, b->message_id);
    return order != 0 ? order
                      : (a->deducted_at_us > b->deducted_at_us) - (a->deducted_at_us < b->deducted_at_us);
}

void measure_sort_entries(struct measure *measure)
{
    size_t kept = 0;
    if (measure->count > 1)
        qsort(measure->entries, measure->count, sizeof *measure->entries, compare_entries);
    for (size_t i = 0; i < measure->count; i++) {
        if (kept > 0 && compare_entries(&measure->entries[kept - 1], &measure->entries[i]) == 0) continue;
        measure->entries[kept++] = measure->entries[i];
    }
    measure->count = kept;
}

static int compare_id_with_entry(const void *id, const void *entry)
{
    return compare_texts(*(const struct text *)id, ((const struct entry *)entry)->message_id);
}

const struct entry *measure_find_entry(const struct measure *measure, struct text message_id)
{
    if (measure->count == 0) return NULL;
    return bsearch(&message_id, measure->entries, measure->count, sizeof *measure->entries,
                   compare_id_with_entry);
}

static bool is_between_audits(const struct measure *measure, int64_t token_us)
{
    return token_us > measure->first.now_us && token_us <= measure->second.now_us;
}

bool measure_is_ambiguous(const struct measure *measure)
{
    for (size_t i = 0; i < measure->ahead_count; i++)
        if (is_between_audits(measure, measure->ahead_us[i])) return true;
    return false;
}

void measure_note_ahead(struct measure *measure)
{
    measure->ahead_count = 0;
    for (size_t i = 0; i < measure->count; i++) {
        int64_t token_us = measure->entries[i].deducted_at_us;
        if (token_us <= measure->second.now_us) continue;
        if (measure->ahead_count == measure->ahead_capacity) {
            measure->ahead_capacity = measure->ahead_capacity == 0 ? 64 : measure->ahead_capacity * 2;
            measure->ahead_us =
                memory_resize(measure->ahead_us, measure->ahead_capacity, sizeof *measure->ahead_us);
        }
        measure->ahead_us[measure->ahead_count++] = token_us;
    }
}

void measure_drop_after_cut(struct measure *measure)
{
    size_t kept = 0;
    for (size_t i = 0; i < measure->count; i++) {
        if (is_between_audits(measure, measure->entries[i].deducted_at_us)) continue;
        measure->entries[kept++] = measure->entries[i];
    }
    measure->count = kept;
}

static int compare_credits(const void *left, const void *right)
{
    const struct measured_credit *a = left, *b = right;
    return compare_texts(a->credit_id, b->credit_id);
}

void measure_sort_credits(struct measure *measure)
{
    size_t kept = 0;
    if (measure->credit_count > 1)
        qsort(measure->credits, measure->credit_count, sizeof *measure->credits, compare_credits);
    for (size_t i = 0; i < measure->credit_count; i++) {
        if (kept > 0 && compare_credits(&measure->credits[kept - 1], &measure->credits[i]) == 0) continue;
        measure->credits[kept++] = measure->credits[i];
    }
    measure->credit_count = kept;
    measure->credits_in_redis = kept;
}

struct measured_credit *measure_find_credit(struct measure *measure, struct text credit_id)
{
    struct measured_credit wanted = {.credit_id = credit_id};
    if (measure->credits_in_redis == 0) return NULL;
    return bsearch(&wanted, measure->credits, measure->credits_in_redis, sizeof wanted, compare_credits);
}

void measure_judge_entry(const struct measure *measure, struct entry *entry,
                         const struct ledger_deduction *row)
{
    entry->fate = ENTRY_UNDECIDED;
    if (!row->found || row->sequence > measure->tally->sequence) return;
    entry->row_state = row->state;
    entry->booked_at_us = row->booked_at_us;
    entry->row_deducted_at_us = row->deducted_at_us;
    bool same_purchase = text_equal(row->budget_id, measure->budget_id) && row->amount == entry->amount;
    entry->is_conflict = !same_purchase;
    bool is_own = text_equal(row->budget_id, measure->budget_id) &&
                  (row->deducted_at_us == entry->deducted_at_us ||
                   (row->deducted_at_us == 0 && same_purchase && entry->deducted_at_us <= row->booked_at_us));
    if (!is_own)
        entry->fate = ENTRY_EXTRA;
    else
        entry->fate = row->state == DEDUCTION_SETTLED ? ENTRY_UNCLEARED : ENTRY_REFUND;
}

static void sum_entries(const struct measure *measure, struct reckoning *reckoning)
{
    for (size_t i = 0; i < measure->count; i++) {
        const struct entry *entry = &measure->entries[i];
        switch (entry->fate) {
        case ENTRY_UNDECIDED: sum_add(&reckoning->undecided, entry->amount); break;
        case ENTRY_REFUND:
        case ENTRY_EXTRA: sum_add(&reckoning->refundable, entry->amount); break;
        case ENTRY_UNCLEARED:
            /* One whose row has no token is among the rows without token already. */
            if (entry->row_deducted_at_us != 0) sum_add(&reckoning->uncleared, entry->amount);
            break;
        }
    }
}

static void sum_credits(struct measure *measure, struct reckoning *reckoning)
{
    bool was_told = false;
    measure->credits_lost = 0;
    measure->credits_unknown = 0;
    for (size_t i = 0; i < measure->credit_count; i++) {
        const struct measured_credit *credit = &measure->credits[i];
        int64_t amount = credit->amount == TOTAL_UNLIMITED ? 0 : credit->amount;
        sum_add(&reckoning->credits_booked, amount);
        bool is_lost = !credit->in_redis && credit->applied;
        if (credit->in_redis || is_lost) sum_add(&reckoning->credits, amount);
        if (is_lost) sum_add(&reckoning->credits_lost, amount);
        measure->credits_unknown += !credit->in_ledger;
        measure->credits_lost += is_lost;
        was_told = was_told || credit->applied;
    }
    const struct tally_sums *sums = &measure->tally->sums[measure->budget];
    measure->is_new =
        measure->first.left == STOCK_LEFT_NONE && !measure->first.has_meta && !was_told && sums->settled == 0;
    measure->wrong_kind = measure->first.left != STOCK_LEFT_NONE &&
                          measure->limited == (measure->first.left == TOTAL_UNLIMITED);
}

void measure_reckon(struct measure *measure)
{
    const struct stock_audit *first = &measure->first;
    const struct tally_sums *sums = &measure->tally->sums[measure->budget];
    measure->reckoning = (struct reckoning){
        .limited = measure->limited,
        .has_key = first->left != STOCK_LEFT_NONE,
        .left = first->left == STOCK_LEFT_NONE ? 0 : first->left,
        .credited = first->credited,
        .deducted = first->deducted,
        .settled = first->settled,
        .released = first->released,
        .settled_still = first->settled == measure->second.settled,
        .rows_settled = sums->settled - measure->tally->after_cut,
        .rows_untracked = sums->untracked,
        .untracked = sums->has_untracked,
    };
    sum_entries(measure, &measure->reckoning);
    sum_credits(measure, &measure->reckoning);
    reckoning_compute(&measure->reckoning, &measure->result);
}

bool measure_found(const struct measure *measure)
{
    if (measure->is_new) return false;
    return !measure->result.well || measure->wrong_kind || measure->credits_lost > 0 ||
           measure->credits_unknown > 0;
}

bool measure_same_result(const struct reckoning_result *a, const struct reckoning_result *b)
{
    return a->ledger_behind == b->ledger_behind && a->drift == b->drift && a->credited == b->credited &&
           a->credited_drift == b->credited_drift && a->deducted == b->deducted && a->settled == b->settled &&
           a->well == b->well;
}
