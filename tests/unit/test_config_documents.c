/* etc/bursar.conf, docs/configuration.md and the table of keys say the same: every key, its default, its unit
 * and range, its help. */
#include "base/buffer.h"
#include "base/memory.h"
#include "config/config_table.h"
#include "config/config_value.h"

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* The file at `path` of the source tree, as one string; the caller frees. */
static char *tree_file(const char *path)
{
    struct buffer name = {0};
    const char *here = __FILE__;
    const char *tests = strstr(here, "tests/unit/");
    assert_non_null(tests);
    buffer_append(&name, (struct text){here, (size_t)(tests - here)});
    buffer_append_string(&name, path);
    FILE *file = fopen(name.data, "r");
    if (file == NULL) fail_msg("%s: %s", name.data, strerror(errno));
    struct buffer content = {0};
    char part[4096];
    for (size_t size; (size = fread(part, 1, sizeof part, file)) > 0;)
        buffer_append(&content, (struct text){part, size});
    fclose(file);
    buffer_free(&name);
    return content.data;
}

/* What etc/bursar.conf must hold for a key, or with `last` its last line, which alone sets it. */
static void render_setting(const struct config_key *key, struct buffer *text)
{
    char expected[CONFIG_EXPECTED_SIZE];
    config_value_expected(key, expected);
    bool quoted = key->type == CONFIG_STRING || key->type == CONFIG_CHOICE;
    buffer_format(text, "    # %s\n    # (%s%s)\n    %s = %s%s%s;\n", key->help, expected,
                  key->restart ? "; needs a restart" : "", strchr(key->name, '.') + 1, quoted ? "\"" : "",
                  key->fallback, quoted ? "\"" : "");
}

/* What docs/configuration.md must hold for a key. */
static void render_row(const struct config_key *key, struct buffer *text)
{
    char expected[CONFIG_EXPECTED_SIZE];
    config_value_expected(key, expected);
    buffer_format(text, "| `%s` | `%s` | %s | %s | %s |\n", key->name, key->fallback, expected,
                  key->restart ? "restart" : "reload", key->help);
}

static size_t count_lines_with(const char *text, const char *start, const char *needle)
{
    size_t count = 0;
    for (const char *line = text; line != NULL && *line != '\0';
         line = strchr(line, '\n') == NULL ? NULL : strchr(line, '\n') + 1) {
        if (strncmp(line, start, strlen(start)) != 0) continue;
        const char *end = strchr(line, '\n');
        const char *found = strstr(line, needle);
        if (found != NULL && (end == NULL || found < end)) count++;
    }
    return count;
}

/* The part of the sample that belongs to the key's section; absent: there is none. */
static struct text section_of(const char *sample, const struct config_key *key)
{
    struct buffer opening = {0};
    buffer_format(&opening, "\n%.*s:\n{\n", (int)strcspn(key->name, "."), key->name);
    const char *start = strstr(sample, opening.data);
    buffer_free(&opening);
    const char *end = start == NULL ? NULL : strstr(start, "\n};\n");
    return end == NULL ? TEXT_NONE : (struct text){start, (size_t)(end + 1 - start)};
}

/* The first difference between the table and the two documents; NULL: there is none. The caller frees. */
static char *difference(const char *sample, const char *page)
{
    struct buffer wanted = {0};
    for (size_t i = 0; i < config_key_count; i++) {
        buffer_clear(&wanted);
        render_setting(&config_keys[i], &wanted);
        struct text section = section_of(sample, &config_keys[i]);
        if (!text_is_present(section) || memmem(section.data, section.size, wanted.data, wanted.size) == NULL)
            return wanted.data;
        buffer_clear(&wanted);
        render_row(&config_keys[i], &wanted);
        if (strstr(page, wanted.data) == NULL) return wanted.data;
    }
    buffer_clear(&wanted);
    if (count_lines_with(sample, "    ", " = ") != config_key_count)
        buffer_append_string(&wanted, "the sample has other settings, too");
    else if (count_lines_with(page, "| `", ".") != config_key_count)
        buffer_append_string(&wanted, "the page has other rows, too");
    if (wanted.size > 0) return wanted.data;
    buffer_free(&wanted);
    return NULL;
}

static void test_documents_agree_with_the_table(void **state)
{
    (void)state;
    char *sample = tree_file("etc/bursar.conf");
    char *page = tree_file("docs/configuration.md");
    char *found = difference(sample, page);
    if (found != NULL) fail_msg("etc/bursar.conf or docs/configuration.md lacks, or differs in:\n%s", found);
    free(sample);
    free(page);
}

/* A copy of `text` with the first `from` replaced; the caller frees. */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    assert_non_null(at);
    struct buffer copy = {0};
    buffer_append(&copy, (struct text){text, (size_t)(at - text)});
    buffer_append_string(&copy, to);
    buffer_append_string(&copy, at + strlen(from));
    return copy.data;
}

static void test_a_planted_difference_is_found(void **state)
{
    (void)state;
    static const struct {
        bool in_sample;
        const char *from, *to;
    } cases[] = {
        {true, "    prefetch = 10000;", "    prefetch = 10001;"},
        {true, "    declare = true;", ""},
        {true, "    # (one of debug, info, warn, error)", "    # (one of debug, info)"},
        {true, "\n    timeout = 2;\n", "\n    timeout = 2;\n    speed = 2;\n"},
        {true, "\nworker:\n", "\nworkers:\n"},
        {false, "| `600` |", "| `601` |"},
        {false, "| `log.format` |", "| `log.shape` |"},
        {false, "| `amqp.queue` |", "| `amqp.lane` | | | | |\n| `amqp.queue` |"},
        {false, " | reload | ", " | restart | "},
    };
    char *sample = tree_file("etc/bursar.conf");
    char *page = tree_file("docs/configuration.md");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *planted = replaced(cases[i].in_sample ? sample : page, cases[i].from, cases[i].to);
        char *found = cases[i].in_sample ? difference(planted, page) : difference(sample, planted);
        if (found == NULL) fail_msg("not found: %s instead of %s", cases[i].to, cases[i].from);
        free(found);
        free(planted);
    }
    free(sample);
    free(page);
}

static void test_the_sample_loads_and_changes_nothing(void **state)
{
    (void)state;
    char *sample = tree_file("etc/bursar.conf");
    char path[] = "/tmp/bursar-sample-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, sample, strlen(sample)), (ssize_t)strlen(sample));
    close(descriptor);
    struct config loaded = {0}, defaults = {0};
    struct error error;
    enum status status = config_load(&(struct config_source){.file = path}, &loaded, &error);
    if (status != STATUS_OK) fail_msg("%s", error.text);
    assert_int_equal(config_load(&(struct config_source){.file = "/dev/null"}, &defaults, &error), STATUS_OK);
    size_t cursor = 0;
    struct config_change change;
    if (config_change_next(&defaults, &loaded, &cursor, &change))
        fail_msg("the sample changes %s", change.key);
    unlink(path);
    config_free(&loaded);
    config_free(&defaults);
    free(sample);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--print") == 0) {
        struct buffer text = {0};
        for (size_t i = 0; i < config_key_count; i++) render_setting(&config_keys[i], &text);
        for (size_t i = 0; i < config_key_count; i++) render_row(&config_keys[i], &text);
        fputs(text.data, stdout);
        buffer_free(&text);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents_agree_with_the_table),
        cmocka_unit_test(test_a_planted_difference_is_found),
        cmocka_unit_test(test_the_sample_loads_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
