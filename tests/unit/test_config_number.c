/* A number of the configuration file is read in full, and only the one that belongs to its setting. */
#include "config/config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define INCLUDED "bursar-test-included.conf"

static int enter_folder(void **state)
{
    static char folder[] = "/tmp/bursar-test-config-XXXXXX";
    *state = folder;
    return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    unlink("c.conf");
    unlink(INCLUDED);
    return chdir("/") == 0 && rmdir(*state) == 0 ? 0 : -1;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static enum status load(const char *text, struct config *config, struct error *error)
{
    write_file("c.conf", text);
    return config_load(&(struct config_source){.file = "c.conf"}, config, error);
}

static void test_only_a_settings_own_number_counts(void **state)
{
    static const char *const files[] = {
        "worker: { prefetch = 5; };",
        "redis: { url = \"redis://:12345678901@h\"; }; worker: { prefetch = 5; };",
        "redis: { url = \"redis://:\\\"prefetch=12345678901@h\"; }; worker: { prefetch = 5; };",
        "worker: { prefetch = 5; /* 99999999999 */ };",
        "worker: { /* prefetch = 99999999999 */ prefetch = 5; };",
        "worker: { /* prefetch = \n prefetch = 99999999999 */ prefetch = 5; };",
        "worker: { prefetch = 5; }; // not 99999999999\n",
        "worker: { prefetch = 5; }; # not 99999999999\n",
        "worker: { prefetch # = 99999999999\n = // 99999999999\n 5; };",
        "reconcile: { orphan_after = 0; }; worker: { prefetch = 0x5; };",
        "worker: { prefetch = +5; };",
        "worker: { prefetch = 5L; };",
    };
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct config config;
        struct error error;
        if (load(files[i], &config, &error) != STATUS_OK) fail_msg("%s\n  gives %s", files[i], error.text);
        assert_int_equal(config.worker.prefetch, 5);
        config_free(&config);
    }
}

static void test_a_number_that_libconfig_cuts_is_refused_as_it_was_written(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"worker: { prefetch = 4294967301; };", "c.conf:1: worker.prefetch: 4294967301 is out of range: "},
        {"worker: { prefetch = -4294967291; };", "c.conf:1: worker.prefetch: -4294967291 is out of range: "},
        {"worker: {\n prefetch\n  =\n 4294967301; };",
         "c.conf:2: worker.prefetch: 4294967301 is out of range: "},
        {"worker: { prefetch: /* = 5 */ 0x100000005; };",
         "c.conf:1: worker.prefetch: 4294967301 is out of range: "},
        {"redis: { url = \"redis://prefetch=5\"; }; worker: { prefetch = 4294967301; };",
         "c.conf:1: worker.prefetch: 4294967301 is out of range: "},
        {"worker: { prefetch = 99999999999999999999; };",
         "c.conf:1: worker.prefetch: 9223372036854775807 is out of range: "},
        {"@include \"" INCLUDED "\"\n", INCLUDED ":2: worker.prefetch: 4294967301 is out of range: "},
    };
    (void)state;
    write_file(INCLUDED, "worker: {\n prefetch = 4294967301; };\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config config;
        struct error error;
        if (load(cases[i].text, &config, &error) != STATUS_CONFIG) fail_msg("accepted: %s", cases[i].text);
        if (strncmp(error.text, cases[i].error, strlen(cases[i].error)) != 0)
            fail_msg("%s\n  gives %s", cases[i].text, error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_a_settings_own_number_counts),
        cmocka_unit_test(test_a_number_that_libconfig_cuts_is_refused_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
