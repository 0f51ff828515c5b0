#include "cli/output.h"

#include "cli/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int write_error; /* of the first write that failed; 0: none did */
static bool error_is_told;
static bool is_closed;

/* Later ones may say nothing any more: what could not be written is no longer in the stream. */
static void keep_error(void)
{
    if (write_error == 0) write_error = errno;
}

bool output_is_terminal(void)
{
    return isatty(STDOUT_FILENO) == 1;
}

bool output_has_colour(void)
{
    const char *forbidden = getenv("NO_COLOR"); /* https://no-color.org: set and not empty */
    const char *terminal = getenv("TERM");
    if (forbidden != NULL && forbidden[0] != '\0') return false;
    return output_is_terminal() && terminal != NULL && strcmp(terminal, "dumb") != 0;
}

bool output_shows_progress(void)
{
    return isatty(STDERR_FILENO) == 1;
}

void output_text(struct text text)
{
    if (text.size > 0 && fwrite(text.data, 1, text.size, stdout) != text.size) keep_error();
}

void output_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (vprintf(format, arguments) < 0) keep_error();
    va_end(arguments);
}

void table_print(const struct table *table)
{
    struct buffer text = {0};
    table_render(table, output_is_terminal(), output_has_colour(), &text);
    output_text((struct text){text.data, text.size});
    buffer_free(&text);
}

void output_json_part(const json_t *value, size_t flags)
{
    if (json_dumpf(value, stdout, flags | JSON_ENCODE_ANY) == 0) return;
    if (ferror(stdout) != 0)
        keep_error();
    else
        report("the answer could not be written as JSON");
}

static void print_json(json_t *document, size_t flags)
{
    output_json_part(document, flags);
    output_text(TEXT_LITERAL("\n"));
    json_decref(document);
}

void output_json(json_t *document)
{
    print_json(document, output_is_terminal() ? JSON_INDENT(2) : 0);
}

void output_json_line(json_t *document)
{
    print_json(document, 0);
}

json_t *output_json_text(struct text text)
{
    if (!text_is_present(text)) return json_null();
    json_t *string = json_stringn(text.data, text.size);
    if (string != NULL) return string;
    struct buffer readable = {0};
    for (size_t i = 0; i < text.size; i++) {
        char byte = (unsigned char)text.data[i] < 0x80 ? text.data[i] : '?';
        buffer_append(&readable, (struct text){&byte, 1});
    }
    string = json_stringn(readable.data, readable.size);
    buffer_free(&readable);
    return string;
}

const char *output_number(struct arena *arena, int64_t number)
{
    return arena_format(arena, "%" PRId64, number);
}

bool output_is_well(void)
{
    if (is_closed) return write_error == 0;
    if (fflush(stdout) != 0) keep_error();
    return ferror(stdout) == 0;
}

const char *output_fault(void)
{
    error_is_told = true;
    return write_error == 0 ? "?" : strerror(write_error);
}

int output_finish(int status)
{
    bool well = output_is_well();
    is_closed = true;
    if (fclose(stdout) != 0) {
        keep_error();
        well = false;
    }
    if (well) return status;
    if (!error_is_told)
        report("standard output could not be written: %s; what was done stays done", output_fault());
    return status == EXIT_STATUS_WELL || status == EXIT_STATUS_FOUND ? EXIT_STATUS_INTERNAL : status;
}
