/* Dead letters thrown away for good.
 *
 *  READING -> LOOKING UP (ledger) -> ASKING (Redis) -> VOIDING (ledger) -> JOURNALING (ledger)
 *    -> RELEASING (Redis) -> RECORDING (ledger) -> ACKNOWLEDGING (broker) -> READING … -> CLOSING
 *
 * It dies after…
 *  - voiding: the ledger owes the refund, and a worker or the next discard makes it;
 *  - releasing or recording: the next discard finds nothing more to give back, and only acknowledges. */
#ifndef BURSAR_DEADLETTER_DISCARD_H
#define BURSAR_DEADLETTER_DISCARD_H

#include "deadletter/letter_fate.h"

struct discard_options {
    struct letter_filter filter;
    int64_t limit;     /* letters; 0: no limit */
    int64_t total_max; /* of the queue's letters, so many at most are looked at; 0: all; negative: none */
    bool dry_run;
    letter_told *told; /* may be NULL */
    void *context;
};

/* A deduction that a letter asks for, and what is known of it. Texts borrow the chunk. */
struct discard_claim {
    size_t letter; /* index in the chunk */
    struct text message_id;
    struct text budget_id;  /* absent: not readable */
    int64_t amount;         /* 0: not readable */
    int64_t deducted_at_us; /* the message's token; 0: none */
    bool tracked;           /* it says that there is a token, readable or not */
    struct ledger_deduction row;
    struct stock_query query;      /* state PENDING_UNKNOWN where it was not asked */
    struct ledger_void *void_row;  /* NULL: the id is booked */
    struct stock_release *release; /* NULL: nothing to give back */
    bool is_debt;                  /* the release is what the row owes */
};

struct discard_item {
    bool left;
    enum letter_fate fate;
    const char *detail;
    const char *why_unclaimed; /* nothing is voided or given back for it; NULL: that depends on its claims */
    size_t claims;
    size_t voids;
    int64_t refund;
};

struct discard {
    const struct dead_letter_ports *ports; /* borrowed */
    struct discard_options options;        /* its texts are borrowed */
    struct letter_walk walk;
    struct letter_chunk chunk;
    enum {
        DISCARD_READING,
        DISCARD_LOOKING_UP,
        DISCARD_ASKING,
        DISCARD_VOIDING,
        DISCARD_JOURNALING,
        DISCARD_RELEASING,
        DISCARD_RECORDING,
        DISCARD_ACKNOWLEDGING,
        DISCARD_COUNTING,
        DISCARD_CLOSING,
        DISCARD_OVER,
    } stage;
    struct discard_item items[CHUNK_LETTERS_MAX];
    /* In the chunk's arena. */
    struct discard_claim *claims;
    size_t claim_count;
    struct ledger_void *voids;
    size_t void_count;
    struct stock_release *releases;
    size_t release_count;
    struct intervention *entries;
    size_t entry_count;
    /* Answers. */
    int64_t done;
    int64_t voided;      /* rows written */
    int64_t refunded;    /* units of stock given back */
    int64_t refunds_due; /* refunds that Redis did not take; the ledger owes them */
    enum status status;  /* of a failure */
    struct error error;
    int64_t wait_until_us; /* monotonic */
    bool wait_listens;     /* something arriving at the consumer ends the wait too */
    int64_t tries;
    bool stop;
};

/* Connects nothing yet. The caller frees. */
void discard_begin(struct discard *discard, const struct dead_letter_ports *ports,
                   const struct discard_options *options);
void discard_free(struct discard *discard);

/* STEP_WAIT: see wait_until_us and wait_listens. STEP_FAILED: see `status` and `error`. */
enum step discard_step(struct discard *discard);

/* Ends it after the chunk that is under way. */
void discard_stop(struct discard *discard);

#endif
