/* The last part of a history with reconcile: everything is drained and stopped, time has made orphans of what
 * is left. Then a run that only looks must find exactly what is wrong, a run that repairs must mend it, and
 * after that the books must agree to the unit. */
#include "sim/books.h"
#include "sim/check.h"
#include "sim/world.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX   20000
#define REPAIRS_MAX 4

struct findings {
    struct found items[FOUND_MAX];
    size_t count;
};

static struct found *expect(struct findings *findings, enum finding_kind kind, uint32_t budget)
{
    static struct found beyond;
    struct found *found = findings->count < FOUND_MAX ? &findings->items[findings->count++] : &beyond;
    *found = (struct found){.kind = kind, .budget = budget, .id = TRUTH_NONE};
    return found;
}

static const struct fake_budget *budget_row(const struct world *world, uint32_t number)
{
    for (size_t i = 0; i < fake_ledger_budget_count(world->ledger); i++) {
        const struct fake_budget *budget = fake_ledger_budget(world->ledger, i);
        if (truth_number(budget->budget.id, 'b') == number) return budget;
    }
    return NULL;
}

static void expect_numbers(uint32_t number, const struct books *books, struct findings *findings)
{
    if (books->untracked) expect(findings, FINDING_UNTRACKED, number);
    if (books->is_new || (!books->has_key && books->deleted)) return;
    if (books->behind > 0) expect(findings, FINDING_LEDGER_BEHIND, number)->amount = books->behind;
    for (int64_t i = 0; i < books->credits_unknown; i++)
        expect(findings, FINDING_LEDGER_BEHIND, number)->credit_id[0] = 'c';
    if (!books->has_key)
        expect(findings, FINDING_MISSING_KEY, number)->amount = books->limited ? books->left_expected : 0;
    else if (books->other_kind)
        expect(findings, FINDING_LEFT_DRIFT, number);
    else if (books->drift != 0 || books->credited != 0 || books->deducted != 0 || books->settled != 0)
        expect(findings, FINDING_LEFT_DRIFT, number)->amount = books->drift;
}

static void expect_credits(struct world *world, struct findings *findings)
{
    for (size_t i = 0; i < fake_ledger_credit_count(world->ledger); i++) {
        const struct fake_credit *credit = fake_ledger_credit(world->ledger, i);
        uint32_t number = truth_number(credit->budget_id, 'b');
        struct books books = books_of(world, number);
        bool lost = credit->applied && books.has_key &&
                    !books_credit_is_in_redis(world, credit->budget_id, credit->credit_id);
        if (!lost && credit->applied) continue;
        if (lost && books.is_new) continue;
        struct found *found = expect(findings, FINDING_CREDIT_DUE, number);
        snprintf(found->credit_id, sizeof found->credit_id, TEXT_FORMAT, TEXT_ARGUMENTS(credit->credit_id));
    }
}

static bool is_set_aside(struct world *world, uint32_t id)
{
    for (size_t i = 0; i < fake_ledger_parked_count(world->ledger); i++) {
        const struct fake_parked *parked = fake_ledger_parked(world->ledger, i);
        if (parked->state == PARKED_PARKED && truth_number(parked->message_id, 'i') == id) return true;
    }
    return reconciler_is_dead_letter(world, id);
}

static void expect_entries(struct world *world, struct findings *findings)
{
    const struct truth *truth = &world->truth;
    for (size_t i = 0; i < truth->row_count; i++) {
        const struct truth_row *row = &truth->rows[i];
        if (row->refund == REFUND_DUE) expect(findings, FINDING_REFUND_DUE, row->budget)->id = row->id;
    }
    for (size_t i = 0; i < truth->sale_count; i++) {
        const struct truth_sale *sale = &truth->sales[i];
        if (sale->state != SALE_PENDING || budget_row(world, sale->budget) == NULL) continue;
        uint32_t at = truth->ids[sale->id].row;
        const struct truth_row *row = at == TRUTH_NONE ? NULL : &truth->rows[at];
        bool own = row != NULL && books_is_own(row, sale);
        if (own && row->refund == REFUND_DUE) continue;
        enum finding_kind kind = !own                              ? FINDING_ORPHAN
                                 : row->state == DEDUCTION_SETTLED ? FINDING_UNCLEARED
                                                                   : FINDING_REFUND_DUE;
        if (kind == FINDING_ORPHAN && is_set_aside(world, sale->id)) continue;
        expect(findings, kind, sale->budget)->id = sale->id;
    }
}

static bool carries_amount(enum finding_kind kind)
{
    return kind == FINDING_LEFT_DRIFT || kind == FINDING_MISSING_KEY || kind == FINDING_LEDGER_BEHIND;
}

static int compare(const void *left, const void *right)
{
    const struct found *a = left, *b = right;
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    if (a->budget != b->budget) return a->budget < b->budget ? -1 : 1;
    if (a->id != b->id) return a->id < b->id ? -1 : 1;
    if (a->kind == FINDING_LEDGER_BEHIND) return (a->credit_id[0] != '\0') - (b->credit_id[0] != '\0');
    return strcmp(a->credit_id, b->credit_id);
}

static void say_difference(struct world *world, const char *who, const struct found *found)
{
    world_violate(world, "finds-everything", "%s: %s of b%" PRIu32 " i%d %s %" PRId64, who,
                  finding_kind_name(found->kind), found->budget, (int)found->id, found->credit_id,
                  found->amount);
}

/* Whether the run found what there was, and nothing else. */
static void compare_findings(struct world *world, struct findings *expected)
{
    struct reconciler *reconciler = &world->reconciler;
    struct found *found = reconciler->found;
    qsort(found, reconciler->found_count, sizeof *found, compare);
    qsort(expected->items, expected->count, sizeof *expected->items, compare);
    size_t at = 0;
    for (size_t i = 0; i < expected->count; i++, at++) {
        if (at == reconciler->found_count) {
            say_difference(world, "not found", &expected->items[i]);
            return;
        }
        int order = compare(&expected->items[i], &found[at]);
        bool same =
            order == 0 && (!carries_amount(found[at].kind) || expected->items[i].credit_id[0] != '\0' ||
                           found[at].amount == expected->items[i].amount);
        if (same) continue;
        if (order > 0)
            say_difference(world, "found, and not so", &found[at]);
        else
            say_difference(world, order < 0 ? "not found" : "found with another amount", &expected->items[i]);
        return;
    }
    if (at < reconciler->found_count) say_difference(world, "found, and not so", &found[at]);
}

static void expect_all(struct world *world, struct findings *findings)
{
    findings->count = 0;
    for (uint32_t i = 0; i < TRUTH_BUDGETS_MAX; i++) {
        struct books books = books_of(world, i);
        if (books.known) expect_numbers(i, &books, findings);
    }
    expect_credits(world, findings);
    expect_entries(world, findings);
}

/* A run from its beginning to its end, with nobody else about. */
static bool run(struct world *world, bool repair)
{
    struct reconciler *reconciler = &world->reconciler;
    struct reconciler_wish wish = {.repair = repair,
                                   .settle_orphans = world->swarm.orphans_settle,
                                   .repair_max = INT64_MAX,
                                   .orphan_after_us = world->swarm.orphan_after_us};
    reconciler_start(reconciler, world, &wish);
    for (size_t step = 0; step < STEPS_MAX && reconciler->running && !world->violation.found; step++) {
        int64_t wait_us = reconciler->wait_until_us - world->now_us;
        if (wait_us > 0) world_pass(world, wait_us);
        reconciler_step(reconciler);
    }
    if (!world->violation.found && (!reconciler->done || !reconciler->summary.complete))
        world_violate(world, "reconcile-comes-to-its-end",
                      "nothing is in its way, and it is done %d, complete %d", reconciler->done,
                      reconciler->summary.complete);
    check_step(world);
    return !world->violation.found;
}

/* What no repair can mend, and says so: the ledger lost what Redis saw; more was sold than there ever was; a
 * key of the other kind. What hangs on such a budget waits. */
static bool is_beyond_repair(const struct books *books)
{
    return books->behind > 0 || books->credits_unknown > 0 || books->other_kind || books->left_expected < 0;
}

static void check_what_is_left(struct world *world)
{
    const struct reconciler *reconciler = &world->reconciler;
    for (size_t i = 0; i < reconciler->found_count && !world->violation.found; i++) {
        const struct found *found = &reconciler->found[i];
        if (found->kind == FINDING_UNTRACKED) continue;
        struct books books = books_of(world, found->budget);
        if (!is_beyond_repair(&books)) say_difference(world, "still there after repairs", found);
    }
}

static void check_equations(struct world *world, uint32_t number, const struct books *books)
{
    const struct truth_budget *sums = &world->truth.budgets[number];
    if (!books->right && !books->untracked)
        world_violate(world, "books-agree-after-repair",
                      "b%" PRIu32 " is off by %" PRId64 " (%" PRId64 " %" PRId64 " %" PRId64 ")", number,
                      books->drift, books->credited, books->deducted, books->settled);
    if (books->untracked) return; /* what was taken by hand is in no equation */
    if (books->limited && sums->by_hand != 0)
        world_violate(world, "books-agree-after-repair",
                      "b%" PRIu32 ": left is off credited - deducted + released by %" PRId64, number,
                      -sums->by_hand);
    if (sums->unbalanced != 0)
        world_violate(world, "books-agree-after-repair",
                      "b%" PRIu32 ": deducted - settled - released is off the pending sum by %" PRId64,
                      number, sums->unbalanced);
    if (sums->settled != sums->row_sum)
        world_violate(world, "books-agree-after-repair",
                      "b%" PRIu32 ": Redis settled %" PRId64 ", the ledger %" PRId64, number, sums->settled,
                      sums->row_sum);
}

/* Section 1's equations, for every budget; and what is still pending was set aside. */
static void check_after_repair(struct world *world)
{
    const struct truth *truth = &world->truth;
    for (uint32_t i = 0; i < TRUTH_BUDGETS_MAX && !world->violation.found; i++) {
        struct books books = books_of(world, i);
        if (!books.known || is_beyond_repair(&books) || books.is_new || (books.deleted && !books.has_key))
            continue;
        check_equations(world, i, &books);
    }
    for (size_t i = 0; i < truth->sale_count && !world->violation.found; i++) {
        const struct truth_sale *sale = &truth->sales[i];
        if (sale->state != SALE_PENDING || budget_row(world, sale->budget) == NULL) continue;
        struct books books = books_of(world, sale->budget);
        if (!is_beyond_repair(&books) && !is_set_aside(world, sale->id))
            world_violate(world, "books-agree-after-repair", "i%" PRIu32 " of b%" PRIu32 " is still pending",
                          sale->id, sale->budget);
    }
}

void world_reconcile(struct world *world)
{
    static struct findings expected;
    world_trace(world, "reconciling what is left");
    world_pass(world, world->swarm.orphan_after_us + 120000000);
    fake_broker_declare(world->broker); /* where a queue was deleted while no worker was there */
    expect_all(world, &expected);
    if (!run(world, false)) return;
    compare_findings(world, &expected);
    for (size_t i = 0; i < REPAIRS_MAX && !world->violation.found; i++) {
        if (!run(world, true)) return;
        if (world->reconciler.summary.clean) break;
    }
    if (world->violation.found) return;
    expect_all(world, &expected);
    if (!run(world, false)) return;
    compare_findings(world, &expected);
    check_what_is_left(world);
    check_after_repair(world);
}
