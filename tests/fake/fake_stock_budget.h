/* One budget of the fake stock: its six keys, and the scripts as functions over them. */
#ifndef BURSAR_TESTS_FAKE_STOCK_BUDGET_H
#define BURSAR_TESTS_FAKE_STOCK_BUDGET_H

#include "core/limits.h"
#include "fake/fake_stock_map.h"
#include "port/stock.h"

struct fake_budget {
    char *id; /* owned */
    bool corrupt;
    bool has_left;
    int64_t left;
    struct map pending, done[2], credits, guards;
    /* meta */
    bool has_credited; /* it was initialised */
    bool unlimited;
    int64_t credited, deducted, settled, released;
    enum budget_state state;
    int generation;
    int64_t generation_started_us; /* 0: none yet */
};

struct fake_budget *fake_budget_new(struct text id);
void fake_budget_free(struct fake_budget *budget);
struct fake_budget *fake_budget_copy(const struct fake_budget *budget);

/* The name of a guard in `done`, where ids have no space. */
#define GUARD_NAME_SIZE_MAX (sizeof "refund " + MESSAGE_ID_SIZE_MAX)
struct text fake_guard_name(char buffer[static GUARD_NAME_SIZE_MAX], struct text id);

/* Each is the script of its name; STATUS_REFUSED stands for an error reply, and nothing has changed then. */
enum status fake_budget_deduct(struct fake_budget *budget, int64_t now_us, struct stock_deduct *item,
                               struct error *error);
enum status fake_budget_credit(struct fake_budget *budget, struct stock_credit *item, struct error *error);
enum status fake_budget_query(const struct fake_budget *budget, struct stock_query *item,
                              struct error *error);

/* All of these items, which are valid, or none. *cleared: how many were pending with their token. */
enum status fake_budget_settle(struct fake_budget *budget, int64_t now_us, int64_t window_us,
                               const struct stock_settlement *const *items, size_t count, int64_t *cleared,
                               struct error *error);
enum status fake_budget_release(struct fake_budget *budget, int64_t now_us, int64_t window_us,
                                struct stock_release *item, struct error *error);
enum status fake_budget_refund_untracked(struct fake_budget *budget, int64_t now_us, int64_t window_us,
                                         struct stock_release *item, struct error *error);
void fake_budget_forget_guard(struct fake_budget *budget, int64_t now_us, int64_t window_us, struct text id);

#endif
