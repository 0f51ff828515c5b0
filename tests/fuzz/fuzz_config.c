/* The configuration: a file, the environment, and values of --set. Lines of the input that begin with "--set
 * " are such values, with
 * "--env " the URL of Redis in the environment, with "--secret " the lines of the file that holds the URL of
 * the broker; all others are the configuration's file. What is accepted keeps to the table of keys, and says
 * the same when it is written down and read again. */
#include "base/buffer.h"
#include "config/config.h"
#include "config/config_table.h"
#include "config/config_value.h"
#include "fuzz/target.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#define SETS_MAX 16

/* A file in memory. */
struct file {
    int descriptor;
    char path[64];
};

static struct file configuration, secret;

static void file_open(struct file *file)
{
    file->descriptor = memfd_create("bursar", MFD_CLOEXEC);
    HOLDS(file->descriptor >= 0);
    snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", file->descriptor);
}

static void file_write(const struct file *file, struct text text)
{
    HOLDS(ftruncate(file->descriptor, 0) == 0);
    HOLDS(pwrite(file->descriptor, text.data, text.size, 0) == (ssize_t)text.size);
}

/* libconfig forgets some of its memory where a file is wrong. A configuration is read at the start and at a
 * reload. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so";
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
    file_write(&configuration, (struct text){file.data, file.size});
    HOLDS(config_load(&(struct config_source){.file = configuration.path}, &loaded, &error) == STATUS_OK);
    hold_same(config, &loaded);
    config_free(&loaded);
    file_write(&configuration, TEXT_LITERAL(""));
    struct config_source source = {.file = configuration.path, .sets = values, .set_count = config_key_count};
    HOLDS(config_load(&source, &loaded, &error) == STATUS_OK);
    hold_same(config, &loaded);
    config_free(&loaded);
    for (size_t i = 0; i < config_key_count; i++) buffer_free(&sets[i]);
    buffer_free(&file);
}

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static void clear_environment(void)
{
    static const char *const names[] = {
        "BURSAR_AMQP_URL",   "BURSAR_AMQP_URL_FILE",   "BURSAR_REDIS_URL", "BURSAR_REDIS_URL_FILE",
        "BURSAR_LEDGER_URL", "BURSAR_LEDGER_URL_FILE", "BURSAR_CONFIG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) unsetenv(names[i]);
}

static void check(const struct config_source *source)
{
    struct config config, untouched;
    struct error error = {""};
    memset(&config, 0x5a, sizeof config);
    memset(&untouched, 0x5a, sizeof untouched);
    enum status status = config_load(source, &config, &error);
    clear_environment();
    if (status != STATUS_OK) {
        HOLDS(status == STATUS_CONFIG);
        HOLDS(memcmp(&config, &untouched, sizeof config) == 0);
        hold_error_line(error.text);
        HOLDS(begins_with(error.text, configuration.path) || begins_with(error.text, "--set: ") ||
              begins_with(error.text, "BURSAR_REDIS_URL: ") ||
              begins_with(error.text, "BURSAR_AMQP_URL_FILE: ") ||
              begins_with(error.text, "cannot read the configuration"));
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
    file_open(&configuration);
    file_open(&secret);
    clear_environment();
    return 0;
}

/* An input, taken apart. */
struct input {
    struct buffer file, secret, redis_url, sets[SETS_MAX];
    size_t count; /* of sets */
    bool has_secret;
};

/* What stands behind `word`, where the line begins with it; else absent. */
static struct text behind(struct text line, const char *word)
{
    size_t size = strlen(word);
    if (line.size < size || memcmp(line.data, word, size) != 0) return TEXT_NONE;
    return (struct text){line.data + size, line.size - size};
}

static void take_apart(struct text rest, struct input *input)
{
    buffer_append_string(&input->file, "");
    while (rest.size > 0) {
        struct text line = take_line(&rest);
        struct text set = behind(line, "--set "), variable = behind(line, "--env "),
                    kept = behind(line, "--secret ");
        if (text_is_present(set) && input->count < SETS_MAX) {
            buffer_append(&input->sets[input->count++], set);
        } else if (text_is_present(variable)) {
            buffer_clear(&input->redis_url);
            buffer_append(&input->redis_url, variable);
        } else if (text_is_present(kept)) {
            input->has_secret = true;
            buffer_append(&input->secret, kept);
            buffer_append_string(&input->secret, "\n");
        } else {
            buffer_append(&input->file, line);
            buffer_append_string(&input->file, "\n");
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {.count = 0};
    const char *values[SETS_MAX];
    /* An included file may be anything on this machine. */
    if (memmem(data, size, "@include", 8) != NULL) return 0;
    take_apart((struct text){(const char *)data, size}, &input);
    file_write(&configuration, (struct text){input.file.data, input.file.size});
    file_write(&secret, (struct text){input.secret.data, input.secret.size});
    if (input.redis_url.size > 0) setenv("BURSAR_REDIS_URL", input.redis_url.data, 1);
    if (input.has_secret) setenv("BURSAR_AMQP_URL_FILE", secret.path, 1);
    for (size_t i = 0; i < input.count; i++) values[i] = input.sets[i].data;
    check(&(struct config_source){.file = configuration.path, .sets = values, .set_count = input.count});
    for (size_t i = 0; i < input.count; i++) buffer_free(&input.sets[i]);
    buffer_free(&input.file);
    buffer_free(&input.secret);
    buffer_free(&input.redis_url);
    return 0;
}
