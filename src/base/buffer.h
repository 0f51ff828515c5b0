/* A growing byte string, for rendering. */
#ifndef BURSAR_BASE_BUFFER_H
#define BURSAR_BASE_BUFFER_H

#include "base/text.h"

struct buffer {
    char *data;  /* owned; NUL-terminated once anything was appended */
    size_t size; /* without the NUL */
    size_t capacity;
};

void buffer_append(struct buffer *buffer, struct text text);
void buffer_append_string(struct buffer *buffer, const char *string);
void buffer_format(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buffer_clear(struct buffer *buffer);
void buffer_free(struct buffer *buffer);

#endif
