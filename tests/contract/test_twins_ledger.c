/* The same random operations on the fake ledger and on SQLite: every field of every answer is the same, and
 * so is every column of every row. */
#include "contract/twins_ledger_audit.h"
#include "contract/twins_ledger_settle.h"
#include "contract/twins_ledger_stage.h"

static void record_parked(struct pair *pair, struct use use)
{
    struct parked_row rows[6];
    size_t count = 1 + roll(&pair->twins, 6);
    twins_note(&pair->twins, "park");
    for (size_t i = 0; i < count; i++) {
        rows[i] =
            (struct parked_row){.reason = (enum park_reason)(PARK_NONE + 1 + (int)roll(&pair->twins, 8)),
                                .detail = pick_text(pair, 300, "d")};
        if (chance(&pair->twins, 80)) rows[i].message_id = pick_message_id(pair);
    }
    BOTH_ANSWER(pair, ledger_record_parked(use.fake, rows, count, &pair->fake->error),
                ledger_record_parked(use.real, rows, count, &pair->real->error));
}

static void debts_fetch(struct pair *pair, struct use use)
{
    static struct debt one[600], two[600];
    size_t one_count = 99, two_count = 98,
           capacity = chance(&pair->twins, 80) ? 1 + roll(&pair->twins, 9) : 600;
    struct debt_cursor other = pair->cursor;
    pair->debt_count = 0;
    twins_note(&pair->twins, "fetch %zu", capacity);
    BOTH_ANSWER(pair,
                ledger_debts_fetch(use.fake, &pair->cursor, &pair->fake->arena, one, capacity, &one_count,
                                   &pair->fake->error),
                ledger_debts_fetch(use.real, &other, &pair->real->arena, two, capacity, &two_count,
                                   &pair->real->error));
    twins_same(&pair->twins, "count", 0, (int64_t)one_count, (int64_t)two_count);
    twins_same(&pair->twins, "refund_sequence", 0, pair->cursor.refund_sequence, other.refund_sequence);
    twins_same(&pair->twins, "credit_sequence", 0, pair->cursor.credit_sequence, other.credit_sequence);
    for (size_t i = 0; i < one_count; i++) {
        SAME(kind);
        SAME(sequence);
        SAME_TEXT(budget_id);
        SAME_TEXT(id);
        SAME(amount);
        SAME(deducted_at_us);
        SAME(outcome);
        SAME(paid);
        pair->debts[pair->debt_count++] = one[i];
    }
    if (chance(&pair->twins, one_count < capacity ? 40 : 5)) pair->cursor = (struct debt_cursor){0};
}

/* What was fetched last, paid or not, and others. */
static void debts_mark(struct pair *pair, struct use use)
{
    struct debt debts[610];
    size_t count = 0;
    twins_note(&pair->twins, "mark %zu", pair->debt_count);
    for (size_t i = 0; i < pair->debt_count; i++) {
        debts[count] = pair->debts[i];
        debts[count++].paid = chance(&pair->twins, 60);
    }
    for (size_t i = roll(&pair->twins, 4); i > 0; i--) {
        bool refund = chance(&pair->twins, 50);
        debts[count++] = (struct debt){.kind = refund ? DEBT_REFUND : DEBT_CREDIT,
                                       .budget_id = pick_budget_id(pair),
                                       .id = refund ? pick_message_id(pair) : pick_credit_id(pair),
                                       .paid = chance(&pair->twins, 50)};
    }
    BOTH_ANSWER(pair, ledger_debts_mark(use.fake, debts, count, &pair->fake->error),
                ledger_debts_mark(use.real, debts, count, &pair->real->error));
}

static void deductions_find(struct pair *pair, struct use use)
{
    struct text ids[20];
    struct ledger_deduction one[20], two[20];
    size_t count = 1 + roll(&pair->twins, 20);
    twins_note(&pair->twins, "find");
    for (size_t i = 0; i < count; i++) {
        ids[i] = pick_message_id(pair);
        twins_note(&pair->twins, " %.8s", ids[i].data);
    }
    BOTH_ANSWER(pair, ledger_deductions_find(use.fake, ids, count, &pair->arena, one, &pair->fake->error),
                ledger_deductions_find(use.real, ids, count, &pair->arena, two, &pair->real->error));
    for (size_t i = 0; i < count; i++) {
        SAME(found);
        if (!one[i].found) continue;
        SAME(sequence);
        SAME_TEXT(budget_id);
        SAME(amount);
        SAME(deducted_at_us);
        SAME(booked_at_us);
        SAME(state);
        SAME(reason);
        SAME(refund);
    }
}

static void budget_create(struct pair *pair, struct use use)
{
    static const int64_t totals[] = {0, 10, 100, 1000, -1, AMOUNT_MAX, AMOUNT_MAX - 5, AMOUNT_MAX + 1, -2};
    static const char *const params[] = {NULL, "{}", "{\"a\": [1, 2]}", "[]", "{", "", "nonsense"};
    size_t valid = chance(&pair->twins, 80);
    struct ledger_budget budget = {.id = pick_budget_id(pair),
                                   .name = pick_text(pair, 300, "n"),
                                   .description = pick_text(pair, 300, "\xc3\xa9"),
                                   .ext_params = text_of(params[roll(&pair->twins, valid ? 3 : 7)]),
                                   .total = totals[roll(&pair->twins, valid ? 7 : 9)],
                                   .settled = 5,
                                   .state = BUDGET_CLOSED};
    struct text credit_id = chance(&pair->twins, 50) ? text_of("first") : pick_credit_id(pair);
    if (text_equal_string(budget.id, "never-made")) budget.id = text_of("a");
    twins_note(&pair->twins, "create %.10s %" PRId64, budget.id.data, budget.total);
    BOTH_ANSWER(pair, ledger_budget_create(use.fake, &budget, credit_id, &pair->fake->error),
                ledger_budget_create(use.real, &budget, credit_id, &pair->real->error));
}

static int64_t total_of(const struct pair *pair, struct text budget_id)
{
    const struct fake_ledger_store *store = pair->fake->store;
    for (size_t i = 0; i < fake_ledger_budget_count(store); i++) {
        const struct ledger_budget *budget = &fake_ledger_budget(store, i)->budget;
        if (text_equal(budget->id, budget_id)) return budget->total;
    }
    return 0;
}

static void budget_credit(struct pair *pair, struct use use)
{
    static const int64_t amounts[] = {1,         10,       10, 100, 1000, 0, -1, AMOUNT_MAX, AMOUNT_MAX + 1,
                                      INT64_MAX, INT64_MIN};
    struct text budget_id = pick_budget_id(pair), credit_id = pick_credit_id(pair);
    int64_t amount = amounts[roll(&pair->twins, chance(&pair->twins, 80) ? 5 : 11)];
    bool one = false, two = false;
    if (chance(&pair->twins, 8)) amount = AMOUNT_MAX - total_of(pair, budget_id); /* just what fits */
    struct asked_credit *asked = &pair->credits[roll(&pair->twins, 8)];
    if (asked->amount != 0 && chance(&pair->twins, 50)) {
        budget_id = asked->budget_id, credit_id = asked->credit_id, amount = asked->amount;
    }
    *asked = (struct asked_credit){budget_id, credit_id, amount};
    twins_note(&pair->twins, "credit %.10s %.10s %" PRId64, budget_id.data, credit_id.data, amount);
    BOTH_ANSWER(pair, ledger_budget_credit(use.fake, budget_id, credit_id, amount, &one, &pair->fake->error),
                ledger_budget_credit(use.real, budget_id, credit_id, amount, &two, &pair->real->error));
    twins_same(&pair->twins, "applied", 0, one, two);
}

static void credit_mark(struct pair *pair, struct use use)
{
    struct text budget_id = pick_budget_id(pair), credit_id = pick_credit_id(pair);
    twins_note(&pair->twins, "credit mark %.10s %.10s", budget_id.data, credit_id.data);
    BOTH_ANSWER(pair, ledger_credit_mark(use.fake, budget_id, credit_id, &pair->fake->error),
                ledger_credit_mark(use.real, budget_id, credit_id, &pair->real->error));
}

static void state_set(struct pair *pair, struct use use)
{
    static const int64_t times[] = {0, 1020, 1050, 1099, AMOUNT_MAX, AMOUNT_MAX + 1, -1};
    static const enum budget_state states[] = {BUDGET_ACTIVE, BUDGET_ACTIVE, BUDGET_CLOSED, BUDGET_CLOSED,
                                               BUDGET_DELETED};
    struct text budget_id = pick_budget_id(pair);
    enum budget_state state = states[roll(&pair->twins, 5)];
    int64_t at_us =
        chance(&pair->twins, 80) ? (state == BUDGET_ACTIVE ? 0 : 1050) : times[roll(&pair->twins, 7)];
    twins_note(&pair->twins, "state %.10s %s @%" PRId64, budget_id.data, budget_state_name(state), at_us);
    BOTH_ANSWER(pair, ledger_budget_state_set(use.fake, budget_id, state, at_us, &pair->fake->error),
                ledger_budget_state_set(use.real, budget_id, state, at_us, &pair->real->error));
}

static void same_budgets(struct pair *pair, const struct ledger_budget *one, const struct ledger_budget *two,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        SAME_TEXT(id);
        SAME_TEXT(name);
        SAME_TEXT(description);
        SAME_TEXT(ext_params);
        SAME(total);
        SAME(settled);
        SAME(state);
        SAME(created_at_us);
        SAME(updated_at_us);
    }
}

static void budgets_look(struct pair *pair, struct use use)
{
    struct ledger_budget one[10], two[10];
    size_t one_count = 99, two_count = 98, capacity = 1 + roll(&pair->twins, 10);
    bool one_found = false, two_found = false;
    struct text id = chance(&pair->twins, 30) ? TEXT_NONE : pick_budget_id(pair);
    twins_note(&pair->twins, "list %zu after %.10s", capacity, id.data == NULL ? "" : id.data);
    BOTH_ANSWER(
        pair, ledger_budgets_list(use.fake, id, &pair->arena, one, capacity, &one_count, &pair->fake->error),
        ledger_budgets_list(use.real, id, &pair->arena, two, capacity, &two_count, &pair->real->error));
    twins_same(&pair->twins, "count", 0, (int64_t)one_count, (int64_t)two_count);
    same_budgets(pair, one, two, one_count);
    id = pick_budget_id(pair);
    BOTH_ANSWER(pair, ledger_budget_find(use.fake, id, &pair->arena, one, &one_found, &pair->fake->error),
                ledger_budget_find(use.real, id, &pair->arena, two, &two_found, &pair->real->error));
    twins_same(&pair->twins, "found", 0, one_found, two_found);
    same_budgets(pair, one, two, one_found ? 1 : 0);
}

static void stats(struct pair *pair, struct use use)
{
    struct ledger_stats one[1], two[1];
    const size_t i = 0;
    twins_note(&pair->twins, "stats");
    BOTH_ANSWER(pair, ledger_stats(use.fake, one, &pair->fake->error),
                ledger_stats(use.real, two, &pair->real->error));
    SAME(budgets);
    SAME(refunds_due);
    SAME(credits_due);
    SAME(parked);
    SAME(last_deducted_at_us);
    SAME(last_parked_sequence);
}

static void ping(struct pair *pair, struct use use)
{
    twins_note(&pair->twins, "initialise, ping");
    BOTH_ANSWER(pair, ledger_initialise(use.fake, &pair->fake->error),
                ledger_initialise(use.real, &pair->real->error));
    BOTH_ANSWER(pair, ledger_ping(use.fake, &pair->fake->error), ledger_ping(use.real, &pair->real->error));
}

static void disturb(struct pair *pair)
{
    size_t kind = roll(&pair->twins, 20);
    if (kind < 6)
        stage_reopen(pair);
    else if (kind < 14)
        stage_refuse(pair);
    else if (kind < 17)
        pair->tokenless = !pair->tokenless;
    else if (kind < 19)
        stage_save(pair);
    else
        stage_restore(pair);
}

static void operate(struct pair *pair)
{
    typedef void operation(struct pair *, struct use);
    static const struct {
        operation *operation;
        size_t weight;
    } operations[] = {{settle, 30},
                      {record_parked, 4},
                      {debts_fetch, 12},
                      {debts_mark, 8},
                      {deductions_find, 8},
                      {budget_create, 6},
                      {budget_credit, 8},
                      {credit_mark, 3},
                      {state_set, 5},
                      {budgets_look, 6},
                      {stats, 4},
                      {ping, 1},
                      {rows_scan, 5},
                      {credits_list, 3},
                      {voids_insert, 8},
                      {interventions_begin, 4},
                      {interventions_end, 3},
                      {interventions_open, 3},
                      {parked_look, 4},
                      {parked_since, 3},
                      {parked_mark, 4},
                      {runs, 2},
                      {sights, 3},
                      {take_lock, 3}};
    size_t sum = 0;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) sum += operations[i].weight;
    if (chance(&pair->twins, 4)) {
        disturb(pair);
        return;
    }
    stage_pass_time(pair);
    size_t drawn = roll(&pair->twins, sum), i = 0;
    for (; drawn >= operations[i].weight; i++) drawn -= operations[i].weight;
    operations[i].operation(pair, pick_connection(pair));
}

static struct pair pair;

static int setup(void **state)
{
    void *fake = NULL, *real = NULL;
    (void)state;
    pair = (struct pair){.twins = twins_begin(1200, 20000)};
    setup_fake(&fake);
    setup_sqlite(&real);
    pair.fake = fake;
    pair.real = real;
    stage_pass_time(&pair);
    stage_reopen(&pair);
    return 0;
}

static int teardown(void **state)
{
    void *fake = pair.fake, *real = pair.real;
    (void)state;
    stage_close(&pair);
    fake_ledger_snapshot_free(pair.backup);
    twins_lines_free(&pair.fake_lines);
    twins_lines_free(&pair.real_lines);
    arena_free(&pair.arena);
    fixture_teardown(&fake);
    return fixture_teardown(&real);
}

static void the_fake_answers_as_sqlite(void **state)
{
    (void)state;
    size_t interval = 1 + pair.twins.operations / 20; /* the longer the run, the more rows */
    while (twins_next(&pair.twins)) {
        operate(&pair);
        arena_reset(&pair.arena);
        if (pair.twins.number % interval != 0 && pair.twins.number != pair.twins.operations) continue;
        compare_contents(&pair);
        arena_reset(&pair.fake->arena);
        arena_reset(&pair.real->arena);
        pair.debt_count = 0; /* their texts lay there */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_fake_answers_as_sqlite, setup, teardown)};
    return cmocka_run_group_tests_name("the fake ledger and SQLite", tests, NULL, NULL);
}
