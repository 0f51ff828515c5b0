/* Reading properties and header tables as bytes, without decoding what is not asked for. Nothing here
 * recurses or allocates, so that nested tables of a stranger cost neither stack nor memory. */
#ifndef BURSAR_AMQP_WIRE_H
#define BURSAR_AMQP_WIRE_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* The properties of a message of AMQP 0-9-1, in the order of the wire. */
enum wire_property {
    WIRE_CONTENT_TYPE,
    WIRE_CONTENT_ENCODING,
    WIRE_HEADERS,
    WIRE_DELIVERY_MODE,
    WIRE_PRIORITY,
    WIRE_CORRELATION_ID,
    WIRE_REPLY_TO,
    WIRE_EXPIRATION,
    WIRE_MESSAGE_ID,
    WIRE_TIMESTAMP,
    WIRE_TYPE,
    WIRE_USER_ID,
    WIRE_APP_ID,
    WIRE_CLUSTER_ID,
    WIRE_PROPERTY_COUNT
};

/* A value as the protocol encodes it: the kind byte ('S' a string, 'F' a table, 'A' an array…) and its
 * content without length bytes. */
struct wire_value {
    char kind;
    struct text content; /* borrows */
};

struct wire_properties {
    struct wire_value values[WIRE_PROPERTY_COUNT]; /* content absent: not there */
};

/* "content_type"…; static storage. */
const char *wire_property_name(enum wire_property property);

/* False: they are not what the protocol says, and *found is empty. */
bool wire_read_properties(struct text properties, struct wire_properties *found);

/* The next entry of a table's content; moves *rest. False: at the end, or what follows cannot be read. */
bool wire_next_entry(struct text *rest, struct text *name, struct wire_value *value);

/* The next element of an array's content, as wire_next_entry. */
bool wire_next_element(struct text *rest, struct wire_value *value);

/* The value of the first entry with this name; false: there is none. */
bool wire_find(struct text table, const char *name, struct wire_value *value);

/* A string's bytes; absent for any other kind. */
struct text wire_string(const struct wire_value *value);

/* A whole number of any width, or a timestamp in seconds; false for any other kind, and for one beyond 64
 * bits with sign. */
bool wire_number(const struct wire_value *value, int64_t *number);

#endif
