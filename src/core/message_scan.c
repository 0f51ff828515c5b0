#include "core/message_scan.h"

#include <assert.h>

/* Integers of fewer digits always fit into 64 bits. */
#define INTEGER_DIGITS_SAFE 18

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

size_t scan_skip_space(struct text text, size_t at)
{
    while (at < text.size && is_space(text.data[at])) at++;
    return at;
}

struct text scan_trim(struct text text)
{
    size_t begin = scan_skip_space(text, 0);
    size_t end = text.size;
    while (end > begin && is_space(text.data[end - 1])) end--;
    return (struct text){text.data + begin, end - begin};
}

/* The index behind the closing quote of the string that begins at `at`. */
static size_t skip_string(struct text text, size_t at)
{
    for (at++; at < text.size; at++) {
        if (text.data[at] == '\\') {
            at++;
        } else if (text.data[at] == '"') {
            return at + 1;
        }
    }
    return text.size;
}

bool scan_value(struct text text, size_t *size, size_t *values)
{
    size_t depth = 0;
    size_t at = 0;
    *values = 1;
    while (at < text.size) {
        char c = text.data[at];
        bool closes = c == ']' || c == '}';
        if (depth == 0 && (closes || c == ',' || is_space(c))) break;
        if (c == '"') {
            at = skip_string(text, at);
        } else {
            at++;
        }
        if (c == '[' || c == '{') depth++;
        if (c == '[' || c == '{' || c == ',') ++*values;
        if (closes) depth--;
        if (depth == 0 && (closes || c == '"')) break;
    }
    *size = at;
    return depth == 0;
}

struct text scan_member(struct text object, size_t index)
{
    assert(object.size > 0 && object.data[0] == '{');
    size_t at = 1;
    for (;; index--) {
        at = skip_string(object, scan_skip_space(object, at));
        at = scan_skip_space(object, at) + 1; /* the colon */
        at = scan_skip_space(object, at);
        assert(at < object.size);
        size_t size, values;
        scan_value((struct text){object.data + at, object.size - at}, &size, &values);
        if (index == 0) return (struct text){object.data + at, size};
        at = scan_skip_space(object, at + size) + 1; /* the comma */
    }
}

static size_t skip_digits(struct text text, size_t at)
{
    while (at < text.size && is_digit(text.data[at])) at++;
    return at;
}

/* Whether `run` is a number literal of RFC 8259, and one that might be too big. */
static bool number_may_overflow(struct text run)
{
    size_t begin = run.data[0] == '-' ? 1 : 0;
    size_t at = skip_digits(run, begin);
    size_t digits = at - begin;
    if (digits == 0 || (digits > 1 && run.data[begin] == '0')) return false;
    if (at == run.size) return digits > INTEGER_DIGITS_SAFE;
    if (run.data[at] == '.') {
        size_t fraction = at + 1;
        at = skip_digits(run, fraction);
        if (at == fraction) return false;
    }
    if (at < run.size && (run.data[at] == 'e' || run.data[at] == 'E')) {
        at++;
        if (at < run.size && (run.data[at] == '+' || run.data[at] == '-')) at++;
        size_t exponent = at;
        at = skip_digits(run, exponent);
        if (at == exponent) return false;
    }
    return at == run.size; /* any real: 1e999, and 400 digits before a point */
}

static bool in_number(char c)
{
    return is_digit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

void scan_mask_numbers(char *data, size_t size)
{
    struct text text = {data, size};
    size_t at = 0;
    while (at < size) {
        if (data[at] == '"') {
            at = skip_string(text, at);
        } else if (is_digit(data[at]) || data[at] == '-') {
            size_t begin = at;
            while (at < size && in_number(data[at])) at++;
            if (!number_may_overflow((struct text){data + begin, at - begin})) continue;
            memset(data + begin, '0', at - begin);
            data[begin + 1] = '.'; /* such a literal has three bytes at least: 1e9 */
        } else {
            at++;
        }
    }
}
