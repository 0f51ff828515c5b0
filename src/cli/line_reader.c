#include "cli/line_reader.h"

#include "base/memory.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_SIZE ((size_t)64 << 10)

struct line_reader line_reader_begin(int descriptor)
{
    return (struct line_reader){.descriptor = descriptor, .size_max = LINE_SIZE_MAX};
}

/* Reads once more, behind what is there. False: it failed. */
static bool fill(struct line_reader *reader)
{
    if (reader->begin > 0) {
        memmove(reader->data, reader->data + reader->begin, reader->end - reader->begin);
        reader->end -= reader->begin;
        reader->begin = 0;
    }
    if (reader->capacity - reader->end < READ_SIZE) {
        reader->capacity = reader->capacity < READ_SIZE ? 2 * READ_SIZE : 2 * reader->capacity;
        reader->data = memory_resize(reader->data, reader->capacity, 1);
    }
    ssize_t got = read(reader->descriptor, reader->data + reader->end, READ_SIZE);
    if (got < 0) return false;
    reader->at_end = got == 0;
    reader->end += (size_t)got;
    return true;
}

static const char *newline(const struct line_reader *reader)
{
    if (reader->end == reader->begin) return NULL;
    return memchr(reader->data + reader->begin, '\n', reader->end - reader->begin);
}

/* Throws away the rest of a line that is too long, so that memory stays bounded. */
static enum line_event skip(struct line_reader *reader)
{
    for (;;) {
        const char *end = newline(reader);
        if (end != NULL) {
            reader->begin = (size_t)(end - reader->data) + 1;
            return LINE_TOO_LONG;
        }
        reader->begin = reader->end;
        if (reader->at_end) return LINE_TOO_LONG;
        if (!fill(reader)) return LINE_FAILED;
    }
}

enum line_event line_reader_next(struct line_reader *reader, struct text *line)
{
    for (;;) {
        const char *end = newline(reader);
        size_t held = reader->end - reader->begin;
        size_t size = end == NULL ? held : (size_t)(end - reader->data) - reader->begin;
        if (size > reader->size_max) {
            reader->number++;
            return skip(reader);
        }
        if (end != NULL || (reader->at_end && held > 0)) {
            *line = (struct text){reader->data + reader->begin, size};
            reader->begin += size + (end != NULL);
            reader->number++;
            return LINE_READ;
        }
        if (reader->at_end) return LINE_END;
        if (!fill(reader)) return LINE_FAILED;
    }
}

bool line_is_blank(struct text line)
{
    for (size_t i = 0; i < line.size; i++)
        if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\r') return false;
    return true;
}

bool line_reader_ready(const struct line_reader *reader)
{
    if (newline(reader) != NULL || reader->at_end) return true;
    struct pollfd descriptor = {.fd = reader->descriptor, .events = POLLIN};
    return poll(&descriptor, 1, 0) == 1;
}

void line_reader_free(struct line_reader *reader)
{
    free(reader->data);
    *reader = (struct line_reader){0};
}
