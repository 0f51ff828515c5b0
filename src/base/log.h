/* Logs: one line an event on stderr, logfmt or JSON.
 *
 *   LOG(LOG_INFO, "committed", log_number("rows", 5000), log_text("budget", id));
 *   time=2026-01-02T03:04:05.678Z level=info event=committed rows=5000 budget=camp:42
 *
 * Any thread. Values are quoted where they need it, so a foreign id cannot forge a line. Secrets are never
 * passed in. */
#ifndef BURSAR_BASE_LOG_H
#define BURSAR_BASE_LOG_H

#include "base/text.h"

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_field {
    const char *key;
    enum { LOG_FIELD_TEXT, LOG_FIELD_NUMBER, LOG_FIELD_SECONDS } kind;
    struct text text;
    int64_t number;
    double seconds;
};

static inline struct log_field log_text(const char *key, struct text value)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_TEXT, .text = value};
}

static inline struct log_field log_string(const char *key, const char *value)
{
    return log_text(key, text_of(value));
}

static inline struct log_field log_number(const char *key, int64_t value)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_NUMBER, .number = value};
}

static inline struct log_field log_seconds(const char *key, double value)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_SECONDS, .seconds = value};
}

/* Both may be called again at any time (a reload). Default: LOG_INFO, LOG_LOGFMT. */
void log_configure(enum log_level level, enum log_format format);

/* For tests: where lines go, default 2 (stderr); and the monotonic clock in microseconds behind the limit on
 * repeats, NULL: the real one. */
void log_descriptor_set(int descriptor);
void log_clock_set(int64_t (*clock_us)(void));

/* Writes one line in a single write(2); an absent text is left out, a long one is cut. Lines below the level
 * cost nothing. At most one line a second for the same event with the same level WARN or ERROR; the next one
 * then carries suppressed=N. */
void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);

/* The same, and never left out as a repeat: for what comes only so often as a person asks for it. */
void log_write_each(enum log_level level, const char *event, const struct log_field *fields, size_t count);

#define LOG(level, event, ...)                                                                               \
    log_write((level), (event), (const struct log_field[]){{.key = NULL}, __VA_ARGS__} + 1,                  \
              sizeof((const struct log_field[]){{.key = NULL}, __VA_ARGS__}) / sizeof(struct log_field) - 1)

#define LOG_EACH(level, event, ...)                                                                          \
    log_write_each(                                                                                          \
        (level), (event), (const struct log_field[]){{.key = NULL}, __VA_ARGS__} + 1,                        \
        sizeof((const struct log_field[]){{.key = NULL}, __VA_ARGS__}) / sizeof(struct log_field) - 1)

#endif
