/* What the stages of a run share among themselves.
 *
 *  LOCK -> RECOVER, RECOVER_BOOKINGS -> BUDGETS -> DEBTS -> BASE -> (MEASURE -> NUMBERS -> ORPHANS) for each
 * budget -> RIPEN -> RECORD
 *
 * A stage returns RECONCILE_MORE after each piece, and moves `stage` on when it is done. */
#ifndef BURSAR_RECONCILE_RECONCILE_STATE_H
#define BURSAR_RECONCILE_RECONCILE_STATE_H

#include "reconcile/measure.h"
#include "reconcile/reconcile.h"

#define REPAIR_SLICE 250 /* items of one repair: a transaction and a pipeline */

/* A difference that traffic makes too counts once it has lasted this long. */
#define RIPE_AFTER_US INT64_C(5000000)

enum stage {
    STAGE_LOCK,
    STAGE_RECOVER,
    STAGE_RECOVER_BOOKINGS,
    STAGE_BUDGETS,
    STAGE_DEBTS,
    STAGE_BASE,
    STAGE_MEASURE,
    STAGE_NUMBERS,
    STAGE_ORPHANS,
    STAGE_RIPEN,
    STAGE_RECORD,
    STAGE_DONE,
};

struct audited_budget {
    struct text id; /* in the run's arena */
    enum budget_state state;
    bool limited;
    bool right;     /* its numbers are; until then nothing of it is voided or given back */
    bool oversold;  /* and it can have nothing more: only what is given back makes it right */
    bool concluded; /* its numbers were, once at least */
    bool stopped;   /* a repair would have gone beyond repair_max: no more repairs of it */
    int64_t spent;  /* units of stock that repairs changed */
};

/* An entry that its row has decided and that is still pending: a moment's work of the worker, or a finding.
 */
struct ripening {
    size_t budget;
    struct text message_id; /* in the list's arena */
    int64_t amount, deducted_at_us;
    int64_t ripe_at_us; /* monotonic */
    bool settled;       /* to be cleared; otherwise to be given back */
    bool mended;        /* answer of a repair */
    enum deduction_state row_state;
};

struct ripening_list {
    struct ripening *items; /* owned */
    size_t count, capacity;
    size_t at; /* the present round has come so far; what stays is kept before `kept` */
    size_t kept;
    struct arena arena;
};

/* One time through what is owed now, in slices. */
struct debts_round {
    bool begun;
    bool ripe;    /* what it meets has been owed for long enough */
    size_t still; /* owed since the run began */
    struct debt_cursor cursor;
};

/* What was owed when the run began. */
struct debts_seen {
    struct debt *items; /* owned */
    size_t count, capacity;
    struct debt_cursor cursor;
    int64_t seen_at_us;       /* monotonic */
    struct debts_round round; /* of the second look */
};

/* Whether a message that was published before an instant can still be in the queue. */
enum queue_answer { QUEUE_PAST, QUEUE_NOT_PAST, QUEUE_WAIT };

/* Everything booked lately was deducted at `token_us` or later, seen at `seen_at_us` (monotonic; 0: not yet).
 */
struct booked_from {
    int64_t token_us, seen_at_us;
};

struct queue_watch {
    struct booked_from older, newer; /* the older one so long ago that hands are empty of what came before */
    bool failed;                     /* the broker did not answer */
    bool clock_went_back;            /* Redis's did: tokens do not tell what came first */
    bool looked;
    struct queue_look look;
    int64_t looked_at_us;     /* monotonic */
    size_t quiet_looks;       /* the last ones in a row that saw nothing ready and nothing held */
    int64_t quiet_since_us;   /* monotonic; of the first of them */
    int64_t waiting_since_us; /* monotonic; 0: nobody waits */
};

/* Whether the stock may be raised: all that was deducted before the measurement is in it. */
enum raise_answer {
    RAISE_ALLOWED,
    RAISE_NOT_NOW, /* the queue may hold deductions that are in no sum */
    RAISE_STALE,   /* such a one was booked since: measure anew */
    RAISE_NEVER,   /* and so it was each time */
    RAISE_MORE,    /* ask again */
    RAISE_WAIT,    /* ask again at wait_until_us */
};

struct raise_watch {
    enum raise_step { RAISE_BEGIN, RAISE_QUEUE, RAISE_TAIL } step;
    unsigned stale; /* so often the present budget's measurement was */
};

struct orphans {
    size_t at; /* among the measure's entries */
    size_t count;
    size_t *chosen; /* owned; REPAIR_SLICE indices */
    bool strict;    /* only an empty queue proves that one is none */
    bool mended;    /* any of the budget's, so far */
    enum orphan_step {
        ORPHAN_CHOOSE,
        ORPHAN_QUEUE,
        ORPHAN_PARKED,
        ORPHAN_DEAD_LETTERS,
        ORPHAN_REPLAYED,
        ORPHAN_ROW,
        ORPHAN_END
    } step;
};

struct reconcile {
    struct reconcile_options options;
    struct reconcile_summary summary;
    enum stage stage;
    int64_t wait_until_us;
    int64_t started_at_us; /* Unix time */
    char server[STOCK_SERVER_SIZE_MAX];

    struct audited_budget *budgets;               /* owned */
    size_t budget_count, budget_capacity, budget; /* the present one */
    struct audited_budget unlisted; /* all that the ledger does not have, together, and owes something to */
    struct tally tally;
    struct measure measure;
    bool measure_anew;   /* asked for by stage_numbers */
    bool measured_again; /* after a repair of the numbers */
    struct raise_watch raise;
    struct debts_seen debts;
    struct queue_watch queue;
    struct orphans orphans;
    struct ripening_list ripening;
    struct stock_sight *sights; /* owned; of proven budgets */
    size_t sight_count;

    struct arena arena; /* of the run */
    struct arena slice; /* of one step */
};

static inline struct audited_budget *present_budget(struct reconcile *reconcile)
{
    return &reconcile->budgets[reconcile->budget];
}

/* An entry of the slice that is looked at, by its number below orphans.count. */
static inline struct entry *orphan_chosen(struct reconcile *reconcile, size_t index)
{
    return &reconcile->measure.entries[reconcile->orphans.chosen[index]];
}

/* Notes how it failed. */
enum reconcile_progress reconcile_fail(struct reconcile *reconcile, enum status status);

/* Counts a finding and hands it out. */
void reconcile_report(struct reconcile *reconcile, const struct finding *finding);

void reconcile_say(struct reconcile *reconcile, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* True when a repair that changes the budget's stock by `amount` is allowed; it is then counted. */
bool reconcile_allows(struct reconcile *reconcile, struct audited_budget *budget, int64_t amount);

/* The stages, each in the file of its subject. */
enum reconcile_progress stage_recover(struct reconcile *reconcile, struct error *error); /* journal.c */
enum reconcile_progress stage_debts(struct reconcile *reconcile, struct error *error);   /* debts.c */
enum reconcile_progress stage_numbers(struct reconcile *reconcile, struct error *error); /* numbers.c */
enum reconcile_progress stage_orphans(struct reconcile *reconcile, struct error *error); /* orphans.c */
enum reconcile_progress stage_ripen(struct reconcile *reconcile, struct error *error);   /* ripen.c */

/* debts.c: reports what was owed at the first look and is owed still. */
enum reconcile_progress debts_second_look(struct reconcile *reconcile, bool *done, struct error *error);

/* debts.c: before the present budget's key is made anew, which counts what was rejected without token as
 * given back. Not *done: Redis refuses one of its refunds. */
MUST_CHECK enum status debts_pay_before_restore(struct reconcile *reconcile, bool *done, struct error *error);

/* ripen.c: what the present measure found decided and still pending goes onto the list. */
void ripen_collect(struct reconcile *reconcile);

/* queue.c: notes how far the bookings are; often, so that what was seen a while ago is known. */
void queue_note_booked(struct reconcile *reconcile);

/* queue.c: from now on looks from before tell nothing: of what was published since. What was booked does. */
void queue_forget(struct reconcile *reconcile);

/* queue.c: whether every message that was published up to `token_us` (Redis's time), and a while after, is
 * out of the queue and out of the worker's hands. `strict`: only an empty queue proves it. QUEUE_WAIT: ask
 * again at wait_until_us. */
enum queue_answer queue_is_past(struct reconcile *reconcile, int64_t token_us, bool strict);

/* raise.c: waits until the queue is past the present measurement, and then looks whether what it held is in
 * it. */
MUST_CHECK enum status raise_ask(struct reconcile *reconcile, enum raise_answer *answer, struct error *error);

/* The subject of a credit's entry, whose id stands in `after`. */
#define REPAIR_OF_CREDIT TEXT_LITERAL("credit-due")

/* What a finding says that waits for the budget's numbers. */
#define HELD_BACK "held back until the budget's numbers are right"

/* journal.c: writes repairs down before they are made. Fills state and actor. */
MUST_CHECK enum status journal_begin(struct reconcile *reconcile, struct intervention *entries, size_t count,
                                     struct error *error);

/* Writes down what became of each: its state. */
MUST_CHECK enum status journal_end(struct reconcile *reconcile, const struct intervention *entries,
                                   size_t count, struct error *error);

/* orphan_repair.c: repairs those of the slice that may be. `mended` is per entry of it, all false. */
MUST_CHECK enum status orphans_repair(struct reconcile *reconcile, bool *mended, struct error *error);

/* numbers_amend.c: changes the budget's numbers as the present measurement says, and what Redis forgot of its
 * credits with them. Not *amended: Redis refused. */
MUST_CHECK enum status numbers_amend(struct reconcile *reconcile, bool *amended, struct error *error);

/* What a restore wrote into Redis's credits is applied. */
MUST_CHECK enum status numbers_mark_credits(struct reconcile *reconcile, struct error *error);

#endif
