/* Audits and amendments in the world of stock_world.h. */
#ifndef BURSAR_TESTS_STOCK_AUDIT_WORLD_H
#define BURSAR_TESTS_STOCK_AUDIT_WORLD_H

#include "contract/stock_world.h"
#include "port/stock_audit.h"

static inline struct stock_audit world_audit(struct world *world, const char *budget)
{
    struct stock_audit item = {.budget_id = text_of(budget)};
    world_check(world, stock_audit(world->stock, &item, 1, &world->error));
    return item;
}

/* Answered, whatever became of it. */
static inline struct stock_amendment world_amend(struct world *world, const char *budget,
                                                 struct stock_amendment item)
{
    item.budget_id = text_of(budget);
    world_check(world, stock_amend(world->stock, &item, 1, &world->error));
    return item;
}

static inline void world_expect_totals(struct world *world, const char *budget, int64_t left,
                                       int64_t credited, int64_t deducted, int64_t settled, int64_t released)
{
    struct stock_audit item = world_audit(world, budget);
    assert_int_equal(item.status, STATUS_OK);
    assert_int_equal(item.left, left);
    assert_int_equal(item.credited, credited);
    assert_int_equal(item.deducted, deducted);
    assert_int_equal(item.settled, settled);
    assert_int_equal(item.released, released);
}

/* The amendment is refused, and changes nothing. */
static inline void world_expect_refusal(struct world *world, const char *budget, struct stock_amendment item)
{
    struct stock_audit before = world_audit(world, budget);
    item = world_amend(world, budget, item);
    assert_int_equal(item.status, STATUS_REFUSED);
    assert_false(item.applied);
    assert_int_equal(item.left_after, STOCK_LEFT_NONE);
    struct stock_audit after = world_audit(world, budget);
    assert_int_equal(after.status, before.status);
    assert_int_equal(after.left, before.left);
    assert_int_equal(after.has_meta, before.has_meta);
    assert_int_equal(after.credited, before.credited);
    assert_int_equal(after.deducted, before.deducted);
    assert_int_equal(after.settled, before.settled);
    assert_int_equal(after.released, before.released);
    assert_int_equal(after.state, before.state);
    assert_int_equal(after.pendings, before.pendings);
    assert_int_equal(after.credits, before.credits);
    assert_int_equal(after.amended, before.amended);
}

#endif
