#include "base/instant.h"

#include <stdio.h>
#include <time.h>

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * MICROSECONDS_PER_SECOND + now.tv_nsec / 1000;
}

int64_t instant_wall_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

int64_t instant_monotonic_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

void instant_format(int64_t wall_us, char text[INSTANT_TEXT_SIZE])
{
    int64_t fraction = wall_us % MICROSECONDS_PER_SECOND;
    if (fraction < 0) fraction += MICROSECONDS_PER_SECOND;
    time_t seconds = (time_t)((wall_us - fraction) / MICROSECONDS_PER_SECOND);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    char date[32];
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text, INSTANT_TEXT_SIZE, "%.19s.%06dZ", date, (int)fraction);
}
