#include "reconcile/tally.h"

#include "base/memory.h"
#include "reconcile/sum.h"

#include <assert.h>
#include <stdlib.h>

static uint32_t *slot_of(const struct tally *tally, uint64_t hash, struct text budget_id)
{
    size_t mask = tally->slot_count - 1;
    for (size_t at = (size_t)hash & mask;; at = (at + 1) & mask) {
        uint32_t *slot = &tally->slots[at];
        if (*slot == 0) return slot;
        const struct tally_sums *sums = &tally->sums[*slot - 1];
        if (sums->hash == hash && text_equal(sums->budget_id, budget_id)) return slot;
    }
}

static void grow(struct tally *tally)
{
    tally->capacity = tally->capacity == 0 ? 64 : tally->capacity * 2;
    tally->sums = memory_resize(tally->sums, tally->capacity, sizeof *tally->sums);
    free(tally->slots);
    tally->slot_count = tally->capacity * 2;
    tally->slots = memory_alloc_zero(tally->slot_count, sizeof *tally->slots);
    for (size_t i = 0; i < tally->count; i++)
        *slot_of(tally, tally->sums[i].hash, tally->sums[i].budget_id) = (uint32_t)i + 1;
}

size_t tally_add(struct tally *tally, struct text budget_id)
{
    if (tally->count == tally->capacity) grow(tally);
    assert(tally->count < UINT32_MAX);
    size_t index = tally->count++;
    tally->sums[index] = (struct tally_sums){.budget_id = budget_id, .hash = text_hash(budget_id)};
    *slot_of(tally, tally->sums[index].hash, budget_id) = (uint32_t)index + 1;
    return index;
}

void tally_cut(struct tally *tally, size_t budget, int64_t cut_us)
{
    assert(!tally->cutting);
    tally->cutting = true;
    tally->cut_budget = budget;
    tally->cut_us = cut_us;
    tally->after_cut = 0;
    tally->after_cut_last_us = 0;
    tally->before_cut_rows = 0;
}

void tally_cut_end(struct tally *tally)
{
    tally->cutting = false;
}

static void take_row(struct tally *tally, const struct ledger_row *row)
{
    bool settled = row->state == DEDUCTION_SETTLED;
    if (settled && row->deducted_at_us != 0)
        tally->recent[tally->recent_count++ % TALLY_RECENT] = row->deducted_at_us;
    if (row->deducted_at_us == 0 && row->state != DEDUCTION_VOIDED) tally->any_without_token = true;
    if (tally->slot_count == 0) return;
    uint32_t slot = *slot_of(tally, text_hash(row->budget_id), row->budget_id);
    if (slot == 0) return; /* a budget that is not looked at, or none */
    size_t index = slot - 1;
    struct tally_sums *sums = &tally->sums[index];
    bool is_cut = tally->cutting && tally->cut_budget == index;
    if (is_cut && row->deducted_at_us <= tally->cut_us) tally->before_cut_rows++;
    if (row->deducted_at_us == 0) {
        /* What was given back is in the stock as if it had never been sold. */
        if (settled || row->refund == REFUND_DUE) sums->has_untracked = true;
        if (settled) sum_add(&sums->untracked, row->amount);
        return;
    }
    if (!settled) return;
    if (is_cut && row->deducted_at_us > tally->cut_us) {
        sum_add(&tally->after_cut, row->amount);
        if (row->deducted_at_us > tally->after_cut_last_us) tally->after_cut_last_us = row->deducted_at_us;
    }
    sum_add(&sums->settled, row->amount);
}

/* Rows never go, but with the ledger; another one in its place tells as much. */
static bool is_last_row(const struct tally *tally, const struct ledger_row *row)
{
    return row->sequence == tally->sequence && row->amount == tally->last_amount &&
           row->deducted_at_us == tally->last_deducted_at_us;
}

enum status tally_read(struct tally *tally, struct ledger *ledger, bool *more, struct error *error)
{
    if (tally->slice == NULL) tally->slice = memory_alloc_zero(TALLY_SLICE, sizeof *tally->slice);
    arena_reset(&tally->arena);
    size_t count = 0, first = 0;
    int64_t after = tally->sequence == 0 ? 0 : tally->sequence - 1;
    enum status status =
        ledger_rows_scan(ledger, after, &tally->arena, tally->slice, TALLY_SLICE, &count, error);
    if (status != STATUS_OK) return status;
    if (tally->sequence != 0) {
        if (count == 0 || !is_last_row(tally, &tally->slice[0]))
            return error_set(
                error, STATUS_RETRY,
                "the ledger lost what was read of it before: was it restored just now? Run again");
        first = 1;
    }
    for (size_t i = first; i < count; i++) {
        assert(tally->slice[i].sequence > tally->sequence);
        tally->sequence = tally->slice[i].sequence;
        tally->last_amount = tally->slice[i].amount;
        tally->last_deducted_at_us = tally->slice[i].deducted_at_us;
        take_row(tally, &tally->slice[i]);
    }
    tally->rows += (int64_t)(count - first);
    *more = count == TALLY_SLICE;
    return STATUS_OK;
}

int64_t tally_booked_from_us(const struct tally *tally, int64_t now_us)
{
    size_t known = tally->recent_count < TALLY_RECENT ? tally->recent_count : TALLY_RECENT;
    int64_t from_us = 0;
    for (size_t i = 0; i < known; i++) {
        int64_t token_us = tally->recent[i];
        if (token_us > now_us) return 0;
        if (from_us == 0 || token_us < from_us) from_us = token_us;
    }
    return from_us;
}

void tally_free(struct tally *tally)
{
    free(tally->sums);
    free(tally->slots);
    free(tally->slice);
    arena_free(&tally->arena);
    *tally = (struct tally){0};
}
