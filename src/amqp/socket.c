#include "amqp/socket.h"

#include "base/instant.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How late a cancellation may be noticed. */
#define SLICE_MS 100

static bool cancelled(const atomic_bool *cancel)
{
    return cancel != NULL && atomic_load_explicit(cancel, memory_order_relaxed);
}

static int64_t milliseconds_until(int64_t deadline_us)
{
    return (deadline_us - instant_monotonic_us() + 999) / 1000;
}

/* 0, or the errno of what went wrong. */
static int wait_until_connected(int descriptor, int64_t deadline_us, const atomic_bool *cancel)
{
    for (;;) {
        int64_t left_ms = milliseconds_until(deadline_us);
        if (cancelled(cancel)) return ECANCELED;
        if (left_ms <= 0) return ETIMEDOUT;
        struct pollfd poller = {.fd = descriptor, .events = POLLOUT};
        int ready = poll(&poller, 1, left_ms < SLICE_MS ? (int)left_ms : SLICE_MS);
        if (ready < 0 && errno != EINTR) return errno;
        if (ready <= 0) continue;
        int result = 0;
        socklen_t size = sizeof result;
        return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &result, &size) == 0 ? result : errno;
    }
}

/* The descriptor, or the negated errno. */
static int connect_address(const struct addrinfo *address, int64_t deadline_us, const atomic_bool *cancel)
{
    int descriptor =
        socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    if (descriptor < 0) return -errno;
    int failure = connect(descriptor, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
    if (failure == EINPROGRESS || failure == EINTR)
        failure = wait_until_connected(descriptor, deadline_us, cancel);
    if (failure == 0) return descriptor;
    close(descriptor);
    return -failure;
}

enum status broker_socket_connect(const char *host, int port, int timeout_ms, const atomic_bool *cancel,
                                  int *descriptor, struct error *error)
{
    int64_t deadline_us = instant_monotonic_us() + (int64_t)timeout_ms * 1000;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    struct addrinfo *addresses = NULL;
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    int looked_up = getaddrinfo(host, service, &hints, &addresses);
    if (looked_up != 0)
        return error_set(error, STATUS_RETRY, "the host name cannot be resolved: %s",
                         gai_strerror(looked_up));
    int result = -EADDRNOTAVAIL;
    for (const struct addrinfo *address = addresses; address != NULL; address = address->ai_next) {
        result = connect_address(address, deadline_us, cancel);
        if (result >= 0 || result == -ETIMEDOUT || result == -ECANCELED) break;
    }
    freeaddrinfo(addresses);
    if (result < 0) return error_set(error, STATUS_RETRY, "%s", strerror(-result));
    *descriptor = result;
    return STATUS_OK;
}

static void set_option(int descriptor, int level, int name, int value)
{
    /* A kernel without one of them leaves the connection slower to notice a dead peer, and nothing worse. */
    (void)setsockopt(descriptor, level, name, &value, sizeof value);
}

void broker_socket_tune(int descriptor, int idle_s)
{
    set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, idle_s < 4 ? 1 : idle_s / 4);
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

void broker_socket_reserve(int descriptor, int bytes)
{
    set_option(descriptor, SOL_SOCKET, SO_SNDBUF, bytes);
}

void broker_socket_hold(int descriptor, bool hold)
{
    set_option(descriptor, IPPROTO_TCP, TCP_CORK, hold);
}
