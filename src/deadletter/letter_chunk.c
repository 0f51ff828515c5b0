#include "deadletter/letter_chunk.h"

/* How long a chunk that is not full waits for more: long against a broker that sends, short for a person. */
#define PATIENCE_US (20 * INT64_C(1000))

#define SLICE 64

void letter_chunk_reset(struct letter_chunk *chunk)
{
    chunk->count = chunk->items = chunk->bytes = 0;
    arena_reset(&chunk->arena);
}

void letter_chunk_free(struct letter_chunk *chunk)
{
    arena_free(&chunk->arena);
}

static void add(struct letter_chunk *chunk, const struct letter_walk *walk, const struct letter *letter)
{
    struct letter *kept = &chunk->letters[chunk->count++];
    *kept = *letter;
    letter_keep(walk->ports->consumer, kept, &chunk->arena);
    letter_decode(kept, &chunk->arena);
    chunk->items += letter_item_count(kept);
    chunk->bytes += kept->body.size + kept->properties.size;
    chunk->arrived_us = clock_monotonic_us(walk->ports->clock);
}

static bool is_full(const struct letter_chunk *chunk, size_t most)
{
    return chunk->count >= most || chunk->items >= CHUNK_ITEMS_MAX || chunk->bytes >= CHUNK_BYTES_MAX;
}

static enum chunk_event wait_for_more(struct letter_chunk *chunk, const struct letter_walk *walk)
{
    chunk->wait_until_us = walk->wait_until_us;
    if (chunk->count == 0) return CHUNK_WAIT;
    int64_t end_us = chunk->arrived_us + PATIENCE_US;
    if (clock_monotonic_us(walk->ports->clock) >= end_us) return CHUNK_READY;
    if (end_us < chunk->wait_until_us) chunk->wait_until_us = end_us;
    return CHUNK_WAIT;
}

enum chunk_event letter_chunk_step(struct letter_chunk *chunk, struct letter_walk *walk, size_t most,
                                   struct error *error)
{
    for (size_t i = 0; i < SLICE; i++) {
        struct letter letter;
        if (is_full(chunk, most)) return CHUNK_READY;
        switch (letter_walk_step(walk, &letter, error)) {
        case WALK_LETTER: add(chunk, walk, &letter); break;
        case WALK_MORE: break;
        case WALK_WAIT: return wait_for_more(chunk, walk);
        case WALK_END: return chunk->count > 0 ? CHUNK_READY : CHUNK_END;
        case WALK_FAILED: return CHUNK_FAILED;
        }
    }
    return CHUNK_MORE;
}
