/* What the files of the fake stock share among themselves. */
#ifndef BURSAR_TESTS_FAKE_STOCK_PRIVATE_H
#define BURSAR_TESTS_FAKE_STOCK_PRIVATE_H

#include "fake/fake_stock.h"
#include "fake/fake_stock_budget.h"
#include "port/stock_audit.h"

struct budgets {
    struct fake_budget **items; /* owned, in the order they were seen */
    size_t count;
    struct map index; /* id to place in `items`, as the amount */
};

struct fake_stock {
    struct stock stock; /* first: the port casts */
    int64_t window_us;
    int64_t now_us;
    struct budgets budgets;
    uint64_t server; /* how often it was started: what its run id says */
    bool server_hidden;
    size_t failing_calls;
    enum fake_stock_failure failure;
    fake_stock_observer *observer;
    void *observer_context;
};

extern const struct stock_ops fake_stock_ops;
extern const struct stock_audit_ops fake_stock_audit_ops;

/* How a call goes: the first `done` items are done, what is `answered` of them gets its answer, the others
 * get `status`. */
struct fate {
    size_t done;
    size_t answered;
    enum status status;
};

/* Of a call with `count` items. */
struct fate fake_stock_fate(struct fake_stock *fake, size_t count, struct error *error);

/* The budget, or why there is none. */
enum status fake_stock_reach(struct fake_stock *fake, struct text id, struct fake_budget **budget,
                             struct error *error);

void fake_stock_tell(const struct fake_stock *fake, struct fake_stock_change change);

/* The budget of this id, made where it was never seen. Valid until a wipe or a restore. */
struct fake_budget *fake_stock_budget(struct fake_stock *fake, struct text id);

/* NULL: never seen. */
const struct fake_budget *fake_stock_find(const struct fake_stock *fake, struct text id);

#endif
