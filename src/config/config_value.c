#include "config/config_value.h"

#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void *field(struct config *config, const struct config_key *key)
{
    return (char *)config + key->offset;
}

static const void *field_read(const struct config *config, const struct config_key *key)
{
    return (const char *)config + key->offset;
}

/* The index of `word` in "a|b|c"; -1: it is none of them. */
static int choice_index(const char *choices, const char *word)
{
    size_t size = strlen(word);
    int index = 0;
    for (const char *choice = choices;; index++) {
        size_t length = strcspn(choice, "|");
        if (length == size && strncmp(choice, word, size) == 0) return index;
        if (choice[length] == '\0') return -1;
        choice += length + 1;
    }
}

void config_value_expected(const struct config_key *key, char text[CONFIG_EXPECTED_SIZE])
{
    if (key->choices != NULL) {
        char *end = text + snprintf(text, CONFIG_EXPECTED_SIZE, "one of ");
        for (const char *c = key->choices; *c != '\0' && end < text + CONFIG_EXPECTED_SIZE - 3; c++) {
            if (*c == '|') *end++ = ',';
            *end++ = *c == '|' ? ' ' : *c;
        }
        *end = '\0';
        return;
    }
    switch (key->type) {
    case CONFIG_STRING:
    case CONFIG_CHOICE: snprintf(text, CONFIG_EXPECTED_SIZE, "text"); break;
    case CONFIG_BOOL: snprintf(text, CONFIG_EXPECTED_SIZE, "true or false"); break;
    case CONFIG_INTEGER:
    case CONFIG_SECONDS:
        snprintf(text, CONFIG_EXPECTED_SIZE, "a whole number%s%s, %" PRId64 " to %" PRId64,
                 key->unit == NULL ? "" : " of ", key->unit == NULL ? "" : key->unit, key->min, key->max);
        break;
    }
}

static enum status refuse(const struct config_key *key, struct error *error)
{
    char expected[CONFIG_EXPECTED_SIZE];
    config_value_expected(key, expected);
    return error_set(error, STATUS_CONFIG, "%s: must be %s", key->name, expected);
}

static enum status store_string(struct config *config, const struct config_key *key, const char *string,
                                struct error *error)
{
    if (key->choices != NULL && choice_index(key->choices, string) < 0) return refuse(key, error);
    size_t size = strlen(string);
    if (size < (size_t)key->min) return error_set(error, STATUS_CONFIG, "%s: must not be empty", key->name);
    if (size > (size_t)key->max) {
        return error_set(error, STATUS_CONFIG, "%s: has %zu bytes, at most %" PRId64 " are allowed",
                         key->name, size, key->max);
    }
    const char *wrong = key->check == NULL ? NULL : key->check(string);
    if (wrong != NULL) return error_set(error, STATUS_CONFIG, "%s: %s", key->name, wrong);
    char **target = field(config, key);
    free(*target);
    *target = memory_copy_string(string);
    return STATUS_OK;
}

static enum status store_number(struct config *config, const struct config_key *key, int64_t number,
                                struct error *error)
{
    if (number < key->min || number > key->max) {
        char expected[CONFIG_EXPECTED_SIZE];
        config_value_expected(key, expected);
        return error_set(error, STATUS_CONFIG, "%s: %" PRId64 " is out of range: must be %s", key->name,
                         number, expected);
    }
    *(int64_t *)field(config, key) = number;
    return STATUS_OK;
}

enum status config_value_store(struct config *config, const struct config_key *key, struct config_value value,
                               struct error *error)
{
    switch (key->type) {
    case CONFIG_STRING:
        if (value.written != CONFIG_WRITTEN_STRING) return refuse(key, error);
        return store_string(config, key, value.string, error);
    case CONFIG_CHOICE: {
        int index = value.written == CONFIG_WRITTEN_STRING ? choice_index(key->choices, value.string) : -1;
        if (index < 0) return refuse(key, error);
        *(int *)field(config, key) = index;
        return STATUS_OK;
    }
    case CONFIG_BOOL:
        if (value.written != CONFIG_WRITTEN_BOOL) return refuse(key, error);
        *(bool *)field(config, key) = value.boolean;
        return STATUS_OK;
    case CONFIG_INTEGER:
    case CONFIG_SECONDS:
        if (value.written != CONFIG_WRITTEN_NUMBER) return refuse(key, error);
        return store_number(config, key, value.number, error);
    }
    assert(false && "a key of no type");
    return STATUS_INTERNAL;
}

enum status config_value_parse(struct config *config, const struct config_key *key, const char *text,
                               struct error *error)
{
    struct config_value value = {.written = CONFIG_WRITTEN_STRING, .string = text};
    if (key->type == CONFIG_BOOL) {
        bool is_true = strcasecmp(text, "true") == 0;
        if (is_true || strcasecmp(text, "false") == 0)
            value = (struct config_value){.written = CONFIG_WRITTEN_BOOL, .boolean = is_true};
    } else if (key->type == CONFIG_INTEGER || key->type == CONFIG_SECONDS) {
        size_t sign = text[0] == '-';
        if (text[sign] != '\0' && text[sign + strspn(text + sign, "0123456789")] == '\0') {
            /* Beyond 64 bits strtoll answers with the nearest limit, which is out of every key's range. */
            value =
                (struct config_value){.written = CONFIG_WRITTEN_NUMBER, .number = strtoll(text, NULL, 10)};
        }
    }
    return config_value_store(config, key, value, error);
}

bool config_value_equal(const struct config *a, const struct config *b, const struct config_key *key)
{
    const void *left = field_read(a, key);
    const void *right = field_read(b, key);
    switch (key->type) {
    case CONFIG_STRING: return strcmp(*(char *const *)left, *(char *const *)right) == 0;
    case CONFIG_CHOICE: return *(const int *)left == *(const int *)right;
    case CONFIG_BOOL: return *(const bool *)left == *(const bool *)right;
    case CONFIG_INTEGER:
    case CONFIG_SECONDS: return *(const int64_t *)left == *(const int64_t *)right;
    }
    assert(false && "a key of no type");
    return false;
}
