#include "amqp/url.h"

#include "amqp/vendor.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define PORT_PLAIN 5672
#define PORT_TLS   5671

/* No message below quotes what it read: where a password holds an unescaped delimiter, any part may be a
 * piece of it. */

static struct text text_between(const char *begin, const char *end)
{
    return (struct text){begin, (size_t)(end - begin)};
}

static const char *text_find(struct text text, char wanted)
{
    return text.size == 0 ? NULL : memchr(text.data, wanted, text.size);
}

static const char *text_end(struct text text)
{
    return text.data + text.size;
}

/* Takes what stands before `delimiter` off the front of `rest`; without the delimiter that is all of it. */
static struct text text_split(struct text *rest, char delimiter)
{
    const char *at = text_find(*rest, delimiter);
    if (at == NULL) {
        struct text all = *rest;
        *rest = text_between(text_end(*rest), text_end(*rest));
        return all;
    }
    struct text head = text_between(rest->data, at);
    *rest = text_between(at + 1, text_end(*rest));
    return head;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

/* NULL: a percent sign without two hexadecimal digits, or an encoded NUL. The caller frees. */
static char *percent_decode(struct text text)
{
    char *decoded = memory_alloc(text.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.data[i];
        if (byte == '%') {
            int high = i + 2 < text.size ? hex_value(text.data[i + 1]) : -1;
            int low = i + 2 < text.size ? hex_value(text.data[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0) {
                free(decoded);
                return NULL;
            }
            byte = (char)(high * 16 + low);
            i += 2;
        }
        decoded[size++] = byte;
    }
    decoded[size] = '\0';
    return decoded;
}

/* NULL: well; else what is wrong. */
static const char *decode_into(char **field, struct text text, const char *complaint)
{
    free(*field);
    *field = percent_decode(text);
    return *field == NULL ? complaint : NULL;
}

static const char *parse_port(struct text text, int *port)
{
    static const char complaint[] = "the port is not a number from 1 to 65535 "
                                    "(in a password, write / as %2f, ? as %3f, # as %23 and , as %2c)";
    if (text.size == 0 || text.size > 5) return complaint;
    int value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return complaint;
        value = value * 10 + (text.data[i] - '0');
    }
    if (value < 1 || value > 65535) return complaint;
    *port = value;
    return NULL;
}

static const char *parse_host(struct text text, struct broker_url *url)
{
    struct text host;
    if (text.size > 0 && text.data[0] == '[') {
        const char *closing = text_find(text, ']');
        if (closing == NULL) return "the host's [ has no ]";
        host = text_between(text.data + 1, closing);
        text = text_between(closing + 1, text_end(text));
        if (text.size > 0 && text.data[0] != ':') return "a host in [ ] may only be followed by a port";
        if (host.size == 0) return "the host in [ ] is empty";
    } else {
        const char *colon = text_find(text, ':');
        host = text_between(text.data, colon == NULL ? text_end(text) : colon);
        text = text_between(text_end(host), text_end(text));
    }
    if (text.size > 0) {
        const char *wrong = parse_port(text_between(text.data + 1, text_end(text)), &url->port);
        if (wrong != NULL) return wrong;
    }
    if (host.size == 0) return NULL;
    return decode_into(&url->host, host, "the host has a % without two hexadecimal digits");
}

static const char *parse_authority(struct text text, struct broker_url *url)
{
    const char *at = text.size == 0 ? NULL : memrchr(text.data, '@', text.size);
    if (at == NULL) return parse_host(text, url);
    struct text password = text_between(text.data, at);
    struct text user = text_split(&password, ':');
    const char *wrong =
        decode_into(&url->user, user, "the user has a % without two hexadecimal digits (write % as %25)");
    if (wrong != NULL) return wrong;
    if (text_end(user) != at) {
        wrong = decode_into(&url->password, password,
                            "the password has a % without two hexadecimal digits (write % as %25)");
        if (wrong != NULL) return wrong;
    }
    return parse_host(text_between(at + 1, text_end(text)), url);
}

static const char *parse_vhost(struct text path, struct broker_url *url)
{
    if (path.size == 0) return NULL;
    if (text_find(path, '/') != NULL) return "the virtual host has a / in it (write it as %2f)";
    const char *wrong =
        decode_into(&url->vhost, path, "the virtual host has a % without two hexadecimal digits");
    if (wrong != NULL) return wrong;
    return strlen(url->vhost) > BROKER_SHORT_STRING_MAX ? "the virtual host has more than 255 bytes" : NULL;
}

/* A second value would hide the first one, and nobody could tell which of the two counts. */
static const char *parse_file(struct text value, char **path)
{
    if (*path != NULL) return "a parameter is given twice";
    return decode_into(path, value, "a parameter has a % without two hexadecimal digits");
}

static const char *parse_parameter(struct text parameter, struct broker_url *url)
{
    struct text value = parameter;
    struct text name = text_split(&value, '=');
    if (!url->tls) return "parameters are for amqps:// only";
    if (text_equal_string(name, "cacertfile")) return parse_file(value, &url->ca_file);
    if (text_equal_string(name, "certfile")) return parse_file(value, &url->certificate_file);
    if (text_equal_string(name, "keyfile")) return parse_file(value, &url->key_file);
    if (!text_equal_string(name, "verify"))
        return "a parameter is not one of cacertfile, certfile, keyfile, verify";
    url->verify_peer = !text_equal_string(value, "verify_none");
    return !url->verify_peer || text_equal_string(value, "verify_peer")
               ? NULL
               : "the parameter verify is neither verify_peer nor verify_none";
}

static const char *parse_url(struct text text, struct broker_url *url)
{
    static const char plain[] = "amqp://";
    static const char secure[] = "amqps://";
    *url = (struct broker_url){.port = PORT_PLAIN, .verify_peer = true};
    url->user = memory_copy_string("guest");
    url->password = memory_copy_string("guest");
    url->host = memory_copy_string("localhost");
    url->vhost = memory_copy_string("/");

    size_t scheme = sizeof plain - 1;
    if (text.size >= sizeof secure - 1 && memcmp(text.data, secure, sizeof secure - 1) == 0) {
        if (!BROKER_HAS_TLS) return "amqps:// is not possible: this rabbitmq-c has no TLS";
        url->tls = true;
        url->port = PORT_TLS;
        scheme = sizeof secure - 1;
    } else if (text.size < scheme || memcmp(text.data, plain, scheme) != 0) {
        return "it does not begin with amqp:// or amqps:// (in a password, write a comma as %2c)";
    }
    if (text_find(text, '#') != NULL) return "there is a # in it (in a password, write it as %23)";

    struct text query = text_between(text.data + scheme, text_end(text));
    struct text path = text_split(&query, '?');
    struct text authority = text_split(&path, '/');
    const char *wrong = parse_authority(authority, url);
    if (wrong == NULL) wrong = parse_vhost(path, url);
    while (wrong == NULL && query.size > 0) wrong = parse_parameter(text_split(&query, '&'), url);
    if (wrong == NULL && (url->certificate_file == NULL) != (url->key_file == NULL))
        wrong = "certfile and keyfile must be given together";
    return wrong;
}

static struct text text_trim(struct text text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = text_between(text.data + 1, text_end(text));
    while (text.size > 0 && (text_end(text)[-1] == ' ' || text_end(text)[-1] == '\t')) text.size--;
    return text;
}

enum status broker_url_list_parse(const char *string, struct broker_url_list *list, struct error *error)
{
    *list = (struct broker_url_list){0};
    struct text rest = text_of(string == NULL ? "" : string);
    bool more;
    do {
        more = text_find(rest, ',') != NULL;
        struct text entry = text_trim(text_split(&rest, ','));
        list->urls = memory_resize(list->urls, list->count + 1, sizeof *list->urls);
        const char *wrong = parse_url(entry, &list->urls[list->count++]);
        if (wrong != NULL) {
            size_t number = list->count;
            broker_url_list_free(list);
            return error_set(error, STATUS_CONFIG, "broker URL %zu: %s", number, wrong);
        }
    } while (more);
    return STATUS_OK;
}

void broker_url_list_free(struct broker_url_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct broker_url *url = &list->urls[i];
        free(url->user);
        free(url->password);
        free(url->host);
        free(url->vhost);
        free(url->ca_file);
        free(url->certificate_file);
        free(url->key_file);
    }
    free(list->urls);
    *list = (struct broker_url_list){0};
}
