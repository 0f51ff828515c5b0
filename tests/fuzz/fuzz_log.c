/* Foreign bytes in the log: an event whose two values are the input, cut in two at its first NUL. In either
 * format it is one line of text, and the JSON is read back as the same values. */
#include "base/log.h"
#include "fuzz/target.h"

#include <jansson.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINE_MAX_SIZE 65536

static int descriptor;
static char line[LINE_MAX_SIZE];

/* The line that was written for the two values. */
static struct text write_line(enum log_format format, struct text id, struct text detail)
{
    const struct log_field fields[] = {log_text("id", id), log_text("detail", detail),
                                       log_number("rows", (int64_t)id.size)};
    HOLDS(ftruncate(descriptor, 0) == 0 && lseek(descriptor, 0, SEEK_SET) == 0);
    log_configure(LOG_INFO, format);
    log_write_each(LOG_INFO, "fuzzed", fields, 3);
    ssize_t size = pread(descriptor, line, sizeof line, 0);
    HOLDS(size > 0 && size < (ssize_t)sizeof line);
    return (struct text){line, (size_t)size};
}

/* Ended by the one newline it has; UTF-8 without control characters, those of the second kind too. */
static struct text hold_line(struct text text)
{
    HOLDS(text.data[text.size - 1] == '\n');
    text.size--;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        HOLDS(byte >= ' ' && byte != 0x7f);
        if (byte == 0xc2 && i + 1 < text.size) HOLDS((unsigned char)text.data[i + 1] >= 0xa0);
    }
    json_t *string = json_stringn(text.data, text.size);
    HOLDS(string != NULL);
    json_decref(string);
    return text;
}

static bool is_utf8(struct text text)
{
    json_t *string = json_stringn(text.data, text.size);
    json_decref(string);
    return string != NULL;
}

/* What was cut off ends in dots; what is no UTF-8 is not as it was. */
static void hold_value(const json_t *value, struct text text)
{
    HOLDS(json_is_string(value));
    struct text read = {json_string_value(value), json_string_length(value)};
    bool cut = read.size >= 3 && memcmp(read.data + read.size - 3, "...", 3) == 0 && read.size < text.size;
    if (cut)
        HOLDS(!is_utf8(text) || memcmp(read.data, text.data, read.size - 3) == 0);
    else if (is_utf8(text))
        HOLDS(text_equal(read, text));
}

static void hold_json(struct text text, struct text id, struct text detail)
{
    json_t *object = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    HOLDS(json_is_object(object) && json_object_size(object) == 6);
    HOLDS(strcmp(json_string_value(json_object_get(object, "event")), "fuzzed") == 0);
    HOLDS(json_integer_value(json_object_get(object, "rows")) == (json_int_t)id.size);
    hold_value(json_object_get(object, "id"), id);
    hold_value(json_object_get(object, "detail"), detail);
    json_decref(object);
}

/* Words with an = between name and value, a value in quotes where it has a space, a quote or an = in it. */
static void hold_logfmt(struct text text)
{
    size_t names = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.size; i++) {
        if (quoted && text.data[i] == '\\')
            i++;
        else if (text.data[i] == '"')
            quoted = !quoted;
        else if (text.data[i] == '=' && !quoted)
            names++;
    }
    HOLDS(!quoted && names == 6);
}

int LLVMFuzzerInitialize(int *argument_count, char ***arguments)
{
    (void)argument_count;
    (void)arguments;
    descriptor = memfd_create("log", MFD_CLOEXEC);
    HOLDS(descriptor >= 0);
    log_descriptor_set(descriptor);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *middle = size == 0 ? NULL : memchr(data, '\0', size);
    struct text id = {(const char *)data, middle == NULL ? size : (size_t)(middle - data)};
    struct text detail =
        middle == NULL ? TEXT_LITERAL("") : (struct text){(const char *)middle, size - id.size};
    if (id.data == NULL) id = TEXT_LITERAL("");
    hold_logfmt(hold_line(write_line(LOG_LOGFMT, id, detail)));
    hold_json(hold_line(write_line(LOG_JSON, id, detail)), id, detail);
    return 0;
}
