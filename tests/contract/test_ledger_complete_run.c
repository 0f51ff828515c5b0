/* When the latest complete run of reconcile ended, on the fake and on SQLite. */
#include "contract/ledger_fixture.h"

#include "port/ledger_audit.h"

static void run_add(struct fixture *f, int64_t finished_at_us, bool complete)
{
    struct reconcile_run run = {.started_at_us = 1,
                                .finished_at_us = finished_at_us,
                                .actor = TEXT_LITERAL("me@here"),
                                .complete = complete,
                                .complete_at_us = 77}; /* an answer: not kept */
    assert_ok(ledger_run_record(f->ledger, &run, &f->error));
}

static int64_t complete_at(struct fixture *f)
{
    struct reconcile_run run = {.complete_at_us = 77};
    bool found = false;
    assert_ok(ledger_run_last(f->ledger, &f->arena, &run, &found, &f->error));
    assert_true(found);
    return run.complete_at_us;
}

static void the_latest_complete_run_is_told(void **state)
{
    struct fixture *f = *state;
    run_add(f, 100, false);
    assert_int_equal(complete_at(f), 0);
    run_add(f, 300, true);
    assert_int_equal(complete_at(f), 300);
    run_add(f, 200, true); /* the clock went back; the order of recording counts */
    run_add(f, 400, false);
    assert_int_equal(complete_at(f), 200);
    fixture_reopen(f);
    assert_int_equal(complete_at(f), 200);
}

static void what_is_not_mended_is_what_was_found_but_for_information(void **state)
{
    (void)state;
    struct reconcile_run run = {.mended = 3};
    run.found[FINDING_LEFT_DRIFT] = 2;
    run.found[FINDING_LEDGER_BEHIND] = 4;
    run.found[FINDING_UNTRACKED] = 9;
    assert_int_equal(reconcile_run_not_mended(&run), 3);
}

#define SUITE(kind)                                                                                          \
    {                                                                                                        \
        cmocka_unit_test_setup_teardown(the_latest_complete_run_is_told, setup_##kind, fixture_teardown),    \
            cmocka_unit_test(what_is_not_mended_is_what_was_found_but_for_information),                      \
    }

int main(void)
{
    const struct CMUnitTest fake[] = SUITE(fake);
    const struct CMUnitTest sqlite[] = SUITE(sqlite);
    int failed = cmocka_run_group_tests_name("complete runs: fake", fake, NULL, NULL);
    return failed + cmocka_run_group_tests_name("complete runs: SQLite", sqlite, NULL, NULL);
}
