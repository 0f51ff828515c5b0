/* A hash of the fake stock: id to a small entry, kept in order of insertion. */
#ifndef BURSAR_TESTS_FAKE_STOCK_MAP_H
#define BURSAR_TESTS_FAKE_STOCK_MAP_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct map_entry {
    char *id; /* owned, NUL-terminated; NULL: removed */
    size_t id_size;
    uint64_t serial; /* grows with each insertion: a place in the map that survives every change */
    int64_t amount;
    int64_t deducted_at_us;
    int outcome;
    bool marked; /* by one who goes through the map twice */
};

struct map {
    struct map_entry *entries; /* owned; in order of serial */
    size_t used;               /* with the removed ones */
    size_t live;
    size_t capacity;
    uint64_t next_serial;
    uint32_t *
        slots; /* owned; open addressing: index + 1; a removed entry keeps its slot until the map is packed */
    size_t slot_count;
};

/* Pointers are valid until the next map_put or map_clear. */
struct map_entry *map_find(const struct map *map, struct text id);

/* The entry of this id, made where there was none. */
struct map_entry *map_put(struct map *map, struct text id);

/* False: there was none. */
bool map_remove(struct map *map, struct text id);

/* The first entry with this serial or a later one; NULL: there is none. */
struct map_entry *map_next(const struct map *map, uint64_t serial);

void map_clear(struct map *map);
struct map map_copy(const struct map *map);

#endif
