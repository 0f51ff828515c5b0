/* Letters that are handled together: read from the walk and kept until the broker, the ledger and Redis have
 * been told of them. */
#ifndef BURSAR_DEADLETTER_LETTER_CHUNK_H
#define BURSAR_DEADLETTER_LETTER_CHUNK_H

#include "deadletter/letter_walk.h"

/* A chunk is full with one more letter beyond any of these. */
#define CHUNK_LETTERS_MAX 4000
#define CHUNK_ITEMS_MAX   5000
#define CHUNK_BYTES_MAX   ((size_t)16 << 20)

enum chunk_event {
    CHUNK_MORE,  /* call again */
    CHUNK_WAIT,  /* call again at wait_until_us, or when the consumer has something */
    CHUNK_READY, /* there are letters, decoded */
    CHUNK_END,   /* there are none, and no more will come */
    CHUNK_FAILED,
};

struct letter_chunk {
    struct letter letters[CHUNK_LETTERS_MAX];
    size_t count;
    size_t items; /* deductions in them, at least one a letter */
    size_t bytes;
    int64_t arrived_us; /* monotonic; the last one */
    int64_t wait_until_us;
    struct arena arena; /* owned: everything the letters borrow */
};

/* Forgets the letters. */
void letter_chunk_reset(struct letter_chunk *chunk);
void letter_chunk_free(struct letter_chunk *chunk);

/* Reads on, up to `most` letters (1 to CHUNK_LETTERS_MAX). */
enum chunk_event letter_chunk_step(struct letter_chunk *chunk, struct letter_walk *walk, size_t most,
                                   struct error *error);

#endif
