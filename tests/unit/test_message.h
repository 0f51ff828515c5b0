/* What the tests of the message decoder share. */
#ifndef BURSAR_UNIT_TEST_MESSAGE_H
#define BURSAR_UNIT_TEST_MESSAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/memory.h"
#include "core/limits.h"
#include "core/message.h"

#include <stdio.h>
#include <stdlib.h>

static struct arena arena;
static struct message message;

static inline void decode(struct text body, const char *property_id)
{
    arena_reset(&arena);
    message_decode(body, text_of(property_id), &arena, &message);
}

static inline void assert_text(struct text text, const char *expected)
{
    if (!text_equal_string(text, expected) || text_is_present(text) != (expected != NULL)) {
        fail_msg("\"" TEXT_FORMAT "\" is not \"%s\"", TEXT_ARGUMENTS(text),
                 expected == NULL ? "(absent)" : expected);
    }
}

static inline void assert_reason(struct text body, const char *property_id, const char *reason,
                                 const char *id)
{
    decode(body, property_id);
    const char *got = park_reason_name(message.reason);
    if (got == NULL ? reason != NULL : reason == NULL || strcmp(got, reason) != 0) {
        fail_msg(TEXT_FORMAT ": %s (%s), not %s", TEXT_ARGUMENTS(body), got == NULL ? "fine" : got,
                 message.detail == NULL ? "" : message.detail, reason == NULL ? "fine" : reason);
    }
    if (reason == NULL) {
        assert_int_equal(message.count, 1);
        assert_int_equal(message.items[0].reason, PARK_NONE);
        assert_null(message.items[0].detail);
        assert_null(message.detail);
        assert_text(message.items[0].deduction.message_id, id);
        return;
    }
    assert_int_equal(message.count, 0);
    assert_non_null(message.detail);
    assert_text(message.message_id, id);
    for (const char *c = message.detail; *c != '\0'; c++) assert_in_range(*c, ' ', '~');
}

/* `before`, then `count` times `unit`, then `after`, in memory of exactly that size, so that a sanitizer sees
 * a read beyond it. The caller frees `data`. */
static inline struct text repeated(const char *before, const char *unit, size_t count, const char *after)
{
    size_t head = strlen(before), step = strlen(unit), tail = strlen(after);
    size_t size = head + step * count + tail;
    char *data = memory_alloc(size);
    memcpy(data, before, head);
    for (size_t i = 0; i < count; i++) memcpy(data + head + i * step, unit, step);
    memcpy(data + size - tail, after, tail);
    return (struct text){data, size};
}

static inline void text_free(struct text text)
{
    free((char *)(uintptr_t)text.data);
}

#endif
