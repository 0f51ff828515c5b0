/* The settlement in random histories, with slices, refused rows and halving, against a model that decides one
 * deduction at a time. */
#include "core/limits.h"
#include "core/settlement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct batch_item *append(struct batch *batch, const char *message_id, const char *budget_id,
                                 int64_t amount, int64_t deducted_at_us)
{
    struct deduction deduction = {
        .message_id = arena_copy(&batch->arena, text_of(message_id)),
        .budget_id = arena_copy(&batch->arena, text_of(budget_id)),
        .amount = amount,
        .deducted_at_us = deducted_at_us,
    };
    return batch_append(batch, &deduction, NULL, TEXT_NONE);
}

/* The model: a list of rows, searched from the front; each deduction is decided and written before the next
 * is looked at. */
enum { MODEL_BUDGETS = 4, MODEL_ROWS = 400, HISTORY_ITEMS = 24, HISTORIES = 20000 };

struct model_row {
    char message_id[4], budget_id[4];
    int64_t amount, deducted_at_us;
    enum deduction_state state;
};

struct model_budget {
    bool exists;
    enum budget_state state;
    int64_t total, settled, closed_at_us;
};

struct model {
    struct model_budget budgets[MODEL_BUDGETS];
    struct model_row rows[MODEL_ROWS];
    size_t row_count;
};

struct expected {
    enum verdict verdict;
    enum deduction_reason reason;
    struct known_row known;
};

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static int64_t random_below(uint64_t *seed, int64_t limit)
{
    return (int64_t)(random_next(seed) % (uint64_t)limit);
}

static struct model_row *model_find(struct model *model, struct text message_id)
{
    for (size_t i = 0; i < model->row_count; i++) {
        if (text_equal_string(message_id, model->rows[i].message_id)) return &model->rows[i];
    }
    return NULL;
}

static struct known_row model_known(struct model *model, const struct deduction *deduction)
{
    const struct model_row *row = model_find(model, deduction->message_id);
    if (row == NULL) return (struct known_row){.found = false};
    bool same = row->amount == deduction->amount && text_equal_string(deduction->budget_id, row->budget_id);
    return (struct known_row){.found = true,
                              .same = same,
                              .state = row->state,
                              .deducted_at_us = row->deducted_at_us,
                              .booked_at_us = 1};
}

static void model_write(struct model *model, const struct deduction *deduction, enum deduction_state state)
{
    assert_true(model->row_count < MODEL_ROWS);
    assert_null(model_find(model, deduction->message_id));
    struct model_row *row = &model->rows[model->row_count++];
    snprintf(row->message_id, sizeof row->message_id, TEXT_FORMAT, TEXT_ARGUMENTS(deduction->message_id));
    snprintf(row->budget_id, sizeof row->budget_id, TEXT_FORMAT, TEXT_ARGUMENTS(deduction->budget_id));
    row->amount = deduction->amount;
    row->deducted_at_us = deduction->deducted_at_us;
    row->state = state;
}

static struct expected model_decide(struct model *model, const struct deduction *deduction, bool refused)
{
    struct expected expected = {.known = model_known(model, deduction)};
    struct model_budget *budget = &model->budgets[deduction->budget_id.data[1] - '0'];
    if (expected.known.found) {
        expected.verdict = expected.known.same ? VERDICT_DUPLICATE : VERDICT_CONFLICT;
        return expected;
    }
    if (refused) {
        expected.verdict = VERDICT_REFUSED;
        return expected;
    }
    int64_t limit = budget->total < 0 ? AMOUNT_MAX : budget->total;
    bool late = deduction->deducted_at_us == 0 || deduction->deducted_at_us > budget->closed_at_us;
    if (!budget->exists) {
        expected.reason = REASON_UNKNOWN_BUDGET;
    } else if (budget->state == BUDGET_DELETED) {
        expected.reason = REASON_DELETED_BUDGET;
    } else if (budget->state == BUDGET_CLOSED && late) {
        expected.reason = REASON_CLOSED_BUDGET;
    } else if (deduction->amount > limit - budget->settled) {
        expected.reason = REASON_OVER_TOTAL;
    } else {
        budget->settled += deduction->amount;
    }
    expected.verdict = expected.reason == REASON_NONE ? VERDICT_SETTLED : VERDICT_REJECTED;
    model_write(model, deduction, expected.reason == REASON_NONE ? DEDUCTION_SETTLED : DEDUCTION_REJECTED);
    return expected;
}

static void model_fill(struct model *model, uint64_t *seed)
{
    model->row_count = 0;
    for (size_t i = 0; i < MODEL_BUDGETS; i++) {
        struct model_budget *budget = &model->budgets[i];
        *budget = (struct model_budget){.exists = random_below(seed, 8) != 0};
        budget->state = (enum budget_state)(random_below(seed, 2) == 0 ? 0 : random_below(seed, 3));
        budget->closed_at_us = budget->state == BUDGET_ACTIVE ? 0 : 1 + random_below(seed, 8);
        budget->total = random_below(seed, 4) == 0 ? TOTAL_UNLIMITED : random_below(seed, 40);
        if (budget->total == TOTAL_UNLIMITED && random_below(seed, 2) == 0)
            budget->settled = AMOUNT_MAX - random_below(seed, 20);
    }
}

static void batch_fill(struct batch *batch, uint64_t *seed)
{
    size_t count = 1 + (size_t)random_below(seed, HISTORY_ITEMS);
    for (size_t i = 0; i < count; i++) {
        char message_id[4], budget_id[4];
        snprintf(message_id, sizeof message_id, "m%d", (int)random_below(seed, 12));
        snprintf(budget_id, sizeof budget_id, "b%d",
                 (int)random_below(seed, random_below(seed, 3) == 0 ? MODEL_BUDGETS : 1));
        append(batch, message_id, budget_id, 1 + random_below(seed, 3), random_below(seed, 10));
    }
}

/* A ledger that knows only the port's rules: reads, calls the settlement, refuses the whole range or writes
 * it. */
static bool range_settle(struct model *ledger, struct batch *batch, const bool *refused, size_t first,
                         size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        struct batch_item *item = &batch->items[i];
        struct batch_budget *budget = &batch->budgets[item->budget];
        const struct model_budget *row = &ledger->budgets[budget->id.data[1] - '0'];
        budget->found = row->exists;
        budget->state = row->state;
        budget->total = row->total;
        budget->settled = row->settled;
        budget->closed_at_us = row->closed_at_us;
        if (batch_item_needs_lookup(batch, i, first)) item->known = model_known(ledger, &item->deduction);
    }
    settlement_decide(batch, first, count);
    for (size_t i = first; i < first + count; i++) {
        enum verdict verdict = batch->items[i].verdict;
        if (refused[i] && (verdict == VERDICT_SETTLED || verdict == VERDICT_REJECTED)) return false;
    }
    for (size_t i = first; i < first + count; i++) {
        const struct batch_item *item = &batch->items[i];
        if (item->verdict == VERDICT_SETTLED) model_write(ledger, &item->deduction, DEDUCTION_SETTLED);
        if (item->verdict == VERDICT_REJECTED) model_write(ledger, &item->deduction, DEDUCTION_REJECTED);
    }
    for (size_t i = 0; i < batch->budget_count; i++) {
        ledger->budgets[batch->budgets[i].id.data[1] - '0'].settled += batch->budgets[i].delta;
    }
    return true;
}

static void range_settle_or_halve(struct model *ledger, struct batch *batch, const bool *refused,
                                  size_t first, size_t count)
{
    if (range_settle(ledger, batch, refused, first, count)) return;
    if (count == 1) {
        batch->items[first].verdict = VERDICT_REFUSED;
        batch->items[first].reason = REASON_NONE;
        return;
    }
    range_settle_or_halve(ledger, batch, refused, first, count / 2);
    range_settle_or_halve(ledger, batch, refused, first + count / 2, count - count / 2);
}

static void history_check(const struct batch *batch, const struct expected *expected, uint64_t seed)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_item *item = &batch->items[i];
        bool known = item->verdict == VERDICT_DUPLICATE || item->verdict == VERDICT_CONFLICT;
        bool equal = item->verdict == expected[i].verdict && item->reason == expected[i].reason;
        if (known) {
            equal = equal && item->known.same == expected[i].known.same &&
                    item->known.state == expected[i].known.state &&
                    item->known.deducted_at_us == expected[i].known.deducted_at_us;
        }
        if (!equal) {
            fail_msg("seed %llu, item %zu: verdict %d, reason %d instead of %d, %d", (unsigned long long)seed,
                     i, (int)item->verdict, (int)item->reason, (int)expected[i].verdict,
                     (int)expected[i].reason);
        }
    }
}

static void random_histories_agree_with_the_model(void **state)
{
    (void)state;
    static struct model model, ledger;
    struct batch batch;
    batch_init(&batch, HISTORY_ITEMS);
    for (uint64_t first_seed = 1; first_seed <= HISTORIES; first_seed++) {
        uint64_t seed = first_seed * UINT64_C(0x9e3779b97f4a7c15);
        model_fill(&model, &seed);
        ledger = model;
        for (int round = 0; round < 3; round++) {
            bool refused[HISTORY_ITEMS];
            struct expected expected[HISTORY_ITEMS];
            batch_reset(&batch);
            batch_fill(&batch, &seed);
            for (size_t i = 0; i < batch.count; i++) refused[i] = random_below(&seed, 12) == 0;
            for (size_t i = 0; i < batch.count; i++) {
                expected[i] = model_decide(&model, &batch.items[i].deduction, refused[i]);
            }
            size_t slice = 1 + (size_t)random_below(&seed, HISTORY_ITEMS);
            for (size_t first = 0; first < batch.count; first += slice) {
                size_t count = batch.count - first < slice ? batch.count - first : slice;
                range_settle_or_halve(&ledger, &batch, refused, first, count);
            }
            history_check(&batch, expected, first_seed);
            for (size_t i = 0; i < MODEL_BUDGETS; i++) {
                assert_int_equal(ledger.budgets[i].settled, model.budgets[i].settled);
                if (model.budgets[i].total >= 0)
                    assert_true(ledger.budgets[i].settled <= model.budgets[i].total);
            }
        }
    }
    batch_free(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_histories_agree_with_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
