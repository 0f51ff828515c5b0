/* The listening socket of the HTTP server, with errors that say what to do. */
#ifndef BURSAR_HTTP_HTTP_LISTEN_H
#define BURSAR_HTTP_HTTP_LISTEN_H

#include "base/status.h"

#include <stdint.h>

/* Binds HOST:PORT or [ADDRESS]:PORT and listens. *descriptor is non-blocking and the caller's to close; *port
 * is the one that it got. Errors as http_server_start. */
MUST_CHECK enum status http_listen(const char *listen, int *descriptor, uint16_t *port, struct error *error);

#endif
