#include "fake/fake_stock_budget.h"

#include "base/memory.h"
#include "core/amount.h"
#include "core/identifier.h"

#include <stdlib.h>

struct fake_budget *fake_budget_new(struct text id)
{
    struct fake_budget *budget = memory_alloc_zero(1, sizeof *budget);
    budget->id = memory_alloc(id.size + 1);
    memcpy(budget->id, id.data, id.size);
    budget->id[id.size] = '\0';
    return budget;
}

void fake_budget_free(struct fake_budget *budget)
{
    map_clear(&budget->pending);
    map_clear(&budget->done[0]);
    map_clear(&budget->done[1]);
    map_clear(&budget->credits);
    map_clear(&budget->guards);
    free(budget->id);
    free(budget);
}

struct fake_budget *fake_budget_copy(const struct fake_budget *budget)
{
    struct fake_budget *copy = memory_alloc(sizeof *copy);
    *copy = *budget;
    copy->id = memory_copy_string(budget->id);
    copy->pending = map_copy(&budget->pending);
    copy->done[0] = map_copy(&budget->done[0]);
    copy->done[1] = map_copy(&budget->done[1]);
    copy->credits = map_copy(&budget->credits);
    copy->guards = map_copy(&budget->guards);
    return copy;
}

static enum status check(const struct fake_budget *budget, struct text id, struct error *error)
{
    if (budget->corrupt) return fake_budget_refuse(budget, "a key of another type", error);
    return message_id_is_valid(id) ? STATUS_OK : fake_budget_refuse(budget, "a bad id", error);
}

static bool would_overflow(int64_t sum, int64_t amount)
{
    return sum > AMOUNT_MAX - amount;
}

/* Whether a pending entry was written by no script. */
static bool is_planted(const struct map_entry *pending)
{
    return pending != NULL && pending->amount == 0;
}

static const struct map_entry *find_done(const struct fake_budget *budget, struct text id)
{
    const struct map_entry *entry = map_find(&budget->done[budget->generation], id);
    return entry != NULL ? entry : map_find(&budget->done[1 - budget->generation], id);
}

enum status fake_budget_deduct(struct fake_budget *budget, int64_t now_us, struct stock_deduct *item,
                               struct error *error)
{
    item->left = STOCK_LEFT_NONE;
    item->deducted_at_us = 0;
    item->result = DEDUCT_INVALID;
    if (!message_id_is_valid(item->message_id) || !amount_is_valid(item->amount)) return STATUS_OK;
    if (budget->corrupt) return fake_budget_refuse(budget, "a key of another type", error);
    const struct map_entry *known = map_find(&budget->pending, item->message_id);
    bool refunded = false;
    if (is_planted(known)) return fake_budget_refuse(budget, "a pending entry without amount", error);
    if (known == NULL) {
        known = find_done(budget, item->message_id);
        refunded = known != NULL && known->outcome != PENDING_SETTLED;
    }
    item->left = fake_budget_left_of(budget);
    if (known != NULL) {
        item->deducted_at_us = known->deducted_at_us;
        item->result = refunded                        ? DEDUCT_REFUNDED
                       : known->amount == item->amount ? DEDUCT_REPEAT
                                                       : DEDUCT_CONFLICT;
        return STATUS_OK;
    }
    item->result = DEDUCT_NOT_INITIALISED;
    if (!budget->has_left) return STATUS_OK;
    item->result = DEDUCT_CLOSED;
    if (budget->state != BUDGET_ACTIVE) return STATUS_OK;
    if (fake_budget_left_is_spoilt(budget))
        return fake_budget_refuse(budget, "the stock key is out of range", error);
    item->result = DEDUCT_INSUFFICIENT;
    if (would_overflow(budget->deducted, item->amount)) return STATUS_OK;
    if (fake_budget_is_numeric(budget) && budget->left < item->amount) return STATUS_OK;

    struct map_entry *entry = map_put(&budget->pending, item->message_id);
    entry->amount = item->amount;
    entry->deducted_at_us = now_us;
    budget->has_meta = true;
    budget->deducted += item->amount;
    if (fake_budget_is_numeric(budget)) budget->left -= item->amount;
    item->result = DEDUCT_DONE;
    item->left = budget->left;
    item->deducted_at_us = now_us;
    return STATUS_OK;
}

enum status fake_budget_credit(struct fake_budget *budget, struct stock_credit *item, struct error *error)
{
    enum status status = check(budget, item->credit_id, error);
    if (status != STATUS_OK) return status;
    bool unlimited = item->amount == TOTAL_UNLIMITED;
    int64_t amount = unlimited ? 0 : item->amount;
    if (amount != 0 && !amount_is_valid(amount)) return fake_budget_refuse(budget, "a bad amount", error);
    item->applied = false;
    item->left = fake_budget_left_of(budget);
    const struct map_entry *before = map_find(&budget->credits, item->credit_id);
    if (before != NULL && before->amount == item->amount) return STATUS_OK;
    if (before != NULL)
        return fake_budget_refuse(budget, "this credit id was applied with another amount", error);

    bool is_new = !budget->has_left && !budget->has_credited;
    bool is_unlimited = budget->has_left ? budget->left == TOTAL_UNLIMITED : budget->unlimited;
    if (!is_new && unlimited != is_unlimited)
        return fake_budget_refuse(budget, "a number and unlimited do not mix", error);
    if (!unlimited && fake_budget_left_is_spoilt(budget))
        return fake_budget_refuse(budget, "the stock key is out of range", error);
    if (would_overflow(budget->credited, amount) ||
        (fake_budget_is_numeric(budget) && would_overflow(budget->left, amount))) {
        return fake_budget_refuse(budget, "the sum would pass 2^53-1", error);
    }
    map_put(&budget->credits, item->credit_id)->amount = item->amount;
    budget->has_meta = budget->has_credited = true;
    budget->credited += amount;
    if (unlimited) budget->unlimited = true;
    if (is_new) {
        budget->has_left = true;
        budget->left = item->amount;
    } else if (fake_budget_is_numeric(budget)) {
        budget->left += amount;
    }
    item->applied = true;
    item->left = fake_budget_left_of(budget);
    return STATUS_OK;
}

enum status fake_budget_query(const struct fake_budget *budget, struct stock_query *item, struct error *error)
{
    enum status status = check(budget, item->message_id, error);
    if (status != STATUS_OK) return status;
    const struct map_entry *entry = map_find(&budget->pending, item->message_id);
    if (is_planted(entry)) return fake_budget_refuse(budget, "a pending entry without amount", error);
    item->state = PENDING_PENDING;
    if (entry == NULL) {
        entry = find_done(budget, item->message_id);
        item->state = entry == NULL ? PENDING_UNKNOWN : (enum pending_state)entry->outcome;
    }
    item->amount = entry == NULL ? 0 : entry->amount;
    item->deducted_at_us = entry == NULL ? 0 : entry->deducted_at_us;
    return STATUS_OK;
}

static struct map_entry *find_pending(const struct fake_budget *budget, struct text id, int64_t token)
{
    struct map_entry *entry = map_find(&budget->pending, id);
    return entry != NULL && entry->deducted_at_us == token ? entry : NULL;
}

/* Turns the generations if it is time. */
static void turn_generations(struct fake_budget *budget, int64_t now_us, int64_t window_us)
{
    int64_t age = now_us - budget->generation_started_us;
    bool first = budget->generation_started_us == 0;
    if (!first && age >= 0 && age < window_us) return;
    if (!first && age >= 2 * window_us) map_clear(&budget->done[budget->generation]);
    if (!first && age >= 0) {
        budget->generation = 1 - budget->generation;
        map_clear(&budget->done[budget->generation]);
    }
    budget->generation_started_us = now_us;
}

/* Moves a pending entry to the current generation. */
static void finish(struct fake_budget *budget, int64_t now_us, int64_t window_us, struct text id,
                   struct map_entry entry, enum pending_state outcome)
{
    map_remove(&budget->pending, id);
    budget->has_meta = true;
    turn_generations(budget, now_us, window_us);
    struct map_entry *done = map_put(&budget->done[budget->generation], id);
    done->amount = entry.amount;
    done->deducted_at_us = entry.deducted_at_us;
    done->outcome = (int)outcome;
}

/* Marks what is pending of the items, each once, and sums it up; false: the sum would pass 2^53-1. */
static bool mark_settled(struct fake_budget *budget, const struct stock_settlement *const *items,
                         size_t count, int64_t *sum)
{
    *sum = 0;
    for (size_t i = 0; i < count; i++) {
        struct map_entry *entry = find_pending(budget, items[i]->message_id, items[i]->deducted_at_us);
        if (entry == NULL || entry->marked) continue;
        entry->marked = true;
        if (would_overflow(*sum, entry->amount)) return false;
        *sum += entry->amount;
    }
    return !would_overflow(budget->settled, *sum);
}

enum status fake_budget_settle(struct fake_budget *budget, int64_t now_us, int64_t window_us,
                               const struct stock_settlement *const *items, size_t count, int64_t *cleared,
                               struct error *error)
{
    int64_t sum;
    *cleared = 0;
    bool fits = mark_settled(budget, items, count, &sum);
    for (size_t i = 0; i < count; i++) {
        struct map_entry *entry = find_pending(budget, items[i]->message_id, items[i]->deducted_at_us);
        if (entry == NULL) continue; /* or finished: an id that stands twice counts once */
        entry->marked = false;
        if (!fits) continue;
        finish(budget, now_us, window_us, items[i]->message_id, *entry, PENDING_SETTLED);
        ++*cleared;
    }
    if (!fits) return fake_budget_refuse(budget, "the sum would pass 2^53-1", error);
    budget->settled += sum;
    return STATUS_OK;
}

/* Gives a pending entry back to the stock. */
static enum status give_back(struct fake_budget *budget, int64_t now_us, int64_t window_us,
                             struct stock_release *item, struct map_entry entry, struct error *error)
{
    static const enum pending_state outcomes[] = {[RELEASE_REJECTED] = PENDING_REJECTED,
                                                  [RELEASE_VOIDED] = PENDING_VOIDED,
                                                  [RELEASE_EXTRA] = PENDING_SETTLED};
    if (fake_budget_left_is_spoilt(budget))
        return fake_budget_refuse(budget, "the stock key is out of range", error);
    if (would_overflow(budget->released, entry.amount) ||
        (fake_budget_is_numeric(budget) && would_overflow(budget->left, entry.amount))) {
        return fake_budget_refuse(budget, "the sum would pass 2^53-1", error);
    }
    budget->released += entry.amount;
    if (fake_budget_is_numeric(budget)) budget->left += entry.amount;
    finish(budget, now_us, window_us, item->message_id, entry, outcomes[item->outcome]);
    item->released = true;
    item->left = fake_budget_left_of(budget);
    return STATUS_OK;
}

enum status fake_budget_release(struct fake_budget *budget, int64_t now_us, int64_t window_us,
                                struct stock_release *item, struct error *error)
{
    enum status status = check(budget, item->message_id, error);
    if (status != STATUS_OK) return status;
    if (!amount_is_valid(item->deducted_at_us)) return fake_budget_refuse(budget, "a bad token", error);
    item->released = false;
    item->left = fake_budget_left_of(budget);
    const struct map_entry *entry = find_pending(budget, item->message_id, item->deducted_at_us);
    return entry == NULL ? STATUS_OK : give_back(budget, now_us, window_us, item, *entry, error);
}

struct text fake_guard_name(char buffer[static GUARD_NAME_SIZE_MAX], struct text id)
{
    static const char prefix[] = "refund ";
    memcpy(buffer, prefix, sizeof prefix - 1);
    memcpy(buffer + sizeof prefix - 1, id.data, id.size);
    return (struct text){buffer, sizeof prefix - 1 + id.size};
}

static bool was_given_back(const struct fake_budget *budget, struct text id, int64_t amount)
{
    char buffer[GUARD_NAME_SIZE_MAX];
    if (map_find(&budget->guards, id) != NULL || find_done(budget, fake_guard_name(buffer, id)) != NULL)
        return true;
    for (int generation = 0; generation < 2; generation++) {
        const struct map_entry *done = map_find(&budget->done[generation], id);
        if (done != NULL && done->outcome != PENDING_SETTLED && done->amount == amount) return true;
    }
    return false;
}

static void guard_put(struct fake_budget *budget, const struct stock_release *item)
{
    struct map_entry *guard = map_put(&budget->guards, item->message_id);
    budget->has_meta = true;
    guard->amount = item->amount;
    guard->outcome = (int)item->outcome;
}

enum status fake_budget_refund_untracked(struct fake_budget *budget, int64_t now_us, int64_t window_us,
                                         struct stock_release *item, struct error *error)
{
    enum status status = check(budget, item->message_id, error);
    if (status != STATUS_OK) return status;
    if (!amount_is_valid(item->amount)) return fake_budget_refuse(budget, "a bad amount", error);
    item->released = false;
    item->left = fake_budget_left_of(budget);
    if (was_given_back(budget, item->message_id, item->amount)) return STATUS_OK;
    const struct map_entry *entry = map_find(&budget->pending, item->message_id);
    if (entry != NULL && entry->amount == item->amount) {
        status = give_back(budget, now_us, window_us, item, *entry, error);
        if (status == STATUS_OK) guard_put(budget, item);
        return status;
    }
    if (!budget->has_left) {
        if (budget->has_meta) guard_put(budget, item);
        return STATUS_OK;
    }
    if (fake_budget_left_is_spoilt(budget))
        return fake_budget_refuse(budget, "the stock key is out of range", error);
    if (fake_budget_is_numeric(budget) && would_overflow(budget->left, item->amount)) {
        return fake_budget_refuse(budget, "the sum would pass 2^53-1", error);
    }
    guard_put(budget, item);
    if (fake_budget_is_numeric(budget)) budget->left += item->amount;
    item->released = true;
    item->left = fake_budget_left_of(budget);
    return STATUS_OK;
}

void fake_budget_forget_guard(struct fake_budget *budget, int64_t now_us, int64_t window_us, struct text id)
{
    const struct map_entry *guard = map_find(&budget->guards, id);
    if (guard == NULL) return;
    char buffer[GUARD_NAME_SIZE_MAX];
    const struct map_entry moved = *guard;
    map_remove(&budget->guards, id);
    turn_generations(budget, now_us, window_us);
    struct map_entry *done = map_put(&budget->done[budget->generation], fake_guard_name(buffer, id));
    done->amount = moved.amount;
    done->outcome = moved.outcome;
}
