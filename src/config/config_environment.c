#include "config/config_environment.h"

#include "config/config_value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_FILE_SIZE_MAX 8192

static const struct {
    const char *variable;
    const char *file_variable;
    const char *key;
} variables[] = {
    {"BURSAR_AMQP_URL", "BURSAR_AMQP_URL_FILE", "amqp.url"},
    {"BURSAR_REDIS_URL", "BURSAR_REDIS_URL_FILE", "redis.url"},
    {"BURSAR_LEDGER_URL", "BURSAR_LEDGER_URL_FILE", "ledger.url"},
};

static const char *variable_value(const char *name)
{
    const char *value = getenv(name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

/* The file's text without the white space at its end. */
static enum status secret_read(const char *path, char text[SECRET_FILE_SIZE_MAX], struct error *error)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) return error_set(error, STATUS_CONFIG, "cannot read %s: %s", path, strerror(errno));
    size_t size = fread(text, 1, SECRET_FILE_SIZE_MAX - 1, file);
    bool failed = ferror(file) != 0;
    int reason = errno;
    bool longer = fgetc(file) != EOF;
    fclose(file);
    if (failed) return error_set(error, STATUS_CONFIG, "cannot read %s: %s", path, strerror(reason));
    if (longer) return error_set(error, STATUS_CONFIG, "%s is too long for a URL", path);
    while (size > 0 && strchr(" \t\r\n", text[size - 1]) != NULL) size--;
    text[size] = '\0';
    if (size == 0) return error_set(error, STATUS_CONFIG, "%s is empty; write the URL into it", path);
    if (strlen(text) != size) return error_set(error, STATUS_CONFIG, "%s is not text", path);
    return STATUS_OK;
}

enum status config_environment_read(struct config *config, struct error *error)
{
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *value = variable_value(variables[i].variable);
        const char *path = variable_value(variables[i].file_variable);
        const char *name = path == NULL ? variables[i].variable : variables[i].file_variable;
        if (value != NULL && path != NULL) {
            return error_set(error, STATUS_CONFIG, "%s and %s are both set; unset one of them",
                             variables[i].variable, name);
        }
        char text[SECRET_FILE_SIZE_MAX];
        if (path != NULL) {
            enum status status = secret_read(path, text, error);
            if (status != STATUS_OK) return error_wrap(error, status, "%s", name);
            value = text;
        }
        if (value == NULL) continue;
        enum status status = config_value_parse(config, config_key_find(variables[i].key), value, error);
        if (status != STATUS_OK) return error_wrap(error, status, "%s", name);
    }
    return STATUS_OK;
}
