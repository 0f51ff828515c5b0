#include "cli/worker_probe.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TIMEOUT_S 2

const char *worker_state_name(enum worker_state state)
{
    static const char *const names[] = {"well", "stalled", "away", "unknown"};
    return names[state];
}

static int connect_to(const char *listen)
{
    char host[256];
    const char *colon = strrchr(listen, ':');
    if (colon == NULL || (size_t)(colon - listen) >= sizeof host) return -1;
    bool bracketed = listen[0] == '[';
    snprintf(host, sizeof host, "%.*s", (int)(colon - listen) - (bracketed ? 2 : 0),
             listen + (bracketed ? 1 : 0));
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *addresses;
    if (getaddrinfo(host, colon + 1, &hints, &addresses) != 0) return -1;
    int link = -1;
    for (struct addrinfo *address = addresses; address != NULL && link < 0; address = address->ai_next) {
        link = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (link < 0) continue;
        struct timeval limit = {.tv_sec = TIMEOUT_S}; /* on Linux the sending limit bounds connect() too */
        setsockopt(link, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        setsockopt(link, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        if (connect(link, address->ai_addr, address->ai_addrlen) == 0) break;
        close(link);
        link = -1;
    }
    freeaddrinfo(addresses);
    return link;
}

enum worker_state worker_probe(const char *listen)
{
    static const char request[] = "GET /livez HTTP/1.1\r\nHost: bursar\r\nConnection: close\r\n\r\n";
    if (strcmp(listen, "off") == 0) return WORKER_UNKNOWN;
    int link = connect_to(listen);
    if (link < 0) return WORKER_AWAY;
    char answer[64] = "";
    size_t size = 0;
    if (send(link, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)sizeof request - 1) {
        ssize_t got;
        while (size < sizeof answer - 1 && (got = recv(link, answer + size, sizeof answer - 1 - size, 0)) > 0)
            size += (size_t)got;
    }
    close(link);
    if (size < sizeof "HTTP/1.1 200" - 1) return WORKER_AWAY;
    return strncmp(answer + sizeof "HTTP/1.1" - 1, " 200", 4) == 0 ? WORKER_WELL : WORKER_STALLED;
}
