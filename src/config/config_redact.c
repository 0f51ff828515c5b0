#include "config/config.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Where the next URL of a comma-separated list begins (its comma), or the end: a comma is a separator only
 * before a scheme, for a password may contain one. */
static const char *part_end(const char *part)
{
    for (const char *comma = strchr(part, ','); comma != NULL; comma = strchr(comma + 1, ',')) {
        const char *scheme = comma + 1;
        while (isalnum((unsigned char)*scheme)) scheme++;
        if (scheme > comma + 1 && strncmp(scheme, "://", 3) == 0) return comma;
    }
    return part + strlen(part);
}

static const char *find_last(const char *start, const char *end, char wanted)
{
    while (end > start) {
        if (*--end == wanted) return end;
    }
    return NULL;
}

/* What stands behind a `password=` of the query is a password as well. */
static void append_rest(struct buffer *text, const char *start, const char *end)
{
    static const char word[] = "password=";
    for (const char *c = start; c < end; c++) {
        if ((size_t)(end - c) < sizeof word - 1 || strncasecmp(c, word, sizeof word - 1) != 0) continue;
        c += sizeof word - 1;
        buffer_append(text, (struct text){start, (size_t)(c - start)});
        buffer_append_string(text, "***");
        start = c;
        while (start < end && *start != '&') start++;
        c = start - 1;
    }
    buffer_append(text, (struct text){start, (size_t)(end - start)});
}

static void append_part(struct buffer *text, const char *start, const char *end)
{
    const char *scheme = strstr(start, "://");
    const char *user = scheme != NULL && scheme < end ? scheme + 3 : start;
    /* The last @, not the first: a password that was not percent-encoded may contain one. */
    const char *at = find_last(user, end, '@');
    if (at == NULL) {
        append_rest(text, start, end);
        return;
    }
    const char *colon = memchr(user, ':', (size_t)(at - user));
    /* Redis's own tools read redis://secret@host as a password without a user. */
    const char *secret = colon != NULL ? colon + 1 : strncmp(start, "redis", 5) == 0 ? user : at;
    buffer_append(text, (struct text){start, (size_t)(secret - start)});
    if (secret < at) buffer_append_string(text, "***");
    append_rest(text, at, end);
}

char *config_url_redact(const char *url)
{
    if (strncmp(url, "sqlite:", 7) == 0) return memory_copy_string(url);
    struct buffer text = {0};
    const char *part = url;
    for (;;) {
        const char *end = part_end(part);
        append_part(&text, part, end);
        if (*end == '\0') return text.data;
        buffer_append_string(&text, ",");
        part = end + 1;
    }
}
