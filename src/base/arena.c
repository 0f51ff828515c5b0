#include "base/arena.h"

#include "base/memory.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK_SIZE ((size_t)64 << 10)

struct arena_chunk {
    struct arena_chunk *next;
    size_t capacity; /* bytes of `data` */
    size_t used;
    alignas(max_align_t) unsigned char data[];
};

static struct arena_chunk *chunk_new(size_t size)
{
    size_t capacity = size > CHUNK_SIZE ? size : CHUNK_SIZE;
    struct arena_chunk *chunk = memory_alloc(sizeof *chunk + capacity);
    chunk->next = NULL;
    chunk->capacity = capacity;
    chunk->used = 0;
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t alignment = alignof(max_align_t);
    size = (size + alignment - 1) / alignment * alignment;
    struct arena_chunk *chunk = arena->current;
    while (chunk != NULL && chunk->capacity - chunk->used < size) chunk = chunk->next;
    if (chunk == NULL) {
        chunk = chunk_new(size);
        if (arena->current == NULL) {
            arena->first = chunk;
        } else {
            chunk->next = arena->current->next;
            arena->current->next = chunk;
        }
    }
    arena->current = chunk;
    void *memory = chunk->data + chunk->used;
    chunk->used += size;
    arena->used += size;
    return memory;
}

struct text arena_copy(struct arena *arena, struct text text)
{
    if (!text_is_present(text)) return TEXT_NONE;
    char *copy = arena_alloc(arena, text.size + 1);
    if (text.size > 0) memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return (struct text){copy, text.size};
}

const char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) return "";
    char *string = arena_alloc(arena, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(string, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return string;
}

void arena_reset(struct arena *arena)
{
    size_t kept = 0;
    struct arena_chunk **link = &arena->first;
    while (*link != NULL) {
        struct arena_chunk *chunk = *link;
        if (kept + chunk->capacity > ARENA_KEEP_MAX) {
            *link = chunk->next;
            free(chunk);
            continue;
        }
        kept += chunk->capacity;
        chunk->used = 0;
        link = &chunk->next;
    }
    arena->current = arena->first;
    arena->used = 0;
}

void arena_free(struct arena *arena)
{
    struct arena_chunk *chunk = arena->first;
    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    *arena = (struct arena){0};
}
