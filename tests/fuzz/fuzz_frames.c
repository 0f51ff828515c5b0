/* The consumer, on a connection whose other end says anything. The input is a script, a frame a line:
 *
 *   dC TAG KEY     basic.deliver on channel C
 *   hC SIZE BYTES  a content header that announces SIZE bytes; BYTES are the encoded properties
 *   bC BYTES       a piece of the body
 *   mC BYTES       a method frame of these bytes
 *   BYTES          anything else is sent as it stands
 *
 * \xNN stands for a byte. As long as the lines are a dialogue that a broker may hold, the deliveries are
 * known beforehand. */
#include "fuzz/target.h"

/* For its own sake: the consumer's connection is private, and here it is a pair of sockets. */
#include "amqp/consumer.c"
#include "fuzz/wire.h"

#define EXPECTED_MAX 64

struct expected {
    uint64_t tag;
    struct text routing_key, properties, message_id;
    struct buffer body;
};

/* What the lines so far come to. */
struct script {
    struct buffer wire;
    struct buffer texts[3 * EXPECTED_MAX]; /* unescaped: keys, properties */
    struct expected deliveries[EXPECTED_MAX];
    size_t count, done; /* begun, complete */
    uint64_t announced;
    bool open; /* a delivery is not complete */
    bool headless;
    bool lost;    /* the other end broke the protocol: nothing that follows may be delivered */
    bool unknown; /* whether it did is not known here */
};

static void add_deliver(struct script *script, int channel, struct text rest, struct buffer *key)
{
    uint64_t tag = wire_take_number(&rest);
    *key = wire_unescape(rest);
    if (key->size > 255) key->size = 255;
    struct buffer payload = {0};
    wire_number(&payload, AMQP_BASIC_DELIVER_METHOD, 4);
    wire_number(&payload, 6, 1);
    buffer_append_string(&payload, CONSUMER_NAME_FIRST);
    wire_number(&payload, tag, 8);
    wire_number(&payload, 0, 1); /* not redelivered */
    wire_number(&payload, 6, 1);
    buffer_append_string(&payload, "bursar");
    wire_number(&payload, key->size, 1);
    buffer_append(&payload, wire_bytes(key));
    wire_frame(&script->wire, WIRE_METHOD, channel, wire_bytes(&payload));
    buffer_free(&payload);
    uint64_t last = script->count == 0 ? 0 : script->deliveries[script->count - 1].tag;
    if (script->count == EXPECTED_MAX && !script->lost) script->unknown = true;
    if (script->lost || channel != BROKER_CHANNEL || script->open || tag <= last ||
        script->count == EXPECTED_MAX) {
        script->lost = true;
        return;
    }
    script->deliveries[script->count++] = (struct expected){.tag = tag, .routing_key = wire_bytes(key)};
    script->open = script->headless = true;
}

/* Whether the library can read them; the message id, where they have one, lies in them. */
static bool read_properties(struct text properties, struct text *message_id)
{
    amqp_pool_t pool;
    void *decoded = NULL;
    init_amqp_pool(&pool, 4096);
    bool readable = properties.size >= 2 && (properties.data[1] & 1) == 0 &&
                    amqp_decode_properties(AMQP_BASIC_CLASS, &pool, bytes_of(properties), &decoded) >= 0;
    const amqp_basic_properties_t *basic = decoded;
    bool has_id = readable && (basic->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0;
    *message_id = has_id ? text_of_bytes(basic->message_id) : TEXT_NONE;
    empty_amqp_pool(&pool);
    return readable;
}

static void complete(struct script *script)
{
    if (script->deliveries[script->count - 1].body.size < script->announced) return;
    script->open = false;
    script->done = script->count;
}

static void add_header(struct script *script, int channel, struct text rest, struct buffer *properties)
{
    uint64_t size = wire_take_number(&rest);
    *properties = wire_unescape(rest);
    struct buffer payload = {0};
    wire_number(&payload, AMQP_BASIC_CLASS, 2);
    wire_number(&payload, 0, 2);
    wire_number(&payload, size, 8);
    buffer_append(&payload, wire_bytes(properties));
    wire_frame(&script->wire, WIRE_HEADER, channel, wire_bytes(&payload));
    bool fits = payload.size + 8 <= WIRE_FRAME_MAX;
    buffer_free(&payload);
    /* The library makes something of a second word of flags, which this class does not have. */
    bool odd = properties->size >= 2 && (properties->data[1] & 1) != 0;
    if (odd && !script->lost) script->unknown = true;
    struct text message_id;
    if (script->lost || channel != BROKER_CHANNEL || !script->open || !script->headless || !fits ||
        !read_properties(wire_bytes(properties), &message_id)) {
        script->lost = true;
        return;
    }
    script->headless = false;
    script->announced = size;
    script->deliveries[script->count - 1].properties = wire_bytes(properties);
    script->deliveries[script->count - 1].message_id = message_id;
    complete(script);
}

static void add_body(struct script *script, int channel, struct text rest)
{
    struct buffer piece = wire_unescape(rest);
    wire_frame(&script->wire, WIRE_BODY, channel, wire_bytes(&piece));
    struct buffer *body = script->count == 0 ? NULL : &script->deliveries[script->count - 1].body;
    bool fits = piece.size + 8 <= WIRE_FRAME_MAX;
    if (script->lost || channel != BROKER_CHANNEL || !script->open || script->headless || !fits ||
        piece.size > script->announced - body->size)
        script->lost = true;
    else
        buffer_append(body, wire_bytes(&piece));
    buffer_free(&piece);
    if (!script->lost) complete(script);
}

static void add_line(struct script *script, struct text line, struct buffer *text)
{
    int channel = line.size >= 2 && line.data[1] >= '0' && line.data[1] <= '9' ? line.data[1] - '0' : -1;
    struct text rest = channel < 0 ? line : (struct text){line.data + 2, line.size - 2};
    char kind = channel < 0 ? '=' : line.data[0];
    if (kind != '=' && rest.size > 0 && rest.data[0] == ' ')
        rest = (struct text){rest.data + 1, rest.size - 1};
    if (kind == 'd') {
        add_deliver(script, channel, rest, text);
    } else if (kind == 'h') {
        add_header(script, channel, rest, text);
    } else if (kind == 'b') {
        add_body(script, channel, rest);
    } else if (line.size > 0) {
        *text = wire_unescape(kind == 'm' ? rest : line);
        if (kind == 'm')
            wire_frame(&script->wire, WIRE_METHOD, channel, wire_bytes(text));
        else
            buffer_append(&script->wire, wire_bytes(text));
        script->unknown = script->unknown || !script->lost;
        script->lost = true;
    }
}

/* A consumer whose connection is past the log-in, on one end of a pair. */
static struct amqp_consumer *consumer_on(int descriptor, const struct broker_url *host)
{
    struct amqp_consumer *self = memory_alloc_zero(1, sizeof *self);
    self->link.host = host;
    self->link.state = wire_connection(descriptor);
    return self;
}

static void hold_delivery(const struct delivery *delivery, const struct script *script, size_t index)
{
    HOLDS(text_is_present(delivery->body) && text_is_present(delivery->properties));
    HOLDS(delivery->message_id.data == NULL || (delivery->message_id.data >= delivery->properties.data &&
                                                delivery->message_id.data + delivery->message_id.size <=
                                                    delivery->properties.data + delivery->properties.size));
    if (index >= script->done) {
        HOLDS(script->unknown);
        return;
    }
    const struct expected *expected = &script->deliveries[index];
    HOLDS(delivery->tag == expected->tag && !delivery->redelivered);
    HOLDS(text_equal_string(delivery->exchange, "bursar"));
    HOLDS(text_equal(delivery->routing_key, expected->routing_key));
    HOLDS(text_equal(delivery->properties, expected->properties));
    HOLDS(text_equal(delivery->message_id, expected->message_id));
    HOLDS(text_is_present(delivery->message_id) == text_is_present(expected->message_id));
    HOLDS(text_equal(delivery->body, wire_bytes(&expected->body)));
}

static void consume(struct amqp_consumer *self, const struct script *script)
{
    size_t seen = 0;
    uint64_t last = 0;
    for (;;) {
        enum consumer_event event;
        struct delivery delivery;
        struct error error = {""};
        enum status status = amqp_consumer_next(&self->base, &event, &delivery, &error);
        if (status != STATUS_OK) {
            HOLDS(status == STATUS_RETRY && self->link.lost);
            hold_error_line(error.text);
            HOLDS(seen >= script->done);
            return;
        }
        HOLDS(event != CONSUMER_IDLE); /* the other end has said all it says, and closed */
        if (event != CONSUMER_DELIVERY) continue;
        HOLDS(delivery.tag > last);
        last = delivery.tag;
        hold_delivery(&delivery, script, seen++);
    }
}

static void play(const struct script *script)
{
    struct broker_url host = {.host = (char[]){"broker"}, .port = 5672};
    int other_end, descriptor = wire_pair(&script->wire, &other_end);
    struct amqp_consumer *self = consumer_on(descriptor, &host);
    consume(self, script);
    self->link.lost = true; /* nobody is there to say goodbye to */
    amqp_consumer_close(&self->base);
    close(other_end);
}

int LLVMFuzzerInitialize(int *argument_count, char ***arguments)
{
    (void)argument_count;
    (void)arguments;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct script script;
    script = (struct script){0};
    struct text rest = {(const char *)data, size};
    buffer_append_string(&script.wire, "");
    for (size_t i = 0; rest.size > 0 && i < 3 * EXPECTED_MAX; i++)
        add_line(&script, take_line(&rest), &script.texts[i]);
    if (script.wire.size <= WIRE_SIZE_MAX) play(&script);
    for (size_t i = 0; i < 3 * EXPECTED_MAX; i++) buffer_free(&script.texts[i]);
    for (size_t i = 0; i < script.count; i++) buffer_free(&script.deliveries[i].body);
    buffer_free(&script.wire);
    return 0;
}
