#include "config/config.h"

#include "config/config_environment.h"
#include "config/config_file.h"
#include "config/config_value.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BY_DEFAULT "/etc/bursar/bursar.conf"

static void fill_with_defaults(struct config *config)
{
    for (size_t i = 0; i < config_key_count; i++) {
        struct error error;
        enum status status = config_value_parse(config, &config_keys[i], config_keys[i].fallback, &error);
        assert(status == STATUS_OK);
    }
}

static enum status read_file(struct config *config, const char *path, struct error *error)
{
    if (path != NULL) return config_file_read(config, path, false, error);
    const char *variable = getenv("BURSAR_CONFIG");
    if (variable == NULL || variable[0] == '\0')
        return config_file_read(config, FILE_BY_DEFAULT, true, error);
    enum status status = config_file_read(config, variable, false, error);
    return status == STATUS_OK ? STATUS_OK : error_wrap(error, status, "BURSAR_CONFIG");
}

/* The text itself is never repeated: it may hold a password. */
static enum status apply_set(struct config *config, const char *set, struct error *error)
{
    char name[128];
    size_t size = strcspn(set, "=");
    if (config_key_find(set) != NULL)
        return error_set(error, STATUS_CONFIG, "--set: %s: has no value; write %s=VALUE", set, set);
    if (set[size] == '\0' || size == 0 || size >= sizeof name) {
        return error_set(error, STATUS_CONFIG, "--set: is not KEY=VALUE, such as log.level=debug");
    }
    snprintf(name, sizeof name, "%.*s", (int)size, set);
    const struct config_key *key = config_key_find(name);
    if (key == NULL) {
        const char *close = config_key_suggest(name);
        if (close != NULL)
            return error_set(error, STATUS_CONFIG, "--set: %s: unknown key; did you mean %s?", name, close);
        return error_set(error, STATUS_CONFIG, "--set: %s: unknown key", name);
    }
    enum status status = config_value_parse(config, key, set + size + 1, error);
    return status == STATUS_OK ? STATUS_OK : error_wrap(error, status, "--set");
}

enum status config_load(const struct config_source *source, struct config *config, struct error *error)
{
    struct config loaded = {0};
    fill_with_defaults(&loaded);
    enum status status = read_file(&loaded, source->file, error);
    if (status == STATUS_OK) status = config_environment_read(&loaded, error);
    for (size_t i = 0; i < source->set_count && status == STATUS_OK; i++)
        status = apply_set(&loaded, source->sets[i], error);
    if (status != STATUS_OK) {
        config_free(&loaded);
        return status;
    }
    *config = loaded;
    return STATUS_OK;
}

void config_free(struct config *config)
{
    for (size_t i = 0; i < config_key_count; i++) {
        if (config_keys[i].type == CONFIG_STRING) free(*(char **)((char *)config + config_keys[i].offset));
    }
    *config = (struct config){0};
}

bool config_change_next(const struct config *running, const struct config *loaded, size_t *cursor,
                        struct config_change *change)
{
    while (*cursor < config_key_count) {
        const struct config_key *key = &config_keys[(*cursor)++];
        if (config_value_equal(running, loaded, key)) continue;
        *change = (struct config_change){.key = key->name, .restart = key->restart};
        return true;
    }
    return false;
}
