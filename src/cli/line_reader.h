/* Lines of a descriptor, each bounded in length. */
#ifndef BURSAR_CLI_LINE_READER_H
#define BURSAR_CLI_LINE_READER_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum line_event {
    LINE_READ,     /* a line, without its newline */
    LINE_TOO_LONG, /* a line of more than size_max bytes; what there is of it is thrown away */
    LINE_END,      /* the input is at its end */
    LINE_FAILED,   /* reading failed; errno says why (EINTR: a signal) */
};

/* What a line may have where nothing else is said. */
#define LINE_SIZE_MAX ((size_t)1 << 20)

struct line_reader {
    int descriptor;
    char *data; /* owned */
    size_t begin, end, capacity;
    bool at_end;
    size_t size_max; /* of a line */
    int64_t number;  /* of the last line, from 1 */
};

struct line_reader line_reader_begin(int descriptor);

/* The next line, valid until the next call; waits for it. A last line needs no newline. */
enum line_event line_reader_next(struct line_reader *reader, struct text *line);

/* Whether nothing but white space stands in it. */
bool line_is_blank(struct text line);

/* Whether the next call would answer without waiting. */
bool line_reader_ready(const struct line_reader *reader);

void line_reader_free(struct line_reader *reader);

#endif
