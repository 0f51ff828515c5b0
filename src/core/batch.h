/* A batch: deductions in order of arrival, each with where it came from and what became of it. */
#ifndef BURSAR_CORE_BATCH_H
#define BURSAR_CORE_BATCH_H

#include "base/arena.h"
#include "core/deduction.h"
#include "core/message.h"

#include <stdint.h>

struct held;

/* What the broker handed over, kept until the verdict is known: an id-conflict is only found by the ledger,
 * and parking needs the message as it was. The texts lie in the batch's arena. */
struct origin {
    uint64_t epoch; /* of the connection it came on: a tag means nothing on another one */
    uint64_t tag;
    struct held *held; /* the worker's note of the delivery; valid only while its epoch is the present one */
    struct text exchange;
    struct text routing_key;
    struct text properties; /* AMQP basic properties, encoded, as they came */
    struct text body;
    bool is_batch; /* a batch message: its items are parked as messages of their own */
};

/* The row that the ledger holds for an id. */
struct known_row {
    bool found;
    bool same; /* same budget and amount as the item that asks */
    enum deduction_state state;
    enum deduction_reason reason; /* REASON_NONE: it is settled */
    int64_t deducted_at_us;       /* 0: booked without token */
    int64_t booked_at_us;         /* Unix time */
};

enum verdict {
    VERDICT_NONE = 0,
    VERDICT_SETTLED,   /* insert a settled row */
    VERDICT_REJECTED,  /* insert a rejected row, refund due */
    VERDICT_DUPLICATE, /* the id is booked with the same budget and amount: nothing to write */
    VERDICT_CONFLICT,  /* the id is booked with another budget or amount: to be parked */
    VERDICT_REFUSED,   /* the ledger refused this row alone: to be parked */
};

struct batch_item {
    struct deduction deduction;
    struct origin *origin;
    struct text source;     /* the item's bytes inside the origin's body */
    uint64_t hash;          /* of the message id */
    uint32_t budget;        /* index into budgets */
    uint32_t first_same_id; /* index of the first item of this batch with the same message id; its own index
                               if it is the first */
    struct known_row known; /* filled by the ledger */
    enum verdict verdict;
    enum deduction_reason reason;
};

struct batch_budget {
    struct text id;
    uint64_t hash;
    /* filled by the ledger, under its lock */
    bool found;
    enum budget_state state;
    int64_t total; /* TOTAL_UNLIMITED or 0 to AMOUNT_MAX */
    int64_t settled;
    int64_t closed_at_us; /* Redis's time of the closing; 0: never closed */
    /* filled by settlement_decide */
    int64_t delta;
};

struct batch {
    size_t count;
    size_t capacity;          /* items; grows only for a batch message that does not fit */
    struct batch_item *items; /* owned */
    size_t budget_count;
    size_t budget_capacity;
    struct batch_budget *budgets; /* owned; distinct */
    uint32_t *id_slots;           /* owned; open addressing: index + 1 of the first item with that id */
    uint32_t *budget_slots;       /* owned; open addressing: index + 1 */
    size_t id_slot_count;         /* powers of two */
    size_t budget_slot_count;
    uint64_t hash_seed[2]; /* of this process: ids cannot be crafted to collide */
    struct arena arena;    /* owned: everything the items borrow */
};

/* Room for `capacity` items (1 or more) without allocating. The caller frees with batch_free. */
void batch_init(struct batch *batch, size_t capacity);
void batch_free(struct batch *batch);

/* Forgets the items and the arena, keeps the room. */
void batch_reset(struct batch *batch);

/* Appends a deduction whose texts lie in the batch's arena (as do *origin and source); finds its budget and
 * the first item with its id. Constant time on average; grows if full. Returns the item, valid until the next
 * append. */
struct batch_item *batch_append(struct batch *batch, const struct deduction *deduction, struct origin *origin,
                                struct text source);

/* Whether, in a settlement of a range that begins at `first`, the ledger must be asked for this item's id:
 * not when an earlier item of the same range has it and the ledger did not know it. (Where it did, each item
 * is compared with the row itself.) Ask in order of the items: the answer depends on `known` of the earlier
 * one. */
static inline bool batch_item_needs_lookup(const struct batch *batch, size_t index, size_t first)
{
    uint32_t earlier = batch->items[index].first_same_id;
    return earlier == index || earlier < first || batch->items[earlier].known.found;
}

#endif
