/* Puts a message together from the frames it comes in: a method, a content header, any number of body frames.
 *
 * A message whose body came in one frame is borrowed from the library's buffers as it is; a larger one is
 * copied, so that the buffers can be released while it still arrives. */
#ifndef BURSAR_AMQP_ASSEMBLY_H
#define BURSAR_AMQP_ASSEMBLY_H

#include "amqp/vendor.h"
#include "base/buffer.h"
#include "base/status.h"

#include <stdint.h>

enum assembly_stage {
    ASSEMBLY_EMPTY,
    ASSEMBLY_HEADER, /* waits for the content header */
    ASSEMBLY_BODY,   /* waits for more of the body */
    ASSEMBLY_DONE,
};

struct assembly {
    enum assembly_stage stage;
    struct text exchange, routing_key, message_id, properties, body;
    uint64_t body_size;
    bool copied;         /* the texts live in `head` and `bytes`, not in the library's buffers */
    struct buffer head;  /* owned */
    struct buffer bytes; /* owned */
};

/* Begins with the method's fields, borrowed from the library's buffers. */
void assembly_begin(struct assembly *assembly, amqp_bytes_t exchange, amqp_bytes_t routing_key);

/* Takes the next frame of the message. False: the frame does not belong here; the peer breaks the protocol.
 */
MUST_CHECK bool assembly_add(struct assembly *assembly, const amqp_frame_t *frame);

/* Whether nothing of the message is in the library's buffers, so that they may be released. */
static inline bool assembly_is_detached(const struct assembly *assembly)
{
    return assembly->stage == ASSEMBLY_EMPTY || assembly->copied;
}

/* Forgets the message, and gives back the memory of an unusually large one. */
void assembly_reset(struct assembly *assembly);

void assembly_free(struct assembly *assembly);

#endif
