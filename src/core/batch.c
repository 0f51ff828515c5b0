#include "core/batch.h"

#include "base/memory.h"
#include "core/amount.h"
#include "core/limits.h"

#include <assert.h>
#include <stdlib.h>

/* The product of two words, folded: every bit of either reaches every bit of the result. */
static uint64_t hash_fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_word(const char *data, size_t size)
{
    uint64_t word = 0;
    memcpy(&word, data, size < sizeof word ? size : sizeof word);
    return word;
}

/* Both operands of every product hold a secret, so that nobody who does not know the seed can make one of
 * them zero. */
static uint64_t hash_text(const uint64_t seed[2], struct text text)
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = seed[0] ^ hash_fold(text.size + odd, seed[1] | 1);
    const char *data = text.data;
    size_t left = text.size;
    for (; left > 16; left -= 16, data += 16)
        hash = hash_fold(hash_word(data, 8) ^ seed[1], hash_word(data + 8, 8) ^ hash);
    uint64_t high = left > 8 ? hash_word(data + 8, left - 8) : 0;
    hash = hash_fold(hash_word(data, left) ^ seed[1], high ^ hash);
    return hash_fold(hash ^ odd, seed[0] | 1);
}

/* Where the system laid out program, heap and stack differs from process to process, and nobody outside sees
 * it: a seed without I/O. It never shows in a result, only in the order of slots. */
static void hash_seed_fill(const struct batch *batch, uint64_t seed[2])
{
    uint64_t stack = (uint64_t)(uintptr_t)&stack;
    uint64_t heap = (uint64_t)(uintptr_t)batch->arena.first;
    uint64_t program = (uint64_t)(uintptr_t)&hash_seed_fill;
    seed[0] = hash_fold(stack ^ UINT64_C(0x243f6a8885a308d3), program ^ UINT64_C(0x13198a2e03707344));
    seed[1] = hash_fold(heap ^ UINT64_C(0xa4093822299f31d0), program ^ stack ^ UINT64_C(0x082efa98ec4e6c89));
}

/* At least twice as many slots as entries, a power of two. */
static size_t slot_count_for(size_t capacity)
{
    size_t count = 16;
    while (count < 2 * capacity) count *= 2;
    return count;
}

/* The slot of the first item with this id, or the empty slot where it belongs. */
static uint32_t *id_slot_find(const struct batch *batch, uint64_t hash, struct text id)
{
    size_t mask = batch->id_slot_count - 1;
    size_t slot = hash & mask;
    for (; batch->id_slots[slot] != 0; slot = (slot + 1) & mask) {
        const struct batch_item *item = &batch->items[batch->id_slots[slot] - 1];
        if (item->hash == hash && text_equal(item->deduction.message_id, id)) break;
    }
    return &batch->id_slots[slot];
}

static uint32_t *budget_slot_find(const struct batch *batch, uint64_t hash, struct text id)
{
    size_t mask = batch->budget_slot_count - 1;
    size_t slot = hash & mask;
    for (; batch->budget_slots[slot] != 0; slot = (slot + 1) & mask) {
        const struct batch_budget *budget = &batch->budgets[batch->budget_slots[slot] - 1];
        if (budget->hash == hash && text_equal(budget->id, id)) break;
    }
    return &batch->budget_slots[slot];
}

static void items_reserve(struct batch *batch, size_t capacity)
{
    assert(capacity < UINT32_MAX / 4);
    batch->items = memory_resize(batch->items, capacity, sizeof *batch->items);
    batch->capacity = capacity;
    free(batch->id_slots);
    batch->id_slot_count = slot_count_for(capacity);
    batch->id_slots = memory_alloc_zero(batch->id_slot_count, sizeof *batch->id_slots);
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_item *item = &batch->items[i];
        if (item->first_same_id != i) continue;
        *id_slot_find(batch, item->hash, item->deduction.message_id) = (uint32_t)(i + 1);
    }
}

static void budgets_reserve(struct batch *batch, size_t capacity)
{
    assert(capacity < UINT32_MAX / 4);
    batch->budgets = memory_resize(batch->budgets, capacity, sizeof *batch->budgets);
    batch->budget_capacity = capacity;
    free(batch->budget_slots);
    batch->budget_slot_count = slot_count_for(capacity);
    batch->budget_slots = memory_alloc_zero(batch->budget_slot_count, sizeof *batch->budget_slots);
    for (size_t i = 0; i < batch->budget_count; i++) {
        *budget_slot_find(batch, batch->budgets[i].hash, batch->budgets[i].id) = (uint32_t)(i + 1);
    }
}

void batch_init(struct batch *batch, size_t capacity)
{
    assert(capacity > 0);
    *batch = (struct batch){0};
    arena_alloc(&batch->arena, 1);
    hash_seed_fill(batch, batch->hash_seed);
    arena_reset(&batch->arena);
    items_reserve(batch, capacity);
    budgets_reserve(batch, capacity);
}

void batch_free(struct batch *batch)
{
    free(batch->items);
    free(batch->budgets);
    free(batch->id_slots);
    free(batch->budget_slots);
    arena_free(&batch->arena);
    *batch = (struct batch){0};
}

/* Empties the run of used slots that `hash` leads into. Done for every entry it leaves no slot behind: an
 * entry lies in the unbroken run that starts at its hash, and what another clearing took from that run it
 * took up to the run's end. */
static void slots_clear_run(uint32_t *slots, size_t slot_count, uint64_t hash)
{
    size_t mask = slot_count - 1;
    for (size_t slot = hash & mask; slots[slot] != 0; slot = (slot + 1) & mask) slots[slot] = 0;
}

void batch_reset(struct batch *batch)
{
    /* A small batch in a large table must not pay for the table. */
    if (batch->count < batch->id_slot_count / 16) {
        for (size_t i = 0; i < batch->count; i++) {
            slots_clear_run(batch->id_slots, batch->id_slot_count, batch->items[i].hash);
        }
    } else {
        memset(batch->id_slots, 0, batch->id_slot_count * sizeof *batch->id_slots);
    }
    for (size_t i = 0; i < batch->budget_count; i++) {
        slots_clear_run(batch->budget_slots, batch->budget_slot_count, batch->budgets[i].hash);
    }
    batch->count = 0;
    batch->budget_count = 0;
    arena_reset(&batch->arena);
}

static uint32_t budget_index(struct batch *batch, struct text id)
{
    uint64_t hash = hash_text(batch->hash_seed, id);
    uint32_t *slot = budget_slot_find(batch, hash, id);
    if (*slot != 0) return *slot - 1;
    if (batch->budget_count == batch->budget_capacity) {
        budgets_reserve(batch, 2 * batch->budget_capacity);
        slot = budget_slot_find(batch, hash, id);
    }
    uint32_t index = (uint32_t)batch->budget_count++;
    batch->budgets[index] = (struct batch_budget){.id = id, .hash = hash};
    *slot = index + 1;
    return index;
}

struct batch_item *batch_append(struct batch *batch, const struct deduction *deduction, struct origin *origin,
                                struct text source)
{
    assert(amount_is_valid(deduction->amount));
    assert(deduction->deducted_at_us >= 0);
    assert(deduction->message_id.size >= 1 && deduction->message_id.size <= MESSAGE_ID_SIZE_MAX);
    assert(deduction->budget_id.size >= 1 && deduction->budget_id.size <= BUDGET_ID_SIZE_MAX);

    if (batch->count == batch->capacity) items_reserve(batch, 2 * batch->capacity);
    uint32_t index = (uint32_t)batch->count;
    uint64_t hash = hash_text(batch->hash_seed, deduction->message_id);
    uint32_t *slot = id_slot_find(batch, hash, deduction->message_id);
    if (*slot == 0) *slot = index + 1;

    struct batch_item *item = &batch->items[index];
    *item = (struct batch_item){
        .deduction = *deduction,
        .origin = origin,
        .source = source,
        .hash = hash,
        .budget = budget_index(batch, deduction->budget_id),
        .first_same_id = *slot - 1,
    };
    batch->count++;
    return item;
}
