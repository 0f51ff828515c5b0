#include "fake/fake_ledger_store.h"

#include "core/identifier.h"
#include "core/limits.h"

#include <jansson.h>
#include <string.h>

static enum status refuse_budget(struct text budget_id, const char *why, struct error *error)
{
    return error_set(error, STATUS_REFUSED, "ledger: budget " TEXT_FORMAT " %s", TEXT_ARGUMENTS(budget_id),
                     why);
}

static bool credit_id_fits(struct text credit_id)
{
    return credit_id.size >= 1 && credit_id.size <= MESSAGE_ID_SIZE_MAX;
}

/* What the tables check of themselves. */
static const char *budget_objection(const struct ledger_budget *budget, struct text credit_id)
{
    if (!budget_id_is_valid(budget->id)) return "has no valid id";
    if (budget->total != TOTAL_UNLIMITED && (budget->total < 0 || budget->total > AMOUNT_MAX))
        return "has no valid total";
    if (text_is_present(budget->ext_params)) {
        json_t *json = json_loadb(budget->ext_params.data, budget->ext_params.size, 0, NULL);
        bool object = json_is_object(json);
        json_decref(json);
        if (!object) return "has ext_params that are no JSON object";
    }
    return credit_id_fits(credit_id) ? NULL : "has no valid credit id";
}

enum status fake_ledger_budget_create(struct ledger *port, const struct ledger_budget *budget,
                                      struct text credit_id, struct error *error)
{
    struct call call;
    enum status status = call_begin(port, true, &call, error);
    if (status != STATUS_OK) return status;
    if (store_budget_find(call.store, budget->id) != NULL)
        return refuse_budget(budget->id, "exists already", error);
    const char *objection = budget_objection(budget, credit_id);
    if (objection != NULL) return refuse_budget(budget->id, objection, error);
    store_budget_add(call.store, budget);
    store_credit_add(call.store, budget->id, credit_id, budget->total);
    return call_end(&call, error);
}

static const char *credit_objection(const struct fake_budget *budget, int64_t amount)
{
    if (budget == NULL) return "does not exist";
    if (budget->budget.state == BUDGET_DELETED) return "is deleted";
    if (budget->budget.total == TOTAL_UNLIMITED) return "is unlimited";
    if (amount < 1 || amount > AMOUNT_MAX) return "takes credits of 1 to 9007199254740991";
    return budget->budget.total > AMOUNT_MAX - amount ? "would have a total beyond 9007199254740991" : NULL;
}

enum status fake_ledger_budget_credit(struct ledger *port, struct text budget_id, struct text credit_id,
                                      int64_t amount, bool *applied, struct error *error)
{
    struct call call;
    enum status status = call_begin(port, true, &call, error);
    if (status != STATUS_OK) return status;
    struct fake_budget *budget = store_budget_find(call.store, budget_id);
    const struct fake_credit *credit = store_credit_find(call.store, budget_id, credit_id);
    *applied = credit != NULL && credit->applied;
    if (credit != NULL) {
        if (credit->amount != amount)
            return refuse_budget(budget_id, "has this credit id with another amount", error);
        return call_end(&call, error);
    }
    const char *objection = credit_objection(budget, amount);
    if (objection == NULL && !credit_id_fits(credit_id)) objection = "has no valid credit id";
    if (objection != NULL) return refuse_budget(budget_id, objection, error);
    store_credit_add(call.store, budget_id, credit_id, amount);
    budget->budget.total += amount;
    budget->budget.updated_at_us = call.store->now_us;
    return call_end(&call, error);
}

enum status fake_ledger_credit_mark(struct ledger *port, struct text budget_id, struct text credit_id,
                                    struct error *error)
{
    struct call call;
    enum status status = call_begin(port, true, &call, error);
    if (status != STATUS_OK) return status;
    struct fake_credit *credit = store_credit_find(call.store, budget_id, credit_id);
    if (credit == NULL) return refuse_budget(budget_id, "has no such credit", error);
    credit->applied = true;
    return call_end(&call, error);
}

enum status fake_ledger_budget_state_set(struct ledger *port, struct text budget_id, enum budget_state state,
                                         int64_t closed_at_us, struct error *error)
{
    struct call call;
    enum status status = call_begin(port, true, &call, error);
    if (status != STATUS_OK) return status;
    struct fake_budget *budget = store_budget_find(call.store, budget_id);
    if (budget == NULL) return refuse_budget(budget_id, "does not exist", error);
    if (closed_at_us < 0 || closed_at_us > AMOUNT_MAX || (state == BUDGET_ACTIVE && closed_at_us != 0) ||
        (state == BUDGET_CLOSED && closed_at_us == 0)) {
        return refuse_budget(budget_id, "has no such time of closing", error);
    }
    budget->budget.state = state;
    budget->closed_at_us = closed_at_us;
    budget->budget.updated_at_us = call.store->now_us;
    return call_end(&call, error);
}

static struct ledger_budget budget_copy(const struct fake_budget *budget, struct arena *arena)
{
    struct ledger_budget copy = budget->budget;
    copy.id = arena_copy(arena, copy.id);
    copy.name = arena_copy(arena, copy.name);
    copy.description = arena_copy(arena, copy.description);
    copy.ext_params = arena_copy(arena, copy.ext_params);
    return copy;
}

enum status fake_ledger_budget_find(struct ledger *port, struct text budget_id, struct arena *arena,
                                    struct ledger_budget *budget, bool *found, struct error *error)
{
    struct call call;
    enum status status = call_begin(port, false, &call, error);
    if (status != STATUS_OK) return status;
    const struct fake_budget *row = store_budget_find(call.store, budget_id);
    *found = row != NULL;
    if (row != NULL) *budget = budget_copy(row, arena);
    return STATUS_OK;
}

/* Byte order, a shorter id before a longer one that begins with it. */
static int id_compare(struct text a, struct text b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size == 0 ? 0 : memcmp(a.data, b.data, size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

enum status fake_ledger_budgets_list(struct ledger *port, struct text after_id, struct arena *arena,
                                     struct ledger_budget *budgets, size_t capacity, size_t *count,
                                     struct error *error)
{
    struct call call;
    *count = 0;
    enum status status = call_begin(port, false, &call, error);
    if (status != STATUS_OK) return status;
    for (struct text after = after_id; *count < capacity;) {
        const struct fake_budget *next = NULL;
        for (size_t i = 0; i < call.store->budget_count; i++) {
            const struct fake_budget *row = &call.store->budgets[i];
            if (id_compare(row->budget.id, after) <= 0) continue;
            if (next == NULL || id_compare(row->budget.id, next->budget.id) < 0) next = row;
        }
        if (next == NULL) break;
        after = next->budget.id;
        budgets[(*count)++] = budget_copy(next, arena);
    }
    return STATUS_OK;
}
