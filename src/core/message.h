/* From the bytes of a message to deductions, or to the reason why it must be parked.
 *
 * Strict where a mistake could cost money, lenient where it cannot: unknown keys and white space around the
 * document are ignored, everything else must be as the protocol says. */
#ifndef BURSAR_CORE_MESSAGE_H
#define BURSAR_CORE_MESSAGE_H

#include "base/arena.h"
#include "core/deduction.h"

/* Stored in ledgers as its name. */
enum park_reason {
    PARK_NONE = 0,
    PARK_MALFORMED,
    PARK_MISSING_ID,
    PARK_INVALID_ID,
    PARK_INVALID_BUDGET_ID,
    PARK_INVALID_AMOUNT,
    PARK_TOO_LARGE,
    PARK_ID_CONFLICT,   /* decided by the ledger: the id is booked with another amount or budget */
    PARK_UNPROCESSABLE, /* the ledger refuses this one row and no other */
};

/* "malformed", "missing-id"…; NULL for PARK_NONE. Static storage. */
const char *park_reason_name(enum park_reason reason);

struct message_item {
    enum park_reason reason;    /* PARK_NONE: `deduction` is valid */
    const char *detail;         /* why, for people; in the arena; NULL when fine */
    struct deduction deduction; /* texts lie in the arena; with a reason only `message_id` counts: absent
                                   where none is readable */
    struct text
        source; /* the bytes of this item as they came, without the white space around; borrows the body */
};

struct message {
    enum park_reason reason; /* not PARK_NONE: the whole message is parked and there are no items */
    const char *detail;
    struct text
        message_id; /* with a reason: the id where one is readable (of a single deduction), else absent */
    bool is_batch;
    size_t count;               /* 1, or 1 to BATCH_ITEMS_MAX */
    struct message_item *items; /* in the arena */
};

/* Decodes `body`. `property_id` is the message_id property, absent where there is none; a batch message
 * ignores it. Never fails: what cannot be read is a reason. Everything returned lies in `arena` or borrows
 * `body`. Any thread, but message_decoder_install() must have run once before. */
void message_decode(struct text body, struct text property_id, struct arena *arena, struct message *message);

/* Makes the JSON parser allocate from a per-thread arena while message_decode runs, so that decoding costs no
 * malloc; outside it, the parser uses malloc as ever. Call once, before the first use of the JSON parser,
 * from the main thread. */
void message_decoder_install(void);

#endif
