/* What the files of the Redis stock share among themselves. */
#ifndef BURSAR_REDIS_REDIS_STOCK_PRIVATE_H
#define BURSAR_REDIS_REDIS_STOCK_PRIVATE_H

#include "port/stock_audit.h"
#include "redis/redis_pipeline.h"

struct settle_group {
    size_t first; /* in `order` */
    size_t count;
};

struct redis_stock {
    struct stock stock; /* first: the port casts */
    struct redis_pipeline pipeline;
    int64_t done_window_s;
    /* reused by redis_stock_settle */
    size_t *order;
    struct settle_group *groups;
    size_t settle_capacity; /* of both */
};

static inline struct redis_stock *redis_stock_of(struct stock *stock)
{
    return (struct redis_stock *)stock;
}

/* STATUS_REFUSED unless both ids are what the protocol allows: nothing else may become part of a key. */
MUST_CHECK enum status redis_stock_check_ids(struct text budget_id, struct text message_id,
                                             struct error *error);

/* The same of a budget's id alone. */
MUST_CHECK static inline enum status redis_stock_check_budget(struct text budget_id, struct error *error)
{
    return redis_stock_check_ids(budget_id, TEXT_LITERAL("-"), error);
}

enum status redis_stock_settle(struct stock *stock, const struct stock_settlement *items, size_t count,
                               int64_t *cleared, struct error *error);
enum status redis_stock_release(struct stock *stock, struct stock_release *items, size_t count,
                                struct error *error);
enum status redis_stock_forget_guards(struct stock *stock, const struct stock_release *items, size_t count,
                                      struct error *error);
enum status redis_stock_credit(struct stock *stock, struct stock_credit *items, size_t count,
                               struct error *error);
enum status redis_stock_deduct(struct stock *stock, struct stock_deduct *items, size_t count,
                               struct error *error);
enum status redis_stock_query(struct stock *stock, struct stock_query *items, size_t count,
                              struct error *error);
enum status redis_stock_levels(struct stock *stock, struct stock_level *items, size_t count,
                               struct error *error);
enum status redis_stock_state_set(struct stock *stock, struct text budget_id, enum budget_state state,
                                  int64_t *now_us, struct error *error);
enum status redis_stock_pending_scan(struct stock *stock, struct text budget_id, uint64_t *cursor,
                                     struct arena *arena, struct stock_pending **entries, size_t *count,
                                     struct error *error);

enum status redis_stock_server(struct stock *stock, char server[STOCK_SERVER_SIZE_MAX], struct error *error);
enum status redis_stock_audit(struct stock *stock, struct stock_audit *items, size_t count,
                              struct error *error);
enum status redis_stock_credits_scan(struct stock *stock, struct text budget_id, uint64_t *cursor,
                                     struct arena *arena, struct stock_credit_entry **entries, size_t *count,
                                     struct error *error);
enum status redis_stock_amend(struct stock *stock, struct stock_amendment *items, size_t count,
                              struct error *error);

#endif
