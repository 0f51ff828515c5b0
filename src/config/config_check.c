#include "config/config_check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool begins_with(const char *value, const char *start)
{
    return strncmp(value, start, strlen(start)) == 0;
}

static bool has_control(const char *value)
{
    for (const char *c = value; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) return true;
    }
    return false;
}

const char *config_check_ledger_url(const char *value)
{
    if (has_control(value)) return "must not contain control characters";
    if (begins_with(value, "sqlite:") && value[strlen("sqlite:")] != '\0') return NULL;
    if (begins_with(value, "mysql://")) return NULL;
    return "must be sqlite:PATH or mysql://user:password@host:3306/database";
}

const char *config_check_listen(const char *value)
{
    static const char shape[] = "must be HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464, or off";
    if (strcmp(value, "off") == 0) return NULL;
    if (has_control(value) || strchr(value, ' ') != NULL) return shape;
    const char *colon = strrchr(value, ':');
    if (colon == NULL || colon == value) return shape;
    bool bracketed = value[0] == '[';
    if (bracketed && (colon[-1] != ']' || colon - value < 3)) return shape;
    if (!bracketed && memchr(value, ':', (size_t)(colon - value)) != NULL) return shape;
    const char *port = colon + 1;
    size_t digits = strspn(port, "0123456789");
    if (digits == 0 || digits > 5 || port[digits] != '\0') return shape;
    return atoi(port) <= 65535 ? NULL : "must have a port of at most 65535";
}

const char *config_check_name(const char *value)
{
    return has_control(value) ? "must not contain control characters" : NULL;
}

const char *config_check_prefix(const char *value)
{
    for (const char *c = value; *c != '\0'; c++) {
        if (*c < '!' || *c > '~') return "must be visible ASCII";
    }
    /* The hash tag of a key is its first {…}: another brace before it would scatter a budget's keys over a
     * cluster. */
    return strpbrk(value, "{}") == NULL ? NULL : "must not contain { or }";
}
