/* The HTTP server over real sockets on the loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct http_server *server;
static char answer[256 * 1024];
static size_t answer_size;

static int handle(void *context, const char *path, struct buffer *body, const char **content_type)
{
    assert_string_equal(context, "context");
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    if (!sigismember(&mask, SIGTERM)) return 500;
    if (strcmp(path, "/livez") == 0) {
        buffer_append_string(body, "alive\n");
        return 200;
    }
    if (strcmp(path, "/json") == 0) {
        *content_type = "application/json";
        buffer_append_string(body, "{}");
        return 503;
    }
    if (strcmp(path, "/large") == 0) {
        for (int i = 0; i < 10000; i++) buffer_append_string(body, "0123456789");
        return 200;
    }
    if (strcmp(path, "/empty") == 0) return 204;
    buffer_format(body, "no page %s\n", path);
    return 404;
}

static int set_up(void **state)
{
    (void)state;
    struct error error;
    return http_server_start("127.0.0.1:0", handle, "context", &server, &error) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    http_server_stop(server);
    return 0;
}

static int dial(void)
{
    int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(http_server_port(server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(peer, (struct sockaddr *)&address, sizeof address), 0);
    return peer;
}

/* Sends the request and reads until the server closes. */
static const char *ask(const char *request)
{
    int peer = dial();
    assert_int_equal(send(peer, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    answer_size = 0;
    struct pollfd readable = {.fd = peer, .events = POLLIN};
    while (poll(&readable, 1, 5000) == 1) {
        ssize_t size = recv(peer, answer + answer_size, sizeof answer - 1 - answer_size, 0);
        if (size <= 0) break;
        answer_size += (size_t)size;
    }
    answer[answer_size] = '\0';
    close(peer);
    return answer;
}

static const char *page(void)
{
    const char *end = strstr(answer, "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

static void assert_starts(const char *text, const char *start)
{
    if (strncmp(text, start, strlen(start)) != 0)
        fail_msg("\"%.60s\" does not begin with \"%s\"", text, start);
}

static void test_get(void **state)
{
    (void)state;
    assert_starts(ask("GET /livez HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), "HTTP/1.1 200 ");
    assert_non_null(strstr(answer, "Content-Type: text/plain; charset=utf-8\r\n"));
    assert_string_equal(page(), "alive\n");
    assert_starts(ask("GET /livez?verbose=1 HTTP/1.0\r\n\r\n"), "HTTP/1.");
    assert_string_equal(page(), "alive\n");
    assert_starts(ask("GET /json HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), "HTTP/1.1 503 ");
    assert_non_null(strstr(answer, "Content-Type: application/json\r\n"));
    assert_starts(ask("GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), "HTTP/1.1 404 ");
    assert_string_equal(page(), "no page /x\n");
    assert_starts(ask("GET /empty HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), "HTTP/1.1 204 ");
    assert_string_equal(page(), "");
    assert_starts(ask("GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), "HTTP/1.1 200 ");
    assert_int_equal(strlen(page()), 100000);
}

static void test_head(void **state)
{
    (void)state;
    assert_starts(ask("HEAD /livez HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), "HTTP/1.1 200 ");
    assert_non_null(strstr(answer, "Content-Length: 6\r\n"));
    assert_string_equal(page(), "");
}

static void test_two_requests_on_one_connection(void **state)
{
    (void)state;
    ask("GET /livez HTTP/1.1\r\nHost: h\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(answer, "alive\nHTTP/1.1 404 "));
}

static void test_other_methods(void **state)
{
    (void)state;
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "get"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        char request[200];
        snprintf(request, sizeof request, "%s /livez HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
                 methods[i]);
        assert_starts(ask(request), "HTTP/1.1 405 ");
        assert_non_null(strstr(answer, "Allow: GET, HEAD\r\n"));
    }
}

static void test_a_request_body_is_not_waited_for(void **state)
{
    (void)state;
    ask("GET /livez HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n");
    assert_starts(answer, "HTTP/1.1 200 ");
    ask("POST /livez HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n");
    assert_starts(answer, "HTTP/1.1 405 ");
}

static void test_headers_are_bounded(void **state)
{
    (void)state;
    static char request[64 * 1024];
    snprintf(request, sizeof request, "GET /livez HTTP/1.1\r\nHost: h\r\nX: %060000d\r\n\r\n", 1);
    ask(request);
    if (answer_size > 0) assert_starts(answer, "HTTP/1.1 4");
}

static void test_connections_are_bounded(void **state)
{
    (void)state;
    int peers[33];
    for (int i = 0; i < 33; i++) {
        peers[i] = dial();
        assert_int_equal(send(peers[i], "GET /livez HTTP/1.1\r\n", 21, MSG_NOSIGNAL), 21);
    }
    /* One too many: it waits in the backlog until another one goes. */
    assert_int_equal(send(peers[32], "Host: h\r\n\r\n", 11, MSG_NOSIGNAL), 11);
    struct pollfd readable = {.fd = peers[32], .events = POLLIN};
    assert_int_equal(poll(&readable, 1, 100), 0);
    close(peers[0]);
    assert_int_equal(poll(&readable, 1, 5000), 1);
    assert_int_equal(recv(peers[32], answer, 13, MSG_WAITALL), 13);
    assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
    for (int i = 1; i < 33; i++) close(peers[i]);
}

static void assert_refused(const char *listen, const char *part)
{
    struct http_server *other = NULL;
    struct error error = {""};
    assert_int_equal(http_server_start(listen, handle, NULL, &other, &error), STATUS_CONFIG);
    assert_null(other);
    assert_non_null(strstr(error.text, listen));
    if (strstr(error.text, part) == NULL) fail_msg("\"%s\" says nothing of \"%s\"", error.text, part);
    assert_non_null(strstr(error.text, "set http.listen"));
    assert_null(strchr(error.text, '\n'));
}

static void test_a_busy_port_is_an_error(void **state)
{
    (void)state;
    char listen[32];
    snprintf(listen, sizeof listen, "127.0.0.1:%d", http_server_port(server));
    assert_refused(listen, "another process has this port");
    assert_starts(ask("GET /livez HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), "HTTP/1.1 200 ");
}

static void test_what_is_no_address(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "9464",
                                        ":9464",
                                        "127.0.0.1",
                                        "127.0.0.1:",
                                        "127.0.0.1:x",
                                        "127.0.0.1:65536",
                                        "::1:80",
                                        "[::1]",
                                        "[::1:9464",
                                        "[]:9464",
                                        "127.0.0.1:-1",
                                        "127.0.0.1:+1",
                                        "127.0.0.1: 1",
                                        "127.0.0.1:123456",
                                        "[:1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) assert_refused(wrong[i], "not HOST:PORT");
    assert_refused("192.0.2.1:0", "no such address");
}

static void test_a_port_is_free_again_after_the_stop(void **state)
{
    (void)state;
    char listen[32];
    ask("GET /livez HTTP/1.1\r\nHost: h\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    snprintf(listen, sizeof listen, "localhost:%d", http_server_port(server));
    http_server_stop(server);
    struct error error;
    assert_int_equal(http_server_start("127.0.0.1:0", handle, "context", &server, &error), STATUS_OK);
    http_server_stop(server);
    assert_int_equal(http_server_start(listen, handle, "context", &server, &error), STATUS_OK);
    http_server_stop(NULL);
}

static void test_ipv6(void **state)
{
    (void)state;
    struct http_server *other = NULL;
    struct error error;
    int probe = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool available = probe >= 0 && bind(probe, (struct sockaddr *)&address, sizeof address) == 0;
    if (probe >= 0) close(probe);
    if (!available) {
        print_message("SKIPPED: this machine has no IPv6 loopback\n");
        skip();
    }
    assert_int_equal(http_server_start("[::1]:0", handle, "context", &other, &error), STATUS_OK);
    assert_int_not_equal(http_server_port(other), 0);
    http_server_stop(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_get, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_head, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_requests_on_one_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_methods, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_request_body_is_not_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_headers_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_connections_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_busy_port_is_an_error, set_up, tear_down),
        cmocka_unit_test(test_what_is_no_address),
        cmocka_unit_test_setup_teardown(test_a_port_is_free_again_after_the_stop, set_up, tear_down),
        cmocka_unit_test(test_ipv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
