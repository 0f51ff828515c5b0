/* What Bursar needs of the stock in Redis. Each call is pipelined over all its items, whatever their budgets,
 * and bounded in time.
 *
 * A call answers STATUS_OK when every item was answered; each item then has its own `status`: STATUS_OK, or
 * STATUS_REFUSED with the reason in `error` of the call (the last one). STATUS_RETRY: Redis is away, loading,
 * read-only, out of memory…: items with status STATUS_OK are done, all others may be repeated.
 * STATUS_CONFIG: as STATUS_RETRY, but Redis does not let in who asks (password, user, database), until
 * somebody mends that.
 * STATUS_UNKNOWN: sent, not answered: repeat; every call here is harmless to repeat. A stock reconnects by
 * itself at the next call; it never uses a connection again that had a timeout.
 *
 * One thread at a time uses a stock. */
#ifndef BURSAR_PORT_STOCK_H
#define BURSAR_PORT_STOCK_H

#include "base/arena.h"
#include "base/status.h"
#include "core/deduction.h"

#include <stdbool.h>
#include <stdint.h>

/* What `left` is when the stock key is missing, or the reply does not say. */
#define STOCK_LEFT_NONE INT64_MIN

struct stock_settlement {
    struct text budget_id;
    struct text message_id;
    int64_t deducted_at_us; /* the token, never 0 */
};

enum release_outcome { RELEASE_REJECTED, RELEASE_VOIDED, RELEASE_EXTRA };

/* "rejected", "voided", "extra". Static storage. */
static inline const char *release_outcome_name(enum release_outcome outcome)
{
    return outcome == RELEASE_REJECTED ? "rejected" : outcome == RELEASE_VOIDED ? "voided" : "extra";
}

struct stock_release {
    struct text budget_id;
    struct text message_id;
    int64_t deducted_at_us; /* the token; 0: its message had none, `amount` is given back once, guarded by
                               the id */
    int64_t amount;         /* used without token only */
    enum release_outcome outcome;
    /* answers */
    enum status status;
    bool released; /* this call gave it back */
    int64_t left;
};

struct stock_credit {
    struct text budget_id;
    struct text credit_id;
    int64_t amount; /* 0 to AMOUNT_MAX, or TOTAL_UNLIMITED */
    /* answers */
    enum status status;
    bool applied; /* by this call */
    int64_t left;
};

/* The status that deduct.lua gave, as the protocol numbers it. */
enum deduct_status {
    DEDUCT_DONE = 1,
    DEDUCT_REPEAT = 0,
    DEDUCT_INSUFFICIENT = -2,
    DEDUCT_NOT_INITIALISED = -3,
    DEDUCT_CONFLICT = -4,
    DEDUCT_INVALID = -5,
    DEDUCT_REFUNDED = -6,
    DEDUCT_CLOSED = -7,
};

struct stock_deduct {
    struct text budget_id;
    struct text message_id;
    int64_t amount;
    /* answers */
    enum status status;
    enum deduct_status result;
    int64_t left;           /* STOCK_LEFT_NONE: not said */
    int64_t deducted_at_us; /* 0: not said */
};

enum pending_state { PENDING_PENDING, PENDING_SETTLED, PENDING_REJECTED, PENDING_VOIDED, PENDING_UNKNOWN };

struct stock_query {
    struct text budget_id;
    struct text message_id;
    /* answers */
    enum status status;
    enum pending_state state;
    int64_t amount;         /* 0: not said */
    int64_t deducted_at_us; /* 0: not said */
};

struct stock_level {
    struct text budget_id;
    /* answers */
    enum status status;
    int64_t left;    /* TOTAL_UNLIMITED for an unlimited budget; STOCK_LEFT_NONE: no key */
    int64_t pending; /* sum of pending amounts: deducted - settled - released */
};

struct stock_pending {
    struct text message_id; /* in the arena of the call */
    int64_t amount;
    int64_t deducted_at_us;
};

struct stock;
struct stock_audit_ops;

struct stock_ops {
    const struct stock_audit_ops *audit; /* port/stock_audit.h */
    uint64_t (*connections)(const struct stock *);
    enum status (*ping)(struct stock *, struct error *);
    enum status (*load_scripts)(struct stock *, struct error *);
    enum status (*settle)(struct stock *, const struct stock_settlement *, size_t count, int64_t *cleared,
                          struct error *);
    enum status (*release)(struct stock *, struct stock_release *, size_t count, struct error *);
    enum status (*forget_guards)(struct stock *, const struct stock_release *, size_t count, struct error *);
    enum status (*credit)(struct stock *, struct stock_credit *, size_t count, struct error *);
    enum status (*deduct)(struct stock *, struct stock_deduct *, size_t count, struct error *);
    enum status (*query)(struct stock *, struct stock_query *, size_t count, struct error *);
    enum status (*levels)(struct stock *, struct stock_level *, size_t count, struct error *);
    enum status (*state_set)(struct stock *, struct text budget_id, enum budget_state, int64_t *now_us,
                             struct error *);
    enum status (*pending_scan)(struct stock *, struct text budget_id, uint64_t *cursor, struct arena *,
                                struct stock_pending **entries, size_t *count, struct error *);
    void (*close)(struct stock *);
};

/* The head of every stock; an adapter puts it first in its own struct. */
struct stock {
    const struct stock_ops *ops;
};

/* How many connections it has made so far. Another number than before a call means that Redis was away in
 * between, and that what answers now may be another one, or an older state of it, even if no call failed. */
static inline uint64_t stock_connections(const struct stock *stock)
{
    return stock->ops->connections(stock);
}

/* Connects if need be and asks for an answer. */
MUST_CHECK static inline enum status stock_ping(struct stock *stock, struct error *error)
{
    return stock->ops->ping(stock, error);
}

/* Loads every script, so that a broken one is seen at `init` and not at night. Calls load what is missing by
 * themselves. */
MUST_CHECK static inline enum status stock_load_scripts(struct stock *stock, struct error *error)
{
    return stock->ops->load_scripts(stock, error);
}

/* settle.lua, items of one budget together. *cleared (may be NULL) counts the pendings that this call
 * cleared. An item that is refused (a key of a wrong type) is skipped, the others are done, and the answer is
 * STATUS_REFUSED. */
MUST_CHECK static inline enum status stock_settle(struct stock *stock, const struct stock_settlement *items,
                                                  size_t count, int64_t *cleared, struct error *error)
{
    return stock->ops->settle(stock, items, count, cleared, error);
}

/* release.lua for items with a token; for the others the guarded refund: a pending entry of the same id and
 * amount is released, as with its token; one that was rejected or voided already leaves nothing to give;
 * otherwise the amount is added to the stock. */
MUST_CHECK static inline enum status stock_release(struct stock *stock, struct stock_release *items,
                                                   size_t count, struct error *error)
{
    return stock->ops->release(stock, items, count, error);
}

/* Lets go of the guards of refunds without token, once the ledger has booked them as done: each holds for one
 * to two done windows more, so that a request which was given up on may still arrive, and is then forgotten.
 * Items with a token are skipped. */
MUST_CHECK static inline enum status stock_forget_guards(struct stock *stock,
                                                         const struct stock_release *items, size_t count,
                                                         struct error *error)
{
    return stock->ops->forget_guards(stock, items, count, error);
}

/* credit.lua */
MUST_CHECK static inline enum status stock_credit(struct stock *stock, struct stock_credit *items,
                                                  size_t count, struct error *error)
{
    return stock->ops->credit(stock, items, count, error);
}

/* deduct.lua */
MUST_CHECK static inline enum status stock_deduct(struct stock *stock, struct stock_deduct *items,
                                                  size_t count, struct error *error)
{
    return stock->ops->deduct(stock, items, count, error);
}

/* query.lua */
MUST_CHECK static inline enum status stock_query(struct stock *stock, struct stock_query *items, size_t count,
                                                 struct error *error)
{
    return stock->ops->query(stock, items, count, error);
}

/* Stock and pending sum of each budget, read at one instant per budget; constant time in the number of
 * pendings. */
MUST_CHECK static inline enum status stock_levels(struct stock *stock, struct stock_level *items,
                                                  size_t count, struct error *error)
{
    return stock->ops->levels(stock, items, count, error);
}

/* state.lua; *now_us is Redis's time of the change. */
MUST_CHECK static inline enum status stock_state_set(struct stock *stock, struct text budget_id,
                                                     enum budget_state state, int64_t *now_us,
                                                     struct error *error)
{
    return stock->ops->state_set(stock, budget_id, state, now_us, error);
}

/* One slice of the budget's pending entries (HSCAN; an entry may come twice). *cursor is 0 at the start and 0
 * again at the end. *entries lie in `arena`. What deduct.lua never wrote (an id, amount or time that is not
 * valid) is left out and left alone: nothing could settle or release it. */
MUST_CHECK static inline enum status stock_pending_scan(struct stock *stock, struct text budget_id,
                                                        uint64_t *cursor, struct arena *arena,
                                                        struct stock_pending **entries, size_t *count,
                                                        struct error *error)
{
    return stock->ops->pending_scan(stock, budget_id, cursor, arena, entries, count, error);
}

/* Frees it; NULL is fine. */
static inline void stock_close(struct stock *stock)
{
    if (stock != NULL) stock->ops->close(stock);
}

#endif
