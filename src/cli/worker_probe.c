#include "cli/worker_probe.h"

#include "base/buffer.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TIMEOUT_S       2
#define ANSWER_SIZE_MAX ((size_t)1 << 20)
#define HELD_MAX        1e15 /* whole, as a double, and far beyond any prefetch */

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

/* The whole answer to a GET, as far as it comes in time; empty where there is none. */
static void ask(const char *listen, const char *path, struct buffer *answer)
{
    int link = connect_to(listen);
    if (link < 0) return;
    struct buffer request = {0};
    buffer_format(&request, "GET %s HTTP/1.1\r\nHost: bursar\r\nConnection: close\r\n\r\n", path);
    if (send(link, request.data, request.size, MSG_NOSIGNAL) == (ssize_t)request.size) {
        char part[4096];
        ssize_t got;
        while (answer->size < ANSWER_SIZE_MAX && (got = recv(link, part, sizeof part, 0)) > 0)
            buffer_append(answer, (struct text){part, (size_t)got});
    }
    buffer_free(&request);
    close(link);
}

static bool has_status(const struct buffer *answer, const char *status)
{
    static const char version[] = "HTTP/1.1 ";
    return answer->size >= sizeof version - 1 + strlen(status) &&
           memcmp(answer->data + sizeof version - 1, status, strlen(status)) == 0;
}

static void look_at_held(const char *listen, struct worker_look *look)
{
    static const char metric[] = "\nbursar_deliveries_held ";
    struct buffer answer = {0};
    ask(listen, "/metrics", &answer);
    const char *line = has_status(&answer, "200") ? strstr(answer.data, metric) : NULL;
    if (line != NULL) {
        const char *number = line + sizeof metric - 1;
        char *end;
        double held = strtod(number, &end);
        look->has_held = end != number && *end == '\n' && held >= 0 && held <= HELD_MAX;
        if (look->has_held) look->held = (int64_t)held;
    }
    buffer_free(&answer);
}

struct worker_look worker_probe(const char *listen)
{
    struct worker_look look = {.state = WORKER_UNKNOWN};
    if (strcmp(listen, "off") == 0) return look;
    struct buffer answer = {0};
    ask(listen, "/livez", &answer);
    look.state = !has_status(&answer, "")     ? WORKER_AWAY
                 : has_status(&answer, "200") ? WORKER_WELL
                                              : WORKER_STALLED;
    buffer_free(&answer);
    if (look.state != WORKER_AWAY) look_at_held(listen, &look);
    return look;
}
