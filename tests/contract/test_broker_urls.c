/* URLs and options, right and wrong: tables that need no server. */
#include "amqp/url.h"
#include "contract/broker_world.h"

static void test_urls_that_are_right(void **state)
{
    static const struct {
        const char *url, *user, *password, *host, *vhost;
        int port;
        bool tls, verify;
    } cases[] = {
        {"amqp://", "guest", "guest", "localhost", "/", 5672, false, true},
        {"amqp://h", "guest", "guest", "h", "/", 5672, false, true},
        {"amqp://h/", "guest", "guest", "h", "/", 5672, false, true},
        {"amqp://h:1/v", "guest", "guest", "h", "v", 1, false, true},
        {" amqp://u:p@h:65535/%2f\t", "u", "p", "h", "/", 65535, false, true},
        {"amqp://u@h/a%2Fb", "u", "guest", "h", "a/b", 5672, false, true},
        {"amqp://u:@h", "u", "", "h", "/", 5672, false, true},
        {"amqp://%75%3a%40:p%2fq%25%2c@h", "u:@", "p/q%,", "h", "/", 5672, false, true},
        {"amqp://u:p:q@r@h", "u", "p:q@r", "h", "/", 5672, false, true},
        {"amqp://u:\xc3\xa9%c3%a9@h", "u", "\xc3\xa9\xc3\xa9", "h", "/", 5672, false, true},
        {"amqp://[::1]", "guest", "guest", "::1", "/", 5672, false, true},
        {"amqp://u:p@[fe80::1]:5673/v", "u", "p", "fe80::1", "v", 5673, false, true},
        {"amqps://h", "guest", "guest", "h", "/", 5671, true, true},
        {"amqps://h:1/v?verify=verify_none", "guest", "guest", "h", "v", 1, true, false},
        {"amqps://h?verify=verify_peer&cacertfile=%2fetc%2fca.pem", "guest", "guest", "h", "/", 5671, true,
         true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct broker_url_list list;
        struct error error;
        if (broker_url_list_parse(cases[i].url, &list, &error) != STATUS_OK)
            fail_msg("%s: %s", cases[i].url, error.text);
        assert_int_equal(list.count, 1);
        assert_string_equal(list.urls[0].user, cases[i].user);
        assert_string_equal(list.urls[0].password, cases[i].password);
        assert_string_equal(list.urls[0].host, cases[i].host);
        assert_string_equal(list.urls[0].vhost, cases[i].vhost);
        assert_int_equal(list.urls[0].port, cases[i].port);
        assert_int_equal(list.urls[0].tls, cases[i].tls);
        assert_int_equal(list.urls[0].verify_peer, cases[i].verify);
        broker_url_list_free(&list);
    }
    struct broker_url_list list;
    assert_int_equal(broker_url_list_parse("amqp://a, amqps://b:1/c?cacertfile=/ca ,amqp://d", &list, NULL),
                     STATUS_OK);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.urls[1].ca_file, "/ca");
    assert_string_equal(list.urls[2].host, "d");
    broker_url_list_free(&list);
}

static void test_urls_that_are_wrong(void **state)
{
    static const struct {
        const char *url, *words;
    } cases[] = {
        {"", "amqp://"},
        {"http://h", "amqp://"},
        {"AMQP:/h", "amqp://"},
        {"amqp://u:s3cret@h:x", "port"},
        {"amqp://u:s3cret@h:", "port"},
        {"amqp://u:s3cret@h:0", "port"},
        {"amqp://u:s3cret@h:65536", "port"},
        {"amqp://u:s3cret@h:-1", "port"},
        {"amqp://u:s3cret/2@h", "port"},
        {"amqp://u:s3cret?2@h", "port"},
        {"amqp://u:s3cret#2@h", "#"},
        {"amqp://u:s3cret,2@h", "URL 1"},
        {"amqp://h,", "URL 2"},
        {"amqp://a,amqp://u:s3cret%@h", "URL 2: the password"},
        {"amqp://u:s3cret%4@h", "password"},
        {"amqp://u:s3cret%00@h", "password"},
        {"amqp://s3cret%zz:p@h", "user"},
        {"amqp://h/a/s3cret", "virtual host"},
        {"amqp://h/s3cret%", "virtual host"},
        {"amqp://[::1", "["},
        {"amqp://[]", "empty"},
        {"amqp://[::1]s3cret", "port"},
        {"amqp://h%", "host"},
        {"amqp://h?verify=verify_none", "amqps"},
        {"amqps://h?s3cret=1", "cacertfile"},
        {"amqps://h?certfile=/c&keyfile=/s3cret&keyfile=/k", "given twice"},
        {"amqps://h?verify=s3cret", "verify_peer"},
        {"amqps://h?certfile=/a", "keyfile"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct amqp_options options = {.url = cases[i].url,
                                       .exchange = "e",
                                       .queue = "q",
                                       .routing_key = "r",
                                       .dead_letter_exchange = "x",
                                       .dead_letter_queue = "d",
                                       .heartbeat_s = 1,
                                       .connect_timeout_ms = 1,
                                       .confirm_timeout_ms = 1,
                                       .prefetch = 1};
        struct error error;
        if (amqp_options_check(&options, &error) != STATUS_CONFIG) fail_msg("%s was taken", cases[i].url);
        if (strstr(error.text, cases[i].words) == NULL) fail_msg("%s: %s", cases[i].url, error.text);
        assert_null(strstr(error.text, "s3cret"));
    }
}

static void test_options_that_are_wrong(void **state)
{
    char long_name[257];
    memset(long_name, 'n', 256);
    long_name[256] = '\0';
    const struct amqp_options right = {.url = "amqp://h",
                                       .exchange = "e",
                                       .queue = "q",
                                       .routing_key = "r",
                                       .dead_letter_exchange = "x",
                                       .dead_letter_queue = "d",
                                       .heartbeat_s = 1,
                                       .connect_timeout_ms = 1,
                                       .confirm_timeout_ms = 1,
                                       .prefetch = 1};
    struct amqp_options wrong[10];
    for (size_t i = 0; i < 10; i++) wrong[i] = right;
    wrong[0].queue = "";
    wrong[1].exchange = NULL;
    wrong[2].routing_key = long_name;
    wrong[3].prefetch = 0;
    wrong[4].prefetch = 65536;
    wrong[5].heartbeat_s = 0;
    wrong[6].connect_timeout_ms = 0;
    wrong[7].confirm_timeout_ms = -1;
    wrong[8].delivery_limit = -1;
    wrong[9].consume_queue = "";
    (void)state;
    assert_int_equal(amqp_options_check(&right, NULL), STATUS_OK);
    for (size_t i = 0; i < 10; i++) {
        struct consumer *consumer = NULL;
        struct publisher *publisher = NULL;
        if (amqp_options_check(&wrong[i], NULL) != STATUS_CONFIG) fail_msg("options %zu were taken", i);
        assert_int_equal(amqp_consumer_open(&wrong[i], &consumer, NULL), STATUS_CONFIG);
        assert_int_equal(amqp_publisher_open(&wrong[i], &publisher, NULL), STATUS_CONFIG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls_that_are_right),
        cmocka_unit_test(test_urls_that_are_wrong),
        cmocka_unit_test(test_options_that_are_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
