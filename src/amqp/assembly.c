#include "amqp/assembly.h"

#include <assert.h>
#include <string.h>

/* Kept between messages; what one odd message needed beyond it is given back. */
#define KEEP_MAX ((size_t)8 << 20)

void assembly_begin(struct assembly *assembly, amqp_bytes_t exchange, amqp_bytes_t routing_key)
{
    assert(assembly->stage == ASSEMBLY_EMPTY);
    assembly->exchange = text_of_bytes(exchange);
    assembly->routing_key = text_of_bytes(routing_key);
    assembly->message_id = TEXT_NONE;
    assembly->body = TEXT_LITERAL("");
    assembly->stage = ASSEMBLY_HEADER;
}

static void take_header(struct assembly *assembly, const amqp_frame_t *frame)
{
    const amqp_basic_properties_t *properties = frame->payload.properties.decoded;
    if ((properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0)
        assembly->message_id = text_of_bytes(properties->message_id);
    assembly->properties = text_of_bytes(frame->payload.properties.raw);
    assembly->body_size = frame->payload.properties.body_size;
    assembly->stage = assembly->body_size == 0 ? ASSEMBLY_DONE : ASSEMBLY_BODY;
}

/* Moves the texts out of the library's buffers. The message id is found again by its place in the properties.
 */
static void detach(struct assembly *assembly)
{
    struct text parts[] = {assembly->exchange, assembly->routing_key, assembly->properties};
    size_t id_offset = assembly->message_id.data == NULL
                           ? 0
                           : (size_t)(assembly->message_id.data - assembly->properties.data);
    buffer_clear(&assembly->head);
    for (size_t i = 0; i < 3; i++) buffer_append(&assembly->head, parts[i]);
    const char *at = assembly->head.data;
    assembly->exchange.data = at;
    assembly->routing_key.data = at += assembly->exchange.size;
    assembly->properties.data = at += assembly->routing_key.size;
    if (assembly->message_id.data != NULL) assembly->message_id.data = at + id_offset;
    assembly->copied = true;
}

static bool take_body(struct assembly *assembly, struct text fragment)
{
    if (fragment.size > assembly->body_size - assembly->body.size) return false;
    if (assembly->body.size == 0 && fragment.size == assembly->body_size) {
        assembly->body = fragment;
    } else {
        if (!assembly->copied) detach(assembly);
        buffer_append(&assembly->bytes, fragment);
        assembly->body = (struct text){assembly->bytes.data, assembly->bytes.size};
    }
    if (assembly->body.size == assembly->body_size) assembly->stage = ASSEMBLY_DONE;
    return true;
}

bool assembly_add(struct assembly *assembly, const amqp_frame_t *frame)
{
    switch (frame->frame_type) {
    case AMQP_FRAME_HEADER:
        if (assembly->stage != ASSEMBLY_HEADER || frame->payload.properties.class_id != AMQP_BASIC_CLASS)
            return false;
        take_header(assembly, frame);
        return true;
    case AMQP_FRAME_BODY:
        return assembly->stage == ASSEMBLY_BODY &&
               take_body(assembly, text_of_bytes(frame->payload.body_fragment));
    default: return false;
    }
}

void assembly_reset(struct assembly *assembly)
{
    assembly->stage = ASSEMBLY_EMPTY;
    assembly->copied = false;
    buffer_clear(&assembly->bytes);
    if (assembly->bytes.capacity > KEEP_MAX) buffer_free(&assembly->bytes);
}

void assembly_free(struct assembly *assembly)
{
    buffer_free(&assembly->head);
    buffer_free(&assembly->bytes);
    *assembly = (struct assembly){0};
}
