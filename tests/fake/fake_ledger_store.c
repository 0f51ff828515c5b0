#include "fake/fake_ledger_store.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

/* FNV-1a; the fake has no enemies. */
static uint64_t hash_id(struct text id)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < id.size; i++) hash = (hash ^ (unsigned char)id.data[i]) * UINT64_C(1099511628211);
    return hash;
}

void *store_grow(void *rows, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) return rows;
    *capacity = *capacity == 0 ? 64 : 2 * *capacity;
    return memory_resize(rows, *capacity, size);
}

static uint32_t *slot_find(const struct fake_ledger_store *store, struct text message_id)
{
    size_t mask = store->slot_count - 1;
    size_t slot = hash_id(message_id) & mask;
    while (store->slots[slot] != 0 &&
           !text_equal(store->deductions[store->slots[slot] - 1].message_id, message_id)) {
        slot = (slot + 1) & mask;
    }
    return &store->slots[slot];
}

static void slots_reserve(struct fake_ledger_store *store, size_t slot_count)
{
    free(store->slots);
    store->slots = memory_alloc_zero(slot_count, sizeof *store->slots);
    store->slot_count = slot_count;
    for (size_t i = 0; i < store->deduction_count; i++) {
        *slot_find(store, store->deductions[i].message_id) = (uint32_t)(i + 1);
    }
}

struct fake_ledger_store *fake_ledger_store_new(void)
{
    struct fake_ledger_store *store = memory_alloc_zero(1, sizeof *store);
    store->now_us = 1;
    slots_reserve(store, 128);
    return store;
}

void fake_ledger_store_free(struct fake_ledger_store *store)
{
    if (store == NULL) return;
    free(store->deductions);
    free(store->slots);
    free(store->budgets);
    free(store->credits);
    free(store->parked);
    free(store->interventions);
    free(store->runs);
    free(store->sights);
    arena_free(&store->arena);
    free(store);
}

struct fake_deduction *store_deduction_find(const struct fake_ledger_store *store, struct text message_id)
{
    uint32_t slot = *slot_find(store, message_id);
    return slot == 0 ? NULL : &store->deductions[slot - 1];
}

struct fake_budget *store_budget_find(const struct fake_ledger_store *store, struct text budget_id)
{
    for (size_t i = 0; i < store->budget_count; i++) {
        if (text_equal(store->budgets[i].budget.id, budget_id)) return &store->budgets[i];
    }
    return NULL;
}

struct fake_credit *store_credit_find(const struct fake_ledger_store *store, struct text budget_id,
                                      struct text credit_id)
{
    for (size_t i = 0; i < store->credit_count; i++) {
        struct fake_credit *credit = &store->credits[i];
        if (text_equal(credit->budget_id, budget_id) && text_equal(credit->credit_id, credit_id))
            return credit;
    }
    return NULL;
}

void store_deduction_add(struct fake_ledger_store *store, const struct fake_deduction *row)
{
    store->deductions = store_grow(store->deductions, store->deduction_count, &store->deduction_capacity,
                                   sizeof *store->deductions);
    if (2 * (store->deduction_count + 1) > store->slot_count) slots_reserve(store, 2 * store->slot_count);
    uint32_t *slot = slot_find(store, row->message_id);
    assert(*slot == 0);
    struct fake_deduction *added = &store->deductions[store->deduction_count++];
    *added = *row;
    added->message_id = arena_copy(&store->arena, row->message_id);
    added->budget_id = arena_copy(&store->arena, row->budget_id);
    added->user_id = arena_copy(&store->arena, row->user_id);
    added->meta = arena_copy(&store->arena, row->meta);
    *slot = (uint32_t)store->deduction_count;
}

void store_budget_add(struct fake_ledger_store *store, const struct ledger_budget *budget)
{
    store->budgets =
        store_grow(store->budgets, store->budget_count, &store->budget_capacity, sizeof *store->budgets);
    store->budgets[store->budget_count++] = (struct fake_budget){
        .budget =
            {
                .id = arena_copy(&store->arena, budget->id),
                .name = arena_copy(&store->arena, budget->name),
                .description = arena_copy(&store->arena, budget->description),
                .ext_params = arena_copy(&store->arena, budget->ext_params),
                .total = budget->total,
                .state = BUDGET_ACTIVE,
                .created_at_us = store->now_us,
                .updated_at_us = store->now_us,
            },
    };
}

void store_credit_add(struct fake_ledger_store *store, struct text budget_id, struct text credit_id,
                      int64_t amount)
{
    store->credits =
        store_grow(store->credits, store->credit_count, &store->credit_capacity, sizeof *store->credits);
    store->credits[store->credit_count++] = (struct fake_credit){
        .budget_id = arena_copy(&store->arena, budget_id),
        .credit_id = arena_copy(&store->arena, credit_id),
        .amount = amount,
        .created_at_us = store->now_us,
    };
}

void store_parked_add(struct fake_ledger_store *store, const struct parked_row *row)
{
    store->parked =
        store_grow(store->parked, store->parked_count, &store->parked_capacity, sizeof *store->parked);
    store->parked[store->parked_count++] = (struct fake_parked){
        .message_id = arena_copy(&store->arena, row->message_id),
        .reason = row->reason,
        .detail = arena_copy(&store->arena, row->detail),
        .parked_at_us = store->now_us,
    };
}

enum fake_ledger_fault store_fault_take(struct fake_ledger_store *store)
{
    store->calls++;
    if (store->fault_times == 0) return FAKE_LEDGER_WELL;
    if (store->fault_skip > 0) {
        store->fault_skip--;
        return FAKE_LEDGER_WELL;
    }
    store->fault_times--;
    return store->fault;
}

void fake_ledger_clock_set(struct fake_ledger_store *store, int64_t wall_us)
{
    assert(wall_us > 0);
    store->now_us = wall_us;
}

void fake_ledger_fail(struct fake_ledger_store *store, enum fake_ledger_fault fault, unsigned skip,
                      unsigned times)
{
    store->fault = fault;
    store->fault_skip = skip;
    store->fault_times = times;
}

bool fake_ledger_void(struct fake_ledger_store *store, struct text message_id, struct text budget_id,
                      int64_t amount, int64_t deducted_at_us)
{
    if (store_deduction_find(store, message_id) != NULL) return false;
    store->calls++;
    store_deduction_add(store, &(struct fake_deduction){.message_id = message_id,
                                                        .budget_id = budget_id,
                                                        .amount = amount,
                                                        .deducted_at_us = deducted_at_us,
                                                        .state = DEDUCTION_VOIDED,
                                                        .reason = REASON_ORPHANED,
                                                        .refund = REFUND_DUE,
                                                        .booked_at_us = store->now_us});
    return true;
}

void fake_ledger_refuse(struct fake_ledger_store *store, struct text message_id)
{
    store->refused_id = arena_copy(&store->arena, message_id);
}

size_t fake_ledger_deduction_count(const struct fake_ledger_store *store)
{
    return store->deduction_count;
}

const struct fake_deduction *fake_ledger_deduction(const struct fake_ledger_store *store, size_t index)
{
    assert(index < store->deduction_count);
    return &store->deductions[index];
}

const struct fake_deduction *fake_ledger_deduction_find(const struct fake_ledger_store *store,
                                                        struct text message_id)
{
    return store_deduction_find(store, message_id);
}

size_t fake_ledger_budget_count(const struct fake_ledger_store *store)
{
    return store->budget_count;
}

const struct fake_budget *fake_ledger_budget(const struct fake_ledger_store *store, size_t index)
{
    assert(index < store->budget_count);
    return &store->budgets[index];
}

size_t fake_ledger_credit_count(const struct fake_ledger_store *store)
{
    return store->credit_count;
}

const struct fake_credit *fake_ledger_credit(const struct fake_ledger_store *store, size_t index)
{
    assert(index < store->credit_count);
    return &store->credits[index];
}

size_t fake_ledger_parked_count(const struct fake_ledger_store *store)
{
    return store->parked_count;
}

const struct fake_parked *fake_ledger_parked(const struct fake_ledger_store *store, size_t index)
{
    assert(index < store->parked_count);
    return &store->parked[index];
}

uint64_t fake_ledger_calls(const struct fake_ledger_store *store)
{
    return store->calls;
}
