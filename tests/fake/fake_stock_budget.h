/* One budget of the fake stock: its six keys, and the scripts as functions over them. */
#ifndef BURSAR_TESTS_FAKE_STOCK_BUDGET_H
#define BURSAR_TESTS_FAKE_STOCK_BUDGET_H

#include "core/limits.h"
#include "fake/fake_stock_map.h"
#include "port/stock_audit.h"

struct fake_budget {
    char *id; /* owned */
    bool corrupt;
    bool has_left;
    int64_t left;
    struct map pending, done[2], credits, guards;
    /* meta */
    bool has_meta;     /* something was written to it */
    bool has_credited; /* it was initialised */
    bool unlimited;
    int64_t credited, deducted, settled, released;
    enum budget_state state;
    int64_t amended; /* the last amendment; 0: none */
    int generation;
    int64_t generation_started_us; /* 0: none yet */
};

struct fake_budget *fake_budget_new(struct text id);
void fake_budget_free(struct fake_budget *budget);
struct fake_budget *fake_budget_copy(const struct fake_budget *budget);

/* The name of a guard in `done`, where ids have no space. */
#define GUARD_NAME_SIZE_MAX (sizeof "refund " + MESSAGE_ID_SIZE_MAX)
struct text fake_guard_name(char buffer[static GUARD_NAME_SIZE_MAX], struct text id);

static inline enum status fake_budget_refuse(const struct fake_budget *budget, const char *why,
                                             struct error *error)
{
    return error_set(error, STATUS_REFUSED, "budget %s: %s", budget->id, why);
}

static inline int64_t fake_budget_left_of(const struct fake_budget *budget)
{
    return budget->has_left ? budget->left : STOCK_LEFT_NONE;
}

static inline bool fake_budget_is_numeric(const struct fake_budget *budget)
{
    return budget->has_left && budget->left != TOTAL_UNLIMITED;
}

/* The scripts never write this, but others may: the scripts that count with it refuse. */
static inline bool fake_budget_left_is_spoilt(const struct fake_budget *budget)
{
    return fake_budget_is_numeric(budget) && (budget->left < 0 || budget->left > AMOUNT_MAX);
}

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
enum status fake_budget_audit(const struct fake_budget *budget, int64_t now_us, struct stock_audit *item,
                              struct error *error);
enum status fake_budget_amend(struct fake_budget *budget, struct stock_amendment *item, struct error *error);
void fake_budget_forget_guard(struct fake_budget *budget, int64_t now_us, int64_t window_us, struct text id);

#endif
