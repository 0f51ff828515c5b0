#include "base/instant.h"

#include <stdio.h>
#include <string.h>
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

/* Exactly `digits` digits. */
static bool take_digits(const char **at, const char *end, int digits, int *number)
{
    *number = 0;
    for (int i = 0; i < digits; i++, ++*at) {
        if (*at == end || **at < '0' || **at > '9') return false;
        *number = *number * 10 + (**at - '0');
    }
    return true;
}

static bool take_one_of(const char **at, const char *end, const char *allowed)
{
    if (*at == end || **at == '\0' || strchr(allowed, **at) == NULL) return false;
    ++*at;
    return true;
}

/* Digits behind the point, as microseconds. */
static bool take_fraction(const char **at, const char *end, int64_t *fraction_us)
{
    int digits = 0;
    *fraction_us = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; ++*at, digits++)
        if (digits < 6) *fraction_us = *fraction_us * 10 + (**at - '0');
    for (int i = digits; i < 6; i++) *fraction_us *= 10;
    return digits > 0;
}

/* Seconds east of Greenwich. */
static bool take_zone(const char **at, const char *end, int64_t *offset_s)
{
    int hours, minutes;
    *offset_s = 0;
    if (take_one_of(at, end, "Zz")) return true;
    bool west = *at < end && **at == '-';
    if (!take_one_of(at, end, "+-") || !take_digits(at, end, 2, &hours) || !take_one_of(at, end, ":") ||
        !take_digits(at, end, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *offset_s = (int64_t)(hours * 60 + minutes) * (west ? -60 : 60);
    return true;
}

bool instant_parse(struct text text, int64_t *wall_us)
{
    if (!text_is_present(text)) return false;
    const char *at = text.data, *end = at + text.size;
    struct tm parts = {0};
    int64_t fraction_us = 0, offset_s;
    if (!take_digits(&at, end, 4, &parts.tm_year) || !take_one_of(&at, end, "-") ||
        !take_digits(&at, end, 2, &parts.tm_mon) || !take_one_of(&at, end, "-") ||
        !take_digits(&at, end, 2, &parts.tm_mday) || !take_one_of(&at, end, "Tt ") ||
        !take_digits(&at, end, 2, &parts.tm_hour) || !take_one_of(&at, end, ":") ||
        !take_digits(&at, end, 2, &parts.tm_min) || !take_one_of(&at, end, ":") ||
        !take_digits(&at, end, 2, &parts.tm_sec))
        return false;
    if (take_one_of(&at, end, ".") && !take_fraction(&at, end, &fraction_us)) return false;
    if (!take_zone(&at, end, &offset_s) || at != end) return false;
    struct tm asked = parts;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    time_t seconds = timegm(&parts);
    /* timegm takes the 31st of June for the 1st of July. */
    if (parts.tm_mday != asked.tm_mday || parts.tm_mon + 1 != asked.tm_mon ||
        parts.tm_hour != asked.tm_hour || parts.tm_min != asked.tm_min || parts.tm_sec != asked.tm_sec)
        return false;
    *wall_us = ((int64_t)seconds - offset_s) * MICROSECONDS_PER_SECOND + fraction_us;
    return true;
}
