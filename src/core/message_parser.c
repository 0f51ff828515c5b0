#include "core/message_parser.h"

#include "base/memory.h"
#include "core/message.h"
#include "core/message_scan.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#define CHUNK_SIZE_MIN ((size_t)64 << 10)
#define CHUNK_KEEP_MAX ((size_t)1 << 20) /* kept from one item of a batch message to the next */

struct parser_chunk {
    struct parser_chunk *next;
    size_t capacity; /* bytes of `data` */
    size_t used;
    alignas(max_align_t) unsigned char data[];
};

static _Thread_local struct parser *active;
static atomic_bool installed;

static void *parser_alloc(struct parser *parser, size_t size)
{
    size = (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    if (PARSER_ROOM - parser->used >= size) {
        void *memory = parser->room + parser->used;
        parser->used += size;
        return memory;
    }
    struct parser_chunk *chunk = parser->chunks;
    if (chunk == NULL || chunk->capacity - chunk->used < size) {
        size_t capacity = chunk == NULL ? CHUNK_SIZE_MIN : chunk->capacity * 2;
        if (capacity < size) capacity = size;
        chunk = memory_alloc(sizeof *chunk + capacity);
        *chunk = (struct parser_chunk){.next = parser->chunks, .capacity = capacity};
        parser->chunks = chunk;
    }
    void *memory = chunk->data + chunk->used;
    chunk->used += size;
    return memory;
}

static bool lies_in(const void *memory, const unsigned char *begin, size_t size)
{
    return (uintptr_t)memory - (uintptr_t)begin < size; /* wraps to a huge number when it lies before */
}

static bool parser_owns(const struct parser *parser, const void *memory)
{
    if (lies_in(memory, parser->room, PARSER_ROOM)) return true;
    for (const struct parser_chunk *chunk = parser->chunks; chunk != NULL; chunk = chunk->next) {
        if (lies_in(memory, chunk->data, chunk->capacity)) return true;
    }
    return false;
}

static void *hook_alloc(size_t size)
{
    return active == NULL ? malloc(size) : parser_alloc(active, size);
}

static void hook_free(void *memory)
{
    if (active == NULL || !parser_owns(active, memory)) free(memory);
}

void message_decoder_install(void)
{
    json_object_seed(0); /* now, not in the middle of the first message of each thread */
    json_set_alloc_funcs(hook_alloc, hook_free);
    atomic_store(&installed, true);
}

bool parser_is_installed(void)
{
    return atomic_load_explicit(&installed, memory_order_relaxed);
}

/* Forgets what was read. The newest chunk is the largest. */
static void parser_reset(struct parser *parser, size_t keep_max)
{
    parser->used = 0;
    struct parser_chunk *kept = NULL;
    struct parser_chunk *chunk = parser->chunks;
    while (chunk != NULL) {
        struct parser_chunk *next = chunk->next;
        if (kept == NULL && chunk->capacity <= keep_max) {
            kept = chunk;
            kept->next = NULL;
            kept->used = 0;
        } else {
            free(chunk);
        }
        chunk = next;
    }
    parser->chunks = kept;
}

void parser_begin(struct parser *parser)
{
    assert(active == NULL);
    parser->chunks = NULL;
    parser->used = 0;
    active = parser;
}

void parser_end(struct parser *parser)
{
    assert(active == parser);
    active = NULL;
    parser_reset(parser, 0);
}

void parser_text_mend(char *text)
{
    static const char words[] = "\\u0000 is not allowed without JSON_ALLOW_NUL";
    const size_t kept = sizeof "\\u0000 is not allowed" - 1, size = sizeof words - 1;
    if (strncmp(text, words, size) == 0) memmove(text + kept, text + size, strlen(text + size) + 1);
}

json_t *parser_read(struct parser *parser, struct text text, bool whole, size_t *size,
                    struct parser_fault *fault)
{
    assert(active == parser);
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | (whole ? 0 : JSON_DISABLE_EOF_CHECK);
    json_error_t error;
    parser_reset(parser, CHUNK_KEEP_MAX);
    json_t *value = json_loadb(text.data, text.size, flags, &error);
    bool masked = value == NULL && json_error_code(&error) == json_error_numeric_overflow;
    if (masked) {
        size_t copied = text.size;
        size_t values;
        if (!whole)
            scan_value(text, &copied, &values); /* no more than the item, or many items cost the square */
        parser_reset(parser, CHUNK_KEEP_MAX);
        char *copy = parser_alloc(parser, copied);
        memcpy(copy, text.data, copied);
        scan_mask_numbers(copy, copied);
        value = json_loadb(copy, copied, flags, &error);
    }
    *size = (size_t)error.position;
    if (value != NULL) return value;
    fault->position = (size_t)error.position;
    memcpy(fault->text, error.text, sizeof fault->text);
    fault->text[sizeof fault->text - 1] = '\0';
    parser_text_mend(fault->text);
    /* What it was found near is the mask, which nobody sent. */
    char *near = masked ? strstr(fault->text, " near ") : NULL;
    if (near != NULL) *near = '\0';
    return NULL;
}
