/* What goes to stdout: a table on a terminal, plain columns separated by tabs in a pipe, or one JSON
 * document. */
#ifndef BURSAR_CLI_OUTPUT_H
#define BURSAR_CLI_OUTPUT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "cli/exit_status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct table {
    const char *const *headers; /* borrowed */
    size_t columns;
    size_t rows;
    size_t capacity;
    const char **cells; /* owned; rows * columns, the texts in the arena */
    struct arena arena; /* owned */
};

struct table table_begin(const char *const *headers, size_t columns);

/* Adds one row; cells are copied. NULL shows as "-". Control characters are shown as \n, \t or \xNN, so that
 * a row stays a row. */
void table_add(struct table *table, const char *const *cells);

/* `terminal`: aligned columns under a heading, bold where `colour`. Otherwise one line a row, tabs between
 * the cells, no heading. */
void table_render(const struct table *table, bool terminal, bool colour, struct buffer *text);

/* Renders to stdout, as it suits stdout. */
void table_print(const struct table *table);

void table_free(struct table *table);

/* Whether stdout is a terminal; whether it shows colour (NO_COLOR is not set and TERM is not "dumb"). */
bool output_is_terminal(void);
bool output_has_colour(void);

/* Whether stderr is a terminal, where progress may go. */
bool output_shows_progress(void);

/* Writes to stdout. All that goes there goes through here, for the reason of a failure is known only to the
 * write that fails first. */
void output_text(struct text text);
void output_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes a JSON value without a newline: a part of a document. `flags` as json_dumpf has them. */
void output_json_part(const json_t *value, size_t flags);

/* Prints the document and a newline, and frees it: on one line, or indented on a terminal. */
void output_json(json_t *document);

/* Prints it on one line, wherever stdout goes, and frees it: for JSON lines. */
void output_json_line(json_t *document);

/* A JSON string, or null where the text is absent. Bytes that are not UTF-8 become '?'. */
json_t *output_json_text(struct text text);

/* The decimal digits, in the arena. */
const char *output_number(struct arena *arena, int64_t number);

/* True while everything so far could be written. Flushes. */
bool output_is_well(void);

/* Why something could not be written. Whoever asks tells it: output_finish does not any more. */
const char *output_fault(void);

/* Flushes and closes stdout. What could not be written is reported, and turns a status that claims success
 * into one that does not. */
int output_finish(int status);

#endif
