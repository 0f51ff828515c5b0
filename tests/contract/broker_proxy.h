/* A loopback TCP proxy in front of a broker, to do to a connection what networks do: cut it, freeze it,
 * deliver it in crumbs; and to say what a broker says only in trouble. */
#ifndef BURSAR_TESTS_BROKER_PROXY_H
#define BURSAR_TESTS_BROKER_PROXY_H

#include "contract/broker_world.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>

#define PROXY_INJECTION_MAX 64

struct proxy {
    int listener, port, broker_port;
    pthread_t thread;
    atomic_bool stop;
    atomic_int crumb;        /* bytes towards the client at a time; 0: as they come */
    atomic_bool hold_client; /* nothing more from the client reaches the broker */
    atomic_bool hold_broker; /* nothing more from the broker reaches the client */
    atomic_bool cut;         /* ends the present connection */
    atomic_int connections;
    pthread_mutex_t lock;
    unsigned char injection[PROXY_INJECTION_MAX]; /* towards the client, when nothing else is on its way */
    size_t injection_size;
    char url[128];
};

static inline int proxy_dial(int port)
{
    int one = 1;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) {
        close(descriptor);
        return -1;
    }
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return descriptor;
}

/* Carries what is there; false at the end of the stream. */
static inline bool proxy_carry(int from, int to, int crumb)
{
    static _Thread_local char bytes[65536];
    ssize_t size = recv(from, bytes, crumb > 0 ? (size_t)crumb : sizeof bytes, 0);
    if (size <= 0) return false;
    for (ssize_t sent = 0, n; sent < size; sent += n)
        if ((n = send(to, bytes + sent, (size_t)(size - sent), MSG_NOSIGNAL)) <= 0) return false;
    return true;
}

static inline void proxy_inject_now(struct proxy *proxy, int client)
{
    pthread_mutex_lock(&proxy->lock);
    if (proxy->injection_size > 0) (void)!send(client, proxy->injection, proxy->injection_size, MSG_NOSIGNAL);
    proxy->injection_size = 0;
    pthread_mutex_unlock(&proxy->lock);
}

static inline void proxy_serve(struct proxy *proxy, int client)
{
    int one = 1;
    int broker = proxy_dial(proxy->broker_port);
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    while (broker >= 0 && !atomic_load(&proxy->stop) && !atomic_exchange(&proxy->cut, false)) {
        struct pollfd pollers[] = {
            {.fd = atomic_load(&proxy->hold_client) ? -1 : client, .events = POLLIN},
            {.fd = atomic_load(&proxy->hold_broker) ? -1 : broker, .events = POLLIN},
        };
        if (poll(pollers, 2, 5) == 0) proxy_inject_now(proxy, client);
        if (pollers[0].revents != 0 && !proxy_carry(client, broker, 0)) break;
        if (pollers[1].revents != 0 && !proxy_carry(broker, client, atomic_load(&proxy->crumb))) break;
    }
    close(client);
    if (broker >= 0) close(broker);
}

static inline void *proxy_run(void *argument)
{
    struct proxy *proxy = argument;
    while (!atomic_load(&proxy->stop)) {
        struct pollfd poller = {.fd = proxy->listener, .events = POLLIN};
        if (poll(&poller, 1, 20) <= 0) continue;
        int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0) continue;
        atomic_fetch_add(&proxy->connections, 1);
        proxy_serve(proxy, client);
    }
    return NULL;
}

/* One connection at a time. The caller closes. */
static inline struct proxy *proxy_open(const char *url)
{
    struct proxy *proxy = memory_alloc_zero(1, sizeof *proxy);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    proxy->broker_port = atoi(strrchr(url, ':') + 1);
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(proxy->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(proxy->listener, 8), 0);
    assert_int_equal(getsockname(proxy->listener, (struct sockaddr *)&address, &size), 0);
    proxy->port = ntohs(address.sin_port);
    snprintf(proxy->url, sizeof proxy->url, "amqp://guest:guest@127.0.0.1:%d/%%2f", proxy->port);
    pthread_mutex_init(&proxy->lock, NULL);
    assert_int_equal(pthread_create(&proxy->thread, NULL, proxy_run, proxy), 0);
    return proxy;
}

/* From its return on. */
static inline void proxy_hold_client(struct proxy *proxy)
{
    atomic_store(&proxy->hold_client, true);
    usleep(50000); /* what the proxy's present turn still carries */
}

static inline void proxy_inject(struct proxy *proxy, const void *bytes, size_t size)
{
    assert_true(size <= PROXY_INJECTION_MAX);
    pthread_mutex_lock(&proxy->lock);
    memcpy(proxy->injection, bytes, size);
    proxy->injection_size = size;
    pthread_mutex_unlock(&proxy->lock);
}

static inline void proxy_close(struct proxy *proxy)
{
    atomic_store(&proxy->stop, true);
    pthread_join(proxy->thread, NULL);
    pthread_mutex_destroy(&proxy->lock);
    close(proxy->listener);
    free(proxy);
}

#endif
