/* The reckoning of a budget: a table of what Redis and the ledger hold, and what is wrong with it. */
#include "core/finding.h"
#include "core/reckoning.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct reckoning_case {
    const char *name;
    struct reckoning in;
    struct reckoning_result out;
};

/* 100 credited; 30 booked and cleared, 5 pending, 2 given back: what each case changes. */
#define WELL                                                                                                 \
    .limited = true, .has_key = true, .left = 65, .credited = 100, .deducted = 37, .settled = 30,            \
    .released = 2, .credits = 100, .undecided = 5, .settled_still = true, .rows_settled = 30,                \
    .credits_booked = 100

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
static const struct reckoning_case cases[] = {
    {"everything is right", {WELL}, {.well = true, .left_expected = 65}},
    {"one unit too much", {WELL, .left = 66}, {.left_expected = 65, .drift = 1, .left = -1}},
    {"one unit too little", {WELL, .left = 64}, {.left_expected = 65, .drift = -1, .left = 1}},
    {"booked and not cleared", {WELL, .settled = 20, .uncleared = 10}, {.well = true, .left_expected = 65}},
    {"to be given back", {WELL, .undecided = 1, .refundable = 4}, {.well = true, .left_expected = 65}},
    {"an entry is lost: nobody can name it",
     {WELL, .undecided = 0},
     {.left_expected = 70, .drift = -5, .left = 5, .deducted = -5}},
    {"Redis forgot a deduction that is booked",
     {WELL, .rows_settled = 34},
     {.left_expected = 61, .drift = 4, .left = -4, .deducted = 4, .settled = 4}},
    {"Redis forgot one that is booked and still pending",
     {WELL, .rows_settled = 34, .uncleared = 4},
     {.left_expected = 61, .drift = 4, .left = -4, .deducted = 4}},
    {"more was sold than there is: no further than to nothing",
     {WELL, .left = 3, .credited = 38, .credits = 38, .rows_settled = 40, .credits_booked = 38},
     {.left_expected = -7, .drift = 10, .left = -3, .deducted = 3, .settled = 10}},
    {"the total of credits is wrong, and the stock with it",
     {WELL, .left = 75, .credited = 110},
     {.left_expected = 65, .drift = 10, .credited_drift = 10, .left = -10, .credited = -10}},
    {"the total of credits alone is wrong",
     {WELL, .credited = 110},
     {.left_expected = 65, .credited_drift = 10, .credited = -10}},
    {"a credit is lost, and what it added",
     {WELL, .left = 45, .credited = 80, .credits_lost = 20},
     {.well = true, .left_expected = 65, .left = 20, .credited = 20}},
    {"only the id of a credit is lost", {WELL, .credits_lost = 20}, {.well = true, .left_expected = 65}},
    {"of two lost credits one is in the total",
     {WELL, .left = 45, .credited = 80, .credits_lost = 50},
     {.well = true, .left_expected = 65, .left = 20, .credited = 20}},
    {"the total lacks more than was lost",
     {WELL, .left = 45, .credited = 80, .credits_lost = 5},
     {.left_expected = 65, .drift = -15, .credited_drift = -15, .left = 20, .credited = 20}},
    {"a credit is lost, and the stock is raised by hand",
     {WELL, .left = 48, .credited = 80, .credits_lost = 20},
     {.left_expected = 65, .drift = 3, .left = 17, .credited = 20}},
    {"an older Redis: a credit and what was sold of it",
     {.limited = true,
      .has_key = true,
      .left = 10,
      .credited = 10,
      .credits = 110,
      .credits_lost = 100,
      .rows_settled = 30,
      .settled_still = true,
      .credits_booked = 110},
     {.left_expected = 80, .drift = 30, .left = 70, .credited = 100, .deducted = 30, .settled = 30}},
    {"the total of what is settled alone", {WELL, .settled = 31}, {.left_expected = 65, .settled = -1}},
    {"the total of what is settled, while entries were cleared: measure again",
     {WELL, .settled = 31, .settled_still = false},
     {.needs_settled = true, .left_expected = 65, .settled = -1}},
    {"less settled than booked, while entries were cleared: they may be on their way",
     {WELL, .settled = 20, .uncleared = 3, .settled_still = false},
     {.well = true, .left_expected = 65}},
    {"the ledger is behind", {WELL, .rows_settled = 20}, {.ledger_behind = 10, .left_expected = 65}},
    {"the ledger is behind, and an entry is lost",
     {WELL, .rows_settled = 20, .undecided = 1},
     {.ledger_behind = 10, .left_expected = 69, .drift = -4, .left = 4, .deducted = -4}},
    {"the ledger is behind, and more was settled than deducted",
     {WELL, .rows_settled = 20, .undecided = 12},
     {.ledger_behind = 3, .left_expected = 65, .settled = -7}},
    {"unlimited, right",
     {WELL, .limited = false, .left = -1, .credited = 0, .credits = 0},
     {.well = true, .left_expected = -1}},
    {"unlimited, a total is wrong",
     {WELL, .limited = false, .left = -1, .credited = 0, .credits = 0, .deducted = 38},
     {.left_expected = -1, .deducted = -1}},
    {"without token: what Redis says of them is not known",
     {WELL, .left = 50, .untracked = true, .rows_untracked = 15},
     {.well = true, .left_expected = 50}},
    {"without token, and Redis counted them",
     {WELL, .left = 50, .deducted = 52, .settled = 45, .untracked = true, .rows_untracked = 15},
     {.well = true, .left_expected = 50}},
    {"without token, and Redis deducted more than they explain",
     {WELL, .left = 47, .deducted = 55, .untracked = true, .rows_untracked = 15},
     {.left_expected = 50, .drift = -3, .left = 3, .deducted = -3}},
    {"without token, and only the total says that Redis deducted more",
     {WELL, .left = 50, .deducted = 55, .untracked = true, .rows_untracked = 15},
     {.left_expected = 50, .deducted = -3}},
    {"without token, and Redis forgot one with token",
     {WELL, .rows_settled = 34, .untracked = true, .rows_untracked = 15},
     {.left_expected = 61, .drift = 4, .left = -4, .deducted = 4, .settled = 4}},
    {"without token, and the stock is raised by more than they took",
     {WELL, .left = 55, .deducted = 52, .settled = 45, .untracked = true, .rows_untracked = 15},
     {.left_expected = 50, .drift = 5, .left = -5}},
    {"without token, and the totals are lost: what is missing then may be what they took",
     {WELL, .left = 50, .credited = 0, .deducted = 0, .settled = 0, .released = 0, .untracked = true,
      .rows_untracked = 15},
     {.left_expected = 50, .credited_drift = -100, .credited = 100, .deducted = 35, .settled = 30}},
    {"without token, the stock is raised, and Redis forgot one with token",
     {WELL, .left = 66, .rows_settled = 34, .untracked = true},
     {.left_expected = 61, .drift = 5, .left = -5, .deducted = 4, .settled = 4}},
    {"the key is lost, the totals are there", {WELL, .has_key = false, .left = 0}, {.left_expected = 65}},
    {"everything is lost",
     {.limited = true,
      .settled_still = true,
      .rows_settled = 30,
      .rows_untracked = 4,
      .untracked = true,
      .credits_booked = 100},
     {.left_expected = 66, .credited = 100, .deducted = 34, .settled = 34}},
    {"the key is lost, and more is booked than there ever was",
     {.limited = true, .settled_still = true, .rows_settled = 30, .uncleared = 5, .credits_booked = 20},
     {.left_expected = -10, .credited = 20, .deducted = 30, .settled = 25}},
};
#pragma GCC diagnostic pop

static bool same(const struct reckoning_result *a, const struct reckoning_result *b)
{
    return a->well == b->well && a->needs_settled == b->needs_settled &&
           a->ledger_behind == b->ledger_behind && a->left_expected == b->left_expected &&
           a->drift == b->drift && a->left == b->left && a->credited == b->credited &&
           a->credited_drift == b->credited_drift && a->deducted == b->deducted && a->settled == b->settled;
}

static void test_cases(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reckoning_result out;
        memset(&out, 0x5a, sizeof out);
        reckoning_compute(&cases[i].in, &out);
        if (same(&out, &cases[i].out)) continue;
        wrong++;
        printf("%s: well %d again %d behind %lld expected %lld drift %lld; left %lld credited %lld "
               "deducted %lld settled %lld\n",
               cases[i].name, out.well, out.needs_settled, (long long)out.ledger_behind,
               (long long)out.left_expected, (long long)out.drift, (long long)out.left,
               (long long)out.credited, (long long)out.deducted, (long long)out.settled);
    }
    assert_int_equal(wrong, 0);
}

/* What a result says is to be added makes everything right: reckoned again, nothing is wrong. */
static void test_repairs_repair(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reckoning in = cases[i].in;
        struct reckoning_result out, after;
        reckoning_compute(&in, &out);
        if (out.needs_settled || out.ledger_behind > 0 || (in.limited && out.left_expected < 0)) continue;
        in.left = in.has_key ? in.left + out.left : out.left_expected;
        in.has_key = true;
        in.credited += out.credited;
        in.credits = in.credits_booked;
        in.credits_lost = 0;
        in.deducted += out.deducted;
        in.settled += out.settled;
        if (!in.limited) in.credits = 0;
        reckoning_compute(&in, &after);
        if (!after.well || after.left != 0)
            printf("%s: still drift %lld\n", cases[i].name, (long long)after.drift);
        assert_true(after.well);
        assert_int_equal(after.left, 0);
    }
}

static void test_names_of_kinds(void **state)
{
    (void)state;
    static const char *const names[FINDING_KIND_COUNT] = {"left-drift",    "missing-key", "uncleared",
                                                          "refund-due",    "credit-due",  "orphan",
                                                          "ledger-behind", "untracked"};
    for (int kind = 0; kind < FINDING_KIND_COUNT; kind++)
        assert_string_equal(finding_kind_name((enum finding_kind)kind), names[kind]);
    assert_string_equal(finding_kind_name(FINDING_KIND_COUNT), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_repairs_repair),
        cmocka_unit_test(test_names_of_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
