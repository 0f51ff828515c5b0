#include "redis/redis_url.h"

#include "base/memory.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define REDIS_PORT_DEFAULT 6379
#define REDIS_PORT_MAX     65535
#define REDIS_DATABASE_MAX 1000000

static enum status wrong(struct error *error, const char *what)
{
    return error_set(
        error, STATUS_CONFIG,
        "redis.url: %s; write redis://[user:password@]host[:port][/database] or unix:///path, with '/', "
        "'@', ':' and '%%' inside a password percent-encoded",
        what);
}

static struct text cut(const char *start, const char *end)
{
    return (struct text){start, (size_t)(end - start)};
}

static const char *find(struct text text, char wanted)
{
    return text.size == 0 ? NULL : memchr(text.data, wanted, text.size);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* NULL: a bad escape, or an encoded NUL, which no later string could hold. The caller frees. */
static char *percent_decode(struct text text)
{
    char *decoded = memory_alloc(text.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        int value = (unsigned char)text.data[i];
        if (value == '%') {
            int high = i + 2 < text.size ? hex_digit(text.data[i + 1]) : -1;
            int low = i + 2 < text.size ? hex_digit(text.data[i + 2]) : -1;
            value = high < 0 || low < 0 ? 0 : high * 16 + low;
            i += 2;
        }
        if (value == 0) {
            free(decoded);
            return NULL;
        }
        decoded[size++] = (char)value;
    }
    decoded[size] = '\0';
    return decoded;
}

static bool parse_number(struct text text, size_t digits_max, int least, int most, int *value)
{
    if (text.size < 1 || text.size > digits_max) return false;
    int number = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        number = number * 10 + (text.data[i] - '0');
    }
    if (number < least || number > most) return false;
    *value = number;
    return true;
}

static enum status parse_user(struct text text, struct redis_address *address, struct error *error)
{
    const char *colon = find(text, ':');
    if (colon == NULL) return wrong(error, "there is a user but no password (redis://user:password@host)");
    struct text user = cut(text.data, colon);
    if (user.size > 0) {
        address->user = percent_decode(user);
        if (address->user == NULL) return wrong(error, "the user has a bad percent-escape");
    }
    address->password = percent_decode(cut(colon + 1, text.data + text.size));
    if (address->password == NULL) return wrong(error, "the password has a bad percent-escape");
    if (address->password[0] != '\0') return STATUS_OK;
    if (address->user != NULL) return wrong(error, "the password is empty");
    free(address->password);
    address->password = NULL;
    return STATUS_OK;
}

static enum status parse_host(struct text text, struct redis_address *address, struct error *error)
{
    const char *end = text.data + text.size;
    struct text host = text;
    struct text port = TEXT_NONE;
    if (text.size > 0 && text.data[0] == '[') {
        const char *bracket = find(text, ']');
        if (bracket == NULL) return wrong(error, "the IPv6 address has no closing bracket");
        host = cut(text.data + 1, bracket);
        if (bracket + 1 < end && bracket[1] != ':')
            return wrong(error, "something stands behind the IPv6 address");
        if (bracket + 1 < end) port = cut(bracket + 2, end);
    } else {
        const char *colon = find(text, ':');
        if (colon != NULL) {
            host = cut(text.data, colon);
            port = cut(colon + 1, end);
        }
    }
    if (host.size == 0) return wrong(error, "the host is missing");
    address->port = REDIS_PORT_DEFAULT;
    if (text_is_present(port) && !parse_number(port, 5, 1, REDIS_PORT_MAX, &address->port)) {
        return wrong(error, "the port is not a number from 1 to 65535");
    }
    address->host = percent_decode(host);
    if (address->host == NULL) return wrong(error, "the host has a bad percent-escape");
    size_t size = host.size + 16;
    address->name = memory_alloc(size);
    snprintf(address->name, size, strchr(address->host, ':') ? "[%s]:%d" : "%s:%d", address->host,
             address->port);
    return STATUS_OK;
}

static enum status parse_path(struct text path, struct redis_address *address, struct error *error)
{
    if (path.size < 2) return wrong(error, "the path of the Unix socket is missing");
    address->path = percent_decode(path);
    if (address->path == NULL) return wrong(error, "the path has a bad percent-escape");
    address->name = memory_copy_string(address->path);
    return STATUS_OK;
}

static enum status parse_parts(const char *url, struct redis_address *address, struct error *error)
{
    const char *separator = strstr(url, "://");
    struct text scheme = separator == NULL ? TEXT_NONE : cut(url, separator);
    bool is_socket = text_equal_string(scheme, "unix");
    address->tls = text_equal_string(scheme, "rediss");
    if (!is_socket && !address->tls && !text_equal_string(scheme, "redis")) {
        return wrong(error, "the scheme is not redis://, rediss:// or unix://");
    }
    const char *rest = separator + 3;
    const char *end = rest + strlen(rest);
    if (strpbrk(rest, "?# \t\r\n") != NULL) return wrong(error, "there is a '?', a '#' or white space in it");
    const char *slash = strchr(rest, '/');
    struct text authority = cut(rest, slash == NULL ? end : slash);
    struct text behind = slash == NULL ? cut(end, end) : cut(slash, end);

    const char *at = authority.size == 0 ? NULL : memrchr(authority.data, '@', authority.size);
    if (at != NULL) {
        enum status status = parse_user(cut(authority.data, at), address, error);
        if (status != STATUS_OK) return status;
        authority = cut(at + 1, authority.data + authority.size);
    }
    if (is_socket) {
        if (authority.size > 0)
            return wrong(error, "a Unix socket has no host (unix:///path has three slashes)");
        return parse_path(behind, address, error);
    }
    if (behind.size > 1 &&
        !parse_number(cut(behind.data + 1, end), 7, 0, REDIS_DATABASE_MAX, &address->database)) {
        return wrong(error, "the database behind the host is not a number");
    }
    return parse_host(authority, address, error);
}

enum status redis_url_parse(const char *url, struct redis_address *address, struct error *error)
{
    *address = (struct redis_address){0};
    if (url == NULL || url[0] == '\0') return wrong(error, "it is empty");
    enum status status = parse_parts(url, address, error);
    if (status != STATUS_OK) redis_address_free(address);
    return status;
}

void redis_address_free(struct redis_address *address)
{
    if (address->password != NULL) explicit_bzero(address->password, strlen(address->password));
    free(address->host);
    free(address->path);
    free(address->user);
    free(address->password);
    free(address->name);
    *address = (struct redis_address){0};
}
