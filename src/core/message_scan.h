/* Finding one's way in JSON text without building anything: where a value ends, where a member lies, which
 * numbers are too big for the parser. None of it recurses, so nesting costs no stack; what is valid JSON is
 * the parser's to say. */
#ifndef BURSAR_CORE_MESSAGE_SCAN_H
#define BURSAR_CORE_MESSAGE_SCAN_H

#include "base/text.h"

/* The index of the first byte at or after `at` that is not JSON white space; text.size where there is none.
 */
size_t scan_skip_space(struct text text, size_t at);

/* Without the JSON white space on both sides. Borrows `text`. */
struct text scan_trim(struct text text);

/* The size of the value that `text` begins with, and at least as many values as are nested in it, itself
 * included. False: it never ends, and *size is all of the text. */
bool scan_value(struct text text, size_t *size, size_t *values);

/* The bytes of the value of the `index`th member (from 0) of `object`, a JSON object that the parser has
 * accepted and that has such a member. Borrows `object`. */
struct text scan_member(struct text object, size_t index);

/* Overwrites, in place and with the same size, each valid number literal outside strings that might exceed 64
 * bits or a double by a real that does not. Never makes valid what was not. */
void scan_mask_numbers(char *data, size_t size);

#endif
