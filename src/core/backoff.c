#include "core/backoff.h"

#include <assert.h>

static uint64_t random_next(uint64_t *state)
{
    assert(*state != 0);
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

int64_t backoff_next_us(struct backoff *backoff, int64_t max_us, uint64_t *random)
{
    int64_t pause = BACKOFF_FIRST_US;
    for (unsigned i = 0; i < backoff->failures && pause < max_us; i++) pause *= 2;
    if (pause > max_us) pause = max_us;
    backoff->failures++;
    int64_t half = pause / 2;
    return half + (int64_t)(random_next(random) % (uint64_t)(pause - half + 1));
}

void backoff_reset(struct backoff *backoff)
{
    backoff->failures = 0;
}
