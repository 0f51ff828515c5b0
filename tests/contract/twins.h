/* What the differential tests share: the same random operations on a fake and on the real thing, dice that
 * can be thrown again, and a memory of the last operations for when the two disagree.
 *
 * BURSAR_TWINS_SEED=N repeats a run of the same build, BURSAR_TWINS_OPERATIONS=N says how long it is; without
 * it BURSAR_TEST_FULL makes it much longer. */
#ifndef BURSAR_TESTS_TWINS_H
#define BURSAR_TESTS_TWINS_H

#include "base/arena.h"
#include "base/instant.h"
#include "base/memory.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TWINS_TRAIL = 24 };

struct twins {
    uint64_t seed, dice;
    size_t operations; /* how many there are to be */
    size_t number;     /* of the present one, from 1 */
    char trail[TWINS_TRAIL][240];
};

static inline struct twins twins_begin(size_t operations, size_t operations_full)
{
    const char *seed = getenv("BURSAR_TWINS_SEED");
    const char *wanted = getenv("BURSAR_TWINS_OPERATIONS");
    const char *full = getenv("BURSAR_TEST_FULL");
    bool is_full = full != NULL && full[0] == '1';
    struct twins twins = {.operations = is_full ? operations_full : operations};
    twins.seed = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)instant_monotonic_us();
    if (wanted != NULL) twins.operations = strtoull(wanted, NULL, 10);
    twins.dice = twins.seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    print_message("BURSAR_TWINS_SEED=%" PRIu64 " BURSAR_TWINS_OPERATIONS=%zu\n", twins.seed,
                  twins.operations);
    return twins;
}

/* 0 to sides - 1 */
static inline size_t roll(struct twins *twins, size_t sides)
{
    twins->dice ^= twins->dice << 13;
    twins->dice ^= twins->dice >> 7;
    twins->dice ^= twins->dice << 17;
    return (size_t)((twins->dice >> 11) % sides);
}

static inline bool chance(struct twins *twins, size_t percent)
{
    return roll(twins, 100) < percent;
}

/* Begins the next operation; false: there were enough. */
static inline bool twins_next(struct twins *twins)
{
    if (twins->number == twins->operations) return false;
    twins->trail[++twins->number % TWINS_TRAIL][0] = '\0';
    return true;
}

/* Adds to what is remembered of the present operation. */
__attribute__((format(printf, 2, 3))) static inline void twins_note(struct twins *twins, const char *format,
                                                                    ...)
{
    char *line = twins->trail[twins->number % TWINS_TRAIL];
    size_t size = strlen(line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + size, sizeof twins->trail[0] - size, format, arguments);
    va_end(arguments);
}

/* The two are not alike. */
__attribute__((format(printf, 2, 3))) static inline void twins_fail(struct twins *twins, const char *format,
                                                                    ...)
{
    char why[1000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    size_t first = twins->number < TWINS_TRAIL ? 1 : twins->number - TWINS_TRAIL + 1;
    for (size_t i = first; i <= twins->number; i++)
        print_error("%6zu %s\n", i, twins->trail[i % TWINS_TRAIL]);
    fail_msg("operation %zu: %s; repeat with BURSAR_TWINS_SEED=%" PRIu64 " BURSAR_TWINS_OPERATIONS=%zu",
             twins->number, why, twins->seed, twins->operations);
}

static inline void twins_same(struct twins *twins, const char *what, size_t item, int64_t fake, int64_t real)
{
    if (fake == real) return;
    twins_fail(twins, "%s of item %zu is %" PRId64 " in the fake and %" PRId64 " in the real one", what, item,
               fake, real);
}

/* Whole contents as sorted lines. */
struct twins_lines {
    struct arena arena;
    const char **lines;
    size_t count, capacity;
};

__attribute__((format(printf, 2, 3))) static inline void twins_line(struct twins_lines *lines,
                                                                    const char *format, ...)
{
    char line[700];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (lines->count == lines->capacity) {
        lines->capacity = lines->capacity == 0 ? 64 : 2 * lines->capacity;
        lines->lines = memory_resize((void *)(uintptr_t)lines->lines, lines->capacity, sizeof *lines->lines);
    }
    lines->lines[lines->count++] = arena_copy(&lines->arena, text_of(line)).data;
}

static inline int twins_line_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Compares two contents line by line, and empties them. */
static inline void twins_same_lines(struct twins *twins, struct twins_lines *fake, struct twins_lines *real)
{
    if (fake->count > 0) qsort(fake->lines, fake->count, sizeof *fake->lines, twins_line_compare);
    if (real->count > 0) qsort(real->lines, real->count, sizeof *real->lines, twins_line_compare);
    for (size_t i = 0; i < fake->count || i < real->count; i++) {
        const char *one = i < fake->count ? fake->lines[i] : "nothing";
        const char *other = i < real->count ? real->lines[i] : "nothing";
        if (strcmp(one, other) != 0) twins_fail(twins, "the fake holds %s, the real one %s", one, other);
    }
    fake->count = real->count = 0;
    arena_reset(&fake->arena);
    arena_reset(&real->arena);
}

static inline void twins_lines_free(struct twins_lines *lines)
{
    free((void *)(uintptr_t)lines->lines);
    arena_free(&lines->arena);
}

#endif
