/* Which URLs of a broker and a Redis are taken, and what is said of the others, without repeating them. */
#include "config/config_check.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

struct url_case {
    const char *url, *says; /* NULL: taken */
};

static void expect(const char *(*check)(const char *value), const struct url_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *says = cases[i].says, *wrong = check(cases[i].url);
        if ((wrong == NULL) != (says == NULL) || (says != NULL && strncmp(wrong, says, strlen(says)) != 0))
            fail_msg("%s: %s", cases[i].url, wrong == NULL ? "taken" : wrong);
        if (wrong != NULL) assert_null(strstr(wrong, "secret"));
    }
}

static void test_brokers(void **state)
{
    static const struct url_case cases[] = {
        {"amqp://u:secret@h:5672/%2f", NULL},
        {"amqps://u:se%40cret@[::1]:5671/v?verify=verify_none&cacertfile=/etc/ca.pem", NULL},
        {"amqp://h", NULL},
        {"amqp://:1", NULL},
        {"amqp://u:p@@h/", NULL},
        {"amqp://a,amqp://b:65535/v,amqps://c/%2F", NULL},
        {"amqp://h:port/", "must have a port"},
        {"amqp://h:/", "must have a port"},
        {"amqp://h:0", "must have a port"},
        {"amqp://guest:secret@127.0.0.1:99999/%2f", "must have a port"},
        {"amqp://a,amqp://b:65536", "must have a port"},
        {"amqp://u:secret/x@h", "must have a port"},
        {"amqp://u:secret%@h", "has a %"},
        {"amqp://u:secret%4@h", "has a %"},
        {"amqp://u:%00secret@h", "has a %"},
        {"amqp://h/%2", "has a %"},
        {"amqp://h/a/b", "must have a virtual host without a /"},
        {"amqp://u:secret#@h", "must not contain a #"},
        {"amqp://[::1", "must have an IPv6 address"},
        {"amqp://[::1]5672", "must have an IPv6 address"},
        {"amqp://[]", "must have an IPv6 address"},
        {"amqp://a,", "must be amqp://"},
        {"amqp://a,,amqp://b", "must be amqp://"},
        {"amqp://u:secret x@h", "must not contain white space"},
    };
    (void)state;
    expect(config_check_amqp_url, cases, sizeof cases / sizeof cases[0]);
}

static void test_stocks(void **state)
{
    static const struct url_case cases[] = {
        {"redis://h", NULL},
        {"redis://h:6379/", NULL},
        {"redis://:secret@[::1]:7000/15", NULL},
        {"rediss://u:p@@h/0", NULL},
        {"unix:///run/redis.sock", NULL},
        {"unix://:secret@/run/redis%20one.sock", NULL},
        {"redis://127.0.0.1:6379/x", "must have the number of a database"},
        {"redis://h/-1", "must have the number of a database"},
        {"redis://h/0/1", "must have the number of a database"},
        {"redis://h/1000001", "must have the number of a database"},
        {"redis://127.0.0.1:99999/0", "must have a port"},
        {"redis://127.0.0.1:abc/0", "must have a port"},
        {"redis://h:", "must have a port"},
        {"redis://u:secret/x@h", "must have a port"},
        {"redis://", "must have a host"},
        {"redis://:6379", "must have a host"},
        {"redis://secret@h", "must have a password behind the user"},
        {"redis://secret:@h", "must have a password behind the user"},
        {"redis://@h", "must have a password behind the user"},
        {"redis://u:secret%zz@h", "has a %"},
        {"redis://h?db=1", "must not contain a ?"},
        {"redis://[::1", "must have an IPv6 address"},
        {"unix://host/path", "must be unix:///path"},
        {"unix://", "must be unix:///path"},
        {"redis:h", "must be redis://"},
        {"redis", "must be redis://"},
    };
    (void)state;
    expect(config_check_redis_url, cases, sizeof cases / sizeof cases[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_brokers),
        cmocka_unit_test(test_stocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
