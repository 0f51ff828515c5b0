/* What can be wrong with the URL of a broker or a Redis without asking anybody. The adapters read the same
 * URLs again, and know a little more: what this build can do, what each parameter means. */
#include "config/config_check.h"

#include "base/text.h"

#include <ctype.h>

#define PORT_MAX     65535
#define DATABASE_MAX 1000000

static const char white_space[] = "must not contain white space or control characters";
static const char bad_escape[] =
    "has a % that is not followed by two hexadecimal digits, or %00; write % itself as %25";
static const char bad_bracket[] =
    "must have an IPv6 address in brackets, with nothing but a port behind them";

static bool has_space_or_control(const char *value)
{
    for (const char *c = value; *c != '\0'; c++) {
        if ((unsigned char)*c <= 0x20 || *c == 0x7f) return true;
    }
    return false;
}

static struct text text_between(const char *begin, const char *end)
{
    return (struct text){begin, (size_t)(end - begin)};
}

/* Takes what stands before `delimiter` off the front of `rest`. Without the delimiter that is all of it, and
 * the rest is absent. */
static struct text split(struct text *rest, char delimiter)
{
    const char *end = rest->data + rest->size;
    const char *at = rest->size == 0 ? NULL : memchr(rest->data, delimiter, rest->size);
    struct text head = text_between(rest->data, at == NULL ? end : at);
    *rest = at == NULL ? TEXT_NONE : text_between(at + 1, end);
    return head;
}

static bool escapes_are_well(struct text text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '%') continue;
        if (text.size - i < 3) return false;
        char high = text.data[i + 1], low = text.data[i + 2];
        if (!isxdigit((unsigned char)high) || !isxdigit((unsigned char)low)) return false;
        if (high == '0' && low == '0') return false;
    }
    return true;
}

static bool is_number(struct text text, size_t digits_max, long least, long most)
{
    if (text.size == 0 || text.size > digits_max) return false;
    long number = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        number = number * 10 + (text.data[i] - '0');
    }
    return number >= least && number <= most;
}

/* "user:password@host:port" without "user:password@", which ends at the last @. */
static struct text host_of(struct text authority)
{
    const char *at = authority.size == 0 ? NULL : memrchr(authority.data, '@', authority.size);
    return at == NULL ? authority : text_between(at + 1, authority.data + authority.size);
}

/* Splits "host:port" or "[address]:port"; *port is absent where there is none. False: the brackets are wrong.
 */
static bool split_host(struct text text, struct text *host, struct text *port)
{
    *port = text;
    if (text.size == 0 || text.data[0] != '[') {
        *host = split(port, ':');
        return true;
    }
    *host = split(port, ']');
    *host = text_between(host->data + 1, host->data + host->size);
    if (!text_is_present(*port)) return false;
    struct text between = split(port, ':');
    return between.size == 0 && host->size > 0;
}

static const char *check_broker(struct text url)
{
    static const char plain[] = "amqp://", secure[] = "amqps://";
    size_t scheme = 0;
    if (url.size >= sizeof plain - 1 && memcmp(url.data, plain, sizeof plain - 1) == 0)
        scheme = sizeof plain - 1;
    else if (url.size >= sizeof secure - 1 && memcmp(url.data, secure, sizeof secure - 1) == 0)
        scheme = sizeof secure - 1;
    else
        return "must be amqp://user:password@host:5672/vhost, or several of them separated by commas";
    if (!escapes_are_well(url)) return bad_escape;
    if (memchr(url.data, '#', url.size) != NULL) return "must not contain a #; write it as %23";
    struct text query = text_between(url.data + scheme, url.data + url.size);
    struct text path = split(&query, '?');
    struct text authority = split(&path, '/');
    struct text host, port;
    if (!split_host(host_of(authority), &host, &port)) return bad_bracket;
    if (text_is_present(port) && !is_number(port, 5, 1, PORT_MAX))
        return "must have a port from 1 to 65535 (in a password, write / as %2f, ? as %3f, # as %23 and , as "
               "%2c)";
    if (path.size > 0 && memchr(path.data, '/', path.size) != NULL)
        return "must have a virtual host without a /; write it as %2f";
    return NULL;
}

const char *config_check_amqp_url(const char *value)
{
    if (has_space_or_control(value)) return white_space;
    struct text rest = text_of(value);
    const char *wrong = NULL;
    while (wrong == NULL && text_is_present(rest)) wrong = check_broker(split(&rest, ','));
    return wrong;
}

static const char *check_redis_place(struct text text, bool is_socket)
{
    struct text path = text;
    struct text authority = split(&path, '/');
    struct text host = host_of(authority), port;
    bool has_user = host.data > authority.data;
    struct text password = text_between(authority.data, has_user ? host.data - 1 : host.data);
    struct text user = split(&password, ':');
    if (has_user && (!text_is_present(password) || (user.size > 0 && password.size == 0)))
        return "must have a password behind the user: redis://user:password@host or redis://:password@host";
    if (is_socket) return host.size == 0 && path.size > 0 ? NULL : "must be unix:///path, with three slashes";
    if (!split_host(host, &host, &port)) return bad_bracket;
    if (host.size == 0) return "must have a host, such as redis://127.0.0.1:6379/0";
    if (text_is_present(port) && !is_number(port, 5, 1, PORT_MAX))
        return "must have a port from 1 to 65535 (in a password, write / as %2f, @ as %40 and : as %3a)";
    if (path.size > 0 && !is_number(path, 7, 0, DATABASE_MAX))
        return "must have the number of a database behind the host, such as redis://127.0.0.1:6379/0";
    return NULL;
}

const char *config_check_redis_url(const char *value)
{
    if (has_space_or_control(value)) return white_space;
    struct text rest = text_of(value);
    struct text scheme = split(&rest, ':');
    bool is_socket = text_equal_string(scheme, "unix");
    bool is_host = text_equal_string(scheme, "redis") || text_equal_string(scheme, "rediss");
    if ((!is_socket && !is_host) || rest.size < 2 || memcmp(rest.data, "//", 2) != 0)
        return "must be redis://user:password@host:6379/0, rediss:// for TLS, or unix:///path";
    rest = text_between(rest.data + 2, rest.data + rest.size);
    if (!escapes_are_well(rest)) return bad_escape;
    if (strpbrk(rest.data, "?#") != NULL)
        return "must not contain a ? or a #; in a password, write them as %3f and %23";
    return check_redis_place(rest, is_socket);
}
