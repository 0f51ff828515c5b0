/* What `bursar status` makes of the answers of whoever listens on http.listen: the input is the answer to
 * /livez and, behind its first NUL, that to /metrics. */
#include "fuzz/target.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static struct text answers[2];
static size_t asked;

/* A socket that is connected, and from which the next answer is read, and then the end. */
static int answering_socket(void)
{
    int pair[2];
    HOLDS(asked < 2 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    struct text answer = answers[asked++];
    HOLDS(send(pair[1], answer.data, answer.size, MSG_DONTWAIT) == (ssize_t)answer.size);
    HOLDS(shutdown(pair[1], SHUT_WR) == 0);
    static int other_end = -1; /* open until the next one, so that the question can be sent */
    if (other_end >= 0) close(other_end);
    other_end = pair[1];
    return pair[0];
}

#define socket(family, kind, protocol)     answering_socket()
#define connect(descriptor, address, size) 0
#include "cli/worker_probe.c"
#undef socket
#undef connect

#define HELD_LINE "\nbursar_deliveries_held "

static bool says(struct text answer, const char *status)
{
    return answer.size >= 9 + strlen(status) && memcmp(answer.data + 9, status, strlen(status)) == 0;
}

static void hold_held(const struct worker_look *look, struct text metrics)
{
    HOLDS(!look->has_held || (look->held >= 0 && look->held <= INT64_C(1000000000000000)));
    const char *line =
        metrics.size == 0 ? NULL : memmem(metrics.data, metrics.size, HELD_LINE, strlen(HELD_LINE));
    HOLDS(!look->has_held || (line != NULL && says(metrics, "200")));
    if (!look->has_held) return;
    /* A whole number as the worker writes it is taken as it is. */
    const char *number = line + strlen(HELD_LINE);
    size_t digits = strspn(number, "0123456789");
    char written[32];
    snprintf(written, sizeof written, "%lld", (long long)look->held);
    if (digits > 0 && number[0] != '0' && number[digits] == '\n')
        HOLDS(strlen(written) == digits && memcmp(number, written, digits) == 0);
}

int LLVMFuzzerInitialize(int *argument_count, char ***arguments)
{
    (void)argument_count;
    (void)arguments;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *middle = size == 0 ? NULL : memchr(data, '\0', size);
    size_t first = middle == NULL ? size : (size_t)(middle - data);
    size_t second = middle == NULL ? size : first + 1;
    answers[0] = (struct text){(const char *)data, first};
    answers[1] = (struct text){(const char *)data + second, size - second};
    asked = 0;
    struct worker_look look = worker_probe("127.0.0.1:9464");
    HOLDS((look.state == WORKER_AWAY) == (answers[0].size < 9));
    HOLDS((look.state == WORKER_WELL) == says(answers[0], "200"));
    HOLDS(look.state != WORKER_UNKNOWN && (look.state != WORKER_AWAY || asked == 1));
    HOLDS(strlen(worker_state_name(look.state)) > 0);
    hold_held(&look, answers[1]);
    return 0;
}
