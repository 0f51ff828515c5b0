/* Mending a field of a dead letter that cannot be read because of it. */
#ifndef BURSAR_DEADLETTER_LETTER_EDIT_H
#define BURSAR_DEADLETTER_LETTER_EDIT_H

#include "deadletter/letter.h"
#include "port/stock.h"

struct letter_edit {
    struct text amount;    /* digits; absent: not to be mended */
    struct text budget_id; /* absent: not to be mended */
};

/* A field that was changed. */
struct letter_change {
    const char *key;
    struct text before; /* as it stood there; absent: it was missing */
    struct text after;
};

#define LETTER_CHANGES_MAX 2

struct letter_edited {
    struct text body; /* in the arena, as what follows */
    struct message message;
    size_t change_count;
    struct letter_change changes[LETTER_CHANGES_MAX];
    const char *why_not; /* NULL: it can be read now; else why it is left alone */
};

/* Only a single message, only where the field is what makes it unreadable, and only where it can be read
 * afterwards. Nothing else in the body changes. The letter has been decoded and stays as it is. */
void letter_edit_apply(const struct letter_edit *edit, const struct letter *letter, struct arena *arena,
                       struct letter_edited *edited);

/* What Redis knows of the deduction must agree with the mended message, or its booking would make the two
 * differ: `query` is the answer for its budget and id. NULL: it does; else why not, in `arena`. */
const char *letter_edit_disagrees(const struct letter_edited *edited, const struct stock_query *query,
                                  struct arena *arena);

#endif
