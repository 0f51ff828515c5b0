#include "http/http_listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST_SIZE_MAX 256
#define BACKLOG       16

static enum status refuse_address(const char *listen, struct error *error)
{
    return error_set(
        error, STATUS_CONFIG,
        "http: cannot listen on \"%s\": not HOST:PORT or [ADDRESS]:PORT with a port of 0 to 65535; "
        "set http.listen, for example to 127.0.0.1:9464, or to off",
        listen);
}

/* Splits at the last colon; an IPv6 address needs its brackets. */
static enum status split_address(const char *listen, char host[HOST_SIZE_MAX], char port[6],
                                 struct error *error)
{
    const char *colon = strrchr(listen, ':');
    if (colon == NULL) return refuse_address(listen, error);
    const char *begin = listen;
    const char *end = colon;
    if (*begin == '[') {
        begin++;
        if (end <= begin || *--end != ']') return refuse_address(listen, error);
    } else if (memchr(begin, ':', (size_t)(end - begin)) != NULL) {
        return refuse_address(listen, error);
    }
    size_t host_size = (size_t)(end - begin);
    size_t port_size = strlen(colon + 1);
    if (host_size < 1 || host_size >= HOST_SIZE_MAX) return refuse_address(listen, error);
    if (port_size < 1 || port_size > 5 || strspn(colon + 1, "0123456789") != port_size ||
        atoi(colon + 1) > 65535) {
        return refuse_address(listen, error);
    }
    memcpy(host, begin, host_size);
    host[host_size] = '\0';
    memcpy(port, colon + 1, port_size + 1);
    return STATUS_OK;
}

/* The errno, or 0. A restart must not wait for connections of the last run to die out, hence SO_REUSEADDR. */
static int bind_address(const struct addrinfo *address, int *descriptor)
{
    int one = 1;
    int bound = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bound < 0) return errno;
    if (setsockopt(bound, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(bound, address->ai_addr, address->ai_addrlen) != 0 || listen(bound, BACKLOG) != 0) {
        int why = errno;
        close(bound);
        return why;
    }
    *descriptor = bound;
    return 0;
}

static uint16_t bound_port(int descriptor)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    if (getsockname(descriptor, (struct sockaddr *)&address, &size) != 0) return 0;
    if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
}

static const char *advice(int why)
{
    switch (why) {
    case EADDRINUSE:
        return "another process has this port: stop it, or set http.listen to another port or to off";
    case EACCES: return "ports below 1024 need a privilege: set http.listen to a higher port";
    case EADDRNOTAVAIL: return "this machine has no such address: set http.listen to one of its own";
    default: return "set http.listen to another address or to off";
    }
}

enum status http_listen(const char *listen, int *descriptor, uint16_t *port, struct error *error)
{
    char host[HOST_SIZE_MAX];
    char service[6];
    enum status status = split_address(listen, host, service, error);
    if (status != STATUS_OK) return status;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    int failure = getaddrinfo(host, service, &hints, &addresses);
    if (failure != 0) {
        return error_set(error, STATUS_CONFIG,
                         "http: cannot listen on %s: %s; set http.listen to an address of this machine",
                         listen, gai_strerror(failure));
    }
    int why = EADDRNOTAVAIL;
    for (const struct addrinfo *address = addresses; address != NULL && why != 0;
         address = address->ai_next) {
        why = bind_address(address, descriptor);
    }
    freeaddrinfo(addresses);
    if (why != 0) {
        return error_set(error, STATUS_CONFIG, "http: cannot listen on %s: %s; %s", listen, strerror(why),
                         advice(why));
    }
    *port = bound_port(*descriptor);
    return STATUS_OK;
}
