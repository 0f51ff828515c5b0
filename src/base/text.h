/* A borrowed run of bytes with its length: ids, bodies, raw properties. Not NUL-terminated unless said so. */
#ifndef BURSAR_BASE_TEXT_H
#define BURSAR_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    const char *data; /* NULL: absent, which is not the same as empty */
    size_t size;      /* bytes */
};

#define TEXT_NONE             ((struct text){NULL, 0})
#define TEXT_LITERAL(literal) ((struct text){(literal), sizeof(literal) - 1})

/* For printf: printf(TEXT_FORMAT, TEXT_ARGUMENTS(text)) */
#define TEXT_FORMAT          "%.*s"
#define TEXT_ARGUMENTS(text) (int)(text).size, text_bytes(text)

/* Never NULL. Not NUL-terminated. */
static inline const char *text_bytes(struct text text)
{
    return text.data == NULL ? "" : text.data;
}

static inline struct text text_of(const char *string)
{
    return string == NULL ? TEXT_NONE : (struct text){string, strlen(string)};
}

static inline bool text_is_present(struct text text)
{
    return text.data != NULL;
}

static inline bool text_equal(struct text a, struct text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool text_equal_string(struct text a, const char *b)
{
    return text_equal(a, text_of(b));
}

/* FNV-1a, for tables whose keys nobody gains from making collide; the others have a seed (core/batch.c). */
static inline uint64_t text_hash(struct text text)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < text.size; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(1099511628211);
    return hash;
}

#endif
