/* A stock in memory that answers as the scripts in scripts/redis/ do, for the contract suite and the
 * simulator. Nothing in it waits, draws lots or reads a clock: the same calls give the same answers.
 *
 * One thread at a time uses it. */
#ifndef BURSAR_TESTS_FAKE_STOCK_H
#define BURSAR_TESTS_FAKE_STOCK_H

#include "port/stock_audit.h"

struct fake_stock;

/* The clock stands at 1,700,000,000 s. The caller frees; stock_close on its port does nothing. */
struct fake_stock *fake_stock_new(int64_t done_window_s);
void fake_stock_free(struct fake_stock *fake);

/* The port; borrows. */
struct stock *fake_stock_port(struct fake_stock *fake);

/* Redis's TIME, in microseconds. It stands still until it is set, and may go back. */
void fake_stock_set_now(struct fake_stock *fake, int64_t now_us);
int64_t fake_stock_now(const struct fake_stock *fake);

enum fake_stock_failure {
    FAKE_STOCK_AWAY,          /* STATUS_RETRY, nothing done */
    FAKE_STOCK_LOST_QUESTION, /* STATUS_UNKNOWN, nothing done */
    FAKE_STOCK_LOST_ANSWER,   /* STATUS_UNKNOWN, everything done */
    FAKE_STOCK_HALF, /* STATUS_RETRY: the first half of the items done and answered, the others not */
};

/* The next `calls` calls fail this way; 0 ends it. Pings and loading scripts count, too. */
void fake_stock_fail_next(struct fake_stock *fake, size_t calls, enum fake_stock_failure failure);

/* Told of each change that a script makes, when it has made it. The texts are borrowed until the return. */
struct fake_stock_change {
    enum fake_stock_change_kind {
        FAKE_STOCK_DEDUCTED,
        FAKE_STOCK_SETTLED,  /* a pending entry cleared */
        FAKE_STOCK_RELEASED, /* a pending entry given back */
        FAKE_STOCK_REFUNDED, /* an amount given back without a pending entry */
        FAKE_STOCK_CREDITED,
        FAKE_STOCK_AMENDED,
    } kind;
    struct text budget_id;
    struct text id;               /* message id or credit id; of an amendment: absent */
    int64_t amount;               /* a credit may be 0 or TOTAL_UNLIMITED */
    int64_t deducted_at_us;       /* the entry's token; 0 without entry */
    enum release_outcome outcome; /* of a release or refund */
    const struct stock_amendment *amendment;
};
typedef void fake_stock_observer(void *context, const struct fake_stock_change *change);
void fake_stock_set_observer(struct fake_stock *fake, fake_stock_observer *observer, void *context);

/* How many calls are still to fail. */
size_t fake_stock_failing(const struct fake_stock *fake);

/* The stock key is gone, and nothing else. */
void fake_stock_lose_left(struct fake_stock *fake, struct text budget_id);

/* The six keys of a budget, in the order the scripts take them. */
enum fake_stock_key {
    FAKE_STOCK_LEFT,
    FAKE_STOCK_PENDING,
    FAKE_STOCK_DONE_0,
    FAKE_STOCK_DONE_1,
    FAKE_STOCK_META,
    FAKE_STOCK_CREDITS,
};

/* One key is gone, as after DEL, and nothing else. */
void fake_stock_lose(struct fake_stock *fake, struct text budget_id, enum fake_stock_key key);

/* All six are gone, whatever they held. */
void fake_stock_lose_budget(struct fake_stock *fake, struct text budget_id);

/* A running total is changed by hand, as HINCRBY does. */
enum fake_stock_total {
    FAKE_STOCK_TOTAL_CREDITED,
    FAKE_STOCK_TOTAL_DEDUCTED,
    FAKE_STOCK_TOTAL_SETTLED,
    FAKE_STOCK_TOTAL_RELEASED,
};
void fake_stock_shift_total(struct fake_stock *fake, struct text budget_id, enum fake_stock_total total,
                            int64_t difference);

/* One pending entry is gone, as after HDEL; false: there was none. */
bool fake_stock_lose_pending(struct fake_stock *fake, struct text budget_id, struct text id);

/* Makes the stock key by hand, as an older producer does. */
void fake_stock_set_left(struct fake_stock *fake, struct text budget_id, int64_t left);

/* Puts an entry that no script wrote among the pending ones: one without amount and time. */
void fake_stock_plant_pending(struct fake_stock *fake, struct text budget_id, struct text id);

/* Every call on the budget is refused, as if its keys were of another type. */
void fake_stock_corrupt(struct fake_stock *fake, struct text budget_id);

/* Another run id from now on, as after a restart or a failover; restoring a snapshot does the same. */
void fake_stock_start_anew(struct fake_stock *fake);

/* Whether it tells its run id. */
void fake_stock_hide_server(struct fake_stock *fake, bool hidden);

/* Everything is gone, as after FLUSHALL. */
void fake_stock_wipe(struct fake_stock *fake);

/* What Redis would have on its disk; restoring may be repeated. The clock goes on. The caller frees the
 * snapshot. */
struct fake_stock_snapshot *fake_stock_snapshot_take(const struct fake_stock *fake);
void fake_stock_snapshot_restore(struct fake_stock *fake, const struct fake_stock_snapshot *snapshot);
void fake_stock_snapshot_free(struct fake_stock_snapshot *snapshot);

/* What is inside, for checks that the port does not offer. All 0, and no stock key, for a budget never seen.
 */
struct fake_stock_totals {
    bool has_left;
    int64_t left;
    int64_t credited, deducted, settled, released;
    int64_t amended; /* the last amendment; 0: none */
    size_t pending_count;
    int64_t pending_sum; /* of the entries themselves */
    size_t done_count;   /* of both generations */
    size_t guard_count;
};
struct fake_stock_totals fake_stock_totals(const struct fake_stock *fake, struct text budget_id);

/* Shows every field of a budget's keys as Redis would hold it; the stock key has one field without name. A
 * total of 0 and the state `active` are not shown: to have never been written is the same. */
typedef void fake_stock_visitor(void *context, enum fake_stock_key key, struct text field, const char *value);
void fake_stock_visit(const struct fake_stock *fake, struct text budget_id, fake_stock_visitor *visit,
                      void *context);

#endif
