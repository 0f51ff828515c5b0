#include "base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(size_t size)
{
    fprintf(stderr,
            "bursar: out of memory: %zu bytes refused; nothing unbooked was acknowledged; restart with more "
            "memory\n",
            size);
    abort();
}

void *memory_alloc(size_t size)
{
    void *memory = malloc(size == 0 ? 1 : size);
    if (memory == NULL) die(size);
    return memory;
}

void *memory_alloc_zero(size_t count, size_t size)
{
    void *memory = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);
    if (memory == NULL) die(count * size);
    return memory;
}

void *memory_resize(void *memory, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) die(SIZE_MAX);
    void *resized = realloc(memory, bytes == 0 ? 1 : bytes);
    if (resized == NULL) die(bytes);
    return resized;
}

char *memory_copy_string(const char *string)
{
    if (string == NULL) return NULL;
    size_t size = strlen(string) + 1;
    return memcpy(memory_alloc(size), string, size);
}

const char *memory_given(const char *given)
{
    if (given == NULL) die(1);
    return given;
}
