#include "cli/letter_json.h"

#include "amqp/wire.h"
#include "base/instant.h"
#include "cli/output.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Tables in tables deeper than this are shown as null; the wire form keeps them. */
#define DEPTH_MAX 16

static json_t *base64_json(struct text bytes)
{
    struct buffer encoded = {0};
    base64_encode(bytes, &encoded);
    json_t *string = json_stringn(encoded.size == 0 ? "" : encoded.data, encoded.size);
    buffer_free(&encoded);
    return string;
}

static json_t *real_json(const struct wire_value *value)
{
    uint64_t raw = 0;
    for (size_t i = 0; i < value->content.size; i++) raw = raw << 8 | (unsigned char)value->content.data[i];
    double number;
    if (value->kind == 'f') {
        uint32_t half = (uint32_t)raw;
        float single;
        memcpy(&single, &half, sizeof single);
        number = single;
    } else {
        memcpy(&number, &raw, sizeof number);
    }
    return isfinite(number) ? json_real(number) : json_null();
}

/* A scale and a number: "25e-1". */
static json_t *decimal_json(struct text content)
{
    uint32_t raw = 0;
    for (size_t i = 1; i < content.size; i++) raw = raw << 8 | (unsigned char)content.data[i];
    return json_sprintf("%" PRId32 "e-%u", (int32_t)raw, (unsigned)(unsigned char)content.data[0]);
}

static json_t *value_json(const struct wire_value *value, int depth);

static json_t *table_json(struct text table, int depth)
{
    json_t *object = json_object();
    struct text name;
    struct wire_value value;
    while (wire_next_entry(&table, &name, &value)) {
        json_t *key = output_json_text(name);
        json_object_set_new(object, json_string_value(key), value_json(&value, depth));
        json_decref(key);
    }
    return object;
}

static json_t *array_json(struct text content, int depth)
{
    json_t *array = json_array();
    struct wire_value value;
    while (wire_next_element(&content, &value)) json_array_append_new(array, value_json(&value, depth));
    return array;
}

static json_t *value_json(const struct wire_value *value, int depth)
{
    int64_t number;
    if (wire_number(value, &number)) return json_integer(number);
    switch (value->kind) {
    case 'S': return output_json_text(value->content);
    case 't': return json_boolean(value->content.data[0] != 0);
    case 'f':
    case 'd': return real_json(value);
    case 'D': return decimal_json(value->content);
    case 'x': return base64_json(value->content);
    case 'F': return depth == 0 ? json_null() : table_json(value->content, depth - 1);
    case 'A': return depth == 0 ? json_null() : array_json(value->content, depth - 1);
    default: return json_null();
    }
}

static json_t *instant_json(int64_t wall_us)
{
    char text[INSTANT_TEXT_SIZE];
    if (wall_us == 0) return json_null();
    instant_format(wall_us, text);
    return json_string(text);
}

json_t *letter_json(const struct letter *letter)
{
    struct wire_properties found;
    json_t *properties = json_object();
    (void)wire_read_properties(letter->properties, &found); /* unreadable ones are shown as none */
    for (enum wire_property i = 0; i < WIRE_PROPERTY_COUNT; i++) {
        const struct wire_value *value = &found.values[i];
        if (!text_is_present(value->content)) continue;
        if (i != WIRE_HEADERS) json_object_set_new(properties, wire_property_name(i), value_json(value, 0));
    }
    json_t *line = json_object();
    json_object_set_new(line, "message_id", output_json_text(letter->message_id));
    json_object_set_new(line, "reason", output_json_text(letter->reason));
    json_object_set_new(line, "detail", output_json_text(letter->detail));
    json_object_set_new(line, "parked_at", instant_json(letter->parked_at_us));
    json_object_set_new(line, "replays", json_integer(letter->origin.replays));
    json_t *body = json_stringn(text_bytes(letter->body), letter->body.size);
    if (body == NULL) {
        json_object_set_new(line, "body", output_json_text(letter->body));
        json_object_set_new(line, "body_base64", base64_json(letter->body));
    } else {
        json_object_set_new(line, "body", body);
    }
    json_object_set_new(line, "exchange", output_json_text(letter->exchange));
    json_object_set_new(line, "routing_key", output_json_text(letter->routing_key));
    json_object_set_new(line, "properties", properties);
    json_object_set_new(line, "headers", table_json(found.values[WIRE_HEADERS].content, DEPTH_MAX));
    return line;
}

json_t *letter_json_whole(const struct letter *letter)
{
    json_t *line = letter_json(letter);
    json_object_set_new(line, "properties_base64", base64_json(letter->properties));
    return line;
}

static bool is_true(bool right, char *why, size_t why_size, const char *text)
{
    if (!right) snprintf(why, why_size, "%s", text);
    return right;
}

/* A string, or null or nothing, for which it is absent. */
static bool string_take(const json_t *line, const char *key, struct arena *arena, struct text *text,
                        char *why, size_t why_size)
{
    const json_t *value = json_object_get(line, key);
    *text = TEXT_NONE;
    if (value == NULL || json_is_null(value)) return true;
    if (!json_is_string(value)) {
        snprintf(why, why_size, "%s is not a string", key);
        return false;
    }
    *text = arena_copy(arena, (struct text){json_string_value(value), json_string_length(value)});
    return true;
}

static bool line_take(const json_t *line, struct arena *arena, struct letter_line *parsed, char *why,
                      size_t why_size)
{
    const struct {
        const char *key;
        struct text *text;
    } strings[] = {
        {"message_id", &parsed->message_id}, {"reason", &parsed->reason},
        {"detail", &parsed->detail},         {"parked_at", &parsed->parked_at},
        {"exchange", &parsed->exchange},     {"routing_key", &parsed->routing_key},
    };
    struct text encoded, properties;
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        if (!string_take(line, strings[i].key, arena, strings[i].text, why, why_size)) return false;
    parsed->replays = json_integer_value(json_object_get(line, "replays"));
    if (!string_take(line, "properties_base64", arena, &properties, why, why_size) ||
        !is_true(text_is_present(properties), why, why_size, "properties_base64 is missing") ||
        !is_true(base64_decode(properties, arena, &parsed->properties), why, why_size,
                 "properties_base64 is not base64") ||
        !string_take(line, "body_base64", arena, &encoded, why, why_size) ||
        !string_take(line, "body", arena, &parsed->body, why, why_size))
        return false;
    if (!text_is_present(encoded))
        return is_true(text_is_present(parsed->body), why, why_size, "body is missing");
    return is_true(base64_decode(encoded, arena, &parsed->body), why, why_size, "body_base64 is not base64");
}

bool letter_line_parse(struct text line, struct arena *arena, struct letter_line *parsed, char *why,
                       size_t why_size)
{
    json_error_t fault;
    *parsed = (struct letter_line){0};
    json_t *root = json_loadb(line.data, line.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault);
    if (root == NULL) {
        snprintf(why, why_size, "no JSON: %s", fault.text);
        return false;
    }
    bool right = is_true(json_is_object(root), why, why_size, "not a JSON object") &&
                 line_take(root, arena, parsed, why, why_size);
    json_decref(root);
    return right;
}
