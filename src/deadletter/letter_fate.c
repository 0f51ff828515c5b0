#include "deadletter/letter_fate.h"

#include "core/limits.h"

#include <assert.h>
#include <inttypes.h>

const char *letter_fate_name(enum letter_fate fate)
{
    static const char *const names[FATE_COUNT] = {
        [FATE_WOULD_SETTLE] = "would-settle",
        [FATE_DUPLICATE] = "duplicate",
        [FATE_WOULD_REJECT] = "would-be-rejected",
        [FATE_REFUNDED] = "was-refunded",
        [FATE_CONFLICT] = "conflict",
        [FATE_UNREADABLE] = "still-unreadable",
        [FATE_WOULD_DISCARD] = "would-discard",
        [FATE_REPLAYED] = "replayed",
        [FATE_DISCARDED] = "discarded",
        [FATE_NO_ROUTE] = "no-route",
        [FATE_TOO_OFTEN] = "too-often",
        [FATE_NOT_EDITED] = "not-edited",
        [FATE_UNROUTABLE] = "unroutable",
        [FATE_REFUSED] = "refused",
    };
    return names[fate];
}

/* Budgets looked at for one chunk; they come in runs. */
struct forecasting {
    const struct dead_letter_ports *ports;
    struct letter_chunk *chunk;
    struct text budget_id; /* of the last one; absent: none yet */
    struct ledger_budget budget;
    bool budget_found;
    struct error *error;
};

static enum status find_budget(struct forecasting *forecasting, struct text budget_id)
{
    if (text_is_present(forecasting->budget_id) && text_equal(forecasting->budget_id, budget_id))
        return STATUS_OK;
    forecasting->budget_id = budget_id;
    return ledger_budget_find(forecasting->ports->ledger, budget_id, &forecasting->chunk->arena,
                              &forecasting->budget, &forecasting->budget_found, forecasting->error);
}

/* Why a deduction that is booked nowhere would be rejected; NULL: it would settle. Each by itself: that all
 * of them together may exceed the total is not looked at. */
static const char *rejection(const struct forecasting *forecasting, int64_t amount)
{
    const struct ledger_budget *budget = &forecasting->budget;
    int64_t sum;
    if (!forecasting->budget_found) return "unknown-budget";
    if (budget->state == BUDGET_DELETED) return "deleted-budget";
    if (budget->total == TOTAL_UNLIMITED) return NULL;
    return __builtin_add_overflow(budget->settled, amount, &sum) || sum > budget->total ? "over-total" : NULL;
}

static enum status forecast_item(struct forecasting *forecasting, const struct message_item *item,
                                 const struct ledger_deduction *row, struct letter_forecast *forecast)
{
    const struct deduction *deduction = &item->deduction;
    struct arena *arena = &forecasting->chunk->arena;
    *forecast = (struct letter_forecast){FATE_UNREADABLE, item->detail};
    if (item->reason != PARK_NONE) return STATUS_OK;
    if (row->found) {
        bool same = text_equal(row->budget_id, deduction->budget_id) && row->amount == deduction->amount;
        forecast->fate = !same                             ? FATE_CONFLICT
                         : row->state == DEDUCTION_SETTLED ? FATE_DUPLICATE
                                                           : FATE_REFUNDED;
        forecast->detail =
            arena_format(arena, "the ledger has it %s: %" PRId64 " of budget " TEXT_FORMAT,
                         deduction_state_name(row->state), row->amount, TEXT_ARGUMENTS(row->budget_id));
        return STATUS_OK;
    }
    enum status status = find_budget(forecasting, deduction->budget_id);
    if (status != STATUS_OK) return status;
    const char *reason = rejection(forecasting, deduction->amount);
    *forecast = (struct letter_forecast){reason == NULL ? FATE_WOULD_SETTLE : FATE_WOULD_REJECT, reason};
    if (reason == NULL && forecasting->budget.state == BUDGET_CLOSED)
        forecast->detail = "the budget is closed: it settles only if it was deducted before the closing";
    return STATUS_OK;
}

/* The worst of the items, and how many there are of each. */
static enum status forecast_letter(struct forecasting *forecasting, const struct letter *letter,
                                   const struct ledger_deduction *rows, struct letter_forecast *forecast)
{
    const struct message *message = &letter->message;
    size_t counts[FATE_COUNT] = {0};
    if (message->reason != PARK_NONE) {
        *forecast = (struct letter_forecast){FATE_UNREADABLE, message->detail};
        return STATUS_OK;
    }
    for (size_t i = 0; i < message->count; i++) {
        struct letter_forecast each;
        enum status status = forecast_item(forecasting, &message->items[i], &rows[i], &each);
        if (status != STATUS_OK) return status;
        counts[each.fate]++;
        if (i == 0 || each.fate > forecast->fate) *forecast = each;
    }
    if (message->count == 1) return STATUS_OK;
    forecast->detail = "";
    for (size_t fate = 0; fate < FATE_COUNT; fate++)
        if (counts[fate] > 0)
            forecast->detail = arena_format(&forecasting->chunk->arena, "%s%s%zu %s", forecast->detail,
                                            forecast->detail[0] == '\0' ? "" : ", ", counts[fate],
                                            letter_fate_name((enum letter_fate)fate));
    return STATUS_OK;
}

enum status letter_forecast(const struct dead_letter_ports *ports, struct letter_chunk *chunk,
                            struct letter_forecast *forecasts, struct error *error)
{
    struct text *ids = arena_alloc(&chunk->arena, chunk->items * sizeof *ids);
    struct ledger_deduction *rows = arena_alloc(&chunk->arena, chunk->items * sizeof *rows);
    size_t count = 0;
    for (size_t i = 0; i < chunk->count; i++)
        for (size_t k = 0; k < letter_item_count(&chunk->letters[i]); k++) {
            struct text id = letter_item_id(&chunk->letters[i], k);
            ids[count++] = text_is_present(id) ? id : TEXT_LITERAL("");
        }
    assert(count == chunk->items);
    enum status status = ledger_deductions_find(ports->ledger, ids, count, &chunk->arena, rows, error);
    struct forecasting forecasting = {.ports = ports, .chunk = chunk, .error = error};
    const struct ledger_deduction *row = rows;
    for (size_t i = 0; i < chunk->count && status == STATUS_OK; i++) {
        status = forecast_letter(&forecasting, &chunk->letters[i], row, &forecasts[i]);
        row += letter_item_count(&chunk->letters[i]);
    }
    return status;
}
