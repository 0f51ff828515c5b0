#include "fake/fake_stock.h"

#include "base/memory.h"
#include "core/amount.h"
#include "core/identifier.h"
#include "fake/fake_stock_private.h"

#include <stdlib.h>

#define SCAN_SLICE       100
#define SETTLE_GROUP_MAX 1000

static struct fake_stock *fake_of(struct stock *stock)
{
    return (struct fake_stock *)stock;
}

struct fate fake_stock_fate(struct fake_stock *fake, size_t count, struct error *error)
{
    if (fake->failing_calls == 0) return (struct fate){count, count, STATUS_OK};
    fake->failing_calls--;
    enum fake_stock_failure failure = fake->failure;
    bool is_unknown = failure == FAKE_STOCK_LOST_QUESTION || failure == FAKE_STOCK_LOST_ANSWER;
    struct fate fate = {.status = is_unknown ? STATUS_UNKNOWN : STATUS_RETRY};
    if (failure == FAKE_STOCK_LOST_ANSWER) fate.done = count;
    if (failure == FAKE_STOCK_HALF) fate.done = fate.answered = count / 2;
    error_set(error, fate.status, is_unknown ? "the fake lost an answer" : "the fake is away");
    return fate;
}

enum status fake_stock_reach(struct fake_stock *fake, struct text id, struct fake_budget **budget,
                             struct error *error)
{
    if (!budget_id_is_valid(id)) return error_set(error, STATUS_REFUSED, "a bad budget id");
    *budget = fake_stock_budget(fake, id);
    return (*budget)->corrupt
               ? error_set(error, STATUS_REFUSED, "budget %s: a key of another type", (*budget)->id)
               : STATUS_OK;
}

void fake_stock_tell(const struct fake_stock *fake, struct fake_stock_change change)
{
    if (fake->observer != NULL) fake->observer(fake->observer_context, &change);
}

/* The amount of the pending entry with this token; 0: there is none. */
static int64_t pending_amount(const struct fake_budget *budget, struct text id, int64_t token)
{
    const struct map_entry *entry = map_find(&budget->pending, id);
    return entry != NULL && entry->deducted_at_us == token ? entry->amount : 0;
}

static enum status fake_ping(struct stock *stock, struct error *error)
{
    struct fate fate = fake_stock_fate(fake_of(stock), 1, error);
    return fate.status == STATUS_UNKNOWN ? STATUS_RETRY : fate.status;
}

/* The items of one budget from `first` on that were not taken before, as many as one call of settle.lua gets;
 * a bad item is left out. Returns how many. */
static size_t take_group(const struct stock_settlement *items, size_t first, size_t end, bool *taken,
                         const struct stock_settlement **group, bool *refused, struct error *error)
{
    size_t count = 0;
    for (size_t i = first; i < end && count < SETTLE_GROUP_MAX; i++) {
        const struct stock_settlement *item = &items[i];
        if (taken[i] || !text_equal(item->budget_id, items[first].budget_id)) continue;
        taken[i] = true;
        if (message_id_is_valid(item->message_id) && amount_is_valid(item->deducted_at_us)) {
            group[count++] = item;
        } else {
            *refused = true;
            error_set(error, STATUS_REFUSED, "a bad id or token");
        }
    }
    return count;
}

static bool is_repeat(const struct stock_settlement **group, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (text_equal(group[i]->message_id, group[index]->message_id) &&
            group[i]->deducted_at_us == group[index]->deducted_at_us)
            return true;
    }
    return false;
}

/* One call of settle.lua, and what the observer hears of it. */
static enum status settle_group(struct fake_stock *fake, struct fake_budget *budget,
                                const struct stock_settlement **group, size_t count, int64_t *cleared,
                                struct error *error)
{
    int64_t amounts[SETTLE_GROUP_MAX];
    for (size_t i = 0; i < count; i++)
        amounts[i] = pending_amount(budget, group[i]->message_id, group[i]->deducted_at_us);
    enum status status =
        fake_budget_settle(budget, fake->now_us, fake->window_us, group, count, cleared, error);
    for (size_t i = 0; i < count && status == STATUS_OK && fake->observer != NULL; i++) {
        if (amounts[i] == 0 || is_repeat(group, i)) continue;
        fake_stock_tell(fake, (struct fake_stock_change){.kind = FAKE_STOCK_SETTLED,
                                                         .budget_id = group[i]->budget_id,
                                                         .id = group[i]->message_id,
                                                         .amount = amounts[i],
                                                         .deducted_at_us = group[i]->deducted_at_us});
    }
    return status;
}

static enum status fake_settle(struct stock *stock, const struct stock_settlement *items, size_t count,
                               int64_t *cleared, struct error *error)
{
    struct fake_stock *fake = fake_of(stock);
    struct fate fate = fake_stock_fate(fake, count, error);
    bool *taken = memory_alloc_zero(count + 1, sizeof *taken);
    const struct stock_settlement **group = memory_alloc_zero(count + 1, sizeof *group);
    int64_t cleared_count = 0;
    bool refused = false;
    for (size_t i = 0; i < fate.done; i++) {
        if (taken[i]) continue;
        struct fake_budget *budget;
        int64_t group_cleared = 0;
        size_t size = take_group(items, i, fate.done, taken, group, &refused, error);
        if (size == 0) continue;
        enum status status = fake_stock_reach(fake, items[i].budget_id, &budget, error);
        if (status == STATUS_OK) {
            status = settle_group(fake, budget, group, size, &group_cleared, error);
        }
        if (status != STATUS_OK) refused = true;
        cleared_count += group_cleared;
    }
    free(taken);
    free((void *)(uintptr_t)group);
    if (cleared != NULL) *cleared = fate.answered > 0 ? cleared_count : 0;
    return fate.status == STATUS_OK && refused ? STATUS_REFUSED : fate.status;
}

static void no_release_answer(struct stock_release *item, enum status status)
{
    item->status = status;
    item->released = false;
    item->left = STOCK_LEFT_NONE;
}

static enum status release_one(struct fake_stock *fake, struct stock_release *item, struct error *error)
{
    struct fake_budget *budget;
    enum status status = fake_stock_reach(fake, item->budget_id, &budget, error);
    if (status != STATUS_OK) return status;
    const struct map_entry *entry = map_find(&budget->pending, item->message_id);
    int64_t token = entry == NULL ? 0 : entry->deducted_at_us;
    int64_t amount = entry == NULL ? 0 : entry->amount;
    int64_t released_before = budget->released;
    status = item->deducted_at_us == 0
                 ? fake_budget_refund_untracked(budget, fake->now_us, fake->window_us, item, error)
                 : fake_budget_release(budget, fake->now_us, fake->window_us, item, error);
    if (status != STATUS_OK || !item->released) return status;
    bool of_entry = budget->released != released_before;
    fake_stock_tell(fake,
                    (struct fake_stock_change){.kind = of_entry ? FAKE_STOCK_RELEASED : FAKE_STOCK_REFUNDED,
                                               .budget_id = item->budget_id,
                                               .id = item->message_id,
                                               .amount = of_entry ? amount : item->amount,
                                               .deducted_at_us = of_entry ? token : 0,
                                               .outcome = item->outcome});
    return status;
}

static enum status fake_release(struct stock *stock, struct stock_release *items, size_t count,
                                struct error *error)
{
    struct fake_stock *fake = fake_of(stock);
    struct fate fate = fake_stock_fate(fake, count, error);
    for (size_t i = 0; i < count; i++) {
        struct stock_release *item = &items[i];
        enum status status = fate.status;
        if (i < fate.done) status = release_one(fake, item, error);
        item->status = status;
        if (i >= fate.answered) no_release_answer(item, fate.status);
        if (status != STATUS_OK) no_release_answer(item, item->status);
    }
    return fate.status;
}

static enum status fake_forget_guards(struct stock *stock, const struct stock_release *items, size_t count,
                                      struct error *error)
{
    struct fake_stock *fake = fake_of(stock);
    struct fate fate = fake_stock_fate(fake, count, error);
    bool refused = false;
    for (size_t i = 0; i < fate.done; i++) {
        if (items[i].deducted_at_us != 0) continue;
        struct fake_budget *budget;
        if (fake_stock_reach(fake, items[i].budget_id, &budget, error) != STATUS_OK ||
            !message_id_is_valid(items[i].message_id)) {
            refused = true;
        } else {
            fake_budget_forget_guard(budget, fake->now_us, fake->window_us, items[i].message_id);
        }
    }
    return fate.status == STATUS_OK && refused ? STATUS_REFUSED : fate.status;
}

static enum status credit_one(const struct fake_stock *fake, struct fake_budget *budget,
                              struct stock_credit *item, struct error *error)
{
    enum status status = fake_budget_credit(budget, item, error);
    if (status == STATUS_OK && item->applied) {
        fake_stock_tell(fake, (struct fake_stock_change){.kind = FAKE_STOCK_CREDITED,
                                                         .budget_id = item->budget_id,
                                                         .id = item->credit_id,
                                                         .amount = item->amount});
    }
    return status;
}

static enum status fake_credit(struct stock *stock, struct stock_credit *items, size_t count,
                               struct error *error)
{
    struct fake_stock *fake = fake_of(stock);
    struct fate fate = fake_stock_fate(fake, count, error);
    for (size_t i = 0; i < count; i++) {
        struct stock_credit *item = &items[i];
        struct fake_budget *budget;
        item->status = fate.status;
        if (i < fate.done) item->status = fake_stock_reach(fake, item->budget_id, &budget, error);
        if (i < fate.done && item->status == STATUS_OK) item->status = credit_one(fake, budget, item, error);
        if (i >= fate.answered) item->status = fate.status;
        if (item->status == STATUS_OK) continue;
        item->applied = false;
        item->left = STOCK_LEFT_NONE;
    }
    return fate.status;
}

static enum status deduct_one(struct fake_stock *fake, struct stock_deduct *item, struct error *error)
{
    item->result = DEDUCT_INVALID;
    item->left = STOCK_LEFT_NONE;
    item->deducted_at_us = 0;
    if (!budget_id_is_valid(item->budget_id)) return STATUS_OK;
    enum status status =
        fake_budget_deduct(fake_stock_budget(fake, item->budget_id), fake->now_us, item, error);
    if (status == STATUS_OK && item->result == DEDUCT_DONE) {
        fake_stock_tell(fake, (struct fake_stock_change){.kind = FAKE_STOCK_DEDUCTED,
                                                         .budget_id = item->budget_id,
                                                         .id = item->message_id,
                                                         .amount = item->amount,
                                                         .deducted_at_us = item->deducted_at_us});
    }
    return status;
}

static enum status fake_deduct(struct stock *stock, struct stock_deduct *items, size_t count,
                               struct error *error)
{
    struct fake_stock *fake = fake_of(stock);
    struct fate fate = fake_stock_fate(fake, count, error);
    for (size_t i = 0; i < count; i++) {
        struct stock_deduct *item = &items[i];
        item->status = i < fate.done ? deduct_one(fake, item, error) : fate.status;
        if (i >= fate.answered) item->status = fate.status;
        if (item->status == STATUS_OK) continue;
        item->result = DEDUCT_INVALID;
        item->left = STOCK_LEFT_NONE;
        item->deducted_at_us = 0;
    }
    return fate.status;
}

static enum status fake_query(struct stock *stock, struct stock_query *items, size_t count,
                              struct error *error)
{
    struct fake_stock *fake = fake_of(stock);
    struct fate fate = fake_stock_fate(fake, count, error);
    for (size_t i = 0; i < count; i++) {
        struct stock_query *item = &items[i];
        struct fake_budget *budget;
        item->status =
            i < fate.answered ? fake_stock_reach(fake, item->budget_id, &budget, error) : fate.status;
        if (item->status == STATUS_OK) item->status = fake_budget_query(budget, item, error);
        if (item->status == STATUS_OK) continue;
        item->state = PENDING_UNKNOWN;
        item->amount = 0;
        item->deducted_at_us = 0;
    }
    return fate.status;
}

static enum status fake_levels(struct stock *stock, struct stock_level *items, size_t count,
                               struct error *error)
{
    struct fake_stock *fake = fake_of(stock);
    struct fate fate = fake_stock_fate(fake, count, error);
    for (size_t i = 0; i < count; i++) {
        struct fake_budget *budget;
        items[i].left = STOCK_LEFT_NONE;
        items[i].pending = 0;
        items[i].status =
            i < fate.answered ? fake_stock_reach(fake, items[i].budget_id, &budget, error) : fate.status;
        if (items[i].status != STATUS_OK) continue;
        if (budget->has_left) items[i].left = budget->left;
        /* In Lua's numbers, which are not exact where a lost meta key has driven the sum below -2^53. */
        items[i].pending =
            (int64_t)((double)budget->deducted - (double)budget->settled - (double)budget->released);
    }
    return fate.status;
}

static enum status fake_state_set(struct stock *stock, struct text budget_id, enum budget_state state,
                                  int64_t *now_us, struct error *error)
{
    struct fake_stock *fake = fake_of(stock);
    struct fate fate = fake_stock_fate(fake, 1, error);
    if (fate.done == 0) return fate.status;
    struct fake_budget *budget;
    enum status status = fake_stock_reach(fake, budget_id, &budget, error);
    if (status != STATUS_OK) return fate.answered == 0 ? fate.status : status;
    budget->has_meta = true;
    budget->state = state;
    if (fate.answered > 0 && now_us != NULL) *now_us = fake->now_us;
    return fate.status;
}

static enum status fake_pending_scan(struct stock *stock, struct text budget_id, uint64_t *cursor,
                                     struct arena *arena, struct stock_pending **entries, size_t *count,
                                     struct error *error)
{
    struct fake_stock *fake = fake_of(stock);
    struct fate fate = fake_stock_fate(fake, 1, error);
    *entries = NULL;
    *count = 0;
    if (fate.answered == 0) return fate.status;
    struct fake_budget *budget;
    enum status status = fake_stock_reach(fake, budget_id, &budget, error);
    if (status != STATUS_OK) return status;
    *entries = arena_alloc(arena, SCAN_SLICE * sizeof **entries);
    const struct map_entry *entry = map_next(&budget->pending, *cursor);
    for (; entry != NULL && *count < SCAN_SLICE; entry = map_next(&budget->pending, entry->serial + 1)) {
        struct text id = {entry->id, entry->id_size};
        if (!message_id_is_valid(id) || !amount_is_valid(entry->amount)) continue;
        (*entries)[(*count)++] = (struct stock_pending){
            .message_id = arena_copy(arena, id),
            .amount = entry->amount,
            .deducted_at_us = entry->deducted_at_us,
        };
    }
    *cursor = entry == NULL ? 0 : entry->serial;
    return STATUS_OK;
}

static void fake_close(struct stock *stock)
{
    (void)stock;
}

static uint64_t fake_connections(const struct stock *stock)
{
    (void)stock;
    return 1; /* it never goes away by itself */
}

const struct stock_ops fake_stock_ops = {
    .audit = &fake_stock_audit_ops,
    .connections = fake_connections,
    .ping = fake_ping,
    .load_scripts = fake_ping,
    .settle = fake_settle,
    .release = fake_release,
    .forget_guards = fake_forget_guards,
    .credit = fake_credit,
    .deduct = fake_deduct,
    .query = fake_query,
    .levels = fake_levels,
    .state_set = fake_state_set,
    .pending_scan = fake_pending_scan,
    .close = fake_close,
};
