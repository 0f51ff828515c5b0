/* TLS for a fresh connection. Built where hiredis has TLS and OpenSSL is there; elsewhere
 * redis_tls_available() is false. */
#ifndef BURSAR_REDIS_REDIS_TLS_H
#define BURSAR_REDIS_REDIS_TLS_H

#include "base/status.h"

#include <hiredis/hiredis.h>

#include <stdbool.h>

bool redis_tls_available(void);

/* Shakes hands and checks the server's certificate and name against the system's trust (SSL_CERT_FILE and
 * SSL_CERT_DIR name another). STATUS_RETRY: the text says why. */
MUST_CHECK enum status redis_tls_start(redisContext *context, const char *host, struct error *error);

#endif
