/* What really happened in a history: every deduction that Redis made, every message that the broker took,
 * every row that the ledger wrote, as seen at the systems themselves and never through the worker. The
 * checkers (check.h) hold the worker to it. */
#ifndef BURSAR_TESTS_SIM_TRUTH_H
#define BURSAR_TESTS_SIM_TRUTH_H

#include "core/deduction.h"
#include "core/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRUTH_NONE         UINT32_MAX
#define TRUTH_BUDGETS_MAX  8 /* those of the swarm, and two that the ledger does not know */
#define TRUTH_REASON_COUNT (PARK_UNPROCESSABLE + 1)

/* One deduction with a token. */
struct truth_sale {
    uint32_t id, budget;
    int64_t amount, token;
    enum sale_state { SALE_PENDING, SALE_SETTLED, SALE_RELEASED, SALE_FORGOTTEN } state;
    bool published;  /* a message that says the truth about it was confirmed */
    uint32_t before; /* the sale with the same id before this one; TRUTH_NONE: none */
};

/* A message id: "i17" is the 17th. */
struct truth_id {
    bool tainted;     /* messages say different things of it, or not the truth */
    bool voided;      /* somebody voided it before it was booked */
    bool old;         /* an older producer used it, without a token */
    bool refusable;   /* the ledger refused its row at some time */
    uint32_t sale;    /* the newest; TRUTH_NONE: none */
    uint32_t row;     /* in the ledger; TRUTH_NONE: none */
    bool row_lost;    /* it had a row before the ledger was restored */
    bool reconciled;  /* it was a reconcile that booked it: its entry waits for the next one where it died */
    uint32_t refunds; /* how often it was given back without a pending entry */
    uint32_t parked_rows, parks_acknowledged; /* whatever the reason: it may be another one the next time */
};

/* One deduction that a message asks to book. */
struct truth_item {
    uint32_t id;            /* TRUTH_NONE: none, or none that is valid */
    enum park_reason fault; /* PARK_NONE: it can be booked */
    uint32_t budget;
    int64_t amount, token;
    enum park_reason parked_as; /* the latest time a worker parked it; PARK_NONE: none did */
    uint32_t letters, copies;   /* that hold it, in the dead-letter queue and in the queue */
    bool told;                  /* a worker acknowledged it when there was a row that says the same */
    bool lost;                  /* a letter or copy went with its queue, or found it full */
    bool discarded;             /* a letter that held it was thrown away */
    bool edited;                /* a replay published it with a readable budget and amount */
    uint64_t edited_body;       /* fingerprint of that body */
    enum park_reason edited_parked_as;
};

struct truth_message {
    size_t first_item, item_count;
    enum park_reason fault; /* of the whole message */
    enum park_reason parked_as;
    uint32_t queued, gone; /* copies that the queue took, and that it forgot */
    uint32_t property_id;  /* in the message_id property; TRUTH_NONE: none */
    bool is_batch;
    int64_t queued_at_us;     /* the first of them, on Redis's clock; 0: none yet */
    int64_t given_at_us;      /* when a consumer was first given one, on the same clock */
    uint32_t letters, copies; /* as an item's; of a message that has no items */
};

/* A row as it was seen last. */
struct truth_row {
    uint32_t id, budget;
    int64_t amount, token, booked_at;
    enum deduction_state state;
    enum deduction_reason reason;
    enum refund_state refund;
};

struct truth_budget {
    int64_t row_sum; /* of settled rows */
    /* Redis's own numbers, counted from what it did */
    int64_t credited, deducted, settled, released;
    int64_t
        by_hand; /* taken from `left` without a script, less what was given back without a pending entry */
    int64_t
        unbalanced; /* by what deducted - settled - released exceeds the pending sum: tampered, or amended */
    bool unlimited;
    bool tampered;   /* somebody changed its numbers, or took by hand */
    bool miscounted; /* its running totals among them */
    bool made_anew;  /* by a repair, which counts as settled what was booked without a token by then */
    bool keys_lost;  /* all of its keys, and with them which amendments were made */
};

struct truth {
    struct truth_sale *sales;
    size_t sale_count, sale_capacity;
    struct truth_id *ids;
    size_t id_count, id_capacity;
    struct truth_item *items;
    size_t item_count, item_capacity;
    struct truth_message *messages;
    size_t message_count, message_capacity;
    struct truth_row *rows;
    size_t row_count, row_capacity;
    size_t parked_rows_seen;
    uint64_t parked_rows[TRUTH_REASON_COUNT], parks_acknowledged[TRUTH_REASON_COUNT]; /* without an id */
    struct truth_budget budgets[TRUTH_BUDGETS_MAX];
    /* Disasters that lose what a system had promised to keep: some rules do not hold across them. */
    bool redis_lost, ledger_lost, queue_lost;
};

void truth_free(struct truth *truth);

/* Whether what is parked for this reason had an id that could be read. */
bool truth_reason_has_id(enum park_reason reason);

uint32_t truth_id_new(struct truth *truth);
uint32_t truth_sale_add(struct truth *truth, const struct truth_sale *sale);
uint32_t truth_message_add(struct truth *truth, enum park_reason fault);
struct truth_item *truth_item_add(struct truth *truth, uint32_t message, const struct truth_item *item);
struct truth_row *truth_row_add(struct truth *truth, const struct truth_row *row);

/* The sale of this id and budget with this token; NULL: there was none. */
struct truth_sale *truth_sale_find(struct truth *truth, uint32_t id, uint32_t budget, int64_t token);

/* The number in "i17" or "b3"; TRUTH_NONE for any other text. */
uint32_t truth_number(struct text name, char letter);

/* Which message, and which of its items, a body holds, in the queue or the dead-letter queue. Every body
 * carries both (message_body.h). */
struct truth_place {
    uint32_t message;
    uint32_t item; /* index within the message; TRUTH_NONE: all of it */
};
struct truth_place truth_place_of(struct text body);

/* The same for a letter or a copy: item is TRUTH_NONE where the body holds the whole of a batch message, or
 * of one that nobody can read. False: nobody published such a body. */
bool truth_holds(const struct truth *truth, struct text body, struct truth_place *place);

/* The items at a place; NULL: a message that nobody can read has none. */
struct truth_item *truth_items(struct truth *truth, struct truth_place place, size_t *count);

/* The sale of this id and budget that is pending in Redis; NULL: none is. */
struct truth_sale *truth_pending(struct truth *truth, uint32_t id, uint32_t budget);

/* Whether a letter in the dead-letter queue speaks of the id, held by somebody or not. */
bool truth_has_letter(const struct truth *truth, uint32_t id);

#endif
