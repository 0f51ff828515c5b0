/* Runs of reconcile, what Redis looked like, and locks: on the fake and on SQLite. */
#include "contract/ledger_audit_fixture.h"
#include "core/limits.h"

static struct reconcile_run run_of(int64_t number)
{
    struct reconcile_run run = {.started_at_us = 1000 + number,
                                .finished_at_us = 2000 + number,
                                .actor = ACTOR,
                                .repair = number % 2 == 0,
                                .complete = number % 3 == 0,
                                .clean = number % 5 == 0,
                                .budgets = number,
                                .mended = 3};
    for (int i = 0; i < FINDING_KIND_COUNT; i++) run.found[i] = 10 * number + i;
    return run;
}

static void run_check(struct fixture *f, int64_t number)
{
    struct reconcile_run wanted = run_of(number), run = {0};
    bool found = false;
    assert_ok(ledger_run_last(f->ledger, &f->arena, &run, &found, &f->error));
    assert_true(found);
    assert_int_equal(run.started_at_us, wanted.started_at_us);
    assert_int_equal(run.finished_at_us, wanted.finished_at_us);
    assert_true(text_equal(run.actor, wanted.actor));
    assert_int_equal(run.repair, wanted.repair);
    assert_int_equal(run.complete, wanted.complete);
    assert_int_equal(run.clean, wanted.clean);
    assert_int_equal(run.budgets, wanted.budgets);
    assert_int_equal(run.mended, wanted.mended);
    assert_memory_equal(run.found, wanted.found, sizeof run.found);
}

static void the_last_run_is_remembered(void **state)
{
    struct fixture *f = *state;
    struct reconcile_run run;
    bool found = true;
    assert_ok(ledger_run_last(f->ledger, &f->arena, &run, &found, &f->error));
    assert_false(found);
    static const int64_t numbers[] = {30, 7, 6}; /* the clock may go back */
    for (size_t i = 0; i < 3; i++) {
        run = run_of(numbers[i]);
        assert_ok(ledger_run_record(f->ledger, &run, &f->error));
        run_check(f, numbers[i]);
    }
    fixture_reopen(f);
    run_check(f, 6);
}

static void a_run_that_makes_no_sense_is_refused(void **state)
{
    struct fixture *f = *state;
    struct reconcile_run good = run_of(1), run = good;
    run.started_at_us = 0;
    assert_status(ledger_run_record(f->ledger, &run, &f->error), STATUS_REFUSED);
    run = good, run.actor = TEXT_LITERAL("");
    assert_status(ledger_run_record(f->ledger, &run, &f->error), STATUS_REFUSED);
    run = good, run.mended = -1;
    assert_status(ledger_run_record(f->ledger, &run, &f->error), STATUS_REFUSED);
    for (int i = 0; i < FINDING_KIND_COUNT; i++) {
        run = good, run.found[i] = -1;
        assert_status(ledger_run_record(f->ledger, &run, &f->error), STATUS_REFUSED);
    }
    bool found = true;
    assert_ok(ledger_run_last(f->ledger, &f->arena, &run, &found, &f->error));
    assert_false(found);
}

static size_t runs_count(struct fixture *f, int64_t *first_budgets)
{
    if (f->store != NULL) {
        *first_budgets = fake_ledger_run(f->store, 0)->budgets;
        return fake_ledger_run_count(f->store);
    }
    *first_budgets = strtoll(raw_text(f, "SELECT min(budgets) FROM v_reconcile_run"), NULL, 10);
    return strtoull(raw_text(f, "SELECT count(*) FROM v_reconcile_run"), NULL, 10);
}

static void a_thousand_older_runs_are_kept(void **state)
{
    struct fixture *f = *state;
    int64_t first = 0;
    for (int64_t i = 1; i <= 1005; i++) {
        struct reconcile_run run = run_of(i);
        assert_ok(ledger_run_record(f->ledger, &run, &f->error));
        if (i != 1001) continue;
        assert_int_equal(runs_count(f, &first), 1001);
        assert_int_equal(first, 1);
    }
    assert_int_equal(runs_count(f, &first), 1001);
    assert_int_equal(first, 5);
    run_check(f, 1005);
}

static void what_redis_looked_like_is_remembered(void **state)
{
    struct fixture *f = *state;
    struct text longest = text_of(arena_format(&f->arena, "%0128d", 1));
    struct stock_sight sights[] = {
        {TEXT_LITERAL("a"), TEXT_LITERAL("run-1"), 1, 2, 3, 4},
        {TEXT_LITERAL("A"), TEXT_NONE, AMOUNT_MAX, AMOUNT_MAX, AMOUNT_MAX, AMOUNT_MAX},
        {longest, TEXT_LITERAL("run-1"), 0, 0, 0, 0},
    };
    assert_ok(ledger_sights_record(f->ledger, sights, 3, &f->error));
    assert_ok(ledger_sights_record(f->ledger, sights, 0, &f->error));
    sights[0].server = TEXT_LITERAL("run-2");
    sights[0].settled = 5;
    assert_ok(ledger_sights_record(f->ledger, sights, 1, &f->error));
    fixture_reopen(f);
    const struct text ids[] = {TEXT_LITERAL("nobody"), sights[0].budget_id, sights[1].budget_id, longest};
    struct stock_sight read[4];
    assert_ok(ledger_sights_read(f->ledger, ids, 4, &f->arena, read, &f->error));
    assert_false(text_is_present(read[0].budget_id));
    for (size_t i = 0; i < 3; i++) {
        assert_true(text_equal(read[i + 1].budget_id, sights[i].budget_id));
        assert_int_equal(text_is_present(read[i + 1].server), text_is_present(sights[i].server));
        assert_true(text_equal(read[i + 1].server, sights[i].server));
        assert_int_equal(read[i + 1].credited, sights[i].credited);
        assert_int_equal(read[i + 1].deducted, sights[i].deducted);
        assert_int_equal(read[i + 1].settled, sights[i].settled);
        assert_int_equal(read[i + 1].released, sights[i].released);
    }
    struct stock_sight bad[] = {sights[0], sights[0]};
    bad[0].settled = 99;
    bad[1].released = -1;
    assert_status(ledger_sights_record(f->ledger, bad, 2, &f->error), STATUS_REFUSED);
    assert_ok(ledger_sights_read(f->ledger, ids + 1, 1, &f->arena, read, &f->error));
    assert_int_equal(read[0].settled, 5);
}

static struct ledger *open_another(struct fixture *f)
{
    return f->store != NULL ? fake_ledger_open(f->store) : sqlite_open(f, SQLITE_LEDGER_TOOL);
}

static void one_at_a_time_holds_a_lock(void **state)
{
    struct fixture *f = *state;
    struct ledger *tool = open_another(f), *other = open_another(f);
    assert_ok(ledger_lock(tool, LEDGER_LOCK_RECONCILE, &f->error));
    assert_status(ledger_lock(f->ledger, LEDGER_LOCK_RECONCILE, &f->error), STATUS_REFUSED);
    assert_status(ledger_lock(other, LEDGER_LOCK_RECONCILE, &f->error), STATUS_REFUSED);
    assert_ok(ledger_lock(tool, LEDGER_LOCK_RECONCILE, &f->error));     /* its own */
    assert_ok(ledger_lock(other, LEDGER_LOCK_DEAD_LETTERS, &f->error)); /* another one */
    assert_status(ledger_lock(tool, LEDGER_LOCK_DEAD_LETTERS, &f->error), STATUS_REFUSED);
    ledger_unlock(other, LEDGER_LOCK_RECONCILE); /* not its own: nothing happens */
    assert_status(ledger_lock(other, LEDGER_LOCK_RECONCILE, &f->error), STATUS_REFUSED);
    budget_make(f, "a", 5); /* a lock holds up nothing else */
    settle_one(f, "m", "a", 1, 1);
    ledger_unlock(tool, LEDGER_LOCK_RECONCILE);
    ledger_unlock(tool, LEDGER_LOCK_RECONCILE);
    assert_ok(ledger_lock(other, LEDGER_LOCK_RECONCILE, &f->error));
    ledger_close(other);
    assert_ok(ledger_lock(tool, LEDGER_LOCK_RECONCILE, &f->error));
    assert_ok(ledger_lock(f->ledger, LEDGER_LOCK_DEAD_LETTERS, &f->error));
    ledger_close(tool);
}

/* Each call that fails without tables must say what to do. */
#define ASKS_FOR_INIT(call)                                                                                  \
    do {                                                                                                     \
        assert_status((call), STATUS_RETRY);                                                                 \
        assert_non_null(strstr(f->error.text, "bursar init"));                                               \
        f->error.text[0] = '\0';                                                                             \
    } while (false)

static void without_tables_it_asks_for_init(void **state)
{
    struct fixture *f = *state;
    struct ledger_row row;
    struct ledger_credit credit;
    struct ledger_void void_row = orphan("m", 1, 1);
    struct intervention entry = {.kind = INTERVENTION_EDIT, .actor = ACTOR, .sequence = 1};
    struct parked_look look;
    struct parked_entry parked;
    struct parked_mark mark = {.message_id = TEXT_LITERAL("m")};
    struct reconcile_run run = run_of(1);
    struct stock_sight sight = {.budget_id = TEXT_LITERAL("a")};
    struct text id = TEXT_LITERAL("a");
    size_t count = 99;
    bool found;
    ASKS_FOR_INIT(ledger_rows_scan(f->ledger, 0, &f->arena, &row, 1, &count, &f->error));
    assert_int_equal(count, 0);
    ASKS_FOR_INIT(ledger_credits_list(f->ledger, id, 0, &f->arena, &credit, 1, &count, &f->error));
    ASKS_FOR_INIT(ledger_voids_insert(f->ledger, ACTOR, &void_row, 1, &f->error));
    ASKS_FOR_INIT(ledger_interventions_begin(f->ledger, &entry, 1, &f->error));
    ASKS_FOR_INIT(ledger_interventions_end(f->ledger, &entry, 1, &f->error));
    ASKS_FOR_INIT(
        ledger_interventions_open(f->ledger, INTERVENTION_EDIT, &f->arena, &entry, 1, &count, &f->error));
    ASKS_FOR_INIT(ledger_parked_look(f->ledger, &id, 1, &look, &f->error));
    ASKS_FOR_INIT(ledger_parked_since(f->ledger, 0, &f->arena, &parked, 1, &count, &f->error));
    ASKS_FOR_INIT(ledger_parked_mark(f->ledger, &mark, 1, PARKED_DISCARDED, &f->error));
    ASKS_FOR_INIT(ledger_run_record(f->ledger, &run, &f->error));
    ASKS_FOR_INIT(ledger_run_last(f->ledger, &f->arena, &run, &found, &f->error));
    ASKS_FOR_INIT(ledger_sights_read(f->ledger, &id, 1, &f->arena, &sight, &f->error));
    ASKS_FOR_INIT(ledger_sights_record(f->ledger, &sight, 1, &f->error));
    ASKS_FOR_INIT(ledger_lock(f->ledger, LEDGER_LOCK_RECONCILE, &f->error));
    assert_ok(ledger_initialise(f->ledger, &f->error));
    assert_ok(ledger_lock(f->ledger, LEDGER_LOCK_RECONCILE, &f->error));
}

#define TEST(name, kind) cmocka_unit_test_setup_teardown(name, setup_##kind, fixture_teardown)
#define SUITE(kind)                                                                                          \
    {                                                                                                        \
        TEST(the_last_run_is_remembered, kind), TEST(a_run_that_makes_no_sense_is_refused, kind),            \
            TEST(a_thousand_older_runs_are_kept, kind), TEST(what_redis_looked_like_is_remembered, kind),    \
            TEST(one_at_a_time_holds_a_lock, kind),                                                          \
            cmocka_unit_test_setup_teardown(without_tables_it_asks_for_init, setup_##kind##_empty,           \
                                            fixture_teardown),                                               \
    }

int main(void)
{
    const struct CMUnitTest fake[] = SUITE(fake);
    const struct CMUnitTest sqlite[] = SUITE(sqlite);
    int failed = cmocka_run_group_tests_name("a ledger keeps runs and locks: fake", fake, NULL, NULL);
    return failed + cmocka_run_group_tests_name("a ledger keeps runs and locks: SQLite", sqlite, NULL, NULL);
}
