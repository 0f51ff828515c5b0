#include "deadletter/id_set.h"

#include "base/memory.h"

#include <stdlib.h>

#define CAPACITY_FIRST 1024

/* 0 is a free slot. */
static uint64_t hash_of(struct text id)
{
    uint64_t hash = text_hash(id);
    return hash == 0 ? 1 : hash;
}

static size_t slot_of(const struct id_set *set, uint64_t hash)
{
    size_t mask = set->capacity - 1;
    size_t slot = (size_t)(hash ^ hash >> 32) & mask;
    while (set->slots[slot] != 0 && set->slots[slot] != hash) slot = (slot + 1) & mask;
    return slot;
}

static void grow(struct id_set *set)
{
    struct id_set larger = {.capacity = set->capacity == 0 ? CAPACITY_FIRST : set->capacity * 2,
                            .count = set->count};
    larger.slots = memory_alloc_zero(larger.capacity, sizeof *larger.slots);
    for (size_t i = 0; i < set->capacity; i++)
        if (set->slots[i] != 0) larger.slots[slot_of(&larger, set->slots[i])] = set->slots[i];
    free(set->slots);
    *set = larger;
}

void id_set_add(struct id_set *set, struct text id)
{
    if (set->count >= set->capacity / 2) grow(set);
    uint64_t hash = hash_of(id);
    size_t slot = slot_of(set, hash);
    set->count += set->slots[slot] == 0;
    set->slots[slot] = hash;
}

bool id_set_has(const struct id_set *set, struct text id)
{
    if (set->count == 0) return false;
    uint64_t hash = hash_of(id);
    return set->slots[slot_of(set, hash)] == hash;
}

void id_set_free(struct id_set *set)
{
    free(set->slots);
    *set = (struct id_set){0};
}
