/* A small HTTP server for probes and metrics: GET and HEAD, a page a path. Few connections, each bounded in
 * memory and time, all on one thread of its own that takes no signals. */
#ifndef BURSAR_HTTP_HTTP_SERVER_H
#define BURSAR_HTTP_HTTP_SERVER_H

#include "base/buffer.h"
#include "base/status.h"

#include <stdint.h>

/* Answers one request: appends the page to `body` (empty on entry), sets *content_type to a static string
 * (text/plain on entry) and returns the HTTP status, such as 200 or 404. `path` is decoded and comes without
 * the query. Called on the server's thread, one request at a time; it must not wait. */
typedef int (*http_handler)(void *context, const char *path, struct buffer *body, const char **content_type);

struct http_server;

/* Listens on HOST:PORT or [ADDRESS]:PORT; port 0: any free one. `context` is borrowed until http_server_stop.
 * STATUS_CONFIG: `listen` is no such thing, the name has no address, or the port is taken or not allowed. The
 * caller stops *server. */
MUST_CHECK enum status http_server_start(const char *listen, http_handler handler, void *context,
                                         struct http_server **server, struct error *error);

/* The port that it listens on. */
uint16_t http_server_port(const struct http_server *server);

/* Ends the thread and every connection, and frees; NULL is fine. No handler runs afterwards. */
void http_server_stop(struct http_server *server);

#endif
