#include "base/log.h"

#include "base/buffer.h"
#include "base/instant.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define VALUE_SIZE_MAX  2048 /* bytes of one text value, before escaping */
#define EVENT_SIZE_MAX  48
#define REPEAT_SLOTS    64
#define REPEAT_PAUSE_US MICROSECONDS_PER_SECOND

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};

/* An event that is limited, and how often it was kept back since its last line. */
struct repeat {
    char event[EVENT_SIZE_MAX]; /* cut, where it is longer */
    enum log_level level;
    bool used;
    int64_t written_us;
    int64_t suppressed;
};

static atomic_int log_level_now = LOG_INFO;
static atomic_int log_format_now = LOG_LOGFMT;
static atomic_int log_descriptor = STDERR_FILENO;
static int64_t (*_Atomic log_clock)(void) = instant_monotonic_us;

static pthread_mutex_t repeats_lock = PTHREAD_MUTEX_INITIALIZER;
static struct repeat repeats[REPEAT_SLOTS]; /* under the lock */

void log_configure(enum log_level level, enum log_format format)
{
    atomic_store(&log_level_now, (int)level);
    atomic_store(&log_format_now, (int)format);
}

void log_descriptor_set(int descriptor)
{
    atomic_store(&log_descriptor, descriptor);
}

void log_clock_set(int64_t (*clock_us)(void))
{
    atomic_store(&log_clock, clock_us == NULL ? instant_monotonic_us : clock_us);
}

/* The slot of this event and level; else a free one, else the one written longest ago, whose count is lost.
 */
static struct repeat *find_repeat(enum log_level level, const char *event)
{
    struct repeat *oldest = &repeats[0];
    for (size_t i = 0; i < REPEAT_SLOTS; i++) {
        struct repeat *repeat = &repeats[i];
        if (!repeat->used) return repeat;
        if (repeat->level == level && strncmp(repeat->event, event, EVENT_SIZE_MAX - 1) == 0) return repeat;
        if (repeat->written_us < oldest->written_us) oldest = repeat;
    }
    oldest->used = false;
    return oldest;
}

/* Whether a line of this event may be written now, and how many were not before it. */
static bool admit(enum log_level level, const char *event, int64_t *suppressed)
{
    *suppressed = 0;
    if (level < LOG_WARN) return true;
    int64_t now_us = atomic_load(&log_clock)();
    bool admitted = true;
    pthread_mutex_lock(&repeats_lock);
    struct repeat *repeat = find_repeat(level, event);
    if (!repeat->used) {
        *repeat = (struct repeat){.level = level, .used = true, .written_us = now_us};
        snprintf(repeat->event, sizeof repeat->event, "%s", event);
    } else if (now_us - repeat->written_us < REPEAT_PAUSE_US) {
        repeat->suppressed++;
        admitted = false;
    } else {
        *suppressed = repeat->suppressed;
        repeat->suppressed = 0;
        repeat->written_us = now_us;
    }
    pthread_mutex_unlock(&repeats_lock);
    return admitted;
}

/* How long the first byte of a UTF-8 character says that it is; 0: no character begins so. */
static size_t announced_size(unsigned char first)
{
    if (first < 0x80) return 1;
    if (first < 0xc2) return 0;
    if (first < 0xe0) return 2;
    if (first < 0xf0) return 3;
    return first < 0xf5 ? 4 : 0;
}

/* The size of the UTF-8 character that `text` begins with; 0 where it begins with none. */
static size_t character_size(struct text text)
{
    const unsigned char *byte = (const unsigned char *)text.data;
    size_t size = announced_size(byte[0]);
    if (size > text.size) return 0;
    for (size_t i = 1; i < size; i++) {
        if ((byte[i] & 0xc0) != 0x80) return 0;
    }
    if (byte[0] == 0xe0 && byte[1] < 0xa0) return 0; /* longer than need be */
    if (byte[0] == 0xf0 && byte[1] < 0x90) return 0;
    if (byte[0] == 0xed && byte[1] > 0x9f) return 0; /* a surrogate */
    if (byte[0] == 0xf4 && byte[1] > 0x8f) return 0; /* beyond U+10FFFF */
    return size;
}

static bool is_control(struct text character)
{
    unsigned char first = (unsigned char)character.data[0];
    return first < 0x20 || first == 0x7f || (first == 0xc2 && (unsigned char)character.data[1] < 0xa0);
}

/* In double quotes, escaped as JSON has it, which logfmt readers take too. Terminals see no control
 * characters. */
static void append_quoted(struct buffer *line, struct text text)
{
    buffer_append_string(line, "\"");
    for (size_t at = 0; at < text.size;) {
        struct text rest = {text.data + at, text.size - at};
        size_t size = character_size(rest);
        if (size == 0) {
            buffer_append_string(line, "\xef\xbf\xbd"); /* U+FFFD: no character */
            at++;
            continue;
        }
        if (*rest.data == '"' || *rest.data == '\\') {
            buffer_format(line, "\\%c", *rest.data);
        } else if (*rest.data == '\n') {
            buffer_append_string(line, "\\n");
        } else if (is_control((struct text){rest.data, size})) {
            buffer_format(line, "\\u%04x", (unsigned)(unsigned char)rest.data[size - 1]);
        } else {
            buffer_append(line, (struct text){rest.data, size});
        }
        at += size;
    }
    buffer_append_string(line, "\"");
}

static bool stands_bare(struct text text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c <= ' ' || c > '~' || c == '"' || c == '=' || c == '\\') return false;
    }
    return text.size > 0;
}

static void append_key(struct buffer *line, enum log_format format, const char *key)
{
    if (format == LOG_JSON) {
        buffer_format(line, "%s\"%s\":", line->size == 0 ? "{" : ",", key);
    } else {
        buffer_format(line, "%s%s=", line->size == 0 ? "" : " ", key);
    }
}

static void append_text(struct buffer *line, enum log_format format, const char *key, struct text text)
{
    if (!text_is_present(text)) return;
    append_key(line, format, key);
    bool cut = text.size > VALUE_SIZE_MAX;
    if (cut) {
        text.size = VALUE_SIZE_MAX;
        while (((unsigned char)text.data[text.size] & 0xc0) == 0x80 && text.size > VALUE_SIZE_MAX - 4)
            text.size--;
    }
    if (format == LOG_LOGFMT && !cut && stands_bare(text)) {
        buffer_append(line, text);
        return;
    }
    append_quoted(line, text);
    if (!cut) return;
    line->size--; /* the closing quote */
    buffer_append_string(line, "...\"");
}

static void append_number(struct buffer *line, enum log_format format, const char *key, int64_t number)
{
    append_key(line, format, key);
    buffer_format(line, "%" PRId64, number);
}

static void append_field(struct buffer *line, enum log_format format, const struct log_field *field)
{
    switch (field->kind) {
    case LOG_FIELD_TEXT: append_text(line, format, field->key, field->text); break;
    case LOG_FIELD_NUMBER: append_number(line, format, field->key, field->number); break;
    case LOG_FIELD_SECONDS:
        append_key(line, format, field->key);
        if (isfinite(field->seconds)) {
            buffer_format(line, "%.6f", field->seconds);
        } else {
            buffer_append_string(line, "null"); /* JSON has no word for it */
        }
        break;
    }
}

static void append_time(struct buffer *line, enum log_format format)
{
    char time[INSTANT_TEXT_SIZE];
    instant_format(instant_wall_us(), time);
    memcpy(time + 23, "Z", 2); /* milliseconds are enough */
    append_text(line, format, "time", text_of(time));
}

static bool is_told(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&log_level_now, memory_order_relaxed);
}

static void write_line(enum log_level level, const char *event, const struct log_field *fields, size_t count,
                       int64_t suppressed)
{
    enum log_format format = (enum log_format)atomic_load_explicit(&log_format_now, memory_order_relaxed);
    struct buffer line = {0};
    append_time(&line, format);
    append_text(&line, format, "level", text_of(level_names[level]));
    append_text(&line, format, "event", text_of(event));
    for (size_t i = 0; i < count; i++) append_field(&line, format, &fields[i]);
    if (suppressed > 0) append_number(&line, format, "suppressed", suppressed);
    buffer_append_string(&line, format == LOG_JSON ? "}\n" : "\n");
    ssize_t written;
    do {
        written = write(atomic_load(&log_descriptor), line.data, line.size);
    } while (written < 0 && errno == EINTR);
    /* A log that cannot be written must not stop the settlement; there is nobody left to tell. */
    buffer_free(&line);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    int64_t suppressed;
    if (is_told(level) && admit(level, event, &suppressed))
        write_line(level, event, fields, count, suppressed);
}

void log_write_each(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    if (is_told(level)) write_line(level, event, fields, count, 0);
}
