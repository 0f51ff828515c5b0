/* The time, for what runs jobs and for the loop: the real one in `bursar run`, a made-up one in a simulation.
 *
 * Any thread may ask. */
#ifndef BURSAR_PORT_CLOCK_H
#define BURSAR_PORT_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*monotonic_us)(const struct clock *); /* never goes back; its zero means nothing */
    int64_t (*wall_us)(const struct clock *);      /* Unix time; may jump */
};

static inline int64_t clock_monotonic_us(const struct clock *clock)
{
    return clock->monotonic_us(clock);
}

static inline int64_t clock_wall_us(const struct clock *clock)
{
    return clock->wall_us(clock);
}

#endif
