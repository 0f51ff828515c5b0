/* What the files of the fake stock share among themselves. */
#ifndef BURSAR_TESTS_FAKE_STOCK_PRIVATE_H
#define BURSAR_TESTS_FAKE_STOCK_PRIVATE_H

#include "fake/fake_stock.h"
#include "fake/fake_stock_budget.h"

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
    size_t failing_calls;
    enum fake_stock_failure failure;
    fake_stock_observer *observer;
    void *observer_context;
};

extern const struct stock_ops fake_stock_ops;

/* The budget of this id, made where it was never seen. Valid until a wipe or a restore. */
struct fake_budget *fake_stock_budget(struct fake_stock *fake, struct text id);

/* NULL: never seen. */
const struct fake_budget *fake_stock_find(const struct fake_stock *fake, struct text id);

#endif
