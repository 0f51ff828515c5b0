/* What Bursar needs of a ledger: the one judge of what a message id became.
 *
 * Answers: STATUS_RETRY when nothing was written and the same call may work later (locked, full, away, not
 * initialised); STATUS_UNKNOWN when a COMMIT was sent and its answer lost (do the same again: own rows are
 * then found as duplicates); STATUS_REFUSED when the content of this very call is refused; STATUS_CONFIG when
 * only the operator can mend it (a newer schema, a worker that already runs). After anything but STATUS_OK
 * the ledger has rolled back and may be called again: a ledger reconnects by itself.
 *
 * One thread at a time uses a ledger. Texts handed out lie in the caller's arena. */
#ifndef BURSAR_PORT_LEDGER_H
#define BURSAR_PORT_LEDGER_H

#include "base/arena.h"
#include "base/status.h"
#include "core/batch.h"
#include "core/debt.h"
#include "core/deduction.h"

#include <stdbool.h>
#include <stdint.h>

struct ledger_budget {
    struct text id;
    struct text name;        /* absent: none */
    struct text description; /* absent: none */
    struct text ext_params;  /* JSON object as text; absent: none */
    int64_t total;           /* TOTAL_UNLIMITED or 0 to AMOUNT_MAX */
    int64_t settled;
    enum budget_state state;
    int64_t created_at_us; /* Unix time */
    int64_t updated_at_us;
};

struct ledger_deduction {
    bool found;
    int64_t sequence; /* rows are booked in this order */
    struct text budget_id;
    int64_t amount;
    int64_t deducted_at_us; /* 0: without token */
    int64_t booked_at_us;   /* Unix time */
    enum deduction_state state;
    enum deduction_reason reason;
    enum refund_state refund;
};

struct parked_row {
    struct text message_id; /* absent: unreadable */
    enum park_reason reason;
    struct text detail;
};

struct ledger_stats {
    int64_t budgets;
    int64_t refunds_due;
    int64_t credits_due;
    int64_t parked;               /* rows in state parked */
    int64_t last_parked_sequence; /* 0: nothing was ever parked */
    int64_t last_deducted_at_us;  /* the token of the row booked last, among the newest; 0: they have none */
};

struct ledger;

struct ledger_ops {
    enum status (*initialise)(struct ledger *, struct error *);
    enum status (*ping)(struct ledger *, struct error *);
    enum status (*settle)(struct ledger *, struct batch *, size_t first, size_t count, struct error *);
    enum status (*record_parked)(struct ledger *, const struct parked_row *, size_t count, struct error *);
    enum status (*debts_fetch)(struct ledger *, struct debt_cursor *, struct arena *, struct debt *,
                               size_t capacity, size_t *count, struct error *);
    enum status (*debts_mark)(struct ledger *, const struct debt *, size_t count, struct error *);
    enum status (*deductions_find)(struct ledger *, const struct text *message_ids, size_t count,
                                   struct arena *, struct ledger_deduction *, struct error *);
    enum status (*budget_create)(struct ledger *, const struct ledger_budget *, struct text credit_id,
                                 struct error *);
    enum status (*budget_credit)(struct ledger *, struct text budget_id, struct text credit_id,
                                 int64_t amount, bool *applied, struct error *);
    enum status (*credit_mark)(struct ledger *, struct text budget_id, struct text credit_id, struct error *);
    enum status (*budget_state_set)(struct ledger *, struct text budget_id, enum budget_state,
                                    int64_t closed_at_us, struct error *);
    enum status (*budget_find)(struct ledger *, struct text budget_id, struct arena *, struct ledger_budget *,
                               bool *found, struct error *);
    enum status (*budgets_list)(struct ledger *, struct text after_id, struct arena *, struct ledger_budget *,
                                size_t capacity, size_t *count, struct error *);
    enum status (*stats)(struct ledger *, struct ledger_stats *, struct error *);
    void (*close)(struct ledger *);
};

struct ledger_audit_ops;

/* The head of every ledger; an adapter puts it first in its own struct. */
struct ledger {
    const struct ledger_ops *ops;
    const struct ledger_audit_ops *audit; /* port/ledger_audit.h */
};

/* Creates the schema or migrates it to this version. Safe to repeat. STATUS_CONFIG: the schema is newer than
 * this program. */
MUST_CHECK static inline enum status ledger_initialise(struct ledger *ledger, struct error *error)
{
    return ledger->ops->initialise(ledger, error);
}

/* Opens if need be and checks the schema's version without writing. STATUS_RETRY with a text that names
 * `bursar init` when there is no schema yet or it is older. */
MUST_CHECK static inline enum status ledger_ping(struct ledger *ledger, struct error *error)
{
    return ledger->ops->ping(ledger, error);
}

/* Books the items [first, first + count) in one transaction: locks, reads the budgets, finds the known ids,
 * settlement_decide(), inserts the rows, updates each budget once, commits durably. Fills each item's known,
 * verdict and reason. STATUS_REFUSED: a row was refused for its content and nothing of the range is booked;
 * the caller halves the range. */
MUST_CHECK static inline enum status ledger_settle(struct ledger *ledger, struct batch *batch, size_t first,
                                                   size_t count, struct error *error)
{
    return ledger->ops->settle(ledger, batch, first, count, error);
}

/* Adds one row of v_parked for each, in one transaction. */
MUST_CHECK static inline enum status ledger_record_parked(struct ledger *ledger,
                                                          const struct parked_row *rows, size_t count,
                                                          struct error *error)
{
    return ledger->ops->record_parked(ledger, rows, count, error);
}

/* The next up to `capacity` refunds due and credits not applied behind the cursor, which moves. *count <
 * capacity: there are no more. Texts lie in `arena`; `paid` is false. */
MUST_CHECK static inline enum status ledger_debts_fetch(struct ledger *ledger, struct debt_cursor *cursor,
                                                        struct arena *arena, struct debt *debts,
                                                        size_t capacity, size_t *count, struct error *error)
{
    return ledger->ops->debts_fetch(ledger, cursor, arena, debts, capacity, count, error);
}

/* Writes refund `done` or credit applied for those with `paid`, in one transaction. Marking twice is
 * harmless. */
MUST_CHECK static inline enum status ledger_debts_mark(struct ledger *ledger, const struct debt *debts,
                                                       size_t count, struct error *error)
{
    return ledger->ops->debts_mark(ledger, debts, count, error);
}

/* Looks up `count` message ids; rows[i].found says whether there is a row. Texts lie in `arena`. */
MUST_CHECK static inline enum status ledger_deductions_find(struct ledger *ledger,
                                                            const struct text *message_ids, size_t count,
                                                            struct arena *arena,
                                                            struct ledger_deduction *rows,
                                                            struct error *error)
{
    return ledger->ops->deductions_find(ledger, message_ids, count, arena, rows, error);
}

/* Books a budget (id, name, description, ext_params, total; the rest is ignored) and its first credit, not
 * yet applied, in one transaction. STATUS_REFUSED: the id exists. */
MUST_CHECK static inline enum status ledger_budget_create(struct ledger *ledger,
                                                          const struct ledger_budget *budget,
                                                          struct text credit_id, struct error *error)
{
    return ledger->ops->budget_create(ledger, budget, credit_id, error);
}

/* Adds `amount` (1 to AMOUNT_MAX) to the total and books the credit, not yet applied, in one transaction. The
 * same credit id and amount again changes nothing; *applied says whether Redis has it. STATUS_REFUSED: no
 * such budget, an unlimited or deleted one, the credit id with another amount, a total beyond AMOUNT_MAX. */
MUST_CHECK static inline enum status ledger_budget_credit(struct ledger *ledger, struct text budget_id,
                                                          struct text credit_id, int64_t amount,
                                                          bool *applied, struct error *error)
{
    return ledger->ops->budget_credit(ledger, budget_id, credit_id, amount, applied, error);
}

/* Writes that Redis has the credit. */
MUST_CHECK static inline enum status ledger_credit_mark(struct ledger *ledger, struct text budget_id,
                                                        struct text credit_id, struct error *error)
{
    return ledger->ops->credit_mark(ledger, budget_id, credit_id, error);
}

/* Sets the state; `closed_at_us` is Redis's time of a closing or deletion, 0 for active. STATUS_REFUSED: no
 * such budget. */
MUST_CHECK static inline enum status ledger_budget_state_set(struct ledger *ledger, struct text budget_id,
                                                             enum budget_state state, int64_t closed_at_us,
                                                             struct error *error)
{
    return ledger->ops->budget_state_set(ledger, budget_id, state, closed_at_us, error);
}

MUST_CHECK static inline enum status ledger_budget_find(struct ledger *ledger, struct text budget_id,
                                                        struct arena *arena, struct ledger_budget *budget,
                                                        bool *found, struct error *error)
{
    return ledger->ops->budget_find(ledger, budget_id, arena, budget, found, error);
}

/* The next up to `capacity` budgets with an id greater than `after_id` (absent: from the first), in byte
 * order. */
MUST_CHECK static inline enum status ledger_budgets_list(struct ledger *ledger, struct text after_id,
                                                         struct arena *arena, struct ledger_budget *budgets,
                                                         size_t capacity, size_t *count, struct error *error)
{
    return ledger->ops->budgets_list(ledger, after_id, arena, budgets, capacity, count, error);
}

MUST_CHECK static inline enum status ledger_stats(struct ledger *ledger, struct ledger_stats *stats,
                                                  struct error *error)
{
    return ledger->ops->stats(ledger, stats, error);
}

/* Frees it; NULL is fine. */
static inline void ledger_close(struct ledger *ledger)
{
    if (ledger != NULL) ledger->ops->close(ledger);
}

#endif
