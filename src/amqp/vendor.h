/* rabbitmq-c's headers, whose names changed with its version 0.12. */
#ifndef BURSAR_AMQP_VENDOR_H
#define BURSAR_AMQP_VENDOR_H

#include "base/text.h"

#include <stdint.h>
#include <sys/time.h>

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/tcp_socket.h>
#if __has_include(<rabbitmq-c/ssl_socket.h>)
#include <rabbitmq-c/ssl_socket.h>
#define BROKER_HAS_TLS 1
#endif
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#if __has_include(<amqp_ssl_socket.h>)
#include <amqp_ssl_socket.h>
#define BROKER_HAS_TLS 1
#endif
#endif

#ifndef BROKER_HAS_TLS
#define BROKER_HAS_TLS 0
#endif

/* One connection has one channel: the library drops queued frames of any other while it waits for one. */
#define BROKER_CHANNEL 1

/* What the protocol can carry as a short string: names, routing keys, message ids. */
#define BROKER_SHORT_STRING_MAX 255

static inline amqp_bytes_t bytes_of(struct text text)
{
    /* The library never writes through it. */
    return (amqp_bytes_t){.len = text.size, .bytes = (void *)(uintptr_t)text.data};
}

static inline struct text text_of_bytes(amqp_bytes_t bytes)
{
    return (struct text){bytes.bytes == NULL ? "" : bytes.bytes, bytes.len};
}

#endif
