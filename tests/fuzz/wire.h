/* The other end of a broker's connection, for scripts of frames: what they are made of, and a connection to
 * play them on. */
#ifndef BURSAR_FUZZ_WIRE_H
#define BURSAR_FUZZ_WIRE_H

#include "amqp/vendor.h"
#include "base/buffer.h"
#include "fuzz/target.h"

#include <sys/socket.h>
#include <unistd.h>

#define WIRE_FRAME_MAX 4096                /* bytes, as agreed at the log-in */
#define WIRE_SIZE_MAX  ((size_t)128 << 10) /* what a socket takes at once */

enum { WIRE_METHOD = AMQP_FRAME_METHOD, WIRE_HEADER = AMQP_FRAME_HEADER, WIRE_BODY = AMQP_FRAME_BODY };

static inline void wire_number(struct buffer *out, uint64_t number, int bytes)
{
    for (int i = bytes; i-- > 0;) buffer_append(out, (struct text){(char[]){(char)(number >> (8 * i))}, 1});
}

static inline void wire_frame(struct buffer *wire, int kind, int channel, struct text payload)
{
    wire_number(wire, (uint64_t)kind, 1);
    wire_number(wire, (uint64_t)channel, 2);
    wire_number(wire, payload.size, 4);
    buffer_append(wire, payload);
    buffer_append_string(wire, "\xce");
}

static inline struct buffer wire_unescape(struct text text)
{
    struct buffer bytes = {0};
    buffer_append_string(&bytes, "");
    for (size_t i = 0; i < text.size; i++) {
        char digits[3] = {0};
        if (text.data[i] == '\\' && text.size - i >= 4 && text.data[i + 1] == 'x') {
            memcpy(digits, text.data + i + 2, 2);
            wire_number(&bytes, strtoul(digits, NULL, 16), 1);
            i += 3;
        } else {
            buffer_append(&bytes, (struct text){text.data + i, 1});
        }
    }
    return bytes;
}

static inline uint64_t wire_take_number(struct text *rest)
{
    uint64_t number = 0;
    while (rest->size > 0 && rest->data[0] >= '0' && rest->data[0] <= '9') {
        number = number * 10 + (uint64_t)(rest->data[0] - '0');
        *rest = (struct text){rest->data + 1, rest->size - 1};
    }
    if (rest->size > 0 && rest->data[0] == ' ') *rest = (struct text){rest->data + 1, rest->size - 1};
    return number;
}

static inline struct text wire_bytes(const struct buffer *buffer)
{
    return (struct text){buffer->data, buffer->size};
}

/* The library's connection, past the log-in. */
static inline amqp_connection_state_t wire_connection(int descriptor)
{
    amqp_connection_state_t state = amqp_new_connection();
    HOLDS(state != NULL);
    /* The library can be tuned once it has seen something. */
    struct text greeting = TEXT_LITERAL("AMQP\0\0\x09\x01");
    amqp_frame_t frame;
    HOLDS(amqp_handle_input(state, bytes_of(greeting), &frame) == (int)greeting.size);
    HOLDS(amqp_tune_connection(state, 1, WIRE_FRAME_MAX, 0) == AMQP_STATUS_OK);
    amqp_socket_t *socket = amqp_tcp_socket_new(state);
    HOLDS(socket != NULL);
    amqp_tcp_socket_set_sockfd(socket, descriptor);
    return state;
}

/* A descriptor from which `wire` is read, and then the end. */
static inline int wire_pair(const struct buffer *wire, int *other_end)
{
    int pair[2];
    HOLDS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    HOLDS(send(pair[1], wire->data, wire->size, MSG_DONTWAIT) == (ssize_t)wire->size);
    HOLDS(shutdown(pair[1], SHUT_WR) == 0);
    *other_end = pair[1];
    return pair[0];
}

#endif
