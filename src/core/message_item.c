#include "core/message_item.h"

#include "core/amount.h"
#include "core/identifier.h"
#include "core/limits.h"
#include "core/message_scan.h"

#include <inttypes.h>

#define SHOWN_MAX 60 /* bytes of a value in a detail */

enum field {
    FIELD_MESSAGE_ID,
    FIELD_BUDGET_ID,
    FIELD_AMOUNT,
    FIELD_DEDUCTED_AT,
    FIELD_USER_ID,
    FIELD_META,
    FIELD_COUNT
};

static const char *const field_names[FIELD_COUNT] = {
    [FIELD_MESSAGE_ID] = "message_id",   [FIELD_BUDGET_ID] = "budget_id", [FIELD_AMOUNT] = "amount",
    [FIELD_DEDUCTED_AT] = "deducted_at", [FIELD_USER_ID] = "user_id",     [FIELD_META] = "meta",
};

struct member {
    json_t *value;   /* NULL: absent */
    size_t position; /* among the object's members */
};

struct reading {
    struct text source;
    struct text property_id;
    struct arena *arena;
    struct member members[FIELD_COUNT];
    struct deduction *deduction;
    const char *detail; /* set by the rule that is broken */
};

const char *message_show(struct arena *arena, struct text raw, size_t size_max)
{
    static const char hex[] = "0123456789abcdef";
    size_t shown = raw.size < size_max ? raw.size : size_max;
    char *text = arena_alloc(arena, shown * 4 + sizeof "...");
    char *end = text;
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)raw.data[i];
        if (c >= ' ' && c <= '~') {
            *end++ = (char)c;
        } else {
            *end++ = '\\';
            *end++ = 'x';
            *end++ = hex[c >> 4];
            *end++ = hex[c & 15];
        }
    }
    memcpy(end, shown < raw.size ? "..." : "", shown < raw.size ? sizeof "..." : 1);
    return text;
}

/* The value as it was sent, for people: the parser may have seen a mask in place of a number. */
static const char *show_member(struct reading *reading, enum field field)
{
    return message_show(reading->arena, scan_member(reading->source, reading->members[field].position),
                        SHOWN_MAX);
}

static struct text string_value(const json_t *value)
{
    if (!json_is_string(value)) return TEXT_NONE;
    return (struct text){json_string_value(value), json_string_length(value)};
}

struct text message_item_id(const json_t *value)
{
    return string_value(json_object_get(value, field_names[FIELD_MESSAGE_ID]));
}

static void find_members(json_t *object, struct member members[FIELD_COUNT])
{
    size_t position = 0;
    for (void *iterator = json_object_iter(object); iterator != NULL;
         iterator = json_object_iter_next(object, iterator)) {
        const char *key = json_object_iter_key(iterator);
        for (int field = 0; field < FIELD_COUNT; field++) {
            if (strcmp(key, field_names[field]) != 0) continue;
            members[field] = (struct member){json_object_iter_value(iterator), position};
            break;
        }
        position++;
    }
}

/* An integer, or a string of digits, from 1 to AMOUNT_MAX. */
static bool read_number(const json_t *value, int64_t *number)
{
    if (json_typeof(value) == JSON_STRING) return amount_parse(string_value(value), number);
    if (json_typeof(value) != JSON_INTEGER || !amount_is_valid(json_integer_value(value))) return false;
    *number = json_integer_value(value);
    return true;
}

static enum park_reason rule_ids_agree(struct reading *reading)
{
    struct text id = string_value(reading->members[FIELD_MESSAGE_ID].value);
    if (!text_is_present(id) || !text_is_present(reading->property_id)) return PARK_NONE;
    if (text_equal(id, reading->property_id)) return PARK_NONE;
    reading->detail = arena_format(reading->arena, "message_id: the property \"%s\" and the body's %s differ",
                                   message_show(reading->arena, reading->property_id, SHOWN_MAX),
                                   show_member(reading, FIELD_MESSAGE_ID));
    return PARK_MALFORMED;
}

static enum park_reason rule_token(struct reading *reading)
{
    const json_t *value = reading->members[FIELD_DEDUCTED_AT].value;
    if (value == NULL || read_number(value, &reading->deduction->deducted_at_us)) return PARK_NONE;
    reading->detail = arena_format(reading->arena, "deducted_at: %s is not an integer of 1 to %" PRId64,
                                   show_member(reading, FIELD_DEDUCTED_AT), AMOUNT_MAX);
    return PARK_MALFORMED;
}

static enum park_reason rule_user_type(struct reading *reading)
{
    const json_t *value = reading->members[FIELD_USER_ID].value;
    if (value == NULL || json_typeof(value) == JSON_STRING) return PARK_NONE;
    reading->detail =
        arena_format(reading->arena, "user_id: %s is not a string", show_member(reading, FIELD_USER_ID));
    return PARK_MALFORMED;
}

static enum park_reason rule_meta_type(struct reading *reading)
{
    const json_t *value = reading->members[FIELD_META].value;
    if (value == NULL || json_typeof(value) == JSON_OBJECT) return PARK_NONE;
    reading->detail =
        arena_format(reading->arena, "meta: %s is not an object", show_member(reading, FIELD_META));
    return PARK_MALFORMED;
}

static enum park_reason rule_message_id(struct reading *reading)
{
    const json_t *value = reading->members[FIELD_MESSAGE_ID].value;
    bool from_property = text_is_present(reading->property_id);
    if (value == NULL && !from_property) {
        reading->detail = "message_id: missing in the properties and in the body";
        return PARK_MISSING_ID;
    }
    if (value != NULL && !message_id_is_valid(string_value(value))) {
        reading->detail =
            arena_format(reading->arena, "message_id: %s is not a string of 1 to %d visible ASCII characters",
                         show_member(reading, FIELD_MESSAGE_ID), MESSAGE_ID_SIZE_MAX);
        return PARK_INVALID_ID;
    }
    if (from_property && !message_id_is_valid(reading->property_id)) {
        reading->detail = arena_format(
            reading->arena, "message_id: the property \"%s\" is not 1 to %d visible ASCII characters",
            message_show(reading->arena, reading->property_id, SHOWN_MAX), MESSAGE_ID_SIZE_MAX);
        return PARK_INVALID_ID;
    }
    return PARK_NONE;
}

static enum park_reason rule_budget_id(struct reading *reading)
{
    const json_t *value = reading->members[FIELD_BUDGET_ID].value;
    if (value == NULL) {
        reading->detail = "budget_id: missing";
        return PARK_INVALID_BUDGET_ID;
    }
    struct text id = string_value(value);
    if (!text_is_present(id) || !budget_id_is_valid(id)) {
        reading->detail =
            arena_format(reading->arena, "budget_id: %s is not a string of 1 to %d of A-Z a-z 0-9 . _ : -",
                         show_member(reading, FIELD_BUDGET_ID), BUDGET_ID_SIZE_MAX);
        return PARK_INVALID_BUDGET_ID;
    }
    reading->deduction->budget_id = arena_copy(reading->arena, id);
    return PARK_NONE;
}

static enum park_reason rule_amount(struct reading *reading)
{
    const json_t *value = reading->members[FIELD_AMOUNT].value;
    if (value == NULL) {
        reading->detail = "amount: missing";
        return PARK_INVALID_AMOUNT;
    }
    if (read_number(value, &reading->deduction->amount)) return PARK_NONE;
    reading->detail = arena_format(reading->arena, "amount: %s is not an integer of 1 to %" PRId64,
                                   show_member(reading, FIELD_AMOUNT), AMOUNT_MAX);
    return PARK_INVALID_AMOUNT;
}

/* The parser has checked the UTF-8, so each byte that continues no character begins one. */
static size_t count_characters(struct text text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++) count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return count;
}

static enum park_reason rule_user_size(struct reading *reading)
{
    struct text user = string_value(reading->members[FIELD_USER_ID].value);
    size_t characters = count_characters(user);
    if (characters > USER_ID_CHARACTERS_MAX) {
        reading->detail = arena_format(reading->arena, "user_id: %zu characters, at most %d are allowed",
                                       characters, USER_ID_CHARACTERS_MAX);
        return PARK_TOO_LARGE;
    }
    reading->deduction->user_id = arena_copy(reading->arena, user);
    return PARK_NONE;
}

static enum park_reason rule_meta_size(struct reading *reading)
{
    if (reading->members[FIELD_META].value == NULL) return PARK_NONE;
    struct text meta = scan_member(reading->source, reading->members[FIELD_META].position);
    if (meta.size > META_SIZE_MAX) {
        reading->detail =
            arena_format(reading->arena, "meta: %zu bytes, at most %d are allowed", meta.size, META_SIZE_MAX);
        return PARK_TOO_LARGE;
    }
    reading->deduction->meta = arena_copy(reading->arena, meta);
    return PARK_NONE;
}

/* Also where another rule is broken: whoever looks at what was parked wants to know whose it is. */
static struct text readable_id(const struct reading *reading)
{
    struct text id = string_value(reading->members[FIELD_MESSAGE_ID].value);
    if (message_id_is_valid(reading->property_id)) id = reading->property_id;
    return message_id_is_valid(id) ? arena_copy(reading->arena, id) : TEXT_NONE;
}

void message_item_read(json_t *value, struct text source, struct text property_id, struct arena *arena,
                       struct message_item *item)
{
    static enum park_reason (*const rules[])(struct reading *) = {
        rule_ids_agree, rule_token,  rule_user_type, rule_meta_type, rule_message_id,
        rule_budget_id, rule_amount, rule_user_size, rule_meta_size,
    };
    *item = (struct message_item){.source = source};
    struct reading reading = {
        .source = source, .property_id = property_id, .arena = arena, .deduction = &item->deduction};
    if (json_typeof(value) == JSON_OBJECT) {
        find_members(value, reading.members);
    } else {
        item->reason = PARK_MALFORMED;
        reading.detail = arena_format(arena, "%s is not an object", message_show(arena, source, SHOWN_MAX));
    }
    for (size_t i = 0; i < sizeof rules / sizeof rules[0] && item->reason == PARK_NONE; i++) {
        item->reason = rules[i](&reading);
    }
    if (item->reason != PARK_NONE) item->deduction = (struct deduction){0};
    item->detail = reading.detail;
    item->deduction.message_id = readable_id(&reading);
}
