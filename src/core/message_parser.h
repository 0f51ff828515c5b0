/* The JSON parser as the decoder uses it: no duplicate keys, any value, integers of any size, and memory that
 * is thrown away as a whole instead of being freed node by node. */
#ifndef BURSAR_CORE_MESSAGE_PARSER_H
#define BURSAR_CORE_MESSAGE_PARSER_H

#include "base/text.h"

#include <jansson.h>
#include <stdalign.h>

/* Enough for the tree of a deduction as producers send it. */
#define PARSER_ROOM 8192

struct parser_chunk;

/* Lives on the stack of message_decode. */
struct parser {
    struct parser_chunk *chunks; /* owned; what did not fit into `room` */
    size_t used;
    alignas(max_align_t) unsigned char room[PARSER_ROOM];
};

struct parser_fault {
    char text[JSON_ERROR_TEXT_LENGTH]; /* may hold bytes of the body */
    size_t position;                   /* bytes read when it was noticed */
};

/* From begin to end the JSON parser's memory, on this thread, is this parser's. One at a time on a thread. */
void parser_begin(struct parser *parser);
void parser_end(struct parser *parser);

/* Reads the value that `text` begins with; *size is where it ends. With `whole` nothing but white space may
 * follow it. The value lives until the next read or the end. A number that exceeds 64 bits or a double is
 * read as some real. NULL: refused, and *fault says why. */
json_t *parser_read(struct parser *parser, struct text text, bool whole, size_t *size,
                    struct parser_fault *fault);

/* Takes out of an error text of the JSON library the name of an option of its own, which nobody who sends
 * JSON could set. */
void parser_text_mend(char *text);

/* Whether message_decoder_install was called. */
bool parser_is_installed(void);

#endif
