#include "deadletter/letter_body.h"

#include "core/message_scan.h"

#include <stdint.h>
#include <string.h>

static struct text rest_of(struct text text, size_t at)
{
    return at < text.size ? (struct text){text.data + at, text.size - at} : (struct text){"", 0};
}

/* The value that stands at `at`; false where nothing does. */
static bool value_at(struct text body, size_t at, struct text *value)
{
    size_t size = 0, values;
    struct text rest = rest_of(body, at);
    if (rest.size == 0 || !scan_value(rest, &size, &values) || size == 0) return false;
    *value = (struct text){rest.data, size};
    return true;
}

static bool is_at(struct text body, size_t at, char c)
{
    return at < body.size && body.data[at] == c;
}

/* The index behind the object's opening brace; SIZE_MAX: no object. */
static size_t object_begin(struct text body)
{
    size_t at = scan_skip_space(body, 0);
    return is_at(body, at, '{') ? at + 1 : SIZE_MAX;
}

struct text letter_body_member(struct text body, const char *key)
{
    size_t at = object_begin(body);
    if (at == SIZE_MAX) return TEXT_NONE;
    for (;;) {
        struct text name, value;
        at = scan_skip_space(body, at);
        if (!is_at(body, at, '"') || !value_at(body, at, &name)) return TEXT_NONE;
        at = scan_skip_space(body, at + name.size);
        if (!is_at(body, at, ':')) return TEXT_NONE;
        at = scan_skip_space(body, at + 1);
        if (!value_at(body, at, &value)) return TEXT_NONE;
        if (name.size == strlen(key) + 2 && memcmp(name.data + 1, key, name.size - 2) == 0) return value;
        at = scan_skip_space(body, at + value.size);
        if (!is_at(body, at, ',')) return TEXT_NONE;
        at++;
    }
}

struct text letter_body_string(struct text body, const char *key)
{
    struct text value = letter_body_member(body, key);
    if (value.size < 2 || value.data[0] != '"' || memchr(value.data, '\\', value.size) != NULL)
        return TEXT_NONE;
    return (struct text){value.data + 1, value.size - 2};
}

static struct text join(const struct text *parts, size_t count, struct arena *arena)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) size += parts[i].size;
    char *joined = arena_alloc(arena, size + 1);
    char *end = joined;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > 0) memcpy(end, parts[i].data, parts[i].size);
        end += parts[i].size;
    }
    *end = '\0';
    return (struct text){joined, size};
}

struct text letter_body_replace(struct text body, const char *key, struct text value, struct arena *arena)
{
    size_t begin = object_begin(body);
    if (begin == SIZE_MAX) return TEXT_NONE;
    struct text old = letter_body_member(body, key);
    if (text_is_present(old)) {
        size_t before = (size_t)(old.data - body.data);
        const struct text parts[] = {{body.data, before}, value, rest_of(body, before + old.size)};
        return join(parts, sizeof parts / sizeof parts[0], arena);
    }
    bool empty = is_at(body, scan_skip_space(body, begin), '}');
    const struct text parts[] = {
        {body.data, begin},        TEXT_LITERAL("\""),  text_of(key), TEXT_LITERAL("\":"), value,
        text_of(empty ? "" : ","), rest_of(body, begin)};
    return join(parts, sizeof parts / sizeof parts[0], arena);
}
