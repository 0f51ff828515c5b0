/* The configuration: a file, and values of --set. Lines of the input that begin with "--set " are such
 * values, the others are the file. What is accepted keeps to the table of keys, and says the same when it is
 * written down and read again. */
#include "base/buffer.h"
#include "config/config.h"
#include "config/config_table.h"
#include "config/config_value.h"
#include "fuzz/target.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#define SETS_MAX 16

static int file_descriptor;
static char file_path[64];

/* libconfig forgets some of its memory where a file is wrong. A configuration is read at the start and at a
 * reload. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so";
}

static void write_file(struct text text)
{
    HOLDS(ftruncate(file_descriptor, 0) == 0);
    HOLDS(pwrite(file_descriptor, text.data, text.size, 0) == (ssize_t)text.size);
}

static const void *field(const struct config *config, const struct config_key *key)
{
    return (const char *)config + key->offset;
}

/* "a" of "a|b|c", by its index. */
static struct text choice(const char *choices, int index)
{
    while (index-- > 0) choices = strchr(choices, '|') + 1;
    return (struct text){choices, strcspn(choices, "|")};
}

static void hold_value(const struct config *config, const struct config_key *key)
{
    switch (key->type) {
    case CONFIG_STRING: {
        const char *value = *(char *const *)field(config, key);
        HOLDS(strlen(value) >= (size_t)key->min && strlen(value) <= (size_t)key->max);
        HOLDS(key->check == NULL || key->check(value) == NULL);
        break;
    }
    case CONFIG_BOOL: break;
    case CONFIG_CHOICE: {
        int index = *(const int *)field(config, key);
        HOLDS(index >= 0 && index <= 3 && choice(key->choices, index).size > 0);
        break;
    }
    case CONFIG_INTEGER:
    case CONFIG_SECONDS: {
        int64_t value = *(const int64_t *)field(config, key);
        HOLDS(value >= key->min && value <= key->max);
        break;
    }
    }
}

/* The value as --set takes it. */
static void append_value(struct buffer *text, const struct config *config, const struct config_key *key)
{
    switch (key->type) {
    case CONFIG_STRING: buffer_append_string(text, *(char *const *)field(config, key)); break;
    case CONFIG_BOOL: buffer_append_string(text, *(const bool *)field(config, key) ? "true" : "false"); break;
    case CONFIG_CHOICE: buffer_append(text, choice(key->choices, *(const int *)field(config, key))); break;
    case CONFIG_INTEGER:
    case CONFIG_SECONDS: buffer_format(text, "%" PRId64, *(const int64_t *)field(config, key)); break;
    }
}

/* The value as a file has it: text in quotes, escaped. */
static void append_literal(struct buffer *text, const struct config *config, const struct config_key *key)
{
    struct buffer value = {0};
    append_value(&value, config, key);
    bool quoted = key->type == CONFIG_STRING || key->type == CONFIG_CHOICE;
    buffer_append_string(text, quoted ? "\"" : "");
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] == '"' || value.data[i] == '\\') buffer_append_string(text, "\\");
        buffer_append(text, (struct text){value.data + i, 1});
    }
    buffer_append_string(text, quoted ? "\"" : "");
    buffer_free(&value);
}

static void hold_same(const struct config *a, const struct config *b)
{
    struct config_change change;
    size_t cursor = 0;
    HOLDS(!config_change_next(a, b, &cursor, &change));
}

/* The whole configuration through a file, and through --set. */
static void hold_written_down(const struct config *config)
{
    struct buffer file = {0}, sets[64] = {{0}};
    const char *values[64];
    HOLDS(config_key_count <= 64);
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        size_t section = strcspn(key->name, ".");
        bool begins = i == 0 || strncmp(config_keys[i - 1].name, key->name, section + 1) != 0;
        if (begins) buffer_format(&file, "%s%.*s = {\n", i == 0 ? "" : "};\n", (int)section, key->name);
        buffer_format(&file, "%s = ", key->name + section + 1);
        append_literal(&file, config, key);
        buffer_append_string(&file, ";\n");
        buffer_format(&sets[i], "%s=", key->name);
        append_value(&sets[i], config, key);
        values[i] = sets[i].data;
    }
    buffer_append_string(&file, "};\n");
    struct config loaded;
    struct error error = {""};
    write_file((struct text){file.data, file.size});
    HOLDS(config_load(&(struct config_source){.file = file_path}, &loaded, &error) == STATUS_OK);
    hold_same(config, &loaded);
    config_free(&loaded);
    write_file(TEXT_LITERAL(""));
    struct config_source source = {.file = file_path, .sets = values, .set_count = config_key_count};
    HOLDS(config_load(&source, &loaded, &error) == STATUS_OK);
    hold_same(config, &loaded);
    config_free(&loaded);
    for (size_t i = 0; i < config_key_count; i++) buffer_free(&sets[i]);
    buffer_free(&file);
}

static void check(const struct config_source *source)
{
    struct config config, untouched;
    struct error error = {""};
    memset(&config, 0x5a, sizeof config);
    memset(&untouched, 0x5a, sizeof untouched);
    enum status status = config_load(source, &config, &error);
    if (status != STATUS_OK) {
        HOLDS(status == STATUS_CONFIG);
        HOLDS(memcmp(&config, &untouched, sizeof config) == 0);
        hold_error_line(error.text);
        bool names_line = strncmp(error.text, file_path, strlen(file_path)) == 0;
        HOLDS(names_line || strncmp(error.text, "--set: ", 7) == 0 ||
              strncmp(error.text, "cannot read the configuration", 29) == 0);
        return;
    }
    for (size_t i = 0; i < config_key_count; i++) hold_value(&config, &config_keys[i]);
    hold_written_down(&config);
    config_free(&config);
}

int LLVMFuzzerInitialize(int *argument_count, char ***arguments)
{
    (void)argument_count;
    (void)arguments;
    file_descriptor = memfd_create("bursar.conf", MFD_CLOEXEC);
    HOLDS(file_descriptor >= 0);
    snprintf(file_path, sizeof file_path, "/proc/self/fd/%d", file_descriptor);
    unsetenv("BURSAR_AMQP_URL");
    unsetenv("BURSAR_REDIS_URL");
    unsetenv("BURSAR_LEDGER_URL");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char word[] = "--set ";
    struct buffer file = {0}, sets[SETS_MAX] = {{0}};
    const char *values[SETS_MAX];
    size_t count = 0;
    /* An included file may be anything on this machine. */
    if (memmem(data, size, "@include", 8) != NULL) return 0;
    buffer_append_string(&file, "");
    for (struct text rest = {(const char *)data, size}; rest.size > 0;) {
        struct text line = take_line(&rest);
        if (line.size >= sizeof word - 1 && memcmp(line.data, word, sizeof word - 1) == 0 &&
            count < SETS_MAX) {
            buffer_append(&sets[count],
                          (struct text){line.data + sizeof word - 1, line.size - sizeof word + 1});
            values[count] = sets[count].data;
            count++;
        } else {
            buffer_append(&file, line);
            buffer_append_string(&file, "\n");
        }
    }
    write_file((struct text){file.data, file.size});
    check(&(struct config_source){.file = file_path, .sets = values, .set_count = count});
    for (size_t i = 0; i < count; i++) buffer_free(&sets[i]);
    buffer_free(&file);
    return 0;
}
