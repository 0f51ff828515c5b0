/* Time as Bursar uses it: Unix time in microseconds for what is stored, a monotonic clock in microseconds for
 * waiting. The core never asks; it is told. */
#ifndef BURSAR_BASE_INSTANT_H
#define BURSAR_BASE_INSTANT_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define MICROSECONDS_PER_SECOND INT64_C(1000000)

int64_t instant_wall_us(void);
int64_t instant_monotonic_us(void);

/* "2026-01-02T03:04:05.678901Z" with its NUL: 28 bytes. */
#define INSTANT_TEXT_SIZE 28
void instant_format(int64_t wall_us, char text[INSTANT_TEXT_SIZE]);

/* RFC 3339: a date, T or a space, a time with or without a fraction, Z or an offset; digits beyond the
 * microsecond are dropped. False: it is something else, and *wall_us is untouched. */
bool instant_parse(struct text text, int64_t *wall_us);

#endif
