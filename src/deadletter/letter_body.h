/* The body of a single message as bytes: finding a member, and putting another value in its place while every
 * other byte stays what it was. */
#ifndef BURSAR_DEADLETTER_LETTER_BODY_H
#define BURSAR_DEADLETTER_LETTER_BODY_H

#include "base/arena.h"

/* The value of the member `key` of the object that `body` is, as it stands there, white space left off;
 * absent where there is none or the body is no object. The first one where there are several. Borrows `body`,
 * which may be anything. */
struct text letter_body_member(struct text body, const char *key);

/* The same for a string without escapes, without its quotes; absent for anything else. */
struct text letter_body_string(struct text body, const char *key);

/* The body with `value` (JSON text) for the member `key`, added in front where there is none. Absent: the
 * body is no object. In `arena`. */
struct text letter_body_replace(struct text body, const char *key, struct text value, struct arena *arena);

#endif
