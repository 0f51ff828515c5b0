/* What is SQLite's alone of the audit: the tables and views, the way from version 1, lock files, and a
 * process that dies in the middle. */
#include "base/embedded.h"
#include "contract/ledger_audit_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#define ENTRY "INSERT INTO intervention (kind, state, begun_at_us, actor, amount) VALUES "
#define RUN                                                                                                  \
    "INSERT INTO reconcile_run (started_at_us, finished_at_us, actor, repair, complete, clean, budgets, "    \
    "left_drift, missing_key, uncleared, refund_due, credit_due, orphan, ledger_behind, untracked, mended) " \
    "VALUES "
#define SIGHT                                                                                                \
    "INSERT INTO sight (budget_id, server, credited, deducted, settled, released, seen_at_us) VALUES "

static const char *const legal_rows[] = {
    ENTRY "(6, 2, 1, 'a', -9223372036854775807)",
    ENTRY "(0, 0, 1, hex(zeroblob(127)), 0)",
    RUN "(1, 1, 'a', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
    SIGHT "('a', NULL, 0, 0, 0, 0, 1)",
    SIGHT "('b', 'x', 9007199254740991, 0, 0, 0, 1)",
};

static const char *const illegal_rows[] = {
    ENTRY "(7, 0, 1, 'a', 0)",
    ENTRY "(-1, 0, 1, 'a', 0)",
    ENTRY "(0, 3, 1, 'a', 0)",
    ENTRY "(0, 0, 0, 'a', 0)",
    ENTRY "(0, 0, 1, '', 0)",
    ENTRY "(0, 0, 1, hex(zeroblob(128)), 0)",
    ENTRY "(0, 0, 1, NULL, 0)",
    ENTRY "(0, 0, 1, 'a', 1.5)",
    ENTRY "(0, 0, 1, 'a', NULL)",
    RUN "(0, 1, 'a', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
    RUN "(1, 0, 'a', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
    RUN "(1, 1, '', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
    RUN "(1, 1, 'a', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
    RUN "(1, 1, 'a', 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
    RUN "(1, 1, 'a', 1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
    RUN "(1, 1, 'a', 1, 1, 1, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
    RUN "(1, 1, 'a', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1)",
    SIGHT "('', NULL, 0, 0, 0, 0, 1)",
    SIGHT "('a', NULL, 0, 0, 0, 0, 1)", /* a second one of a budget */
    SIGHT "('c', '', 0, 0, 0, 0, 1)",
    SIGHT "('c', NULL, -1, 0, 0, 0, 1)",
    SIGHT "('c', NULL, 0, 9007199254740992, 0, 0, 1)",
    SIGHT "('c', NULL, 0, 0, -1, 0, 1)",
    SIGHT "('c', NULL, 0, 0, 0, NULL, 1)",
    SIGHT "('c', NULL, 0, 0, 0, 0, 0)",
};

static void an_illegal_row_cannot_exist(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof legal_rows / sizeof legal_rows[0]; i++) {
        if (raw_execute(f, legal_rows[i]) != SQLITE_OK) fail_msg("refused: %s", legal_rows[i]);
    }
    for (size_t i = 0; i < sizeof illegal_rows / sizeof illegal_rows[0]; i++) {
        int code = raw_execute(f, illegal_rows[i]);
        if ((code & 0xff) != SQLITE_CONSTRAINT) fail_msg("code %d: %s", code, illegal_rows[i]);
    }
}

#define COLUMNS(view) "SELECT group_concat(name, ' ') FROM pragma_table_info('" view "')"

static void the_views_speak_the_words_of_the_program(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(raw_text(f, COLUMNS("v_intervention")),
                        "sequence begun_at actor kind state budget_id message_id subject value_before "
                        "value_after amount");
    assert_string_equal(raw_text(f, COLUMNS("v_reconcile_run")),
                        "sequence started_at finished_at actor repair complete clean budgets left_drift "
                        "missing_key uncleared refund_due credit_due orphan ledger_behind untracked mended");
    static const char *const kinds[] = {"repair", "void", "settle", "replay", "edit", "discard", "import"};
    static const char *const states[] = {"begun", "done", "abandoned"};
    const char *wanted = "";
    for (int kind = INTERVENTION_REPAIR; kind <= INTERVENTION_IMPORT; kind++) {
        int word = kind % 3;
        journal_write(f, (enum intervention_kind)kind, (enum intervention_state)word, "m");
        wanted = arena_format(&f->arena, "%s%s%s %s anna@host - m - - - 0", wanted, kind == 0 ? "" : "\n",
                              kinds[kind], states[word]);
    }
    assert_string_equal(journal_get(f), wanted);
    assert_int_equal(raw_execute(f, "UPDATE intervention SET begun_at_us = 1767323045678901"), SQLITE_OK);
    assert_string_equal(raw_text(f, "SELECT min(begun_at) FROM v_intervention"),
                        "2026-01-02T03:04:05.678901Z");
    struct reconcile_run run = {.started_at_us = 1000000, .finished_at_us = 2000003, .actor = ACTOR};
    for (int i = 0; i < FINDING_KIND_COUNT; i++) run.found[i] = 100 + i;
    assert_ok(ledger_run_record(f->ledger, &run, &f->error));
    assert_string_equal(raw_text(f, "SELECT started_at || ' ' || finished_at FROM v_reconcile_run"),
                        "1970-01-01T00:00:01.000000Z 1970-01-01T00:00:02.000003Z");
    for (int i = 0; i < FINDING_KIND_COUNT; i++) {
        const char *kind = finding_kind_name((enum finding_kind)i);
        const char *sql =
            arena_format(&f->arena,
                         "SELECT count(*) FROM v_reconcile_run JOIN pragma_table_info("
                         "'v_reconcile_run') WHERE name = replace('%s', '-', '_') AND "
                         "CASE name WHEN 'left_drift' THEN left_drift WHEN 'missing_key' THEN "
                         "missing_key WHEN 'uncleared' THEN uncleared WHEN 'refund_due' THEN "
                         "refund_due WHEN 'credit_due' THEN credit_due WHEN 'orphan' THEN orphan "
                         "WHEN 'ledger_behind' THEN ledger_behind ELSE untracked END = %d",
                         kind, 100 + i);
        assert_string_equal(raw_text(f, sql), "1");
    }
}

extern const struct embedded_file migration_001_tables_and_views;

/* A ledger as the first version left it, with a row of everything. */
static void version_one_make(struct fixture *f)
{
    assert_int_equal(raw_execute(f, migration_001_tables_and_views.data), SQLITE_OK);
    assert_int_equal(
        raw_execute(f,
                    "PRAGMA application_id = 0x42555253; PRAGMA user_version = 1; PRAGMA journal_mode = WAL;"
                    "INSERT INTO budget (id, total, settled, created_at_us, updated_at_us)"
                    " VALUES ('a', 10, 6, 5, 5);"
                    "INSERT INTO credit (budget_id, credit_id, amount, created_at_us)"
                    " VALUES ('a', 'first', 10, 5);"
                    "INSERT INTO deduction (message_id, budget_id, amount, deducted_at_us, state, reason,"
                    " refund, booked_at_us) VALUES ('m1', 'a', 6, 101, 0, 0, 0, 5),"
                    " ('m2', 'a', 7, NULL, 1, 4, 1, 5);"
                    "INSERT INTO parked (message_id, reason, parked_at_us, state) VALUES"
                    " ('p', 'id-conflict', 5, 0), (NULL, 'malformed', 5, 0)"),
        SQLITE_OK);
}

static void a_ledger_of_version_one_is_brought_up_to_date(void **state)
{
    struct fixture *f = *state;
    struct ledger_row rows[3];
    struct ledger_credit credit;
    size_t count = 0;
    version_one_make(f);
    assert_status(ledger_ping(f->ledger, &f->error), STATUS_RETRY);
    assert_non_null(strstr(f->error.text, "version 1"));
    assert_non_null(strstr(f->error.text, "bursar init"));
    assert_status(ledger_rows_scan(f->ledger, 0, &f->arena, rows, 3, &count, &f->error), STATUS_RETRY);
    for (int i = 0; i < 2; i++) assert_ok(ledger_initialise(f->ledger, &f->error));
    assert_ok(ledger_ping(f->ledger, &f->error));
    assert_string_equal(raw_text(f, "PRAGMA user_version"), "2");
    assert_string_equal(raw_text(f, "PRAGMA integrity_check"), "ok");

    assert_int_equal(budget_get(f, "a").settled, 6);
    assert_int_equal(settle_one(f, "m1", "a", 6, 101)->verdict, VERDICT_DUPLICATE);
    assert_ok(ledger_rows_scan(f->ledger, 0, &f->arena, rows, 3, &count, &f->error));
    assert_int_equal(count, 2);
    assert_int_equal(rows[1].amount, 7);
    assert_ok(ledger_credits_list(f->ledger, TEXT_LITERAL("a"), 0, &f->arena, &credit, 1, &count, &f->error));
    assert_int_equal(count, 1);
    assert_true(look_get(f, "p").parked);
    struct parked_mark mark = {.reason = TEXT_LITERAL("malformed")};
    assert_ok(ledger_parked_mark(f->ledger, &mark, 1, PARKED_DISCARDED, &f->error));
    assert_int_equal(stats_get(f).parked, 1);
    assert_int_equal(stats_get(f).last_parked_sequence, 2);
}

static void a_migration_that_fails_leaves_version_one(void **state)
{
    struct fixture *f = *state;
    version_one_make(f);
    assert_int_equal(raw_execute(f, "CREATE TABLE sight (mine)"), SQLITE_OK);
    assert_status(ledger_initialise(f->ledger, &f->error), STATUS_RETRY);
    assert_string_equal(raw_text(f, "PRAGMA user_version"), "1");
    assert_string_equal(raw_text(f, "SELECT count(*) FROM sqlite_schema WHERE name = 'intervention'"), "0");
    assert_int_equal(raw_execute(f, "DROP TABLE sight"), SQLITE_OK);
    assert_ok(ledger_initialise(f->ledger, &f->error));
    assert_int_equal(row_get(f, "m2").refund, REFUND_DUE);
}

static void a_trigger_that_swallows_is_found_out(void **state)
{
    struct fixture *f = *state;
    struct ledger_void voids[] = {orphan("good", 1, 1), orphan("bad", 1, 1)};
    static const char *const tables[] = {"deduction", "intervention"};
    for (size_t i = 0; i < 2; i++) {
        const char *sql = arena_format(&f->arena,
                                       "CREATE TRIGGER swallow BEFORE INSERT ON %s WHEN new.message_id = "
                                       "'bad' BEGIN SELECT RAISE(IGNORE); END",
                                       tables[i]);
        assert_int_equal(raw_execute(f, sql), SQLITE_OK);
        assert_status(ledger_voids_insert(f->ledger, ACTOR, voids, 2, &f->error), STATUS_REFUSED);
        assert_non_null(strstr(f->error.text, "trigger"));
        assert_false(row_get(f, "good").found || row_get(f, "bad").found);
        assert_int_equal(raw_execute(f, "DROP TRIGGER swallow"), SQLITE_OK);
    }
    assert_string_equal(journal_get(f), "");
}

static void numbers_of_the_journal_are_never_given_again(void **state)
{
    struct fixture *f = *state;
    int64_t before = journal_write(f, INTERVENTION_REPAIR, INTERVENTION_DONE, "m");
    assert_int_equal(raw_execute(f, "DELETE FROM intervention"), SQLITE_OK); /* as a restored backup */
    assert_true(journal_write(f, INTERVENTION_REPAIR, INTERVENTION_DONE, "m") > before);
    assert_int_equal(raw_execute(f, "UPDATE intervention SET sequence = 9000000000000000"), SQLITE_OK);
    assert_int_equal(journal_write(f, INTERVENTION_REPAIR, INTERVENTION_DONE, "m"), 9000000000000001);
}

#ifdef BURSAR_FAILPOINTS
static void void_and_die(struct fixture *f, struct ledger_void *voids, size_t count, const char *failpoint)
{
    ledger_close(f->ledger);
    f->ledger = NULL;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("BURSAR_FAILPOINT", failpoint, 1);
        f->ledger = sqlite_open(f, SQLITE_LEDGER_TOOL);
        _exit((int)ledger_voids_insert(f->ledger, ACTOR, voids, count, &f->error));
    }
    int ended = 0;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
    f->ledger = sqlite_open(f, SQLITE_LEDGER_WORKER);
}

static void dying_around_the_commit_voids_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    struct ledger_void voids[] = {orphan("m1", 4, 1), orphan("m2", 7, 1)};
    void_and_die(f, voids, 2, "void-before-commit");
    assert_false(row_get(f, "m1").found || row_get(f, "m2").found);
    assert_string_equal(journal_get(f), "");
    void_and_die(f, voids, 2, "void-after-commit");
    assert_int_equal(row_get(f, "m1").refund, REFUND_DUE);
    const char *journal = "void done anna@host a m1 - - - 4\nvoid done anna@host a m2 - - - 7";
    assert_string_equal(journal_get(f), journal);
    assert_ok(ledger_voids_insert(f->ledger, ACTOR, voids, 2, &f->error));
    assert_false(voids[0].inserted || voids[1].inserted);
    assert_string_equal(journal_get(f), journal);
}
#endif

#define TEST(name)       cmocka_unit_test_setup_teardown(name, setup_sqlite, fixture_teardown)
#define TEST_EMPTY(name) cmocka_unit_test_setup_teardown(name, setup_sqlite_empty, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_illegal_row_cannot_exist),
        TEST(the_views_speak_the_words_of_the_program),
        TEST_EMPTY(a_ledger_of_version_one_is_brought_up_to_date),
        TEST_EMPTY(a_migration_that_fails_leaves_version_one),
        TEST(a_trigger_that_swallows_is_found_out),
        TEST(numbers_of_the_journal_are_never_given_again),
#ifdef BURSAR_FAILPOINTS
        TEST(dying_around_the_commit_voids_all_or_nothing),
#endif
    };
    return cmocka_run_group_tests_name("the audit's tables", tests, NULL, NULL);
}
