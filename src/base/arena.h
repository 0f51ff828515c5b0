/* A bump allocator: many small allocations, freed all at once. Chunks are kept over a reset, so a steady load
 * allocates nothing. Not thread-safe: an arena has one user at a time. */
#ifndef BURSAR_BASE_ARENA_H
#define BURSAR_BASE_ARENA_H

#include "base/text.h"

struct arena_chunk;

struct arena {
    struct arena_chunk *first; /* owned */
    struct arena_chunk *current;
    size_t used; /* bytes given out since the last reset */
};

/* Bytes kept by a reset; what grew beyond it for one odd load is given back to the system. */
#define ARENA_KEEP_MAX ((size_t)1 << 20)

/* Aligned for any type; never NULL: a machine without memory ends the process with a message (nothing was
 * acknowledged, so nothing is lost). Owned by the arena. */
void *arena_alloc(struct arena *arena, size_t size);

/* A copy of `text` with a NUL behind it; an absent text stays absent. Owned by the arena. */
struct text arena_copy(struct arena *arena, struct text text);

/* A formatted, NUL-terminated string. Owned by the arena. */
const char *arena_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Forgets every allocation; pointers from before are dead. */
void arena_reset(struct arena *arena);

/* Frees everything. The arena may be used again. */
void arena_free(struct arena *arena);

#endif
