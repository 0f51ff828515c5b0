#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Foreign bytes get into error texts: what would break the line, or a terminal, is shown as '?'. */
static void keep_to_one_line(struct error *error)
{
    for (char *byte = error->text; *byte != '\0'; byte++)
        if ((unsigned char)*byte < ' ' || *byte == 0x7f) *byte = '?';
}

enum status error_set(struct error *error, enum status status, const char *format, ...)
{
    if (error == NULL) return status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    keep_to_one_line(error);
    return status;
}

enum status error_wrap(struct error *error, enum status status, const char *format, ...)
{
    if (error == NULL) return status;
    char inner[ERROR_TEXT_MAX];
    memcpy(inner, error->text, sizeof inner);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    if (length < 0) length = 0;
    size_t used = (size_t)length < sizeof error->text ? (size_t)length : sizeof error->text - 1;
    snprintf(error->text + used, sizeof error->text - used, ": %s", inner);
    keep_to_one_line(error);
    return status;
}

const char *status_name(enum status status)
{
    switch (status) {
    case STATUS_OK: return "ok";
    case STATUS_RETRY: return "retry";
    case STATUS_UNKNOWN: return "unknown";
    case STATUS_REFUSED: return "refused";
    case STATUS_CONFIG: return "configuration";
    case STATUS_INTERNAL: return "internal";
    }
    return "?";
}
