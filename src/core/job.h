/* Jobs: what the core asks of the outside that takes time. There are three hands, each does one job at a
 * time; while a job is out, its fields belong to the hand. */
#ifndef BURSAR_CORE_JOB_H
#define BURSAR_CORE_JOB_H

#include "base/status.h"
#include "core/batch.h"
#include "core/debt.h"
#include "core/deduction.h"
#include "core/limits.h"
#include "core/message.h"

#include <stdint.h>

enum hand { HAND_LEDGER, HAND_STOCK, HAND_PUBLISHER, HAND_COUNT };

enum job_kind {
    JOB_NONE,
    /* the ledger's */
    JOB_LEDGER_PING,
    JOB_LEDGER_STATS, /* count what is owed */
    JOB_SETTLE,       /* book a range of a batch */
    JOB_RECORD,       /* write the rows of what was parked */
    JOB_DEBTS_FETCH,  /* read what Redis is owed */
    JOB_DEBTS_MARK,   /* write what was paid */
    JOB_SWEEP_BUDGET, /* find the next budget to clean up */
    JOB_SWEEP_LOOKUP, /* ask what became of pending entries */
    /* the stock's */
    JOB_STOCK_PING,
    JOB_TELL,          /* clear the pendings of what was booked, give second deductions back */
    JOB_DEBTS_PAY,     /* refunds and credits */
    JOB_DEBTS_FORGET,  /* let go of the guards of refunds without token */
    JOB_SWEEP_SCAN,    /* read a slice of a budget's pending entries */
    JOB_SWEEP_RESOLVE, /* settle or release those that the ledger knows */
    /* the publisher's */
    JOB_PARK,
    JOB_DEPTH, /* count what is ready in the queue and the dead-letter queue */
};

/* What the parked items of one batch message have in common: one copy. */
struct park_source {
    size_t users;
    size_t bytes; /* that it takes */
    uint64_t epoch, tag;
    struct text exchange; /* where the message came from; the texts lie behind the struct */
    struct text routing_key;
    struct text properties; /* encoded, as they came */
};

/* A message on its way to the dead-letter queue. One allocation: its own texts lie behind the struct. */
struct park {
    struct park *next;
    size_t bytes; /* that it takes */
    uint64_t epoch;
    struct held *held;      /* valid only while the epoch is the present one */
    struct text message_id; /* absent: unreadable */
    enum park_reason reason;
    struct text detail;
    struct park_source *source; /* counted */
    struct text body;
    bool is_item;   /* an item of a batch message: its own id replaces the property */
    bool confirmed; /* answer of JOB_PARK */
};

/* Something Redis must be told of a booked id. */
struct tell {
    struct text budget_id;
    struct text message_id;
    int64_t deducted_at_us;
    enum tell_kind { TELL_SETTLE, TELL_EXTRA, TELL_REJECTED, TELL_VOIDED } kind;
};

/* What the ledger's row for an id says of a deduction with that id. */
struct booked {
    enum deduction_state state;
    int64_t amount;
    int64_t deducted_at_us; /* the row's token; 0: none */
    int64_t booked_at_us;
    bool refund_due;
};

/* What to do with a deduction of the token `token_us` whose id is booked: clear its pending entry, or, where
 * it is a second one, give it back. */
enum tell_kind tell_kind_for(const struct booked *booked, int64_t token_us);

struct tells {
    size_t count;
    size_t capacity;
    struct tell *items; /* owned */
    struct arena arena; /* owned: the texts */
    size_t extras;      /* answer of JOB_TELL: second deductions that were given back */
};

/* A pending entry under clean-up, and what the ledger says of it. */
struct sweep_entry {
    struct text message_id;
    int64_t amount;
    int64_t deducted_at_us; /* the entry's token */
    bool resolve;           /* answer of JOB_SWEEP_LOOKUP: booked, so `kind` is what to do with the entry */
    enum tell_kind kind;
};

/* Whether the clean-up may take the entry: it is the deduction that the ledger's row for its id books, or a
 * second one like it, and not another one that uses the same id; nor one whose refund is due, for that is
 * given back as a debt. */
bool pending_is_owned(const struct sweep_entry *entry, const struct booked *booked);

/* Where the clean-up of pendings stands. */
struct sweep {
    struct text budget_id; /* absent: before the first; absent after JOB_SWEEP_BUDGET: there are no more */
    char budget_id_bytes[BUDGET_ID_SIZE_MAX + 1];
    uint64_t cursor; /* of the scan; 0 at the beginning and at the end of a budget */
    size_t count;    /* entries of this slice */
    size_t capacity;
    struct sweep_entry *entries; /* owned */
    struct arena arena;          /* the entries' texts */
    bool refused;                /* Redis refused some of it since the sweep began */
    int64_t resolved;            /* entries settled or released since the sweep began */
};

struct job {
    enum job_kind kind;
    enum status status; /* answer */
    struct error error; /* answer, when status is not STATUS_OK */
    bool reconnected;   /* answer of the stock's jobs: on another connection than the job before */
    union {
        struct {
            struct batch *batch;
            size_t first;
            size_t count;
        } settle;
        struct park *parks;  /* JOB_PARK, JOB_RECORD: a list */
        struct tells *tells; /* JOB_TELL */
        struct debt_list *debts;
        struct sweep *sweep;
        struct {
            int64_t ready; /* answers; -1: not known */
            int64_t dead_lettered;
        } depth;
        struct {
            int64_t refunds_due; /* answer */
        } stats;
    };
};

#endif
