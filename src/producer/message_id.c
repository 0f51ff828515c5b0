#include "bursar/producer.h"

#include "base/instant.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/random.h>

/* RFC 9562, 5.7 with the counter of 6.2, method 2: behind the 48 bits of milliseconds, the 12 bits of rand_a
 * and the upper 30 bits of rand_b are one counter of 42 bits, which begins at a random value below 2^41 each
 * millisecond and grows by a random step; the lower 32 bits are random. A step that is random even after a
 * fork() keeps two processes apart. */
#define COUNTER_BITS       42
#define COUNTER_START_MASK ((UINT64_C(1) << (COUNTER_BITS - 1)) - 1)

static void random_fill(void *bytes, size_t size)
{
    ssize_t got;
    do {
        got = getrandom(bytes, size, 0);
    } while (got < 0 && errno == EINTR);
    assert(
        got ==
        (ssize_t)size); /* up to 256 bytes come whole or not at all, and Linux has had the call since 3.17 */
}

void bursar_message_id_generate(char text[BURSAR_UUID_SIZE])
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static uint64_t last_ms, last_counter;
    struct {
        uint64_t start;
        uint32_t step, tail;
    } random;
    random_fill(&random, sizeof random);
    uint64_t now_ms = (uint64_t)(instant_wall_us() / 1000);

    pthread_mutex_lock(&lock);
    if (now_ms > last_ms) {
        last_ms = now_ms;
        last_counter = random.start & COUNTER_START_MASK;
    } else {
        last_counter += 1 + (random.step & 0xffff);
        if (last_counter >> COUNTER_BITS != 0) {
            last_ms++; /* borrowed from the future, as the RFC allows, rather than wait */
            last_counter = random.start & COUNTER_START_MASK;
        }
    }
    uint64_t ms = last_ms, counter = last_counter;
    pthread_mutex_unlock(&lock);

    unsigned upper = (unsigned)(counter >> 30);                  /* 12 bits: rand_a */
    uint64_t lower = (counter & 0x3fffffff) << 32 | random.tail; /* 62 bits: rand_b */
    snprintf(text, BURSAR_UUID_SIZE, "%08x-%04x-7%03x-%04x-%012llx", (unsigned)(ms >> 16 & 0xffffffff),
             (unsigned)(ms & 0xffff), upper, 0x8000U | (unsigned)(lower >> 48),
             (unsigned long long)(lower & 0xffffffffffff));
}
