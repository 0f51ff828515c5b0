/* SQLite on a disk that fails: the nth read, write, sync or opening of a settlement, for every n. Whatever
 * fails, nothing is booked twice, STATUS_RETRY means that nothing was written, STATUS_OK that it was, and
 * when the disk is well the ledger goes on by itself. */
#include "contract/ledger_audit_fixture.h"
#include "contract/fault_vfs.h"
#include "core/limits.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { ITEMS = 40, STEPS_MAX = 4000 };

static void batch_of(struct fixture *f, int round)
{
    char id[128];
    batch_reset(&f->batch);
    for (int i = 0; i < ITEMS; i++) {
        snprintf(id, sizeof id, "%d-%0100d-%d", i * 17 % ITEMS, 0, round);
        add(f, id, i % 2 == 0 ? "a" : "b", 1 + i % 3, 1 + i);
    }
}

/* Settles until it is done; the disk is well. Whether the first try had booked the rows. */
static bool settle_until_done(struct fixture *f)
{
    fault = (struct fault){0};
    enum status status = settle_all(f);
    if (status != STATUS_OK) status = settle_all(f); /* the first may find the connection gone */
    fixture_expect(f, status, STATUS_OK, __FILE__, __LINE__);
    return f->batch.items[0].verdict == VERDICT_DUPLICATE;
}

static void ledger_check(struct fixture *f, int64_t settled)
{
    assert_int_equal(budget_get(f, "a").settled + budget_get(f, "b").settled, settled);
    assert_string_equal(
        raw_text(f, "SELECT (SELECT sum(amount) FROM deduction) = (SELECT sum(settled) FROM budget)"), "1");
    assert_string_equal(raw_text(f, "PRAGMA integrity_check"), "ok");
}

static int64_t batch_amount(const struct fixture *f)
{
    int64_t amount = 0;
    for (size_t i = 0; i < f->batch.count; i++) amount += f->batch.items[i].deduction.amount;
    return amount;
}

/* What a failing settlement may answer, besides STATUS_OK. */
enum answer { RETRY = 1, UNKNOWN = 2, EITHER = 3 };

/* One settlement with one fault. Whether the fault came to pass. */
static bool story_with(struct fixture *f, struct fault planted, int round, enum answer allowed)
{
    if (allowed == EITHER) fixture_reopen(f);
    batch_of(f, round);
    fault = planted;
    enum status status = settle_all(f);
    int happened = fault.happened;
    bool booked = status == STATUS_OK || settle_until_done(f);
    fault = (struct fault){0};
    for (size_t i = 0; i < f->batch.count; i++) {
        enum verdict verdict = f->batch.items[i].verdict;
        assert_int_equal(verdict, booked && status != STATUS_OK ? VERDICT_DUPLICATE : VERDICT_SETTLED);
    }
    enum answer answer = status == STATUS_RETRY ? RETRY : status == STATUS_UNKNOWN ? UNKNOWN : 0;
    assert_true(status == STATUS_OK || (answer & allowed) != 0);
    if (status == STATUS_RETRY) assert_false(booked);
    if (status != STATUS_OK) assert_non_null(strstr(f->error.text, f->path));
    return happened > 0;
}

/* One call with one fault: all of its rows and all of its entries are there, or none. Whether the fault came
 * to pass. */
static bool void_with(struct fixture *f, struct fault planted, int round)
{
    struct ledger_void voids[8];
    for (int i = 0; i < 8; i++) voids[i] = orphan(arena_format(&f->arena, "%d-%d", round, i), 1 + i, 1);
    fault = planted;
    enum status status = ledger_voids_insert(f->ledger, ACTOR, voids, 8, &f->error);
    int happened = fault.happened;
    fault = (struct fault){0};
    if (status == STATUS_OK) {
        for (int i = 0; i < 8; i++) assert_true(voids[i].inserted);
        return happened > 0;
    }
    assert_true(status == STATUS_RETRY || status == STATUS_UNKNOWN);
    enum status again = ledger_voids_insert(f->ledger, ACTOR, voids, 8, &f->error);
    if (again != STATUS_OK) again = ledger_voids_insert(f->ledger, ACTOR, voids, 8, &f->error);
    fixture_expect(f, again, STATUS_OK, __FILE__, __LINE__);
    for (int i = 0; i < 8; i++) assert_int_equal(voids[i].inserted, voids[0].inserted);
    if (status == STATUS_RETRY) assert_true(voids[0].inserted);
    return happened > 0;
}

static void walk_voids(struct fixture *f, struct fault planted)
{
    int round = 0, happened = 0;
    for (bool hit = true; hit; round++) {
        assert_true(round < STEPS_MAX);
        planted.skip = round;
        if (round % 3 == 0) fixture_reopen(f);
        hit = void_with(f, planted, round);
        happened += hit;
    }
    assert_true(happened > 0);
    assert_string_equal(raw_text(f, "SELECT count(*) FROM deduction"),
                        arena_format(&f->arena, "%d", 8 * round));
    assert_string_equal(raw_text(f, "SELECT count(*) FROM intervention JOIN deduction USING (message_id)"
                                    " WHERE intervention.amount = deduction.amount"),
                        arena_format(&f->arena, "%d", 8 * round));
    assert_string_equal(raw_text(f, "SELECT count(*) FROM intervention"),
                        arena_format(&f->arena, "%d", 8 * round));
    assert_string_equal(raw_text(f, "PRAGMA integrity_check"), "ok");
}

static void a_void_and_its_entry_come_together(void **state)
{
    static const struct fault faults[] = {
        {.calls = FAULT_WRITE, .times = 1, .code = SQLITE_IOERR_WRITE, .written = true},
        {.calls = FAULT_WRITE, .times = 1, .code = SQLITE_FULL},
        {.calls = FAULT_SYNC, .times = 1, .code = SQLITE_IOERR_FSYNC, .written = true},
        {.calls = FAULT_READ | FAULT_WRITE | FAULT_SYNC, .times = 1, .code = SQLITE_IOERR}};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct fixture *f = *state;
        walk_voids(f, faults[i]);
        assert_int_equal(raw_execute(f, "DELETE FROM deduction; DELETE FROM intervention"), SQLITE_OK);
    }
}

/* With EITHER, each settlement connects anew, so that the connection's own steps fail too. */
static void walk(struct fixture *f, struct fault planted, enum answer allowed)
{
    int64_t settled = 0;
    int round = 0, happened = 0;
    budget_make(f, "a", TOTAL_UNLIMITED);
    budget_make(f, "b", 1000000);
    for (bool hit = true; hit; round++) {
        assert_true(round < STEPS_MAX);
        planted.skip = round;
        hit = story_with(f, planted, round, allowed);
        happened += hit;
        settled += batch_amount(f);
    }
    assert_true(happened > 0);
    ledger_check(f, settled);
    fixture_reopen(f);
    ledger_check(f, settled);
}

static void each_write_fails(void **state)
{
    walk(*state, (struct fault){.calls = FAULT_WRITE, .times = 1, .code = SQLITE_IOERR_WRITE}, UNKNOWN);
}

static void each_write_finds_the_disk_full(void **state)
{
    walk(*state, (struct fault){.calls = FAULT_WRITE, .times = 1, .code = SQLITE_FULL}, RETRY);
}

static void each_write_is_done_and_reported_as_failed(void **state)
{
    walk(*state,
         (struct fault){.calls = FAULT_WRITE, .times = 1, .code = SQLITE_IOERR_WRITE, .written = true},
         UNKNOWN);
}

static void each_sync_fails(void **state)
{
    walk(*state, (struct fault){.calls = FAULT_SYNC, .times = 1, .code = SQLITE_IOERR_FSYNC}, UNKNOWN);
}

static void each_sync_is_done_and_reported_as_failed(void **state)
{
    walk(*state, (struct fault){.calls = FAULT_SYNC, .times = 1, .code = SQLITE_IOERR_FSYNC, .written = true},
         UNKNOWN);
}

static void each_call_fails_from_the_connection_on(void **state)
{
    walk(*state,
         (struct fault){.calls = FAULT_READ | FAULT_WRITE | FAULT_SYNC | FAULT_TRUNCATE,
                        .times = 1,
                        .code = SQLITE_IOERR},
         EITHER);
}

static void each_opening_fails(void **state)
{
    walk(*state, (struct fault){.calls = FAULT_OPEN, .times = 1, .code = SQLITE_CANTOPEN}, EITHER);
}

static void memory_runs_out_in_each_call(void **state)
{
    walk(*state, (struct fault){.calls = FAULT_READ | FAULT_WRITE, .times = 1, .code = SQLITE_NOMEM}, EITHER);
}

static void a_full_disk_says_so_and_goes_on_when_there_is_room(void **state)
{
    struct fixture *f = *state;
    budget_make(f, "a", 1000);
    budget_make(f, "b", 1000);
    batch_of(f, 1);
    for (int i = 0; i < 3; i++) {
        fault = (struct fault){.calls = FAULT_WRITE, .times = -1, .code = SQLITE_FULL};
        assert_status(settle_all(f), STATUS_RETRY);
        assert_non_null(strstr(f->error.text, "free some space"));
        assert_ok(ledger_ping(f->ledger, &f->error));
        assert_int_equal(budget_get(f, "a").settled, 0);
    }
    fault = (struct fault){0};
    assert_ok(settle_all(f));
    assert_int_equal(f->batch.items[0].verdict, VERDICT_SETTLED);
}

/* The system's own limit instead of a pretended one. */
static void a_file_that_may_not_grow(void **state)
{
    struct fixture *f = *state;
    struct stat log;
    struct rlimit before, limit;
    budget_make(f, "a", 1000);
    budget_make(f, "b", 1000);
    assert_int_equal(stat(arena_format(&f->arena, "%s-wal", f->path), &log), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)log.st_size + 5000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    batch_of(f, 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    enum status status = settle_all(f);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_true(status == STATUS_RETRY || status == STATUS_UNKNOWN);
    assert_false(settle_until_done(f));
    ledger_check(f, batch_amount(f));
}

static int install(void **state)
{
    (void)state;
    fault_vfs_install();
    return 0;
}

/* What a killed worker had written and not synced must be on the disk before its successor takes it for
 * duplicates, also while a reader keeps the log from being moved. */
static void a_worker_connects_with_a_sync_though_a_reader_holds_the_log(void **state)
{
    struct fixture *f = *state;
    sqlite3_stmt *reading = NULL;
    budget_make(f, "a", 100);
    sqlite3 *reader = raw_open(f);
    assert_int_equal(sqlite3_exec(reader, "SELECT count(*) FROM budget", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_wal_checkpoint_v2(reader, "main", SQLITE_CHECKPOINT_FULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(reader, "SELECT * FROM budget", -1, &reading, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(reading), SQLITE_ROW);
    settle_one(f, "m", "a", 1, 1);
    fixture_reopen(f);
    enum { MANY = 1000 };
    fault = (struct fault){.calls = FAULT_SYNC, .skip = MANY, .times = 1}; /* none fails: they are counted */
    assert_ok(ledger_ping(f->ledger, &f->error));
    int syncs = MANY - fault.skip;
    fault = (struct fault){0};
    sqlite3_finalize(reading);
    sqlite3_close(reader);
    assert_in_range(syncs, 1, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_write_fails, setup_sqlite, fixture_teardown),
        cmocka_unit_test_setup_teardown(each_write_finds_the_disk_full, setup_sqlite, fixture_teardown),
        cmocka_unit_test_setup_teardown(each_write_is_done_and_reported_as_failed, setup_sqlite,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(each_sync_fails, setup_sqlite, fixture_teardown),
        cmocka_unit_test_setup_teardown(each_sync_is_done_and_reported_as_failed, setup_sqlite,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(each_call_fails_from_the_connection_on, setup_sqlite,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(each_opening_fails, setup_sqlite, fixture_teardown),
        cmocka_unit_test_setup_teardown(memory_runs_out_in_each_call, setup_sqlite, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_void_and_its_entry_come_together, setup_sqlite, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_says_so_and_goes_on_when_there_is_room, setup_sqlite,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_file_that_may_not_grow, setup_sqlite, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_worker_connects_with_a_sync_though_a_reader_holds_the_log,
                                        setup_sqlite, fixture_teardown),
    };
    return cmocka_run_group_tests_name("the ledger's file on a failing disk", tests, install, NULL);
}
