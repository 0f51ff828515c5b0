#include "amqp/wire.h"

/* A property's type: a short string, a table, an octet, eight octets of time. */
static const struct {
    const char *name;
    char type;
    char kind; /* the same as a value in a table */
} properties_known[WIRE_PROPERTY_COUNT] = {
    [WIRE_CONTENT_TYPE] = {"content_type", 's', 'S'},
    [WIRE_CONTENT_ENCODING] = {"content_encoding", 's', 'S'},
    [WIRE_HEADERS] = {"headers", 't', 'F'},
    [WIRE_DELIVERY_MODE] = {"delivery_mode", 'o', 'B'},
    [WIRE_PRIORITY] = {"priority", 'o', 'B'},
    [WIRE_CORRELATION_ID] = {"correlation_id", 's', 'S'},
    [WIRE_REPLY_TO] = {"reply_to", 's', 'S'},
    [WIRE_EXPIRATION] = {"expiration", 's', 'S'},
    [WIRE_MESSAGE_ID] = {"message_id", 's', 'S'},
    [WIRE_TIMESTAMP] = {"timestamp", 'q', 'T'},
    [WIRE_TYPE] = {"type", 's', 'S'},
    [WIRE_USER_ID] = {"user_id", 's', 'S'},
    [WIRE_APP_ID] = {"app_id", 's', 'S'},
    [WIRE_CLUSTER_ID] = {"cluster_id", 's', 'S'},
};

const char *wire_property_name(enum wire_property property)
{
    return properties_known[property].name;
}

/* Big-endian; at most eight bytes. */
static uint64_t unsigned_of(struct text bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes.size; i++) number = number << 8 | (unsigned char)bytes.data[i];
    return number;
}

/* Takes `size` bytes off the front; false where there are fewer. */
static bool take(struct text *rest, uint64_t size, struct text *taken)
{
    if (size > rest->size) return false;
    *taken = (struct text){rest->data, (size_t)size};
    rest->data += size;
    rest->size -= (size_t)size;
    return true;
}

/* Bytes behind a length of `width` bytes. */
static bool take_long(struct text *rest, size_t width, struct text *taken)
{
    struct text length;
    return take(rest, width, &length) && take(rest, unsigned_of(length), taken);
}

static bool take_property(char type, struct text *rest, struct text *content)
{
    switch (type) {
    case 's': return take_long(rest, 1, content);
    case 't': return take_long(rest, 4, content);
    case 'q': return take(rest, 8, content);
    default: return take(rest, 1, content);
    }
}

bool wire_read_properties(struct text properties, struct wire_properties *found)
{
    struct text flags_bytes, rest = properties;
    *found = (struct wire_properties){0};
    if (!take(&rest, 2, &flags_bytes)) return false;
    uint64_t flags = unsigned_of(flags_bytes);
    if ((flags & 1) != 0) return false; /* a second word of flags, which this class has no use for */
    for (size_t i = 0; i < WIRE_PROPERTY_COUNT; i++) {
        if ((flags & (0x8000u >> i)) == 0) continue;
        found->values[i].kind = properties_known[i].kind;
        if (take_property(properties_known[i].type, &rest, &found->values[i].content)) continue;
        *found = (struct wire_properties){0};
        return false;
    }
    return true;
}

static bool take_value(struct text *rest, struct wire_value *value)
{
    struct text kind;
    if (!take(rest, 1, &kind)) return false;
    value->kind = kind.data[0];
    switch (value->kind) {
    case 'V': return take(rest, 0, &value->content);
    case 't':
    case 'b':
    case 'B': return take(rest, 1, &value->content);
    case 's':
    case 'u': return take(rest, 2, &value->content);
    case 'I':
    case 'i':
    case 'f': return take(rest, 4, &value->content);
    case 'D': return take(rest, 5, &value->content);
    case 'l':
    case 'L':
    case 'd':
    case 'T': return take(rest, 8, &value->content);
    case 'S':
    case 'x':
    case 'A':
    case 'F': return take_long(rest, 4, &value->content);
    default: return false;
    }
}

bool wire_next_entry(struct text *rest, struct text *name, struct wire_value *value)
{
    return take_long(rest, 1, name) && take_value(rest, value);
}

bool wire_next_element(struct text *rest, struct wire_value *value)
{
    return take_value(rest, value);
}

bool wire_find(struct text table, const char *name, struct wire_value *value)
{
    struct text found;
    while (wire_next_entry(&table, &found, value))
        if (text_equal_string(found, name)) return true;
    return false;
}

struct text wire_string(const struct wire_value *value)
{
    return value->kind == 'S' ? value->content : TEXT_NONE;
}

bool wire_number(const struct wire_value *value, int64_t *number)
{
    uint64_t raw = unsigned_of(value->content);
    switch (value->kind) {
    case 'b': *number = (int8_t)raw; return true;
    case 's': *number = (int16_t)raw; return true;
    case 'I': *number = (int32_t)raw; return true;
    case 'l':
    case 'L': *number = (int64_t)raw; return true;
    case 'B':
    case 'u':
    case 'i':
    case 'T':
        if (raw > INT64_MAX) return false;
        *number = (int64_t)raw;
        return true;
    default: return false;
    }
}
