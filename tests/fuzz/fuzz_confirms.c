/* The publisher while it waits for confirms of four messages, on a connection whose other end says anything.
 * The input is a script, a line each:
 *
 *   a TAG, A TAG   basic.ack, of one or of all up to it
 *   n TAG, N TAG   basic.nack
 *   r N            basic.return of message N, with its header and body
 *   c N            what follows comes on channel N
 *   BYTES          anything else is sent as it stands; \xNN is a byte
 *
 * As long as the lines are what a broker may say, what became of each message is known beforehand. */
#include "fuzz/target.h"

/* For its own sake: how it reads an answer is private to it. */
#include "amqp/publishing.c"
#include "fuzz/wire.h"

#define COUNT 4

static const char *const ids[COUNT] = {"m-1", "m-2", "m-2", "m-4"};

struct script {
    struct buffer wire;
    int channel;
    enum publication_outcome outcomes[COUNT];
    bool answered[COUNT];
    bool lost;    /* the other end broke the protocol: nothing that follows counts */
    bool unknown; /* whether it did is not known here */
};

/* The method's bytes behind its number. */
static void add_method(struct script *script, amqp_method_number_t method, const struct buffer *arguments)
{
    struct buffer payload = {0};
    wire_number(&payload, method, 4);
    buffer_append(&payload, wire_bytes(arguments));
    wire_frame(&script->wire, WIRE_METHOD, script->channel, wire_bytes(&payload));
    buffer_free(&payload);
}

static void add_confirm(struct script *script, char kind, uint64_t tag)
{
    bool multiple = kind == 'A' || kind == 'N', positive = kind == 'a' || kind == 'A';
    struct buffer arguments = {0};
    wire_number(&arguments, tag, 8);
    wire_number(&arguments, multiple, 1);
    add_method(script, positive ? AMQP_BASIC_ACK_METHOD : AMQP_BASIC_NACK_METHOD, &arguments);
    buffer_free(&arguments);
    if (multiple && tag == 0) tag = COUNT;
    if (tag < 1 || tag > COUNT || script->channel != BROKER_CHANNEL) script->lost = true;
    for (size_t i = multiple ? 0 : tag - 1; !script->lost && i < tag; i++) {
        if (script->answered[i]) continue;
        script->answered[i] = true;
        if (script->outcomes[i] == PUBLICATION_RETURNED) continue;
        script->outcomes[i] = positive ? PUBLICATION_CONFIRMED : PUBLICATION_REFUSED;
    }
}

/* Returned is the first of that id which has no answer yet; returns come in the order of sending. */
static void add_return(struct script *script, uint64_t number)
{
    const char *id = ids[number - 1];
    struct buffer arguments = {0}, header = {0};
    wire_number(&arguments, 312, 2);
    wire_number(&arguments, 8, 1);
    buffer_append_string(&arguments, "NO_ROUTE\6bursar\1k");
    add_method(script, AMQP_BASIC_RETURN_METHOD, &arguments);
    wire_number(&header, AMQP_BASIC_CLASS, 2);
    wire_number(&header, 0, 2);
    wire_number(&header, 4, 8);
    wire_number(&header, AMQP_BASIC_MESSAGE_ID_FLAG, 2);
    wire_number(&header, strlen(id), 1);
    buffer_append_string(&header, id);
    wire_frame(&script->wire, WIRE_HEADER, script->channel, wire_bytes(&header));
    wire_frame(&script->wire, WIRE_BODY, script->channel, TEXT_LITERAL("body"));
    buffer_free(&arguments);
    buffer_free(&header);
    script->lost = script->lost || script->channel != BROKER_CHANNEL;
    if (script->lost) return;
    size_t first = 0;
    for (size_t i = 0; i < COUNT; i++)
        if (script->outcomes[i] == PUBLICATION_RETURNED) first = i + 1;
    for (size_t i = first; i < COUNT; i++) {
        if (script->answered[i] || strcmp(ids[i], id) != 0) continue;
        script->outcomes[i] = PUBLICATION_RETURNED;
        return;
    }
    script->lost = true;
}

static void add_line(struct script *script, struct text line)
{
    struct text rest = {line.data + 1, line.size < 2 ? 0 : line.size - 1};
    if (rest.size > 0 && rest.data[0] == ' ') rest = (struct text){rest.data + 1, rest.size - 1};
    struct text digits = rest;
    uint64_t number = wire_take_number(&digits);
    bool whole = rest.size > 0 && digits.size == 0;
    if (whole && strchr("aAnN", line.data[0]) != NULL) {
        add_confirm(script, line.data[0], number);
    } else if (whole && line.data[0] == 'r' && number >= 1 && number <= COUNT) {
        add_return(script, number);
    } else if (whole && line.data[0] == 'c' && number <= UINT16_MAX) {
        script->channel = (int)number;
    } else if (line.size > 0) {
        struct buffer bytes = wire_unescape(line);
        buffer_append(&script->wire, wire_bytes(&bytes));
        buffer_free(&bytes);
        script->unknown = script->unknown || !script->lost;
        script->lost = true;
    }
}

/* What was answered is as the script has it; whatever the broker says, each message is counted once. */
static void hold_outcomes(const struct publication *publications, const struct confirms *confirms,
                          const struct script *script)
{
    size_t answered = 0;
    for (size_t i = 0; i < COUNT; i++) {
        enum publication_outcome outcome = publications[i].outcome;
        answered += confirms->is_answered[i];
        HOLDS(outcome == PUBLICATION_NONE || outcome == PUBLICATION_CONFIRMED ||
              outcome == PUBLICATION_RETURNED || outcome == PUBLICATION_REFUSED);
        HOLDS(confirms->is_answered[i] || outcome == PUBLICATION_NONE || outcome == PUBLICATION_RETURNED);
        HOLDS(!confirms->is_answered[i] || outcome != PUBLICATION_NONE);
        if (script->answered[i]) HOLDS(confirms->is_answered[i] && outcome == script->outcomes[i]);
        if (!script->unknown)
            HOLDS(outcome == script->outcomes[i] && confirms->is_answered[i] == script->answered[i]);
    }
    HOLDS(answered == confirms->answered && confirms->answered <= confirms->sent);
}

static void play(const struct script *script)
{
    struct publication publications[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        publications[i] = (struct publication){.exchange = TEXT_LITERAL("bursar"),
                                               .routing_key = TEXT_LITERAL("k"),
                                               .message_id = text_of(ids[i]),
                                               .body = TEXT_LITERAL("body")};
    struct broker_url host = {.host = (char[]){"broker"}, .user = (char[]){"guest"}, .port = 5672};
    struct broker_link link = {.host = &host};
    struct publishing publishing = {.last_tag = COUNT};
    int other_end, descriptor = wire_pair(&script->wire, &other_end);
    link.state = wire_connection(descriptor);
    init_amqp_pool(&publishing.pool, 4096);
    confirms_begin(&publishing.confirms, publications, COUNT, 0);
    for (size_t i = 0; i < COUNT; i++) confirms_sent(&publishing.confirms);

    struct error error = {""};
    enum status status = read_answers(&publishing, &link, &error);
    HOLDS(status == STATUS_RETRY && link.lost); /* at the end of what there is to read, at the latest */
    hold_error_line(error.text);
    hold_outcomes(publications, &publishing.confirms, script);
    amqp_destroy_connection(link.state);
    publishing_free(&publishing);
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
    struct script script = {.channel = BROKER_CHANNEL};
    struct text rest = {(const char *)data, size};
    buffer_append_string(&script.wire, "");
    while (rest.size > 0 && script.wire.size <= WIRE_SIZE_MAX) add_line(&script, take_line(&rest));
    if (script.wire.size <= WIRE_SIZE_MAX) play(&script);
    buffer_free(&script.wire);
    return 0;
}
