#include "config/config_file.h"

#include "base/memory.h"
#include "config/config_source.h"
#include "config/config_value.h"

#include <errno.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define KEY_NAME_MAX 128

/* Every setting here has a name. libconfig 1.5 does not look whether it could copy a name or a string. */
static const char *name_of(const config_setting_t *setting)
{
    return memory_given(config_setting_name(setting));
}

static const char *source_of(const config_setting_t *setting, const char *path)
{
    const char *file = config_setting_source_file(setting);
    return file == NULL ? path : file;
}

/* libconfig cuts a number of more than 32 bits short without a word (4294967306 becomes 10), so it is read
 * from the file again. */
static int64_t number_of(const config_setting_t *setting, const char *path)
{
    int64_t written;
    return config_source_number(source_of(setting, path), config_setting_source_line(setting),
                                name_of(setting), &written)
               ? written
               : config_setting_get_int(setting);
}

static struct config_value value_of(const config_setting_t *setting, const char *path)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        return (struct config_value){.written = CONFIG_WRITTEN_STRING,
                                     .string = memory_given(config_setting_get_string(setting))};
    case CONFIG_TYPE_BOOL:
        return (struct config_value){.written = CONFIG_WRITTEN_BOOL,
                                     .boolean = config_setting_get_bool(setting) != 0};
    case CONFIG_TYPE_INT:
        return (struct config_value){.written = CONFIG_WRITTEN_NUMBER, .number = number_of(setting, path)};
    case CONFIG_TYPE_INT64:
        return (struct config_value){.written = CONFIG_WRITTEN_NUMBER,
                                     .number = config_setting_get_int64(setting)};
    default: return (struct config_value){.written = CONFIG_WRITTEN_OTHER};
    }
}

static enum status at_line(const config_setting_t *setting, const char *path, enum status status,
                           struct error *error)
{
    return error_wrap(error, status, "%s:%u", source_of(setting, path),
                      (unsigned)config_setting_source_line(setting));
}

static enum status unknown_key(const char *name, struct error *error)
{
    const char *close = config_key_suggest(name);
    if (close != NULL)
        return error_set(error, STATUS_CONFIG, "%s: unknown key; did you mean %s?", name, close);
    return error_set(error, STATUS_CONFIG, "%s: unknown key; take it out or correct it", name);
}

static enum status setting_store(struct config *config, const char *section, const config_setting_t *setting,
                                 const char *path, struct error *error)
{
    char name[KEY_NAME_MAX];
    snprintf(name, sizeof name, "%s.%s", section, name_of(setting));
    const struct config_key *key = config_key_find(name);
    if (key == NULL) return at_line(setting, path, unknown_key(name, error), error);
    enum status status = config_value_store(config, key, value_of(setting, path), error);
    return status == STATUS_OK ? STATUS_OK : at_line(setting, path, status, error);
}

static enum status section_store(struct config *config, const config_setting_t *section, const char *path,
                                 struct error *error)
{
    const char *name = name_of(section);
    if (!config_section_exists(name, strlen(name))) {
        return at_line(section, path, unknown_key(name, error), error);
    }
    if (!config_setting_is_group(section)) {
        return at_line(
            section, path,
            error_set(error, STATUS_CONFIG, "%s: is a section; write %s = { key = value; };", name, name),
            error);
    }
    for (int i = 0; i < config_setting_length(section); i++) {
        enum status status =
            setting_store(config, name, config_setting_get_elem(section, (unsigned)i), path, error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

/* libconfig opens what it is given and ends the process over a folder, in some versions. */
static enum status check_readable(const char *path, bool optional, bool *absent, struct error *error)
{
    *absent = false;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        *absent = optional && errno == ENOENT;
        if (*absent) return STATUS_OK;
        return error_set(error, STATUS_CONFIG, "cannot read the configuration %s: %s", path, strerror(errno));
    }
    struct stat information;
    bool folder = fstat(fileno(file), &information) == 0 && S_ISDIR(information.st_mode);
    fclose(file);
    if (folder)
        return error_set(error, STATUS_CONFIG,
                         "cannot read the configuration %s: it is a folder; name a file", path);
    return STATUS_OK;
}

static enum status syntax_error(const config_t *file, const char *path, struct error *error)
{
    const char *name = config_error_file(file) == NULL ? path : config_error_file(file);
    unsigned line = (unsigned)config_error_line(file);
    const char *text = config_error_text(file);
    if (strcmp(text, "duplicate setting name") != 0) {
        return error_set(error, STATUS_CONFIG, "%s:%u: %s; each setting is written key = value;", name, line,
                         text);
    }
    char source[1024];
    config_source_line(name, line, source, sizeof source);
    const char *key = source + strspn(source, " \t{;,");
    int size = (int)strcspn(key, " \t=:\r\n");
    return error_set(error, STATUS_CONFIG, "%s:%u: %.*s: is there twice; keep one of them", name, line, size,
                     key);
}

enum status config_file_read(struct config *config, const char *path, bool optional, struct error *error)
{
    bool absent;
    enum status status = check_readable(path, optional, &absent, error);
    if (status != STATUS_OK || absent) return status;
    config_t file;
    config_init(&file);
    char *folder = memory_copy_string(path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        *slash = '\0';
        config_set_include_dir(&file, slash == folder ? "/" : folder);
    }
    if (config_read_file(&file, path) == CONFIG_FALSE) {
        status = config_error_type(&file) == CONFIG_ERR_PARSE
                     ? syntax_error(&file, path, error)
                     : error_set(error, STATUS_CONFIG, "cannot read the configuration %s: %s", path,
                                 config_error_text(&file));
        goto out;
    }
    const config_setting_t *root = config_root_setting(&file);
    for (int i = 0; i < config_setting_length(root) && status == STATUS_OK; i++) {
        status = section_store(config, config_setting_get_elem(root, (unsigned)i), path, error);
    }
out:
    free(folder);
    config_destroy(&file);
    return status;
}
