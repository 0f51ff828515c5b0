/* How a fallible function answers, and how it says why.
 *
 * A function that can fail returns enum status and, on anything but STATUS_OK, leaves one line of plain text
 * in the caller's struct error. Each layer may put a phrase in front (error_wrap); it is logged or printed
 * once, at the top. */
#ifndef BURSAR_BASE_STATUS_H
#define BURSAR_BASE_STATUS_H

#include <stddef.h>

#ifdef NDEBUG
#error "assertions stay on in every build: remove NDEBUG from the compiler's flags"
#endif

enum status {
    STATUS_OK = 0,
    STATUS_RETRY,   /* nothing happened; the same call may work later (service away, busy, full, loading) */
    STATUS_UNKNOWN, /* it was sent and the answer was lost: look it up by id or do the same again, never the
                       opposite */
    STATUS_REFUSED, /* permanent: the same call will be refused again (bad data, no permission, wrong type) */
    STATUS_CONFIG, /* permanent, and only the operator can mend it: other arguments, a newer schema, a missing
                      file */
    STATUS_INTERNAL, /* a bug or an exhausted machine (out of memory) */
};

#define ERROR_TEXT_MAX 1024

/* One line, NUL-terminated, no trailing newline, without control characters (they are shown as '?').
 * Meaningless after STATUS_OK. */
struct error {
    char text[ERROR_TEXT_MAX];
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* Sets the text and returns `status`, so that a failing function ends with `return error_set(...)`. `error`
 * may be NULL. */
enum status error_set(struct error *error, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "<phrase>: " in front of the text that is there and returns `status`. `error` may be NULL. */
enum status error_wrap(struct error *error, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "ok", "retry", "unknown", "refused", "configuration", "internal". Static storage. */
const char *status_name(enum status status);

#endif
