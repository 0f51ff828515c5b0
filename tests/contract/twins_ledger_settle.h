/* Settling the same batch in both ledgers: which, and what must be the same afterwards. */
#ifndef BURSAR_TESTS_TWINS_LEDGER_SETTLE_H
#define BURSAR_TESTS_TWINS_LEDGER_SETTLE_H

#include "contract/twins_ledger.h"
#include "core/identifier.h"

static inline void append(struct pair *pair, const struct deduction *deduction)
{
    struct batch *batches[] = {&pair->fake->batch, &pair->real->batch};
    for (size_t i = 0; i < 2; i++) {
        struct arena *arena = &batches[i]->arena;
        struct deduction copy = *deduction;
        copy.message_id = arena_copy(arena, deduction->message_id);
        copy.budget_id = arena_copy(arena, deduction->budget_id);
        copy.user_id = arena_copy(arena, deduction->user_id);
        copy.meta = arena_copy(arena, deduction->meta);
        batch_append(batches[i], &copy, NULL, TEXT_NONE);
    }
}

static inline void fill_batch(struct pair *pair)
{
    size_t kind = roll(&pair->twins, 200);
    size_t count = kind < 1 ? 1100 : kind < 10 ? 100 : 1 + roll(&pair->twins, 24);
    batch_reset(&pair->fake->batch);
    batch_reset(&pair->real->batch);
    twins_note(&pair->twins, "settle");
    for (size_t i = 0; i < count; i++) {
        int64_t amount = roll(&pair->twins, 100) == 0 ? AMOUNT_MAX - (int64_t)roll(&pair->twins, 2)
                                                      : 1 + (int64_t)roll(&pair->twins, 6);
        struct deduction deduction = {.message_id = pick_message_id(pair),
                                      .budget_id = pick_budget_id(pair),
                                      .amount = amount,
                                      .deducted_at_us = kind < 1 ? 0 : pick_token(pair),
                                      .user_id = pick_text(pair, USER_ID_CHARACTERS_MAX, "\xc3\xa9"),
                                      .meta = pick_text(pair, META_SIZE_MAX, "m")};
        const struct batch *batch = &pair->fake->batch;
        if (!budget_id_is_valid(deduction.budget_id)) deduction.budget_id = TEXT_LITERAL("no good");
        if (i > 0 && chance(&pair->twins, 15)) { /* the same again, or nearly */
            const struct deduction *before = &batch->items[roll(&pair->twins, i)].deduction;
            deduction.message_id = before->message_id;
            if (chance(&pair->twins, 70)) deduction.budget_id = before->budget_id;
            if (chance(&pair->twins, 70)) deduction.amount = before->amount;
        }
        twins_note(&pair->twins, " %.8s/%.8s:%" PRId64 "@%" PRId64, deduction.budget_id.data,
                   deduction.message_id.data, deduction.amount, deduction.deducted_at_us);
        append(pair, &deduction);
    }
}

static inline void compare_batches(struct pair *pair, size_t first, size_t count)
{
    const struct batch_item *one = pair->fake->batch.items, *two = pair->real->batch.items;
    for (size_t i = first; i < first + count; i++) {
        SAME(verdict);
        SAME(reason);
        SAME(known.found);
        SAME(known.same);
        SAME(known.state);
        SAME(known.reason);
        SAME(known.deducted_at_us);
        SAME(known.booked_at_us);
    }
    const struct batch_budget *budgets[] = {pair->fake->batch.budgets, pair->real->batch.budgets};
    for (size_t i = 0; i < pair->fake->batch.budget_count; i++) {
        one = NULL, two = NULL;
        twins_same(&pair->twins, "delta", i, budgets[0][i].delta, budgets[1][i].delta);
        twins_same(&pair->twins, "found", i, budgets[0][i].found, budgets[1][i].found);
        if (!budgets[0][i].found) continue;
        twins_same(&pair->twins, "total", i, budgets[0][i].total, budgets[1][i].total);
        twins_same(&pair->twins, "settled", i, budgets[0][i].settled, budgets[1][i].settled);
        twins_same(&pair->twins, "budget state", i, budgets[0][i].state, budgets[1][i].state);
        twins_same(&pair->twins, "closed_at_us", i, budgets[0][i].closed_at_us, budgets[1][i].closed_at_us);
    }
}

/* Halves what is refused until it stands alone, as the worker does. */
static inline void settle_range(struct pair *pair, struct use use, size_t first, size_t count)
{
    enum status status = ledger_settle(use.fake, &pair->fake->batch, first, count, &pair->fake->error);
    BOTH_ANSWER(pair, status, ledger_settle(use.real, &pair->real->batch, first, count, &pair->real->error));
    compare_batches(pair, first, count);
    if (status == STATUS_OK || count == 1) return;
    twins_note(&pair->twins, ", halved");
    settle_range(pair, use, first, count / 2);
    settle_range(pair, use, first + count / 2, count - count / 2);
}

static inline void settle(struct pair *pair, struct use use)
{
    fill_batch(pair);
    size_t count = pair->fake->batch.count, cut = chance(&pair->twins, 70) ? 0 : roll(&pair->twins, count);
    if (cut > 0) settle_range(pair, use, 0, cut);
    settle_range(pair, use, cut, count - cut);
}

#endif
