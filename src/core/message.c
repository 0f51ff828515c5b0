#include "core/message.h"

#include "core/identifier.h"
#include "core/limits.h"
#include "core/message_item.h"
#include "core/message_parser.h"
#include "core/message_scan.h"

#include <assert.h>

#define ITEMS_FIRST 64

/* Values in an item that exceeds DEDUCTION_BODY_SIZE_MAX. Their tree takes a hundred times the room of the
 * text, and would be built only to be thrown away. */
#define OVERSIZE_VALUES_MAX 250000

struct decoding {
    struct text body;
    struct text property_id; /* absent for a batch message */
    struct arena *arena;
    struct message *message;
    struct parser parser;
};

const char *park_reason_name(enum park_reason reason)
{
    switch (reason) {
    case PARK_NONE: return NULL;
    case PARK_MALFORMED: return "malformed";
    case PARK_MISSING_ID: return "missing-id";
    case PARK_INVALID_ID: return "invalid-id";
    case PARK_INVALID_BUDGET_ID: return "invalid-budget-id";
    case PARK_INVALID_AMOUNT: return "invalid-amount";
    case PARK_TOO_LARGE: return "too-large";
    case PARK_ID_CONFLICT: return "id-conflict";
    case PARK_UNPROCESSABLE: return "unprocessable";
    }
    return "?";
}

static void refuse(struct decoding *decoding, enum park_reason reason, const char *detail)
{
    struct message *message = decoding->message;
    message->reason = reason;
    message->detail = detail;
    message->count = 0;
    message->items = NULL;
    if (message_id_is_valid(decoding->property_id)) {
        message->message_id = arena_copy(decoding->arena, decoding->property_id);
    }
}

/* `position` bytes were read when the parser noticed. */
static void refuse_malformed(struct decoding *decoding, const struct parser_fault *fault, size_t position)
{
    const char *text = message_show(decoding->arena, text_of(fault->text), JSON_ERROR_TEXT_LENGTH);
    refuse(decoding, PARK_MALFORMED, arena_format(decoding->arena, "byte %zu: %s", position, text));
}

static void decode_single(struct decoding *decoding)
{
    struct parser_fault fault;
    size_t size;
    json_t *value = parser_read(&decoding->parser, decoding->body, true, &size, &fault);
    if (value == NULL) {
        refuse_malformed(decoding, &fault, fault.position);
        return;
    }
    struct message_item *item = arena_alloc(decoding->arena, sizeof *item);
    message_item_read(value, scan_trim(decoding->body), decoding->property_id, decoding->arena, item);
    if (item->reason != PARK_NONE) {
        refuse(decoding, item->reason, item->detail);
        decoding->message->message_id = item->deduction.message_id;
        return;
    }
    decoding->message->items = item;
    decoding->message->count = 1;
}

/* The place for item number `index`. Grows by copying, so items are not pointed to before the last one is in.
 */
static struct message_item *item_slot(struct decoding *decoding, size_t index, size_t *capacity)
{
    struct message *message = decoding->message;
    if (index == *capacity) {
        *capacity = index == 0 ? ITEMS_FIRST : index * 2;
        struct message_item *items = arena_alloc(decoding->arena, *capacity * sizeof *items);
        if (index > 0) memcpy(items, message->items, index * sizeof *items);
        message->items = items;
    }
    return &message->items[index];
}

/* Reads the item that `rest` begins with. Most fit into one deduction's size, and the parser sees no more
 * than that of the body. What does not fit is only checked; *value is NULL where even that would take too
 * much memory. */
static bool read_item(struct decoding *decoding, struct text rest, json_t **value, size_t *size,
                      struct parser_fault *fault)
{
    size_t window = DEDUCTION_BODY_SIZE_MAX + 1;
    if (window > rest.size) window = rest.size;
    *value = parser_read(&decoding->parser, (struct text){rest.data, window}, false, size, fault);
    if (*value != NULL && *size <= DEDUCTION_BODY_SIZE_MAX) return true;
    if (window == rest.size) return *value != NULL;

    size_t values;
    bool ends = scan_value(rest, size, &values);
    if (*size <= DEDUCTION_BODY_SIZE_MAX) return false; /* the fault lies in the item, not in the window */
    if (values > OVERSIZE_VALUES_MAX) {
        *value = NULL;
        *fault = (struct parser_fault){.text = "the value never ends", .position = *size};
        return ends;
    }
    *value = parser_read(&decoding->parser, (struct text){rest.data, *size}, true, size, fault);
    return *value != NULL;
}

static void decode_item(struct decoding *decoding, json_t *value, struct text source,
                        struct message_item *item)
{
    if (source.size <= DEDUCTION_BODY_SIZE_MAX) {
        message_item_read(value, source, TEXT_NONE, decoding->arena, item);
        return;
    }
    *item = (struct message_item){.reason = PARK_TOO_LARGE, .source = source};
    item->detail = arena_format(decoding->arena, "item: %zu bytes, at most %d are allowed", source.size,
                                DEDUCTION_BODY_SIZE_MAX);
    struct text id = message_item_id(value);
    if (message_id_is_valid(id)) item->deduction.message_id = arena_copy(decoding->arena, id);
}

/* Walks the items between the brackets; *at is behind the '['. False: refused. */
static bool decode_items(struct decoding *decoding, size_t *at, size_t *count)
{
    struct text body = decoding->body;
    size_t capacity = 0;
    for (*count = 0;; ++*at) {
        *at = scan_skip_space(body, *at);
        json_t *value;
        size_t size;
        struct parser_fault fault;
        struct text rest = {body.data + *at, body.size - *at};
        if (!read_item(decoding, rest, &value, &size, &fault)) {
            refuse_malformed(decoding, &fault, *at + fault.position);
            return false;
        }
        if (*count < BATCH_ITEMS_MAX) {
            struct message_item *item = item_slot(decoding, *count, &capacity);
            decode_item(decoding, value, (struct text){rest.data, size}, item);
        }
        ++*count;
        *at = scan_skip_space(body, *at + size);
        if (*at == body.size || body.data[*at] != ',') return true;
    }
}

static void decode_batch(struct decoding *decoding)
{
    struct text body = decoding->body;
    size_t at = scan_skip_space(body, 0) + 1;
    size_t first = scan_skip_space(body, at);
    size_t count = 0;
    if (first < body.size && body.data[first] == ']') {
        at = first;
    } else if (!decode_items(decoding, &at, &count)) {
        return;
    }
    if (at == body.size || body.data[at] != ']') {
        struct parser_fault fault = {.text = "',' or ']' expected after an item"};
        refuse_malformed(decoding, &fault, at);
    } else if (scan_skip_space(body, at + 1) != body.size) {
        struct parser_fault fault = {.text = "end of the body expected after the array"};
        refuse_malformed(decoding, &fault, at + 1);
    } else if (count == 0) {
        refuse(decoding, PARK_MALFORMED, "the array is empty");
    } else if (count > BATCH_ITEMS_MAX) {
        refuse(decoding, PARK_TOO_LARGE,
               arena_format(decoding->arena, "%zu items, at most %d are allowed", count, BATCH_ITEMS_MAX));
    } else {
        decoding->message->count = count;
    }
}

/* What needs no parser. */
static bool body_is_acceptable(struct decoding *decoding)
{
    struct text body = decoding->body;
    size_t size_max = decoding->message->is_batch ? BATCH_BODY_SIZE_MAX : DEDUCTION_BODY_SIZE_MAX;
    if (body.size > size_max) {
        refuse(
            decoding, PARK_TOO_LARGE,
            arena_format(decoding->arena, "body: %zu bytes, at most %zu are allowed", body.size, size_max));
        return false;
    }
    if (scan_skip_space(body, 0) == body.size) {
        refuse(decoding, PARK_MALFORMED, "the body is empty");
        return false;
    }
    /* The parser overlooks a NUL behind a number. */
    const char *nul = memchr(body.data, '\0', body.size);
    if (nul != NULL) {
        struct parser_fault fault = {.text = "a NUL byte"};
        refuse_malformed(decoding, &fault, (size_t)(nul - body.data));
        return false;
    }
    return true;
}

void message_decode(struct text body, struct text property_id, struct arena *arena, struct message *message)
{
    assert(parser_is_installed());
    size_t first = scan_skip_space(body, 0);
    bool is_batch = first < body.size && body.data[first] == '[';
    *message = (struct message){.is_batch = is_batch};
    struct decoding decoding; /* not initialised as a whole: the parser's room is large */
    decoding.body = body;
    decoding.property_id = is_batch ? TEXT_NONE : property_id;
    decoding.arena = arena;
    decoding.message = message;
    if (!body_is_acceptable(&decoding)) return;
    parser_begin(&decoding.parser);
    if (is_batch) {
        decode_batch(&decoding);
    } else {
        decode_single(&decoding);
    }
    parser_end(&decoding.parser);
}
