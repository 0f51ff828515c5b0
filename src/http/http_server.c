#include "http/http_server.h"

#include "base/memory.h"
#include "http/http_listen.h"

#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define CONNECTIONS_MAX            32U
#define CONNECTION_TIMEOUT_SECONDS 10U
#define CONNECTION_MEMORY_MAX      ((size_t)16 * 1024) /* bytes of a request's line and headers */

struct http_server {
    struct MHD_Daemon *daemon;
    http_handler handler;
    void *context;
    uint16_t port;
};

/* Takes over the body's memory. */
static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, struct buffer *body,
                               const char *header, const char *value)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body->size, body->data, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        buffer_free(body);
        return MHD_NO; /* closes the connection */
    }
    enum MHD_Result result = MHD_add_response_header(response, header, value);
    if (result == MHD_YES) result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static bool announces_body(struct MHD_Connection *connection)
{
    const char *size =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (size != NULL && strcmp(size, "0") != 0) return true;
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING) !=
           NULL;
}

/* Called twice for a request: behind its headers, and at its end. Who sends a body is answered at the first
 * call, which makes the library close the connection instead of reading it; everyone else at the second,
 * which keeps the connection. */
static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **request)
{
    (void)version;
    (void)upload;
    (void)upload_size;
    if (*request == NULL && !announces_body(connection)) {
        *request = context; /* any mark will do */
        return MHD_YES;
    }
    struct http_server *server = context;
    struct buffer body = {0};
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        buffer_append_string(&body, "only GET and HEAD\n");
        return respond(connection, MHD_HTTP_METHOD_NOT_ALLOWED, &body, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    const char *content_type = "text/plain; charset=utf-8";
    int status = server->handler(server->context, path, &body, &content_type);
    return respond(connection, (unsigned)status, &body, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
}

enum status http_server_start(const char *listen, http_handler handler, void *context,
                              struct http_server **server, struct error *error)
{
    int descriptor;
    uint16_t port;
    enum status status = http_listen(listen, &descriptor, &port, error);
    if (status != STATUS_OK) return status;

    struct http_server *started = memory_alloc_zero(1, sizeof *started);
    *started = (struct http_server){.handler = handler, .context = context, .port = port};
    /* The thread inherits the mask; signals are the main thread's business. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    started->daemon =
        MHD_start_daemon(MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD, port, NULL, NULL, answer, started,
                         MHD_OPTION_LISTEN_SOCKET, descriptor, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
                         MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_TIMEOUT_SECONDS,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY_MAX, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started->daemon == NULL) {
        close(descriptor);
        free(started);
        return error_set(
            error, STATUS_INTERNAL,
            "http: cannot start the server on %s: no thread or no memory; see the limits of the process",
            listen);
    }
    *server = started;
    return STATUS_OK;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

void http_server_stop(struct http_server *server)
{
    if (server == NULL) return;
    MHD_stop_daemon(server->daemon); /* closes the socket */
    free(server);
}
