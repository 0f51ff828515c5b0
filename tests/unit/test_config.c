/* Where configuration comes from, what overrides what, and how each mistake is named. */
#include "base/memory.h"
#include "config/config.h"
#include "config/config_table.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define FILE_PATH   "bursar-test-config.conf"
#define SECRET_PATH "bursar-test-config.secret"

static const char *const variables[] = {
    "BURSAR_CONFIG",        "BURSAR_AMQP_URL",       "BURSAR_REDIS_URL",      "BURSAR_LEDGER_URL",
    "BURSAR_AMQP_URL_FILE", "BURSAR_REDIS_URL_FILE", "BURSAR_LEDGER_URL_FILE"};

static int clean_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) unsetenv(variables[i]);
    unlink(FILE_PATH);
    unlink(SECRET_PATH);
    return 0;
}

static int enter_folder(void **state)
{
    static char folder[] = "/tmp/bursar-test-config-XXXXXX";
    *state = folder;
    return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    clean_environment(state);
    return chdir("/") == 0 && rmdir(*state) == 0 ? 0 : -1;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static enum status load(const char *file, const char *set, struct config *config, struct error *error)
{
    const char *sets[] = {set};
    struct config_source source = {.file = file, .sets = sets, .set_count = set != NULL};
    return config_load(&source, config, error);
}

static void test_mistakes_in_the_file_name_file_line_and_key(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"worker: { prefetsh = 5; };",
         FILE_PATH ":1: worker.prefetsh: unknown key; did you mean worker.prefetch?"},
        {"worker:\n{\n  batch_max = 5;\n  frobnication = 5;\n};",
         FILE_PATH ":4: worker.frobnication: unknown key; take it out or correct it"},
        {"rediss: { };", FILE_PATH ":1: rediss: unknown key; take it out or correct it"},
        {"\nprefetch = 7;", FILE_PATH ":2: prefetch: unknown key; did you mean worker.prefetch?"},
        {"\namqp = \"amqp://u:secret@h\";",
         FILE_PATH ":2: amqp: is a section; write amqp = { key = value; };"},
        {"worker: {\n prefetch = \"many\"; };",
         FILE_PATH ":2: worker.prefetch: must be a whole number of deliveries, 1 to 65535"},
        {"worker: { drain_timeout = 2.5; };",
         FILE_PATH ":1: worker.drain_timeout: must be a whole number of seconds, 1 to 3600"},
        {"worker: { drain_timeout = { }; };",
         FILE_PATH ":1: worker.drain_timeout: must be a whole number of seconds, 1 to 3600"},
        {"worker: { drain_timeout = [1]; };",
         FILE_PATH ":1: worker.drain_timeout: must be a whole number of seconds, 1 to 3600"},
        {"worker: { prefetch = 0; };", FILE_PATH
         ":1: worker.prefetch: 0 is out of range: must be a whole number of deliveries, 1 to 65535"},
        {"worker: { prefetch = 65536; };", FILE_PATH ":1: worker.prefetch: 65536 is out of range: "},
        {"worker: { prefetch = -5; };", FILE_PATH ":1: worker.prefetch: -5 is out of range: "},
        {"worker: { prefetch = 5000000000L; };",
         FILE_PATH ":1: worker.prefetch: 5000000000 is out of range: "},
        {"worker: { prefetch = 4294967306; };",
         FILE_PATH ":1: worker.prefetch: 4294967306 is out of range: "},
        {"amqp: { declare = 1; };", FILE_PATH ":1: amqp.declare: must be true or false"},
        {"amqp: { declare = \"true\"; };", FILE_PATH ":1: amqp.declare: must be true or false"},
        {"amqp: { queue = \"\"; };", FILE_PATH ":1: amqp.queue: must not be empty"},
        {"amqp: { queue = 5; };", FILE_PATH ":1: amqp.queue: must be text"},
        {"amqp: {\n url = \"http://u:secret@h\"; };",
         FILE_PATH ":2: amqp.url: must be amqp://user:password@host:5672/vhost, or several of"},
        {"amqp: {\n url = \"amqp://u:secret@h:99999\"; };",
         FILE_PATH ":2: amqp.url: must have a port from 1 to"},
        {"redis: {\n url = \"redis://:secret@h/x\"; };",
         FILE_PATH ":2: redis.url: must have the number of a"},
        {"redis: { prefix = \"a{b\"; };", FILE_PATH ":1: redis.prefix: must not contain { or }"},
        {"ledger: { url = \"sqlite:\"; };", FILE_PATH ":1: ledger.url: must be sqlite:PATH or mysql://"},
        {"http: { listen = \"9464\"; };", FILE_PATH ":1: http.listen: must be HOST:PORT"},
        {"log: { level = \"loud\"; };", FILE_PATH ":1: log.level: must be one of debug, info, warn, error"},
        {"log: { level = \"info|warn\"; };",
         FILE_PATH ":1: log.level: must be one of debug, info, warn, error"},
        {"reconcile: { orphans = \"keep\"; };",
         FILE_PATH ":1: reconcile.orphans: must be one of refund, settle"},
        {"log: { level = \"info\";\n   level = \"warn\"; };",
         FILE_PATH ":2: level: is there twice; keep one of them"},
        {"log: { };\nlog: { };", FILE_PATH ":2: log: is there twice; keep one of them"},
        {"log: {\n level = \"info\n", FILE_PATH ":3: syntax error; each setting is written key = value;"},
        {"log: {\n level info; };", FILE_PATH ":2: syntax error; each setting is written key = value;"},
        {"@include \"none.conf\"\n", FILE_PATH ":1: cannot open include file"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file(FILE_PATH, cases[i].text);
        struct config config = {.worker.prefetch = 77};
        struct error error;
        if (load(FILE_PATH, NULL, &config, &error) != STATUS_CONFIG) fail_msg("accepted: %s", cases[i].text);
        if (strncmp(error.text, cases[i].error, strlen(cases[i].error)) != 0) {
            fail_msg("%s\n  gives    %s\n  expected %s", cases[i].text, error.text, cases[i].error);
        }
        if (strstr(error.text, "secret") != NULL) fail_msg("a password in: %s", error.text);
        assert_int_equal(config.worker.prefetch, 77);
        assert_null(config.amqp.url);
    }
}

static void test_mistakes_on_the_command_line(void **state)
{
    static const struct {
        const char *set, *error;
    } cases[] = {
        {"worker.prefetch", "--set: worker.prefetch: has no value; write worker.prefetch=VALUE"},
        {"prefetch", "--set: is not KEY=VALUE, such as log.level=debug"},
        {"=5", "--set: is not KEY=VALUE"},
        {"amqp://user:secret@host", "--set: is not KEY=VALUE"},
        {"amqp.ulr=amqp://user:secret@host", "--set: amqp.ulr: unknown key; did you mean amqp.url?"},
        {"worker.size=5", "--set: worker.size: unknown key"},
        {"worker.prefetch=", "--set: worker.prefetch: must be a whole number of deliveries, 1 to 65535"},
        {"worker.prefetch=5x", "--set: worker.prefetch: must be a whole number"},
        {"worker.prefetch= 5", "--set: worker.prefetch: must be a whole number"},
        {"worker.prefetch=1e3", "--set: worker.prefetch: must be a whole number"},
        {"worker.prefetch=-", "--set: worker.prefetch: must be a whole number"},
        {"worker.prefetch=99999999999999999999999",
         "--set: worker.prefetch: 9223372036854775807 is out of range: must be"},
        {"amqp.declare=yes", "--set: amqp.declare: must be true or false"},
        {"log.format=xml", "--set: log.format: must be one of logfmt, json"},
        {"redis.url=secret", "--set: redis.url: must be redis://"},
        {"http.listen=localhost", "--set: http.listen: must be HOST:PORT"},
        {"http.listen=[:80", "--set: http.listen: must be HOST:PORT"},
        {"http.listen=[]:80", "--set: http.listen: must be HOST:PORT"},
        {"\x1b[31m=\n", "--set: ?[31m: unknown key"},
        {"http.listen=::1:80", "--set: http.listen: must be HOST:PORT"},
        {"http.listen=h:70000", "--set: http.listen: must have a port of at most 65535"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config config;
        struct error error;
        if (load("/dev/null", cases[i].set, &config, &error) != STATUS_CONFIG)
            fail_msg("accepted: %s", cases[i].set);
        if (strncmp(error.text, cases[i].error, strlen(cases[i].error)) != 0)
            fail_msg("%s gives %s", cases[i].set, error.text);
        if (strstr(error.text, "secret") != NULL) fail_msg("a password in: %s", error.text);
    }
}

static void test_values_that_are_taken(void **state)
{
    static const char *const sets[] = {"amqp.declare=FALSE",
                                       "worker.prefetch=65535",
                                       "http.listen=off",
                                       "http.listen=[::1]:9464",
                                       "redis.prefix=",
                                       "log.level=error",
                                       "redis.url=rediss://h",
                                       "ledger.url=mysql://u:p@h/d",
                                       "reconcile.orphan_after=0",
                                       "amqp.url=amqp://a,amqps://b/%2f"};
    (void)state;
    struct config config;
    struct error error;
    struct config_source source = {
        .file = "/dev/null", .sets = sets, .set_count = sizeof sets / sizeof sets[0]};
    if (config_load(&source, &config, &error) != STATUS_OK) fail_msg("%s", error.text);
    assert_false(config.amqp.declare);
    assert_int_equal(config.worker.prefetch, 65535);
    assert_string_equal(config.http.listen, "[::1]:9464");
    assert_string_equal(config.redis.prefix, "");
    assert_int_equal(config.log.level, LOG_ERROR);
    assert_int_equal(config.log.format, LOG_LOGFMT);
    config_free(&config);
}

static void test_each_source_goes_over_the_one_before(void **state)
{
    (void)state;
    struct config config;
    struct error error;
    write_file(FILE_PATH, "redis: { url = \"redis://file\"; timeout = 0x0a; };");
    setenv("BURSAR_CONFIG", FILE_PATH, 1);
    assert_int_equal(load(NULL, NULL, &config, &error), STATUS_OK);
    assert_string_equal(config.redis.url, "redis://file");
    assert_int_equal(config.redis.timeout, 10);
    assert_string_equal(config.amqp.exchange, "bursar");
    config_free(&config);

    setenv("BURSAR_REDIS_URL", "redis://environment", 1);
    assert_int_equal(load(NULL, NULL, &config, &error), STATUS_OK);
    assert_string_equal(config.redis.url, "redis://environment");
    config_free(&config);

    assert_int_equal(load(NULL, "redis.url=redis://set", &config, &error), STATUS_OK);
    assert_string_equal(config.redis.url, "redis://set");
    config_free(&config);

    unsetenv("BURSAR_REDIS_URL");
    assert_int_equal(load("/dev/null", NULL, &config, &error), STATUS_OK); /* -c goes before $BURSAR_CONFIG */
    assert_string_equal(config.redis.url, "redis://127.0.0.1:6379/0");
    config_free(&config);
}

static void test_a_url_from_a_secret_file(void **state)
{
    (void)state;
    struct config config;
    struct error error;
    write_file(SECRET_PATH, "amqp://u:secret@h\r\n\n");
    setenv("BURSAR_AMQP_URL_FILE", SECRET_PATH, 1);
    setenv("BURSAR_AMQP_URL", "", 1);
    assert_int_equal(load("/dev/null", NULL, &config, &error), STATUS_OK);
    assert_string_equal(config.amqp.url, "amqp://u:secret@h");
    config_free(&config);

    setenv("BURSAR_AMQP_URL", "amqp://other", 1);
    assert_int_equal(load("/dev/null", NULL, &config, &error), STATUS_CONFIG);
    assert_string_equal(error.text,
                        "BURSAR_AMQP_URL and BURSAR_AMQP_URL_FILE are both set; unset one of them");

    unsetenv("BURSAR_AMQP_URL");
    write_file(SECRET_PATH, "secret\n");
    assert_int_equal(load("/dev/null", NULL, &config, &error), STATUS_CONFIG);
    assert_memory_equal(error.text, "BURSAR_AMQP_URL_FILE: amqp.url: must be", 39);
    assert_null(strstr(error.text, "secret"));

    write_file(SECRET_PATH, "\n");
    assert_int_equal(load("/dev/null", NULL, &config, &error), STATUS_CONFIG);
    assert_string_equal(error.text, "BURSAR_AMQP_URL_FILE: " SECRET_PATH " is empty; write the URL into it");

    setenv("BURSAR_AMQP_URL_FILE", "none", 1);
    assert_int_equal(load("/dev/null", NULL, &config, &error), STATUS_CONFIG);
    assert_string_equal(error.text, "BURSAR_AMQP_URL_FILE: cannot read none: No such file or directory");
}

static void test_a_file_that_cannot_be_read(void **state)
{
    (void)state;
    struct config config;
    struct error error;
    assert_int_equal(load("none.conf", NULL, &config, &error), STATUS_CONFIG);
    assert_string_equal(error.text, "cannot read the configuration none.conf: No such file or directory");
    assert_int_equal(load("/", NULL, &config, &error), STATUS_CONFIG);
    assert_string_equal(error.text, "cannot read the configuration /: it is a folder; name a file");
    setenv("BURSAR_CONFIG", "none.conf", 1);
    assert_int_equal(load(NULL, NULL, &config, &error), STATUS_CONFIG);
    assert_string_equal(error.text,
                        "BURSAR_CONFIG: cannot read the configuration none.conf: No such file or directory");
}

static void test_every_key_that_a_reload_changes_is_told(void **state)
{
    static const struct {
        const char *set;
        bool restart;
    } cases[] = {
        {"log.level=debug", false},        {"log.format=json", false},  {"worker.batch_max=7", false},
        {"worker.stall_after=7", false},   {"worker.prefetch=7", true}, {"amqp.declare=false", true},
        {"redis.url=redis://other", true}, {"http.listen=off", true},
    };
    (void)state;
    struct config running, loaded;
    struct config_change change;
    struct error error;
    size_t cursor = 0;
    assert_int_equal(load("/dev/null", NULL, &running, &error), STATUS_OK);
    assert_false(config_change_next(&running, &running, &cursor, &change));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(load("/dev/null", cases[i].set, &loaded, &error), STATUS_OK);
        cursor = 0;
        assert_true(config_change_next(&running, &loaded, &cursor, &change));
        assert_memory_equal(change.key, cases[i].set, strlen(change.key));
        assert_int_equal(change.restart, cases[i].restart);
        assert_false(config_change_next(&running, &loaded, &cursor, &change));
        config_free(&loaded);
    }

    write_file(FILE_PATH, "worker: { prefetch = 7; batch_max = 7; }; redis: { done_window = 7; };");
    assert_int_equal(load(FILE_PATH, NULL, &loaded, &error), STATUS_OK);
    static const char *const keys[] = {"redis.done_window", "worker.prefetch", "worker.batch_max"};
    cursor = 0;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        assert_true(config_change_next(&running, &loaded, &cursor, &change));
        assert_string_equal(change.key, keys[i]);
        assert_int_equal(change.restart, i < 2);
    }
    assert_false(config_change_next(&running, &loaded, &cursor, &change));
    config_free(&loaded);
    config_free(&running);
}

static void test_passwords_are_redacted(void **state)
{
    static const struct {
        const char *url, *redacted;
    } cases[] = {
        {"amqp://u:secret@h:5672/%2f", "amqp://u:***@h:5672/%2f"},
        {"amqp://u@h/v", "amqp://u@h/v"},
        {"amqp://h", "amqp://h"},
        {"amqp://u:se@cr/et@h/v", "amqp://u:***@h/v"},
        {"amqp://u:secret@h1,amqps://u:secret@h2", "amqp://u:***@h1,amqps://u:***@h2"},
        {"amqp://u:sec,ret@h1,amqp://h2", "amqp://u:***@h1,amqp://h2"},
        {"redis://:secret@h/0", "redis://:***@h/0"},
        {"redis://secret@h/0", "redis://***@h/0"},
        {"redis://h/0?password=secret&x=1", "redis://h/0?password=***&x=1"},
        {"mysql://u:secret@h:3306/db", "mysql://u:***@h:3306/db"},
        {"sqlite:/var/lib/a@b:c/ledger.db", "sqlite:/var/lib/a@b:c/ledger.db"},
        {"u:secret@h", "u:***@h"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *redacted = config_url_redact(cases[i].url);
        assert_string_equal(redacted, cases[i].redacted);
        free(redacted);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, clean_environment, clean_environment)
    const struct CMUnitTest tests[] = {
        TEST(test_mistakes_in_the_file_name_file_line_and_key),
        TEST(test_mistakes_on_the_command_line),
        TEST(test_values_that_are_taken),
        TEST(test_each_source_goes_over_the_one_before),
        TEST(test_a_url_from_a_secret_file),
        TEST(test_a_file_that_cannot_be_read),
        TEST(test_every_key_that_a_reload_changes_is_told),
        TEST(test_passwords_are_redacted),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
