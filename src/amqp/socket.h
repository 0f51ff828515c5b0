/* TCP connections made here and not by the library, which tells neither why a connection failed nor lets one
 * be cancelled. */
#ifndef BURSAR_AMQP_SOCKET_H
#define BURSAR_AMQP_SOCKET_H

#include "base/status.h"

#include <stdatomic.h>
#include <stdbool.h>

/* A connected non-blocking socket in *descriptor, which the caller closes. STATUS_RETRY: why not, without the
 * address. `timeout_ms` covers all addresses of the host, but not its look-up, whose limits are the system's.
 * `cancel` may be NULL. */
MUST_CHECK enum status broker_socket_connect(const char *host, int port, int timeout_ms,
                                             const atomic_bool *cancel, int *descriptor, struct error *error);

/* Sends small writes at once, and has the kernel notice within about two `idle_s` that an idle connection's
 * peer is gone. */
void broker_socket_tune(int descriptor, int idle_s);

/* Asks for a send buffer: while the kernel calls the socket writable, a third of it is free. */
void broker_socket_reserve(int descriptor, int bytes);

/* Held back: small writes are gathered into full packets until they are let go (200 ms at most). */
void broker_socket_hold(int descriptor, bool hold);

#endif
