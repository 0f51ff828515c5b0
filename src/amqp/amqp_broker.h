/* The broker's port on RabbitMQ, through rabbitmq-c: one connection and one channel for a consumer, another
 * for a publisher.
 *
 * A consumer or a publisher belongs to one thread at a time. What its process and its thread must bring
 * along:
 *  - SIGPIPE ignored. The library asks the kernel not to send it; what TLS writes while it shuts down is not
 * so careful.
 *  - A stack of 8 MiB or more, for a publisher's thread too: the library decodes and encodes nested header
 * tables by recursion, and a message's headers, up to a frame of 128 KiB, may nest about 20,000 deep.
 *
 * A delivery's texts are borrowed until the next consumer_next() or consumer_disconnect(), whichever comes
 * first. */
#ifndef BURSAR_AMQP_AMQP_BROKER_H
#define BURSAR_AMQP_AMQP_BROKER_H

#include "base/status.h"
#include "port/broker.h"

#include <stdatomic.h>
#include <stdbool.h>

struct amqp_options {
    const char *url; /* amqp:// or amqps://, one or several separated by commas: the hosts of one cluster */
    bool declare;    /* false: the topology is only checked */
    const char *exchange, *queue, *routing_key, *dead_letter_exchange,
        *dead_letter_queue;    /* 1 to 255 bytes each */
    const char *consume_queue; /* what a consumer reads; NULL: `queue` */
    int delivery_limit;        /* 0 or more: how often the queue gives a message out again */
    int heartbeat_s; /* 1 to 3600; a publisher, which may be idle for days, uses TCP keep-alive instead */
    int connect_timeout_ms;       /* above 0: for the connection of one host, and again for its login */
    int confirm_timeout_ms;       /* above 0: the longest silence of the broker while confirms are awaited */
    bool time_runs_while_blocked; /* an alarm of the broker counts as silence; false: it is waited for to end
                                   */
    int prefetch;                 /* 1 to 65535: deliveries held unacknowledged */
    const char *connection_name;  /* what the broker's management shows; NULL: "bursar" */
    const atomic_bool *cancel; /* borrowed; may be NULL. Set: connecting and waiting for confirms end early */
};

/* STATUS_CONFIG: which option or which part of which URL is wrong. Never quotes a URL, for it may hold a
 * password.
 *
 * URL: amqp[s]://[user[:password]@][host[:port]][/vhost][?parameters], each part percent-encoded; guest,
 * guest, localhost, 5672 (5671),
 * "/" where left out. Parameters, for amqps: cacertfile, certfile, keyfile (paths of PEM files),
 * verify=verify_peer|verify_none. Without cacertfile: $SSL_CERT_FILE, else the system's bundle. */
MUST_CHECK enum status amqp_options_check(const struct amqp_options *options, struct error *error);

/* Copies the options; connects nothing yet. STATUS_CONFIG as amqp_options_check. The caller frees with
 * consumer_close. */
MUST_CHECK enum status amqp_consumer_open(const struct amqp_options *options, struct consumer **consumer,
                                          struct error *error);

/* Copies the options; connects nothing yet. STATUS_CONFIG as amqp_options_check. The caller frees with
 * publisher_close.
 *
 * publisher_connect() also notices a connection that was lost while idle, and replaces it. Properties that a
 * publication takes over are kept, except what would make the broker lose or refuse the message: `expiration`
 * and a foreign `user_id` move to the headers x-bursar-expiration and x-bursar-user-id, delivery_mode
 * becomes 2. Properties that cannot be decoded, or leave no room for the added headers in a frame, are left
 * out: the body counts more. A message_id beyond 255 bytes is left out too. */
MUST_CHECK enum status amqp_publisher_open(const struct amqp_options *options, struct publisher **publisher,
                                           struct error *error);

#endif
