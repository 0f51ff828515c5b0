/* The message decoder, fed with anything: what must hold of its answer to any bytes at all. */
#include "base/buffer.h"
#include "core/limits.h"
#include "core/message.h"
#include "fuzz/target.h"

#include <jansson.h>

static bool oracle_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool oracle_same_text(struct text a, struct text b)
{
    return text_is_present(a) == text_is_present(b) && text_equal(a, b);
}

static bool oracle_same_deduction(const struct deduction *a, const struct deduction *b)
{
    return oracle_same_text(a->message_id, b->message_id) && oracle_same_text(a->budget_id, b->budget_id) &&
           a->amount == b->amount && a->deducted_at_us == b->deducted_at_us &&
           oracle_same_text(a->user_id, b->user_id) && oracle_same_text(a->meta, b->meta);
}

/* A reason goes with a line of printable ASCII, and no reason with none. */
static void oracle_check_reason(enum park_reason reason, const char *detail, struct text id)
{
    HOLDS(reason <= PARK_TOO_LARGE);
    HOLDS((reason == PARK_NONE) == (detail == NULL));
    for (const char *c = detail; c != NULL && *c != '\0'; c++) HOLDS(*c >= ' ' && *c <= '~');
    HOLDS(reason == PARK_NONE || detail[0] != '\0');
    HOLDS(!text_is_present(id) || target_is_message_id(id));
}

/* `object`: the same item as another reading of the parser sees it, integers exact; NULL where that could not
 * read it. */
static void oracle_check_deduction(const struct deduction *deduction, json_t *object)
{
    HOLDS(target_is_message_id(deduction->message_id));
    HOLDS(target_is_budget_id(deduction->budget_id));
    HOLDS(target_is_amount(deduction->amount));
    HOLDS(deduction->deducted_at_us == 0 || target_is_amount(deduction->deducted_at_us));
    HOLDS(deduction->user_id.size <= USER_ID_CHARACTERS_MAX * 4);
    HOLDS(deduction->meta.size <= META_SIZE_MAX);
    if (object == NULL) return;
    HOLDS(json_is_object(object));
    json_t *amount = json_object_get(object, "amount");
    char digits[32];
    snprintf(digits, sizeof digits, "%lld", (long long)deduction->amount);
    if (json_is_integer(amount)) HOLDS(json_integer_value(amount) == deduction->amount);
    if (!json_is_integer(amount))
        HOLDS(json_is_string(amount) && strcmp(json_string_value(amount), digits) == 0);
    HOLDS(json_is_string(json_object_get(object, "budget_id")));
    HOLDS((json_object_get(object, "deducted_at") != NULL) == (deduction->deducted_at_us != 0));
    HOLDS((json_object_get(object, "user_id") != NULL) == text_is_present(deduction->user_id));
    json_t *meta = json_object_get(object, "meta");
    HOLDS((meta != NULL) == text_is_present(deduction->meta));
    if (meta == NULL) return;
    json_t *copy = json_loadb(deduction->meta.data, deduction->meta.size, JSON_REJECT_DUPLICATES, NULL);
    HOLDS(copy != NULL && json_equal(copy, meta));
    json_decref(copy);
}

/* What lies between one item and the next, from `from` to `to`: white space and one comma. */
static void oracle_check_gap(const char *from, const char *to, size_t commas)
{
    HOLDS(from <= to);
    for (const char *c = from; c < to; c++) {
        HOLDS(*c == ',' || oracle_is_space(*c));
        if (*c == ',') commas--;
    }
    HOLDS(commas == 0);
}

/* An item that is parked alone is a message of its own: it must come to the same. */
static void oracle_check_item_alone(const struct message_item *item)
{
    struct arena arena = {0};
    struct message alone;
    message_decode(item->source, TEXT_NONE, &arena, &alone);
    if (item->source.data[0] == '[') {
        HOLDS(item->reason ==
              (item->source.size > DEDUCTION_BODY_SIZE_MAX ? PARK_TOO_LARGE : PARK_MALFORMED));
    } else if (item->reason == PARK_NONE) {
        HOLDS(alone.reason == PARK_NONE && alone.count == 1 && !alone.is_batch);
        HOLDS(oracle_same_deduction(&alone.items[0].deduction, &item->deduction));
        HOLDS(text_equal(alone.items[0].source, item->source));
    } else {
        HOLDS(alone.reason == item->reason);
        HOLDS(item->source.size > DEDUCTION_BODY_SIZE_MAX || strcmp(alone.detail, item->detail) == 0);
    }
    arena_free(&arena);
}

static void oracle_check_items(struct text body, struct text property_id, const struct message *message,
                               json_t *document)
{
    const char *at = body.data;
    if (message->is_batch) at = (const char *)memchr(body.data, '[', body.size) + 1;
    for (size_t i = 0; i < message->count; i++) {
        const struct message_item *item = &message->items[i];
        oracle_check_gap(at, item->source.data, message->is_batch && i > 0 ? 1 : 0);
        at = item->source.data + item->source.size;
        HOLDS(item->source.size > 0 && at <= body.data + body.size);
        HOLDS(!oracle_is_space(item->source.data[0]) && !oracle_is_space(at[-1]));
        oracle_check_reason(item->reason, item->detail, item->deduction.message_id);
        json_t *object = message->is_batch ? json_array_get(document, i) : document;
        if (item->reason == PARK_NONE) oracle_check_deduction(&item->deduction, object);
        HOLDS(item->reason == PARK_NONE || !text_is_present(item->deduction.budget_id));
        if (message->is_batch) oracle_check_item_alone(item);
        if (!message->is_batch && text_is_present(property_id)) {
            HOLDS(text_equal(property_id, item->deduction.message_id));
        }
    }
    if (message->is_batch && message->count > 0 && document != NULL)
        HOLDS(json_array_size(document) == message->count);
}

/* The parser's own word on the whole body, where it knows what the decoder knows: it reads a NUL as white
 * space, counts the brackets around the items as one level more, and cannot read numbers that the decoder
 * can. */
static void oracle_check_validity(struct text body, const struct message *message)
{
    json_error_t error;
    json_t *document = json_loadb(body.data, body.size,
                                  JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &error);
    bool has_nul = body.size > 0 && memchr(body.data, '\0', body.size) != NULL;
    if (document != NULL && !has_nul) {
        bool empty = json_is_array(document) && json_array_size(document) == 0;
        bool is_item = json_is_object(document) || (json_is_array(document) && !empty);
        HOLDS(is_item || message->reason == PARK_MALFORMED);
        HOLDS(!json_is_array(document) || empty || message->reason == PARK_NONE ||
              message->reason == PARK_TOO_LARGE);
    } else if (document != NULL) {
        HOLDS(message->reason == PARK_MALFORMED);
    } else if (json_error_code(&error) != json_error_numeric_overflow &&
               json_error_code(&error) != json_error_stack_overflow) {
        HOLDS(message->reason == PARK_MALFORMED);
    }
    json_decref(document);
}

static void oracle_check_with(struct text body, struct text property_id)
{
    struct arena arena = {0}, again = {0};
    struct message message, repeated;
    message_decode(body, property_id, &arena, &message);
    message_decode(body, property_id, &again, &repeated);

    oracle_check_reason(message.reason, message.detail, message.message_id);
    HOLDS((message.reason == PARK_NONE) == (message.count > 0));
    HOLDS(message.count <= (message.is_batch ? BATCH_ITEMS_MAX : 1));
    HOLDS((message.reason == PARK_NONE) == (message.items != NULL));
    HOLDS(message.reason == repeated.reason && message.count == repeated.count);
    for (size_t i = 0; i < message.count; i++) {
        HOLDS(message.items[i].reason == repeated.items[i].reason);
        HOLDS(oracle_same_deduction(&message.items[i].deduction, &repeated.items[i].deduction));
    }
    if (body.size <= DEDUCTION_BODY_SIZE_MAX) oracle_check_validity(body, &message);
    json_t *document = json_loadb(body.data, body.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    oracle_check_items(body, property_id, &message, document);
    json_decref(document);
    arena_free(&arena);
    arena_free(&again);
}

/* Aborts where the decoder breaks a promise on `body`. */
static void oracle_check(struct text body)
{
    oracle_check_with(body, TEXT_NONE);
    oracle_check_with(body, TEXT_LITERAL("m"));
    oracle_check_with(body, TEXT_LITERAL("not valid"));
}

int LLVMFuzzerInitialize(int *argument_count, char ***arguments)
{
    (void)argument_count;
    (void)arguments;
    message_decoder_install();
    return 0;
}

/* Two of them are more than one deduction may have. */
#define FILLING_SIZE 33000
#define FILLINGS_MAX 3

/* A byte 1 stands for many letters and a byte 2 for as many spaces, so that a small input can be a large
 * body. */
static void append_filling(struct buffer *body, char kind)
{
    char filling[FILLING_SIZE];
    memset(filling, kind == 1 ? 'x' : ' ', sizeof filling);
    buffer_append(body, (struct text){filling, sizeof filling});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = {(const char *)data, size};
    if (size == 0 || (memchr(data, 1, size) == NULL && memchr(data, 2, size) == NULL)) {
        oracle_check(input);
        return 0;
    }
    struct buffer body = {0};
    size_t fillings = 0;
    for (size_t i = 0; i < size; i++) {
        bool fills = (data[i] == 1 || data[i] == 2) && fillings < FILLINGS_MAX;
        fillings += fills;
        if (fills)
            append_filling(&body, input.data[i]);
        else
            buffer_append(&body, (struct text){input.data + i, 1});
    }
    oracle_check_with((struct text){body.data, body.size}, TEXT_NONE);
    buffer_free(&body);
    return 0;
}
