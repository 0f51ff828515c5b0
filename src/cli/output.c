#include "cli/output.h"

#include "cli/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

void table_print(const struct table *table)
{
    struct buffer text = {0};
    table_render(table, output_is_terminal(), output_has_colour(), &text);
    if (text.size > 0) fwrite(text.data, 1, text.size, stdout);
    buffer_free(&text);
}

static void print_json(json_t *document, size_t flags)
{
    if (json_dumpf(document, stdout, flags | JSON_ENCODE_ANY) != 0)
        report("the answer could not be written as JSON");
    fputc('\n', stdout);
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

static int write_error;

bool output_is_well(void)
{
    if (fflush(stdout) != 0 && write_error == 0) write_error = errno;
    return ferror(stdout) == 0;
}

int output_finish(int status)
{
    bool well = output_is_well();
    if (fclose(stdout) != 0) {
        if (write_error == 0) write_error = errno;
        well = false;
    }
    if (well) return status;
    report("standard output could not be written: %s; what was done stays done",
           write_error == 0 ? "?" : strerror(write_error));
    return status == EXIT_STATUS_WELL || status == EXIT_STATUS_FOUND ? EXIT_STATUS_INTERNAL : status;
}
