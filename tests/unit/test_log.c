#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/log.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static int ends[2];
static char line[64 * 1024];
static int64_t now_us;

static int64_t clock_us(void)
{
    return now_us;
}

/* What was written since the last look, without its time, which is checked for its form. "" for nothing. */
static const char *look(const char *after_time)
{
    ssize_t size = read(ends[0], line, sizeof line - 1);
    if (size <= 0) return "";
    line[size] = '\0';
    char *time = strstr(line, "20");
    assert_non_null(time);
    int digits[7], end = 0;
    assert_int_equal(sscanf(time, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &digits[0], &digits[1], &digits[2],
                            &digits[3], &digits[4], &digits[5], &digits[6], &end),
                     7);
    assert_int_equal(end, 24);
    char *rest = time + 24;
    assert_memory_equal(rest, after_time, strlen(after_time));
    return rest + strlen(after_time);
}

#define assert_logfmt(expected) assert_string_equal(look(" "), expected "\n")
#define assert_json(expected)   assert_string_equal(look("\","), expected "\n")
#define assert_silence()        assert_string_equal(look(""), "")

static int set_up(void **state)
{
    (void)state;
    log_configure(LOG_INFO, LOG_LOGFMT);
    now_us += 1000000000;
    return 0;
}

static void test_levels(void **state)
{
    (void)state;
    LOG(LOG_DEBUG, "hidden");
    assert_silence();
    LOG(LOG_INFO, "started");
    assert_logfmt("level=info event=started");
    log_configure(LOG_DEBUG, LOG_LOGFMT);
    LOG(LOG_DEBUG, "seen", log_number("rows", 5000), log_number("least", INT64_MIN));
    assert_logfmt("level=debug event=seen rows=5000 least=-9223372036854775808");
    log_configure(LOG_ERROR, LOG_LOGFMT);
    LOG(LOG_WARN, "hidden");
    assert_silence();
    LOG(LOG_ERROR, "broken");
    assert_logfmt("level=error event=broken");
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        struct text value;
        const char *logfmt;
        const char *json;
    } values[] = {
        {TEXT_LITERAL("camp:42"), "camp:42", "\"camp:42\""},
        {TEXT_LITERAL(""), "\"\"", "\"\""},
        {TEXT_LITERAL("a b"), "\"a b\"", "\"a b\""},
        {TEXT_LITERAL("a=b"), "\"a=b\"", "\"a=b\""},
        {TEXT_LITERAL("say \"no\""), "\"say \\\"no\\\"\"", "\"say \\\"no\\\"\""},
        {TEXT_LITERAL("a\\b"), "\"a\\\\b\"", "\"a\\\\b\""},
        {TEXT_LITERAL("x\nlevel=error event=forged"), "\"x\\nlevel=error event=forged\"",
         "\"x\\nlevel=error event=forged\""},
        {TEXT_LITERAL("\x1b[31m\r\t\x7f"), "\"\\u001b[31m\\u000d\\u0009\\u007f\"",
         "\"\\u001b[31m\\u000d\\u0009\\u007f\""},
        {TEXT_LITERAL("a\0b"), "\"a\\u0000b\"", "\"a\\u0000b\""},
        {TEXT_LITERAL("caf\xc3\xa9 \xf0\x9f\xa7\xa7"), "\"caf\xc3\xa9 \xf0\x9f\xa7\xa7\"",
         "\"caf\xc3\xa9 \xf0\x9f\xa7\xa7\""},
        {TEXT_LITERAL("\xc2\x9b"), "\"\\u009b\"", "\"\\u009b\""},
        {TEXT_LITERAL("caf\xe9"), "\"caf\xef\xbf\xbd\"", "\"caf\xef\xbf\xbd\""},
        {TEXT_LITERAL("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {TEXT_LITERAL("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
         "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {TEXT_LITERAL("\xf4\x90\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
         "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {TEXT_LITERAL("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char expected[200];
        log_configure(LOG_INFO, LOG_LOGFMT);
        LOG(LOG_INFO, "e", log_text("v", values[i].value));
        snprintf(expected, sizeof expected, "level=info event=e v=%s\n", values[i].logfmt);
        assert_string_equal(look(" "), expected);
        log_configure(LOG_INFO, LOG_JSON);
        LOG(LOG_INFO, "e", log_text("v", values[i].value));
        snprintf(expected, sizeof expected, "\"level\":\"info\",\"event\":\"e\",\"v\":%s}\n", values[i].json);
        assert_string_equal(look("\","), expected);
    }
}

static void test_an_absent_text_is_left_out(void **state)
{
    (void)state;
    LOG(LOG_INFO, "e", log_string("user", NULL), log_number("n", 1));
    assert_logfmt("level=info event=e n=1");
}

static void test_seconds(void **state)
{
    (void)state;
    LOG(LOG_INFO, "e", log_seconds("took", 0.0125), log_seconds("none", NAN));
    assert_logfmt("level=info event=e took=0.012500 none=null");
    log_configure(LOG_INFO, LOG_JSON);
    LOG(LOG_INFO, "e", log_seconds("took", 2), log_seconds("none", INFINITY), log_number("n", -1));
    assert_json("\"level\":\"info\",\"event\":\"e\",\"took\":2.000000,\"none\":null,\"n\":-1}");
}

static void test_a_long_value_is_cut(void **state)
{
    (void)state;
    static char value[30000];
    memset(value, 'x', sizeof value);
    memcpy(value + 2046, "\xe2\x82\xac", 3); /* the cut goes through it */
    LOG(LOG_INFO, "e", log_text("v", (struct text){value, sizeof value}), log_number("n", 1));
    const char *rest = look(" ");
    assert_memory_equal(rest, "level=info event=e v=\"xxx", 25);
    assert_string_equal(rest + strlen(rest) - 12, "xxx...\" n=1\n");
    assert_int_equal(strlen(rest), strlen("level=info event=e v=\"...\" n=1\n") + 2046);
}

static void test_repeats_are_counted(void **state)
{
    (void)state;
    LOG(LOG_WARN, "redis-away", log_number("try", 1));
    assert_logfmt("level=warn event=redis-away try=1");
    for (int i = 0; i < 7; i++) LOG(LOG_WARN, "redis-away", log_number("try", 2 + i));
    assert_silence();
    LOG(LOG_ERROR, "redis-away");
    assert_logfmt("level=error event=redis-away");
    LOG(LOG_WARN, "broker-away");
    assert_logfmt("level=warn event=broker-away");
    now_us += 999999;
    LOG(LOG_WARN, "redis-away");
    assert_silence();
    now_us += 1;
    LOG(LOG_WARN, "redis-away", log_number("try", 10));
    assert_logfmt("level=warn event=redis-away try=10 suppressed=8");
    now_us += 1000000;
    LOG(LOG_WARN, "redis-away");
    assert_logfmt("level=warn event=redis-away");
    for (int i = 0; i < 3; i++) {
        LOG(LOG_INFO, "committed");
        assert_logfmt("level=info event=committed");
    }
}

static void test_what_is_asked_for_is_never_a_repeat(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        LOG_EACH(LOG_WARN, "restart-needed", log_string("key", "k"));
        assert_logfmt("level=warn event=restart-needed key=k");
    }
    log_configure(LOG_ERROR, LOG_LOGFMT);
    LOG_EACH(LOG_WARN, "restart-needed");
    assert_silence();
}

static void test_more_events_than_slots(void **state)
{
    (void)state;
    char event[100];
    for (int i = 0; i < 300; i++) {
        now_us++;
        snprintf(event, sizeof event, "an-event-with-a-name-that-is-longer-than-any-real-one-%d",
                 i % 2 == 0 ? 0 : i);
        if (i % 2 == 0) snprintf(event, sizeof event, "event-%d", i);
        LOG(LOG_ERROR, event);
        if (i % 2 == 0) assert_non_null(strstr(look(" "), event));
        if (i % 2 == 1) look(" ");
    }
    LOG(LOG_ERROR, "event-298");
    assert_silence();
    LOG(LOG_ERROR, "event-0"); /* forgotten: a line too many rather than one too few */
    assert_logfmt("level=error event=event-0");
}

static void *write_many(void *argument)
{
    (void)argument;
    for (int i = 0; i < 200; i++) {
        LOG(LOG_INFO, "many", log_string("v", "a value of some length, to be written in one piece"));
        LOG(LOG_WARN, "limited");
    }
    return NULL;
}

static void test_lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    assert_non_null(file);
    log_descriptor_set(fileno(file));
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, write_many, NULL), 0);
    log_configure(LOG_INFO, LOG_JSON);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    log_descriptor_set(ends[1]);
    rewind(file);
    int many = 0, limited = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        many += strstr(line, "in one piece\"\n") != NULL || strstr(line, "in one piece\"}\n") != NULL;
        limited += strstr(line, "limited") != NULL;
    }
    fclose(file);
    assert_int_equal(many, 800);
    assert_int_equal(limited, 1);
}

static void test_a_broken_descriptor_is_no_reason_to_stop(void **state)
{
    (void)state;
    log_descriptor_set(-1);
    LOG(LOG_INFO, "nobody-hears-it");
    log_descriptor_set(ends[1]);
    assert_silence();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_levels, set_up),
        cmocka_unit_test_setup(test_values, set_up),
        cmocka_unit_test_setup(test_an_absent_text_is_left_out, set_up),
        cmocka_unit_test_setup(test_seconds, set_up),
        cmocka_unit_test_setup(test_a_long_value_is_cut, set_up),
        cmocka_unit_test_setup(test_repeats_are_counted, set_up),
        cmocka_unit_test_setup(test_what_is_asked_for_is_never_a_repeat, set_up),
        cmocka_unit_test_setup(test_more_events_than_slots, set_up),
        cmocka_unit_test_setup(test_lines_of_threads_do_not_mix, set_up),
        cmocka_unit_test_setup(test_a_broken_descriptor_is_no_reason_to_stop, set_up),
    };
    if (pipe2(ends, O_NONBLOCK) != 0) return 1;
    log_descriptor_set(ends[1]);
    log_clock_set(clock_us);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
