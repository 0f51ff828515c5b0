#include "amqp/properties.h"

#include <string.h>

#define DELIVERY_MODE_PERSISTENT 2
#define HEADER_EXPIRATION        "x-bursar-expiration"
#define HEADER_USER_ID           "x-bursar-user-id"

/* Frame header and end, class, weight, body size, flags, and the short properties that may be added. */
#define FRAME_OVERHEAD ((size_t)8 + 12 + 2 + 1 + 1 + sizeof "application/json")

/* A name's and a value's length bytes and the value's kind. */
#define HEADER_OVERHEAD 6

/* Headers that this file adds by itself. */
#define OWN_HEADERS_MAX 2

/* False: they are not what they should be, and the publication goes without them. */
static bool decode(struct text encoded, amqp_pool_t *pool, amqp_basic_properties_t *wire)
{
    void *decoded = NULL;
    /* A second word of flags does not exist for this class, and the library would shift by it without a
     * limit. */
    if (encoded.size < 2 || (encoded.data[1] & 1) != 0) return false;
    if (amqp_decode_properties(AMQP_BASIC_CLASS, pool, bytes_of(encoded), &decoded) < 0) return false;
    *wire = *(const amqp_basic_properties_t *)decoded;
    return true;
}

static size_t encoded_bound(const struct publication *publication)
{
    size_t size = FRAME_OVERHEAD + publication->properties.size + publication->message_id.size;
    size += OWN_HEADERS_MAX * (HEADER_OVERHEAD + sizeof HEADER_EXPIRATION + BROKER_SHORT_STRING_MAX);
    for (size_t i = 0; i < publication->header_count; i++) {
        const struct publication_header *header = &publication->headers[i];
        size += HEADER_OVERHEAD + strlen(header->name) + (header->value.size > 8 ? header->value.size : 8);
    }
    return size;
}

static amqp_table_entry_t *find(amqp_table_t *table, const char *name)
{
    for (int i = 0; i < table->num_entries; i++)
        if (text_equal_string(text_of_bytes(table->entries[i].key), name)) return &table->entries[i];
    return NULL;
}

static void remove_others(amqp_table_t *table, const amqp_table_entry_t *kept, const char *name)
{
    int count = 0;
    for (int i = 0; i < table->num_entries; i++) {
        amqp_table_entry_t *entry = &table->entries[i];
        if (entry != kept && text_equal_string(text_of_bytes(entry->key), name)) continue;
        table->entries[count++] = *entry;
    }
    table->num_entries = count;
}

static void set_header(amqp_table_t *table, const struct publication_header *header)
{
    amqp_table_entry_t *entry = find(table, header->name);
    if (entry != NULL && header->unless_present) return;
    if (entry == NULL) {
        entry = &table->entries[table->num_entries++];
        entry->key = amqp_cstring_bytes(header->name);
    }
    if (text_is_present(header->value)) {
        entry->value.kind = AMQP_FIELD_KIND_UTF8;
        entry->value.value.bytes = bytes_of(header->value);
    } else {
        entry->value.kind = AMQP_FIELD_KIND_I64;
        entry->value.value.i64 = header->number;
    }
    remove_others(table, entry, header->name);
}

/* The table that is there, with room for more. */
static amqp_table_t widen(const amqp_basic_properties_t *wire, size_t more, amqp_pool_t *pool)
{
    amqp_table_t table = {0};
    size_t present = (wire->_flags & AMQP_BASIC_HEADERS_FLAG) != 0 ? (size_t)wire->headers.num_entries : 0;
    table.entries = amqp_pool_alloc(pool, (present + more + 1) * sizeof *table.entries);
    if (table.entries == NULL) return table;
    if (present > 0) memcpy(table.entries, wire->headers.entries, present * sizeof *table.entries);
    table.num_entries = (int)present;
    return table;
}

/* A time to live would end a parked message silently, and a user id of somebody else's is refused by the
 * broker. */
static void move_to_header(amqp_basic_properties_t *wire, amqp_flags_t flag, amqp_bytes_t value,
                           const char *name)
{
    struct publication_header header = {.name = name, .value = text_of_bytes(value), .unless_present = true};
    if ((wire->_flags & flag) == 0) return;
    set_header(&wire->headers, &header);
    wire->_flags &= ~flag;
}

static void set_message_id(const struct publication *publication, amqp_basic_properties_t *wire)
{
    if (text_is_present(publication->message_id)) {
        wire->_flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
        wire->message_id = bytes_of(publication->message_id);
    }
    if (publication->drop_message_id || wire->message_id.len > BROKER_SHORT_STRING_MAX)
        wire->_flags &= ~(amqp_flags_t)AMQP_BASIC_MESSAGE_ID_FLAG;
}

enum status properties_check(const struct publication *publication, const struct properties_limits *limits,
                             struct error *error)
{
    size_t added = encoded_bound(publication) - publication->properties.size;
    if (added <= limits->frame_max) return STATUS_OK;
    return error_set(error, STATUS_REFUSED, "%zu bytes of added headers do not fit in a frame of %zu bytes",
                     added, limits->frame_max);
}

enum status properties_build(const struct publication *publication, const struct properties_limits *limits,
                             amqp_pool_t *pool, amqp_basic_properties_t *wire, struct error *error)
{
    *wire = (amqp_basic_properties_t){0};
    bool kept =
        encoded_bound(publication) <= limits->frame_max && decode(publication->properties, pool, wire);
    if (!kept)
        *wire = (amqp_basic_properties_t){._flags = AMQP_BASIC_CONTENT_TYPE_FLAG,
                                          .content_type = amqp_cstring_bytes("application/json")};
    wire->_flags |= AMQP_BASIC_DELIVERY_MODE_FLAG;
    wire->delivery_mode = DELIVERY_MODE_PERSISTENT;
    set_message_id(publication, wire);

    wire->headers = widen(wire, publication->header_count + OWN_HEADERS_MAX, pool);
    if (wire->headers.entries == NULL) return error_set(error, STATUS_INTERNAL, "out of memory");
    for (size_t i = 0; i < publication->header_count; i++)
        set_header(&wire->headers, &publication->headers[i]);
    move_to_header(wire, AMQP_BASIC_EXPIRATION_FLAG, wire->expiration, HEADER_EXPIRATION);
    if (!text_equal(text_of_bytes(wire->user_id), limits->user))
        move_to_header(wire, AMQP_BASIC_USER_ID_FLAG, wire->user_id, HEADER_USER_ID);
    if (wire->headers.num_entries > 0) wire->_flags |= AMQP_BASIC_HEADERS_FLAG;
    return STATUS_OK;
}

struct text properties_message_id(const amqp_basic_properties_t *wire)
{
    return (wire->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0 ? text_of_bytes(wire->message_id) : TEXT_NONE;
}
