/* What reconciling needs of the stock in Redis, beyond what the worker needs. Answers and ownership are those
 * of port/stock.h. */
#ifndef BURSAR_PORT_STOCK_AUDIT_H
#define BURSAR_PORT_STOCK_AUDIT_H

#include "port/stock.h"

#define STOCK_SERVER_SIZE_MAX 64

/* A budget at one instant, without its pending entries. */
struct stock_audit {
    struct text budget_id;
    /* answers */
    enum status status;
    int64_t left;  /* TOTAL_UNLIMITED for an unlimited budget; STOCK_LEFT_NONE: no key */
    bool has_meta; /* false: nothing says that this budget ever was in this Redis */
    int64_t credited, deducted, settled, released;
    enum budget_state state;
    int64_t pendings; /* entries, as the next one */
    int64_t credits;
    int64_t now_us;  /* Redis's time of this instant: what was deducted before it has an older token */
    int64_t amended; /* the last amendment that was applied; 0: none */
};

struct stock_credit_entry {
    struct text credit_id; /* in the arena of the call */
    int64_t amount;        /* TOTAL_UNLIMITED or 0 to AMOUNT_MAX */
};

/* A change of a budget's numbers, by differences: it commutes with whatever else goes on, but not with
 * another amendment of the same difference. So one that may have been sent is repeated with its own id before
 * the budget is audited anew: under a later id it would be applied once more where the first one arrives
 * late. */
struct stock_amendment {
    struct text budget_id;
    int64_t id; /* above 0, and above that of every earlier one of this budget: it is applied once */
    int64_t left, credited, deducted, settled, released; /* differences, signed; 0: none */
    /* Where the stock key is missing it is made, with credited - deducted + released as they then are (or
     * TOTAL_UNLIMITED), and `left` is not used. Where it is not missing, nothing at all happens and the
     * answer is `refused`. */
    enum stock_restore { STOCK_RESTORE_NONE, STOCK_RESTORE_LIMITED, STOCK_RESTORE_UNLIMITED } restore;
    enum budget_state state; /* written by a restore */
    /* Written into the budget's credits; what they amount to is in the differences. */
    const struct stock_credit_entry *credits;
    size_t credit_count;
    /* answers */
    enum status status;
    bool applied;       /* by this call; false: this id, or a later one, was applied before */
    int64_t left_after; /* STOCK_LEFT_NONE: no key */
};

struct stock_audit_ops {
    enum status (*server)(struct stock *, char server[STOCK_SERVER_SIZE_MAX], struct error *);
    enum status (*audit)(struct stock *, struct stock_audit *items, size_t count, struct error *);
    enum status (*credits_scan)(struct stock *, struct text budget_id, uint64_t *cursor, struct arena *,
                                struct stock_credit_entry **entries, size_t *count, struct error *);
    enum status (*amend)(struct stock *, struct stock_amendment *items, size_t count, struct error *);
};

/* Redis's run id: another one means that it was restarted, replaced or failed over. "" where it does not tell
 * (INFO is not allowed). */
MUST_CHECK static inline enum status stock_server(struct stock *stock, char server[STOCK_SERVER_SIZE_MAX],
                                                  struct error *error)
{
    return stock->ops->audit->server(stock, server, error);
}

/* audit.lua: reads each budget at one instant; constant time, whatever is pending. */
MUST_CHECK static inline enum status stock_audit(struct stock *stock, struct stock_audit *items, size_t count,
                                                 struct error *error)
{
    return stock->ops->audit->audit(stock, items, count, error);
}

/* One slice of the budget's applied credits, as stock_pending_scan. */
MUST_CHECK static inline enum status stock_credits_scan(struct stock *stock, struct text budget_id,
                                                        uint64_t *cursor, struct arena *arena,
                                                        struct stock_credit_entry **entries, size_t *count,
                                                        struct error *error)
{
    return stock->ops->audit->credits_scan(stock, budget_id, cursor, arena, entries, count, error);
}

/* amend.lua, all or nothing of each. An item is refused where a number would fall below 0 or rise above
 * AMOUNT_MAX, where there is no stock with a number for `left` to change, where a restore finds the key or a
 * budget of the other kind, where a credit without restore finds no key or one of the other kind, and where
 * one of the credits is applied already. */
MUST_CHECK static inline enum status stock_amend(struct stock *stock, struct stock_amendment *items,
                                                 size_t count, struct error *error)
{
    return stock->ops->audit->amend(stock, items, count, error);
}

#endif
