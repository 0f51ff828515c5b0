#include "fake/fake_stock_map.h"

#include "base/memory.h"

#include <stdlib.h>

static uint64_t hash_of(struct text id)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < id.size; i++) hash = (hash ^ (unsigned char)id.data[i]) * UINT64_C(1099511628211);
    return hash;
}

static struct text id_of(const struct map_entry *entry)
{
    return (struct text){entry->id, entry->id_size};
}

static void put_slot(struct map *map, size_t index)
{
    size_t slot = hash_of(id_of(&map->entries[index])) & (map->slot_count - 1);
    while (map->slots[slot] != 0) slot = (slot + 1) & (map->slot_count - 1);
    map->slots[slot] = (uint32_t)index + 1;
}

/* Drops removed entries and makes room for one more. */
static void map_pack(struct map *map)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->used; i++) {
        if (map->entries[i].id != NULL) map->entries[kept++] = map->entries[i];
    }
    map->used = kept;
    size_t capacity = 16;
    while (capacity < 2 * (kept + 1)) capacity *= 2;
    map->entries = memory_resize(map->entries, capacity, sizeof *map->entries);
    map->capacity = capacity;
    free(map->slots);
    map->slot_count = 2 * capacity;
    map->slots = memory_alloc_zero(map->slot_count, sizeof *map->slots);
    for (size_t i = 0; i < kept; i++) put_slot(map, i);
}

struct map_entry *map_find(const struct map *map, struct text id)
{
    if (map->slot_count == 0) return NULL;
    size_t slot = hash_of(id) & (map->slot_count - 1);
    for (; map->slots[slot] != 0; slot = (slot + 1) & (map->slot_count - 1)) {
        struct map_entry *entry = &map->entries[map->slots[slot] - 1];
        if (entry->id != NULL && text_equal(id_of(entry), id)) return entry;
    }
    return NULL;
}

struct map_entry *map_put(struct map *map, struct text id)
{
    struct map_entry *found = map_find(map, id);
    if (found != NULL) return found;
    if (map->used == map->capacity) map_pack(map);
    struct map_entry *entry = &map->entries[map->used];
    *entry =
        (struct map_entry){.id = memory_alloc(id.size + 1), .id_size = id.size, .serial = map->next_serial++};
    memcpy(entry->id, id.data, id.size);
    entry->id[id.size] = '\0';
    put_slot(map, map->used++);
    map->live++;
    return entry;
}

bool map_remove(struct map *map, struct text id)
{
    struct map_entry *entry = map_find(map, id);
    if (entry == NULL) return false;
    free(entry->id);
    entry->id = NULL;
    map->live--;
    return true;
}

struct map_entry *map_next(const struct map *map, uint64_t serial)
{
    size_t first = 0;
    size_t end = map->used;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (map->entries[middle].serial < serial) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    while (first < map->used && map->entries[first].id == NULL) first++;
    return first < map->used ? &map->entries[first] : NULL;
}

void map_clear(struct map *map)
{
    for (size_t i = 0; i < map->used; i++) free(map->entries[i].id);
    free(map->entries);
    free(map->slots);
    *map = (struct map){.next_serial = map->next_serial};
}

struct map map_copy(const struct map *map)
{
    struct map copy = {0};
    for (size_t i = 0; i < map->used; i++) {
        const struct map_entry *entry = &map->entries[i];
        if (entry->id == NULL) continue;
        struct map_entry *put = map_put(&copy, id_of(entry));
        put->amount = entry->amount;
        put->deducted_at_us = entry->deducted_at_us;
        put->outcome = entry->outcome;
    }
    return copy;
}
