/* SQLite's file with others around: a second worker, tools, other writers, triggers, a file that moves away,
 * a process that dies. */
#include "contract/ledger_fixture.h"

#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void a_second_worker_is_refused(void **state)
{
    struct fixture *f = *state;
    struct ledger *second = sqlite_open(f, SQLITE_LEDGER_WORKER);
    assert_status(ledger_ping(second, &f->error), STATUS_CONFIG);
    assert_non_null(strstr(f->error.text, arena_format(&f->arena, "(pid %ld)", (long)getpid())));
    assert_status(ledger_initialise(second, &f->error), STATUS_CONFIG);
    assert_ok(ledger_ping(f->ledger, &f->error));

    struct ledger *tool = sqlite_open(f, SQLITE_LEDGER_TOOL);
    assert_ok(ledger_ping(tool, &f->error));
    ledger_close(tool);

    ledger_close(f->ledger);
    f->ledger = second;
    assert_ok(ledger_ping(second, &f->error));
}

static void a_second_worker_is_refused_by_another_name(void **state)
{
    struct fixture *f = *state;
    char link[PATH_MAX];
    snprintf(link, sizeof link, "%s.link", f->path);
    assert_int_equal(symlink(f->path, link), 0);
    struct sqlite_ledger_options options = {link, SQLITE_LEDGER_WORKER, 100};
    struct ledger *second = NULL;
    assert_ok(sqlite_ledger_open(&options, &second, &f->error));
    assert_status(ledger_ping(second, &f->error), STATUS_CONFIG);
    assert_non_null(strstr(f->error.text, "another worker"));
    ledger_close(second);
    unlink(link);
}

static void a_worker_that_died_does_not_block_the_next(void **state)
{
    struct fixture *f = *state;
    ledger_close(f->ledger);
    f->ledger = NULL;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        f->ledger = sqlite_open(f, SQLITE_LEDGER_WORKER);
        if (ledger_ping(f->ledger, &f->error) == STATUS_OK) raise(SIGKILL);
        _exit(1);
    }
    int ended = 0;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFSIGNALED(ended));
    f->ledger = sqlite_open(f, SQLITE_LEDGER_WORKER);
    assert_ok(ledger_ping(f->ledger, &f->error));
}

static void another_writer_delays_and_does_no_harm(void **state)
{
    struct fixture *f = *state;
    budget_make(f, "a", 10);
    sqlite3 *other = raw_open(f);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    add(f, "m", "a", 4, 1);
    assert_status(settle_all(f), STATUS_RETRY);
    assert_non_null(strstr(f->error.text, f->path));
    assert_ok(ledger_ping(f->ledger, &f->error)); /* readers go on */
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    assert_ok(settle_all(f));
    assert_int_equal(f->batch.items[0].verdict, VERDICT_SETTLED);
    assert_int_equal(budget_get(f, "a").settled, 4);
}

static void a_trigger_refuses_or_swallows_a_row(void **state)
{
    struct fixture *f = *state;
    static const char *const triggers[] = {"ABORT, 'not\nthis one'", "FAIL, 'no'", "ROLLBACK, 'no'",
                                           "IGNORE"};
    budget_make(f, "a", 100);
    for (size_t i = 0; i < 4; i++) {
        const char *good = arena_format(&f->arena, "good-%zu", i);
        const char *sql =
            arena_format(&f->arena,
                         "CREATE TRIGGER refuse BEFORE INSERT ON deduction WHEN new.message_id = 'bad'"
                         " BEGIN SELECT RAISE(%s); END",
                         triggers[i]);
        assert_int_equal(raw_execute(f, sql), SQLITE_OK);
        batch_reset(&f->batch);
        add(f, good, "a", 1, 1);
        add(f, "bad", "a", 1, 1);
        assert_status(settle_all(f), STATUS_REFUSED);
        assert_null(strchr(f->error.text, '\n'));
        assert_ok(ledger_settle(f->ledger, &f->batch, 0, 1, &f->error));
        assert_status(ledger_settle(f->ledger, &f->batch, 1, 1, &f->error), STATUS_REFUSED);
        assert_int_equal(raw_execute(f, "DROP TRIGGER refuse"), SQLITE_OK);
    }
    assert_int_equal(budget_get(f, "a").settled, 4);
    assert_false(row_get(f, "bad").found);
}

static void a_budget_that_cannot_be_updated_books_nothing(void **state)
{
    struct fixture *f = *state;
    budget_make(f, "a", 100);
    static const char *const triggers[] = {"ABORT, 'frozen'", "IGNORE"};
    for (size_t i = 0; i < 2; i++) {
        const char *sql = arena_format(
            &f->arena, "CREATE TRIGGER freeze BEFORE UPDATE ON budget BEGIN SELECT RAISE(%s); END",
            triggers[i]);
        assert_int_equal(raw_execute(f, sql), SQLITE_OK);
        batch_reset(&f->batch);
        add(f, "m", "a", 1, 1);
        assert_status(settle_all(f), STATUS_RETRY);
        assert_false(row_get(f, "m").found);
        assert_int_equal(raw_execute(f, "DROP TRIGGER freeze"), SQLITE_OK);
    }
    assert_ok(settle_all(f));
    assert_int_equal(budget_get(f, "a").settled, 1);
}

static void a_file_that_moved_away_swallows_nothing(void **state)
{
    struct fixture *f = *state;
    budget_make(f, "a", 10);
    const char *aside = arena_format(&f->arena, "%s.aside", f->path);
    assert_int_equal(rename(f->path, aside), 0);
    add(f, "m", "a", 4, 1);
    assert_status(settle_all(f), STATUS_RETRY);
    assert_status(settle_all(f), STATUS_RETRY);
    assert_int_equal(rename(aside, f->path), 0);
    assert_ok(settle_all(f));
    assert_int_equal(f->batch.items[0].verdict, VERDICT_SETTLED);
    assert_int_equal(budget_get(f, "a").settled, 4);
}

static int64_t log_size(struct fixture *f)
{
    struct stat found;
    return stat(arena_format(&f->arena, "%s-wal", f->path), &found) == 0 ? (int64_t)found.st_size : 0;
}

/* Writes more than a tool leaves in the log, through a tool, and closes it. */
static void tool_write_much(struct fixture *f, int round)
{
    struct ledger *tool = sqlite_open(f, SQLITE_LEDGER_TOOL);
    char id[128];
    batch_reset(&f->batch);
    for (int i = 0; i < 20000; i++) {
        snprintf(id, sizeof id, "%d-%090d-%d", i * 7919 % 20000, 0, round);
        add(f, id, "a", 1, 1);
    }
    assert_ok(ledger_settle(tool, &f->batch, 0, f->batch.count, &f->error));
    assert_true(log_size(f) > 4 << 20);
    ledger_close(tool);
}

static void a_tool_leaves_the_log_to_the_worker_if_there_is_one(void **state)
{
    struct fixture *f = *state;
    budget_make(f, "a", 1000000);
    tool_write_much(f, 1);
    assert_true(log_size(f) > 4 << 20);
    ledger_close(f->ledger);
    f->ledger = NULL;
    tool_write_much(f, 2);
    assert_int_equal(log_size(f), 0);
    f->ledger = sqlite_open(f, SQLITE_LEDGER_WORKER); /* the tool let go of the lock */
    assert_int_equal(budget_get(f, "a").settled, 40000);
}

#ifdef BURSAR_FAILPOINTS
/* A child settles and dies at the failpoint. */
static void settle_and_die(struct fixture *f, const char *failpoint)
{
    ledger_close(f->ledger);
    f->ledger = NULL;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv("BURSAR_FAILPOINT", failpoint, 1);
        f->ledger = sqlite_open(f, SQLITE_LEDGER_WORKER);
        _exit((int)settle_all(f));
    }
    int ended = 0;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
    f->ledger = sqlite_open(f, SQLITE_LEDGER_WORKER);
}

static void dying_around_the_commit_books_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    budget_make(f, "a", 10);
    add(f, "m1", "a", 4, 1);
    add(f, "m2", "a", 7, 1);
    settle_and_die(f, "settle-before-commit");
    assert_false(row_get(f, "m1").found);
    assert_int_equal(budget_get(f, "a").settled, 0);
    settle_and_die(f, "settle-after-commit");
    assert_int_equal(budget_get(f, "a").settled, 4);
    assert_ok(settle_all(f));
    for (size_t i = 0; i < 2; i++) assert_int_equal(f->batch.items[i].verdict, VERDICT_DUPLICATE);
    assert_int_equal(f->batch.items[1].known.state, DEDUCTION_REJECTED);
    assert_int_equal(budget_get(f, "a").settled, 4);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_second_worker_is_refused, setup_sqlite, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_second_worker_is_refused_by_another_name, setup_sqlite,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_worker_that_died_does_not_block_the_next, setup_sqlite,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(another_writer_delays_and_does_no_harm, setup_sqlite,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_trigger_refuses_or_swallows_a_row, setup_sqlite, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_budget_that_cannot_be_updated_books_nothing, setup_sqlite,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_file_that_moved_away_swallows_nothing, setup_sqlite,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_tool_leaves_the_log_to_the_worker_if_there_is_one, setup_sqlite,
                                        fixture_teardown),
#ifdef BURSAR_FAILPOINTS
        cmocka_unit_test_setup_teardown(dying_around_the_commit_books_all_or_nothing, setup_sqlite,
                                        fixture_teardown),
#endif
    };
    return cmocka_run_group_tests_name("the ledger's file among others", tests, NULL, NULL);
}
