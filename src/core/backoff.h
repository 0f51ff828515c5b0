/* Growing, jittered pauses between tries. Pure: time and randomness come from the caller. */
#ifndef BURSAR_CORE_BACKOFF_H
#define BURSAR_CORE_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_US INT64_C(100000)

struct backoff {
    unsigned failures; /* in a row */
};

/* The pause after one more failure: doubles from BACKOFF_FIRST_US up to `max_us`, then a random half to whole
 * of it, so that many workers do not come back at the same instant. *random is an xorshift64 state, not 0,
 * and moves. */
int64_t backoff_next_us(struct backoff *backoff, int64_t max_us, uint64_t *random);

void backoff_reset(struct backoff *backoff);

#endif
