#include "fake/fake_properties.h"

#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>

enum {
    FIELD_CONTENT_TYPE,
    FIELD_HEADERS = 2,
    FIELD_DELIVERY_MODE = 3,
    FIELD_EXPIRATION = 7,
    FIELD_MESSAGE_ID = 8,
    FIELD_COUNT = 14
};

/* In the order of the wire, the first at the highest bit: s short string, t table, o octet, q eight octets.
 */
static const char field_kinds[FIELD_COUNT + 1] = "sstoossssqssss";

struct fields {
    struct text values[FIELD_COUNT]; /* encoded, with their length bytes; absent: not there */
};

static uint32_t number_at(const char *at)
{
    const unsigned char *bytes = (const unsigned char *)at;
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Takes `size` bytes off the front; absent where there are fewer. */
static struct text take(struct text *rest, size_t size)
{
    if (size > rest->size) return TEXT_NONE;
    struct text head = {rest->data, size};
    rest->data += size;
    rest->size -= size;
    return head;
}

static size_t field_size(char kind, struct text rest)
{
    switch (kind) {
    case 's': return rest.size < 1 ? SIZE_MAX : 1 + (size_t)(unsigned char)rest.data[0];
    case 't': return rest.size < 4 ? SIZE_MAX : 4 + (size_t)number_at(rest.data);
    case 'q': return 8;
    default: return 1;
    }
}

static bool read_fields(struct text properties, struct fields *fields)
{
    *fields = (struct fields){0};
    if (properties.size < 2) return false;
    unsigned flags = (unsigned)(unsigned char)properties.data[0] << 8 | (unsigned char)properties.data[1];
    if ((flags & 1) != 0) return false;
    struct text rest = {properties.data + 2, properties.size - 2};
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if ((flags & (0x8000u >> i)) == 0) continue;
        fields->values[i] = take(&rest, field_size(field_kinds[i], rest));
        if (!text_is_present(fields->values[i])) return false;
    }
    return true;
}

/* Bytes of a table's value, its kind byte included; SIZE_MAX: no such kind. */
static size_t value_size(struct text rest)
{
    if (rest.size < 1) return SIZE_MAX;
    switch (rest.data[0]) {
    case 'V': return 1;
    case 't':
    case 'b':
    case 'B': return 2;
    case 's':
    case 'u': return 3;
    case 'I':
    case 'i':
    case 'f': return 5;
    case 'D': return 6;
    case 'l':
    case 'L':
    case 'd':
    case 'T': return 9;
    case 'S':
    case 'x':
    case 'A':
    case 'F': return rest.size < 5 ? SIZE_MAX : 5 + (size_t)number_at(rest.data + 1);
    default: return SIZE_MAX;
    }
}

/* The next entry of a table without its length; false at the end. */
bool fake_table_next(struct text *rest, struct text *name, struct text *value)
{
    struct text length = take(rest, 1);
    if (!text_is_present(length)) return false;
    *name = take(rest, (unsigned char)length.data[0]);
    if (!text_is_present(*name)) return false;
    *value = take(rest, value_size(*rest));
    return text_is_present(*value);
}

struct text fake_table_content(struct text value)
{
    return value.size < 5 || value.data[0] != 'F' ? TEXT_NONE : (struct text){value.data + 5, value.size - 5};
}

struct text fake_array_next(struct text *rest)
{
    return take(rest, value_size(*rest));
}

static struct text table_content(struct text table)
{
    return table.size < 4 ? TEXT_NONE : (struct text){table.data + 4, table.size - 4};
}

static void append_number(struct buffer *out, uint64_t number, size_t bytes)
{
    for (size_t i = bytes; i-- > 0;) {
        char byte = (char)(number >> (8 * i));
        buffer_append(out, (struct text){&byte, 1});
    }
}

static void append_name(struct buffer *out, struct text name)
{
    append_number(out, name.size, 1);
    buffer_append(out, name);
}

static const struct publication_header *header_named(const struct publication *publication, struct text name)
{
    for (size_t i = 0; i < publication->header_count; i++)
        if (text_equal_string(name, publication->headers[i].name)) return &publication->headers[i];
    return NULL;
}

/* The table's content with the publication's headers in it. */
static void render_headers(const struct publication *publication, struct text content, struct text expiration,
                           struct buffer *out)
{
    struct text rest = content, name, value;
    while (fake_table_next(&rest, &name, &value)) {
        const struct publication_header *replacing = header_named(publication, name);
        if (replacing != NULL && !replacing->unless_present) continue;
        append_name(out, name);
        buffer_append(out, value);
    }
    for (size_t i = 0; i < publication->header_count; i++) {
        const struct publication_header *header = &publication->headers[i];
        bool present = false;
        for (rest = content; !present && fake_table_next(&rest, &name, &value);)
            present = text_equal_string(name, header->name);
        if (present && header->unless_present) continue;
        append_name(out, text_of(header->name));
        if (text_is_present(header->value)) {
            buffer_append_string(out, "S");
            append_number(out, header->value.size, 4);
            buffer_append(out, header->value);
        } else {
            buffer_append_string(out, "l");
            append_number(out, (uint64_t)header->number, 8);
        }
    }
    if (expiration.size > 1) {
        append_name(out, TEXT_LITERAL("x-bursar-expiration"));
        buffer_append_string(out, "S");
        append_number(out, expiration.size - 1, 4);
        buffer_append(out, (struct text){expiration.data + 1, expiration.size - 1});
    }
}

static void append_fields(const struct fields *fields, struct buffer *out)
{
    unsigned flags = 0;
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (text_is_present(fields->values[i])) flags |= 0x8000u >> i;
    append_number(out, flags, 2);
    for (size_t i = 0; i < FIELD_COUNT; i++) buffer_append(out, fields->values[i]);
}

void fake_properties_render(const struct publication *publication, struct buffer *out)
{
    struct fields fields;
    struct buffer headers = {0}, table = {0}, id = {0};
    if (!read_fields(publication->properties, &fields)) {
        fields = (struct fields){0};
        fields.values[FIELD_CONTENT_TYPE] = TEXT_LITERAL("\x10"
                                                         "application/json");
    }
    fields.values[FIELD_DELIVERY_MODE] = TEXT_LITERAL("\x02");
    render_headers(publication, table_content(fields.values[FIELD_HEADERS]), fields.values[FIELD_EXPIRATION],
                   &headers);
    fields.values[FIELD_EXPIRATION] = TEXT_NONE;
    if (headers.size > 0) {
        append_number(&table, headers.size, 4);
        buffer_append(&table, (struct text){headers.data, headers.size});
        fields.values[FIELD_HEADERS] = (struct text){table.data, table.size};
    }
    if (text_is_present(publication->message_id)) {
        append_name(&id, publication->message_id);
        fields.values[FIELD_MESSAGE_ID] = (struct text){id.data, id.size};
    }
    if (publication->drop_message_id || publication->message_id.size > 255)
        fields.values[FIELD_MESSAGE_ID] = TEXT_NONE;
    append_fields(&fields, out);
    buffer_free(&headers);
    buffer_free(&table);
    buffer_free(&id);
}

struct entry {
    struct text name, value;
};

/* Byte order, a shorter name before a longer one that begins with it. */
static bool name_is_before(struct text a, struct text b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size == 0 ? 0 : memcmp(a.data, b.data, size);
    return order != 0 ? order < 0 : a.size < b.size;
}

void fake_properties_count_returns(struct text properties, int64_t returns, struct buffer *out)
{
    static const char added[] = "x-delivery-count";
    struct fields fields;
    if (!read_fields(properties, &fields)) {
        buffer_append(out, properties);
        return;
    }
    struct buffer number = {0}, headers = {0}, table = {0};
    buffer_append_string(&number, "l");
    append_number(&number, (uint64_t)returns, 8);
    struct text rest = table_content(fields.values[FIELD_HEADERS]);
    struct entry entry = {text_of(added), {number.data, number.size}};
    struct entry *entries = memory_alloc(sizeof *entries * (rest.size + 1));
    size_t count = 0;
    do {
        size_t place = count++;
        for (; place > 0 && name_is_before(entry.name, entries[place - 1].name); place--)
            entries[place] = entries[place - 1];
        entries[place] = entry;
        do {
            if (!fake_table_next(&rest, &entry.name, &entry.value)) entry.name = TEXT_NONE;
        } while (text_equal_string(entry.name, added)); /* of an earlier life: replaced */
    } while (text_is_present(entry.name));
    for (size_t i = 0; i < count; i++) {
        append_name(&headers, entries[i].name);
        buffer_append(&headers, entries[i].value);
    }
    append_number(&table, headers.size, 4);
    buffer_append(&table, (struct text){headers.data, headers.size});
    fields.values[FIELD_HEADERS] = (struct text){table.data, table.size};
    append_fields(&fields, out);
    free(entries);
    buffer_free(&number);
    buffer_free(&headers);
    buffer_free(&table);
}

void fake_properties_put_headers(struct text properties, const char *replaced, struct text entries,
                                 struct buffer *out)
{
    struct fields fields;
    struct buffer headers = {0}, table = {0};
    struct text name, value;
    if (!read_fields(properties, &fields)) {
        buffer_append(out, properties);
        return;
    }
    struct text rest = table_content(fields.values[FIELD_HEADERS]);
    while (fake_table_next(&rest, &name, &value)) {
        if (text_equal_string(name, replaced)) continue;
        append_name(&headers, name);
        buffer_append(&headers, value);
    }
    buffer_append(&headers, entries);
    append_number(&table, headers.size, 4);
    buffer_append(&table, (struct text){headers.data, headers.size});
    fields.values[FIELD_HEADERS] = (struct text){table.data, table.size};
    append_fields(&fields, out);
    buffer_free(&headers);
    buffer_free(&table);
}

struct text fake_properties_message_id(struct text properties)
{
    struct fields fields;
    if (!read_fields(properties, &fields)) return TEXT_NONE;
    struct text id = fields.values[FIELD_MESSAGE_ID];
    return text_is_present(id) ? (struct text){id.data + 1, id.size - 1} : TEXT_NONE;
}

struct text fake_properties_header(struct text properties, const char *wanted)
{
    struct fields fields;
    if (!read_fields(properties, &fields)) return TEXT_NONE;
    struct text rest = table_content(fields.values[FIELD_HEADERS]), name, value;
    while (fake_table_next(&rest, &name, &value))
        if (text_equal_string(name, wanted)) return value;
    return TEXT_NONE;
}
