/* What every fuzz target shares: its entry points, and how it says that a promise was broken. A target is
 * built twice: with libFuzzer, and with replay.c as a test over its kept corpus. */
#ifndef BURSAR_FUZZ_TARGET_H
#define BURSAR_FUZZ_TARGET_H

#include "base/status.h"
#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define HOLDS(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                   \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

int LLVMFuzzerInitialize(int *argument_count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An error is one line of text, and says something. */
static inline void hold_error_line(const char *line)
{
    HOLDS(line[0] != '\0' && strlen(line) < ERROR_TEXT_MAX);
    for (const char *c = line; *c != '\0'; c++) HOLDS((unsigned char)*c >= ' ' && *c != 0x7f);
}

/* What the protocol says of ids and amounts, in words of its own: a check that asks the code it checks finds
 * nothing. */
static inline bool target_is_message_id(struct text id)
{
    for (size_t i = 0; i < id.size; i++)
        if (id.data[i] < '!' || id.data[i] > '~') return false;
    return id.size >= 1 && id.size <= 128;
}

static inline bool target_is_budget_id(struct text id)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";
    for (size_t i = 0; i < id.size; i++)
        if (memchr(allowed, id.data[i], sizeof allowed - 1) == NULL) return false;
    return id.size >= 1 && id.size <= 128;
}

static inline bool target_is_amount(int64_t amount)
{
    return amount >= 1 && amount <= INT64_C(9007199254740991);
}

/* Takes one line off the front of `rest`, without its newline. */
static inline struct text take_line(struct text *rest)
{
    const char *end = rest->size == 0 ? NULL : memchr(rest->data, '\n', rest->size);
    size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    struct text line = {rest->data, size};
    size_t used = end == NULL ? size : size + 1;
    *rest = (struct text){rest->data + used, rest->size - used};
    return line;
}

#endif
