#include "cli/output.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define BOLD  "\033[1m"
#define PLAIN "\033[0m"

struct table table_begin(const char *const *headers, size_t columns)
{
    return (struct table){.headers = headers, .columns = columns};
}

static bool is_control(const unsigned char *c)
{
    /* 0xC2 0x80 to 0xC2 0x9F: the C1 controls of UTF-8, which some terminals obey. */
    return c[0] < 0x20 || c[0] == 0x7f || (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f);
}

static const char *cell_copy(struct arena *arena, const char *cell)
{
    if (cell == NULL) return "-";
    struct buffer shown = {0};
    for (const unsigned char *c = (const unsigned char *)cell; *c != '\0'; c++) {
        if (!is_control(c))
            buffer_append(&shown, (struct text){(const char *)c, 1});
        else if (*c == '\n')
            buffer_append_string(&shown, "\\n");
        else if (*c == '\t')
            buffer_append_string(&shown, "\\t");
        else
            buffer_format(&shown, "\\x%02x", *c == 0xc2 ? *++c : *c);
    }
    const char *copy =
        arena_copy(arena, shown.data == NULL ? TEXT_LITERAL("") : (struct text){shown.data, shown.size}).data;
    buffer_free(&shown);
    return copy;
}

void table_add(struct table *table, const char *const *cells)
{
    if (table->rows == table->capacity) {
        table->capacity = table->capacity == 0 ? 16 : table->capacity * 2;
        table->cells = memory_resize(table->cells, table->capacity * table->columns, sizeof *table->cells);
    }
    const char **row = table->cells + table->rows++ * table->columns;
    for (size_t i = 0; i < table->columns; i++) row[i] = cell_copy(&table->arena, cells[i]);
}

/* Code points: what most cells of a terminal hold one each. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++) width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t width = width_of(table->headers[column]);
    for (size_t row = 0; row < table->rows; row++) {
        size_t cell = width_of(table->cells[row * table->columns + column]);
        if (cell > width) width = cell;
    }
    return width;
}

/* Without the line feed behind it. */
static void render_row(const struct table *table, const char *const *cells, const size_t *widths,
                       struct buffer *text)
{
    for (size_t i = 0; i < table->columns; i++) {
        buffer_append_string(text, cells[i]);
        if (i + 1 == table->columns) continue;
        if (widths == NULL)
            buffer_append_string(text, "\t");
        else
            buffer_format(text, "%*s", (int)(widths[i] - width_of(cells[i]) + 2), "");
    }
}

void table_render(const struct table *table, bool terminal, bool colour, struct buffer *text)
{
    size_t *widths = NULL;
    if (terminal) {
        widths = memory_alloc_zero(table->columns, sizeof *widths);
        for (size_t i = 0; i < table->columns; i++) widths[i] = column_width(table, i);
        if (colour) buffer_append_string(text, BOLD);
        render_row(table, table->headers, widths, text);
        buffer_append_string(text, colour ? PLAIN "\n" : "\n");
    }
    for (size_t row = 0; row < table->rows; row++) {
        render_row(table, table->cells + row * table->columns, widths, text);
        buffer_append_string(text, "\n");
    }
    free(widths);
}

void table_free(struct table *table)
{
    free(table->cells);
    arena_free(&table->arena);
    *table = (struct table){0};
}
