#include "worker/system_clock.h"

#include "base/instant.h"

static int64_t system_monotonic_us(const struct clock *clock)
{
    (void)clock;
    return instant_monotonic_us();
}

static int64_t system_wall_us(const struct clock *clock)
{
    (void)clock;
    return instant_wall_us();
}

const struct clock system_clock = {.monotonic_us = system_monotonic_us, .wall_us = system_wall_us};
