/* The two steps that open a connection: the socket, plain or TLS, and the login. */
#ifndef BURSAR_AMQP_LOGIN_H
#define BURSAR_AMQP_LOGIN_H

#include "amqp/link.h"

/* Connects link->host and sets link->state, also on failure (the caller closes the link). Not STATUS_OK: why,
 * in `reason`. */
MUST_CHECK enum status broker_login_connect(struct broker_link *link, char *reason, size_t size);

/* Logs in, telling the broker which of its extensions are understood here. */
MUST_CHECK enum status broker_login(struct broker_link *link, struct error *error);

#endif
