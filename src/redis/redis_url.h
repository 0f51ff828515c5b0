/* Where Redis is, read from a URL:
 *
 *   redis://[user[:password]@]host[:port][/database]     rediss:// for TLS
 *   unix://[user[:password]@]/path/to/socket
 *
 * User and password are percent-decoded; an IPv6 host stands in brackets; `redis://:password@host` has no
 * user. */
#ifndef BURSAR_REDIS_REDIS_URL_H
#define BURSAR_REDIS_REDIS_URL_H

#include "base/status.h"

#include <stdbool.h>

struct redis_address {
    char *host; /* NULL: a Unix socket */
    int port;
    char *path;     /* of the Unix socket; NULL: TCP */
    char *user;     /* NULL: none */
    char *password; /* NULL: none; never printed */
    int database;
    bool tls;
    char *name; /* "host:port" or the path, for messages */
};

/* STATUS_CONFIG: the text says which part is wrong and never repeats any of it, for it could be the password.
 * The caller frees with redis_address_free. */
MUST_CHECK enum status redis_url_parse(const char *url, struct redis_address *address, struct error *error);

/* Frees what it holds, not itself. */
void redis_address_free(struct redis_address *address);

#endif
