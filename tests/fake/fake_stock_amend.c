/* audit.lua and amend.lua over one budget of the fake stock. */
#include "core/amount.h"
#include "core/identifier.h"
#include "fake/fake_stock_budget.h"

enum status fake_budget_audit(const struct fake_budget *budget, int64_t now_us, struct stock_audit *item,
                              struct error *error)
{
    if (fake_budget_left_is_spoilt(budget))
        return fake_budget_refuse(budget, "the stock key is out of range", error);
    item->left = fake_budget_left_of(budget);
    item->has_meta = budget->has_meta;
    item->credited = budget->credited;
    item->deducted = budget->deducted;
    item->settled = budget->settled;
    item->released = budget->released;
    item->state = budget->state;
    item->pendings = (int64_t)budget->pending.live;
    item->credits = (int64_t)budget->credits.live;
    item->now_us = now_us;
    item->amended = budget->amended;
    return STATUS_OK;
}

static bool is_difference(int64_t number)
{
    return number >= -AMOUNT_MAX && number <= AMOUNT_MAX;
}

static enum status check_credits(const struct fake_budget *budget, const struct stock_amendment *item,
                                 struct error *error)
{
    for (size_t i = 0; i < item->credit_count; i++) {
        const struct stock_credit_entry *credit = &item->credits[i];
        bool unlimited = credit->amount == TOTAL_UNLIMITED;
        bool fits = unlimited ? item->restore != STOCK_RESTORE_LIMITED
                              : item->restore != STOCK_RESTORE_UNLIMITED &&
                                    (credit->amount == 0 || amount_is_valid(credit->amount));
        if (!message_id_is_valid(credit->credit_id) || !fits)
            return fake_budget_refuse(budget, "a bad credit", error);
        for (size_t other = 0; other < i; other++) {
            if (text_equal(credit->credit_id, item->credits[other].credit_id) &&
                credit->amount != item->credits[other].amount)
                return fake_budget_refuse(budget, "a credit stands twice, with two amounts", error);
        }
    }
    return STATUS_OK;
}

static enum status check_item(const struct fake_budget *budget, const struct stock_amendment *item,
                              struct error *error)
{
    if (!amount_is_valid(item->id) || !is_difference(item->left) || !is_difference(item->credited) ||
        !is_difference(item->deducted) || !is_difference(item->settled) || !is_difference(item->released))
        return fake_budget_refuse(budget, "a bad id or difference", error);
    return check_credits(budget, item, error);
}

/* Credits for a stock that is there. */
static enum status check_kind(const struct fake_budget *budget, const struct stock_amendment *item,
                              struct error *error)
{
    for (size_t i = 0; i < item->credit_count; i++) {
        bool unlimited = item->credits[i].amount == TOTAL_UNLIMITED;
        if (!budget->has_left || unlimited == fake_budget_is_numeric(budget))
            return fake_budget_refuse(budget, "a credit of the other kind", error);
    }
    return STATUS_OK;
}

static enum status check_not_applied(const struct fake_budget *budget, const struct stock_amendment *item,
                                     struct error *error)
{
    for (size_t i = 0; i < item->credit_count; i++) {
        if (map_find(&budget->credits, item->credits[i].credit_id) != NULL)
            return fake_budget_refuse(budget, "a credit is applied already", error);
    }
    return STATUS_OK;
}

/* What only a restore asks of the budget. */
static enum status check_restore(const struct fake_budget *budget, const struct stock_amendment *item,
                                 struct error *error)
{
    bool unlimited = item->restore == STOCK_RESTORE_UNLIMITED;
    if (budget->has_left) return fake_budget_refuse(budget, "there is a stock key", error);
    if (unlimited ? budget->has_credited && !budget->unlimited : budget->unlimited)
        return fake_budget_refuse(budget, "the budget is of the other kind", error);
    return STATUS_OK;
}

static bool change(int64_t *number, int64_t difference)
{
    *number += difference;
    return *number >= 0 && *number <= AMOUNT_MAX;
}

/* The numbers as they would be. */
struct numbers {
    int64_t credited, deducted, settled, released;
    bool has_left;
    int64_t left;
};

static enum status compute(const struct fake_budget *budget, const struct stock_amendment *item,
                           struct numbers *numbers, struct error *error)
{
    *numbers = (struct numbers){.credited = budget->credited,
                                .deducted = budget->deducted,
                                .settled = budget->settled,
                                .released = budget->released,
                                .has_left = budget->has_left,
                                .left = budget->left};
    if (!change(&numbers->credited, item->credited) || !change(&numbers->deducted, item->deducted) ||
        !change(&numbers->settled, item->settled) || !change(&numbers->released, item->released))
        return fake_budget_refuse(budget, "a total would fall below 0 or pass 2^53-1", error);
    if (item->restore != STOCK_RESTORE_NONE) {
        enum status status = check_restore(budget, item, error);
        if (status != STATUS_OK) return status;
        numbers->has_left = true;
        numbers->left = TOTAL_UNLIMITED;
        if (item->restore == STOCK_RESTORE_UNLIMITED) return STATUS_OK;
        numbers->left = 0;
        if (change(&numbers->left, numbers->credited - numbers->deducted + numbers->released))
            return STATUS_OK;
    } else {
        enum status status = check_kind(budget, item, error);
        if (status != STATUS_OK || item->left == 0) return status;
        if (!fake_budget_is_numeric(budget)) return fake_budget_refuse(budget, "no stock to change", error);
        if (change(&numbers->left, item->left)) return STATUS_OK;
    }
    return fake_budget_refuse(budget, "the stock would fall below 0 or pass 2^53-1", error);
}

enum status fake_budget_amend(struct fake_budget *budget, struct stock_amendment *item, struct error *error)
{
    struct numbers numbers;
    bool restores = item->restore != STOCK_RESTORE_NONE;
    enum status status = check_item(budget, item, error);
    if (status != STATUS_OK) return status;
    if (fake_budget_left_is_spoilt(budget))
        return fake_budget_refuse(budget, "the stock key is out of range", error);
    item->applied = false;
    item->left_after = fake_budget_left_of(budget);
    if (item->id <= budget->amended) return STATUS_OK;
    status = compute(budget, item, &numbers, error);
    if (status == STATUS_OK) status = check_not_applied(budget, item, error);
    if (status != STATUS_OK) return status;

    budget->has_meta = true;
    budget->amended = item->id;
    if (restores || item->credited != 0) budget->has_credited = true;
    budget->credited = numbers.credited;
    budget->deducted = numbers.deducted;
    budget->settled = numbers.settled;
    budget->released = numbers.released;
    budget->has_left = numbers.has_left;
    budget->left = numbers.left;
    if (restores) budget->state = item->state;
    if (item->restore == STOCK_RESTORE_UNLIMITED) budget->unlimited = true;
    for (size_t i = 0; i < item->credit_count; i++)
        map_put(&budget->credits, item->credits[i].credit_id)->amount = item->credits[i].amount;
    item->applied = true;
    item->left_after = fake_budget_left_of(budget);
    return STATUS_OK;
}
