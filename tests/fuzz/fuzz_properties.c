/* The properties of a message that is parked, as they came off the wire: one octet of choices, then the
 * properties encoded. What goes out has Bursar's headers, once and as told, and everything else as it was. */
#include "amqp/properties.h"
#include "fuzz/target.h"

#define ENCODED_MAX ((size_t)128 << 10)

enum choice {
    CHOICE_MESSAGE_ID = 1, /* the publication has an id of its own */
    CHOICE_DROP_ID = 2,    /* the properties' id is taken out */
    CHOICE_SAME_USER = 4,  /* the login is "guest" */
    CHOICE_SMALL_FRAME = 8,
};

static const char *const own_names[] = {"x-bursar-reason", "x-bursar-exchange", "x-bursar-replays"};

#define OWN_COUNT (sizeof own_names / sizeof own_names[0])

static struct publication publication_of(struct text properties, unsigned choices)
{
    return (struct publication){
        .properties = properties,
        .message_id = (choices & CHOICE_MESSAGE_ID) != 0 ? TEXT_LITERAL("item-1") : TEXT_NONE,
        .drop_message_id = (choices & CHOICE_DROP_ID) != 0,
        .header_count = OWN_COUNT,
        .headers = {{.name = own_names[0], .value = TEXT_LITERAL("malformed")},
                    {.name = own_names[1], .value = TEXT_LITERAL("")},
                    {.name = own_names[2], .number = 7, .unless_present = true}},
    };
}

static bool is_added(amqp_bytes_t key)
{
    static const char *const moved[] = {"x-bursar-expiration", "x-bursar-user-id"};
    for (size_t i = 0; i < OWN_COUNT; i++)
        if (text_equal_string(text_of_bytes(key), own_names[i])) return true;
    return text_equal_string(text_of_bytes(key), moved[0]) || text_equal_string(text_of_bytes(key), moved[1]);
}

static const amqp_table_entry_t *find_once(const amqp_table_t *table, const char *name)
{
    const amqp_table_entry_t *found = NULL;
    for (int i = 0; i < table->num_entries; i++) {
        if (!text_equal_string(text_of_bytes(table->entries[i].key), name)) continue;
        HOLDS(found == NULL);
        found = &table->entries[i];
    }
    return found;
}

/* The entries that nobody added, encoded. */
static amqp_bytes_t foreign_entries(const amqp_table_t *table)
{
    amqp_table_t rest = {.entries = calloc((size_t)table->num_entries + 1, sizeof *rest.entries)};
    for (int i = 0; i < table->num_entries; i++)
        if (!is_added(table->entries[i].key)) rest.entries[rest.num_entries++] = table->entries[i];
    amqp_bytes_t bytes = {.len = ENCODED_MAX, .bytes = malloc(ENCODED_MAX)};
    size_t offset = 0;
    HOLDS(amqp_encode_table(bytes, &rest, &offset) == 0);
    bytes.len = offset;
    free(rest.entries);
    return bytes;
}

static void hold_own_headers(const amqp_table_t *headers, const amqp_table_t *before)
{
    const amqp_table_entry_t *reason = find_once(headers, own_names[0]);
    HOLDS(reason != NULL && reason->value.kind == AMQP_FIELD_KIND_UTF8);
    HOLDS(text_equal_string(text_of_bytes(reason->value.value.bytes), "malformed"));
    const amqp_table_entry_t *exchange = find_once(headers, own_names[1]);
    HOLDS(exchange != NULL && exchange->value.kind == AMQP_FIELD_KIND_UTF8);
    HOLDS(exchange->value.value.bytes.len == 0);
    const amqp_table_entry_t *replays = NULL, *was = NULL;
    for (int i = 0; i < headers->num_entries && replays == NULL; i++)
        if (text_equal_string(text_of_bytes(headers->entries[i].key), own_names[2]))
            replays = &headers->entries[i];
    for (int i = 0; i < before->num_entries && was == NULL; i++)
        if (text_equal_string(text_of_bytes(before->entries[i].key), own_names[2])) was = &before->entries[i];
    HOLDS(replays != NULL);
    if (was == NULL)
        HOLDS(replays->value.kind == AMQP_FIELD_KIND_I64 && replays->value.value.i64 == 7);
    else
        HOLDS(replays->value.kind == was->value.kind);
    amqp_bytes_t old = foreign_entries(before), now = foreign_entries(headers);
    HOLDS(old.len == now.len && memcmp(old.bytes, now.bytes, now.len) == 0);
    free(old.bytes);
    free(now.bytes);
}

static bool same_bytes(amqp_bytes_t a, amqp_bytes_t b)
{
    return text_equal(text_of_bytes(a), text_of_bytes(b));
}

/* What is neither the message id nor one of those that may not go out. */
static void hold_other_fields(const amqp_basic_properties_t *now, const amqp_basic_properties_t *before)
{
    const amqp_flags_t changed = AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_HEADERS_FLAG |
                                 AMQP_BASIC_EXPIRATION_FLAG | AMQP_BASIC_USER_ID_FLAG |
                                 AMQP_BASIC_DELIVERY_MODE_FLAG;
    HOLDS((now->_flags & ~changed) == (before->_flags & ~changed));
    if ((now->_flags & AMQP_BASIC_CONTENT_TYPE_FLAG) != 0)
        HOLDS(same_bytes(now->content_type, before->content_type));
    if ((now->_flags & AMQP_BASIC_CORRELATION_ID_FLAG) != 0)
        HOLDS(same_bytes(now->correlation_id, before->correlation_id));
    if ((now->_flags & AMQP_BASIC_REPLY_TO_FLAG) != 0) HOLDS(same_bytes(now->reply_to, before->reply_to));
    if ((now->_flags & AMQP_BASIC_TYPE_FLAG) != 0) HOLDS(same_bytes(now->type, before->type));
    if ((now->_flags & AMQP_BASIC_APP_ID_FLAG) != 0) HOLDS(same_bytes(now->app_id, before->app_id));
    if ((now->_flags & AMQP_BASIC_PRIORITY_FLAG) != 0) HOLDS(now->priority == before->priority);
    if ((now->_flags & AMQP_BASIC_TIMESTAMP_FLAG) != 0) HOLDS(now->timestamp == before->timestamp);
}

static void hold_moved_fields(const amqp_basic_properties_t *now, const amqp_basic_properties_t *before,
                              const struct properties_limits *limits)
{
    HOLDS((now->_flags & AMQP_BASIC_EXPIRATION_FLAG) == 0);
    HOLDS((now->_flags & AMQP_BASIC_DELIVERY_MODE_FLAG) != 0 && now->delivery_mode == 2);
    if ((before->_flags & AMQP_BASIC_EXPIRATION_FLAG) != 0)
        HOLDS(find_once(&now->headers, "x-bursar-expiration") != NULL || before->headers.num_entries > 0);
    if ((now->_flags & AMQP_BASIC_USER_ID_FLAG) != 0)
        HOLDS(text_equal(text_of_bytes(now->user_id), limits->user) &&
              same_bytes(now->user_id, before->user_id));
}

static void hold_message_id(const struct publication *publication, const amqp_basic_properties_t *now,
                            const amqp_basic_properties_t *before)
{
    struct text id = properties_message_id(now);
    if (publication->drop_message_id)
        HOLDS(!text_is_present(id));
    else if (text_is_present(publication->message_id))
        HOLDS(text_equal(id, publication->message_id));
    else
        HOLDS(text_equal(id, properties_message_id(before)));
    HOLDS(id.size <= BROKER_SHORT_STRING_MAX);
}

/* Builds and encodes into `encoded`, which must be enough: the frame's size. */
static struct text build(const struct publication *publication, const struct properties_limits *limits,
                         amqp_pool_t *pool, amqp_basic_properties_t *wire, amqp_bytes_t encoded)
{
    struct error error = {""};
    HOLDS(properties_check(publication, limits, &error) == STATUS_OK);
    HOLDS(properties_build(publication, limits, pool, wire, &error) == STATUS_OK);
    int size = amqp_encode_properties(AMQP_BASIC_CLASS, wire, encoded);
    HOLDS(size >= 2);
    return (struct text){encoded.bytes, (size_t)size};
}

/* What the properties were, as the library reads them; without any where it cannot. */
static amqp_basic_properties_t read_back(struct text encoded, amqp_pool_t *pool)
{
    void *decoded = NULL;
    bool readable = encoded.size >= 2 && (encoded.data[1] & 1) == 0 &&
                    amqp_decode_properties(AMQP_BASIC_CLASS, pool, bytes_of(encoded), &decoded) >= 0;
    if (readable) return *(const amqp_basic_properties_t *)decoded;
    return (amqp_basic_properties_t){._flags = AMQP_BASIC_CONTENT_TYPE_FLAG,
                                     .content_type = amqp_cstring_bytes("application/json")};
}

static void check(struct text properties, unsigned choices)
{
    static char first[ENCODED_MAX], second[ENCODED_MAX];
    struct properties_limits limits = {.user = (choices & CHOICE_SAME_USER) != 0 ? TEXT_LITERAL("guest")
                                                                                 : TEXT_LITERAL("bursar"),
                                       .frame_max = (choices & CHOICE_SMALL_FRAME) != 0 ? 4096 : 131072};
    struct publication publication = publication_of(properties, choices);
    amqp_basic_properties_t wire, again;
    amqp_pool_t pool;
    init_amqp_pool(&pool, 4096);

    amqp_basic_properties_t before = read_back(properties, &pool);
    struct text once = build(&publication, &limits, &pool, &wire, (amqp_bytes_t){limits.frame_max, first});
    amqp_basic_properties_t after = read_back(once, &pool);
    HOLDS((after._flags & AMQP_BASIC_HEADERS_FLAG) != 0);
    if ((before._flags & AMQP_BASIC_HEADERS_FLAG) == 0) before.headers = (amqp_table_t){0};
    if (properties.size < limits.frame_max / 2) {
        hold_other_fields(&after, &before);
        hold_moved_fields(&after, &before, &limits);
        hold_message_id(&publication, &after, &before);
        hold_own_headers(&after.headers, &before.headers);
    }
    /* A parked message that is replayed and parked again is the same. */
    publication.properties = once;
    if (once.size < limits.frame_max / 2) {
        struct text twice =
            build(&publication, &limits, &pool, &again, (amqp_bytes_t){limits.frame_max, second});
        HOLDS(text_equal(once, twice));
    }
    empty_amqp_pool(&pool);
}

int LLVMFuzzerInitialize(int *argument_count, char ***arguments)
{
    (void)argument_count;
    (void)arguments;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) check((struct text){(const char *)data + 1, size - 1}, data[0]);
    return 0;
}
