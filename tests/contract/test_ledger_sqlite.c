/* What is SQLite's alone: the tables and views, versions, paths, and files that are no ledgers. */
#include "contract/ledger_fixture.h"
#include "sqlite/statement.h"

#include <sys/stat.h>

#define DEDUCTION                                                                                            \
    "INSERT INTO deduction (message_id, budget_id, amount, deducted_at_us, state, reason, refund, "          \
    "booked_at_us) VALUES "
#define BUDGET                                                                                               \
    "INSERT INTO budget (id, total, settled, state, closed_at_us, created_at_us, updated_at_us) VALUES "
#define CREDIT  "INSERT INTO credit (budget_id, credit_id, amount, applied, created_at_us) VALUES "
#define PARKED  "INSERT INTO parked (message_id, reason, parked_at_us, state) VALUES "
#define LONG_ID "hex(zeroblob(65))" /* 130 characters */

/* Rows that the tables take, so that what follows proves something. */
static const char *const legal_rows[] = {
    DEDUCTION "('x1', 'b', 1, NULL, 0, 0, 0, 1)",
    DEDUCTION "('x2', 'b', 9007199254740991, 9007199254740991, 1, 4, 1, 1)",
    DEDUCTION "('x3', 'b', 1, 5, 2, 6, 2, 1)",
    DEDUCTION "(hex(zeroblob(64)), 'b', 1, 5, 2, 5, 1, 1)",
    BUDGET "('y1', -1, 9007199254740991, 0, 0, 1, 1)",
    BUDGET "('y2', 5, 5, 1, 7, 1, 1)",
    BUDGET "('y3', 0, 0, 2, 7, 1, 1)",
    CREDIT "('y1', 'c', -1, 0, 1)",
    CREDIT "('y2', 'c', 0, 1, 1)",
    PARKED "(NULL, 'malformed', 1, 0)",
};

static const char *const illegal_rows[] = {
    DEDUCTION "('z', 'b', 0, 5, 0, 0, 0, 1)",
    DEDUCTION "('z', 'b', -1, 5, 0, 0, 0, 1)",
    DEDUCTION "('z', 'b', 9007199254740992, 5, 0, 0, 0, 1)",
    DEDUCTION "('z', 'b', 1.5, 5, 0, 0, 0, 1)",
    DEDUCTION "('z', 'b', 'one', 5, 0, 0, 0, 1)",
    DEDUCTION "('z', 'b', NULL, 5, 0, 0, 0, 1)",
    DEDUCTION "(NULL, 'b', 1, 5, 0, 0, 0, 1)",
    DEDUCTION "('', 'b', 1, 5, 0, 0, 0, 1)",
    DEDUCTION "(" LONG_ID ", 'b', 1, 5, 0, 0, 0, 1)",
    DEDUCTION "(x'6d', 'b', 1, 5, 0, 0, 0, 1)",
    DEDUCTION "('z', '', 1, 5, 0, 0, 0, 1)",
    DEDUCTION "('z', " LONG_ID ", 1, 5, 0, 0, 0, 1)",
    DEDUCTION "('z', NULL, 1, 5, 0, 0, 0, 1)",
    DEDUCTION "('z', 'b', 1, 0, 0, 0, 0, 1)",
    DEDUCTION "('z', 'b', 1, -5, 0, 0, 0, 1)",
    DEDUCTION "('z', 'b', 1, 5, 3, 0, 0, 1)",
    DEDUCTION "('z', 'b', 1, 5, 0, 4, 0, 1)", /* settled with a reason */
    DEDUCTION "('z', 'b', 1, 5, 0, 0, 1, 1)", /* settled and refunded */
    DEDUCTION "('z', 'b', 1, 5, 0, 0, 2, 1)",
    DEDUCTION "('z', 'b', 1, 5, 1, 0, 1, 1)", /* rejected without a reason */
    DEDUCTION "('z', 'b', 1, 5, 1, 5, 1, 1)", /* rejected as an orphan */
    DEDUCTION "('z', 'b', 1, 5, 1, 4, 0, 1)", /* rejected and never refunded */
    DEDUCTION "('z', 'b', 1, 5, 1, 4, 3, 1)",
    DEDUCTION "('z', 'b', 1, 5, 2, 4, 1, 1)", /* voided as over total */
    DEDUCTION "('z', 'b', 1, 5, 2, 7, 1, 1)",
    DEDUCTION "('z', 'b', 1, 5, 2, 6, 0, 1)",
    DEDUCTION "('z', 'b', 1, 5, 0, 0, 0, NULL)",
    DEDUCTION "('x1', 'b', 1, 5, 0, 0, 0, 1)", /* a second row for an id */
    BUDGET "('', 5, 0, 0, 0, 1, 1)",
    BUDGET "('a b', 5, 0, 0, 0, 1, 1)",
    BUDGET "(" LONG_ID ", 5, 0, 0, 0, 1, 1)",
    BUDGET "('y1', 5, 0, 0, 0, 1, 1)",
    BUDGET "('z', -2, 0, 0, 0, 1, 1)",
    BUDGET "('z', 9007199254740992, 0, 0, 0, 1, 1)",
    BUDGET "('z', NULL, 0, 0, 0, 1, 1)",
    BUDGET "('z', 5, 6, 0, 0, 1, 1)", /* over total */
    BUDGET "('z', 5, -1, 0, 0, 1, 1)",
    BUDGET "('z', -1, 9007199254740992, 0, 0, 1, 1)",
    BUDGET "('z', 5, 0, 3, 0, 1, 1)",
    BUDGET "('z', 5, 0, 0, 7, 1, 1)", /* active, with a time of closing */
    BUDGET "('z', 5, 0, 1, 0, 1, 1)", /* closed, nobody knows when */
    "UPDATE budget SET settled = 6 WHERE id = 'y2'",
    "UPDATE budget SET total = 4 WHERE id = 'y2'",
    "UPDATE budget SET ext_params = 'no JSON' WHERE id = 'y2'",
    "UPDATE budget SET ext_params = '[1]' WHERE id = 'y2'",
    "DELETE FROM budget WHERE id = 'y2'", /* it has a credit */
    CREDIT "('nobody', 'c', 1, 0, 1)",
    CREDIT "('y1', 'c', 1, 0, 1)",
    CREDIT "('y1', '', 1, 0, 1)",
    CREDIT "('y1', 'd', -2, 0, 1)",
    CREDIT "('y1', 'd', 9007199254740992, 0, 1)",
    CREDIT "('y1', 'd', 1, 2, 1)",
    PARKED "('m', 'no-such-reason', 1, 0)",
    PARKED "('m', NULL, 1, 0)",
    PARKED "('m', 'malformed', 1, 3)",
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

static void the_views_have_these_columns(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(raw_text(f, COLUMNS("v_budget")),
                        "id name description total settled state ext_params created_at updated_at");
    assert_string_equal(raw_text(f, COLUMNS("v_deduction")),
                        "message_id budget_id amount user_id deducted_at_us state reason refund booked_at");
    assert_string_equal(raw_text(f, COLUMNS("v_credit")), "credit_id budget_id amount applied created_at");
    assert_string_equal(raw_text(f, COLUMNS("v_parked")), "message_id reason detail parked_at state");
}

static const char *one_text(struct fixture *f, const char *format, const char *id)
{
    const char *text = raw_text(f, arena_format(&f->arena, "SELECT coalesce((%s '%s'), 'NULL')", format, id));
    return text == NULL ? "no row" : text;
}

static void the_views_speak_the_words_of_the_program(void **state)
{
    struct fixture *f = *state;
    for (int reason = REASON_NONE; reason <= REASON_DISCARDED; reason++) {
        int word = reason == REASON_NONE      ? DEDUCTION_SETTLED
                   : reason < REASON_ORPHANED ? DEDUCTION_REJECTED
                                              : DEDUCTION_VOIDED;
        int refund = reason == REASON_NONE ? REFUND_NONE : 1 + reason % 2;
        const char *id = arena_format(&f->arena, "m%d", reason);
        const char *row =
            arena_format(&f->arena, DEDUCTION "('%s', 'b', 1, NULL, %d, %d, %d, 1767323045678901)", id, word,
                         reason, refund);
        assert_int_equal(raw_execute(f, row), SQLITE_OK);
        const char *name = deduction_reason_name((enum deduction_reason)reason);
        assert_string_equal(one_text(f, "SELECT reason FROM v_deduction WHERE message_id =", id),
                            name == NULL ? "NULL" : name);
        assert_string_equal(one_text(f, "SELECT state FROM v_deduction WHERE message_id =", id),
                            deduction_state_name((enum deduction_state)word));
        assert_string_equal(one_text(f, "SELECT refund FROM v_deduction WHERE message_id =", id),
                            refund_state_name((enum refund_state)refund));
        assert_string_equal(one_text(f, "SELECT booked_at FROM v_deduction WHERE message_id =", id),
                            "2026-01-02T03:04:05.678901Z");
        assert_string_equal(one_text(f, "SELECT deducted_at_us FROM v_deduction WHERE message_id =", id),
                            "NULL");
    }
    for (int word = BUDGET_ACTIVE; word <= BUDGET_DELETED; word++) {
        const char *id = arena_format(&f->arena, "b%d", word);
        assert_int_equal(
            raw_execute(
                f, arena_format(&f->arena, BUDGET "('%s', 5, 0, %d, %d, 1000000, 2000003)", id, word, word)),
            SQLITE_OK);
        assert_string_equal(one_text(f, "SELECT state FROM v_budget WHERE id =", id),
                            budget_state_name((enum budget_state)word));
        assert_string_equal(one_text(f, "SELECT created_at FROM v_budget WHERE id =", id),
                            "1970-01-01T00:00:01.000000Z");
        assert_string_equal(one_text(f, "SELECT updated_at FROM v_budget WHERE id =", id),
                            "1970-01-01T00:00:02.000003Z");
    }
    for (int reason = PARK_MALFORMED; reason <= PARK_UNPROCESSABLE; reason++) {
        struct parked_row row = {.reason = (enum park_reason)reason, .message_id = TEXT_LITERAL("p")};
        assert_ok(ledger_record_parked(f->ledger, &row, 1, &f->error));
        const char *name = arena_format(&f->arena, "%s", park_reason_name(row.reason));
        assert_string_equal(
            one_text(f, "SELECT state FROM v_parked WHERE message_id = 'p' AND reason =", name), "parked");
    }
    assert_int_equal(raw_execute(f, PARKED "('q1', 'malformed', 1, 1), ('q2', 'malformed', 1, 2)"),
                     SQLITE_OK);
    assert_string_equal(one_text(f, "SELECT state FROM v_parked WHERE message_id =", "q1"), "replayed");
    assert_string_equal(one_text(f, "SELECT state FROM v_parked WHERE message_id =", "q2"), "discarded");
}

static void what_came_with_a_deduction_is_kept(void **state)
{
    struct fixture *f = *state;
    struct deduction deduction = {.message_id = TEXT_LITERAL("m"),
                                  .budget_id = TEXT_LITERAL("b"),
                                  .amount = 3,
                                  .deducted_at_us = 1234567,
                                  .user_id = TEXT_LITERAL("M\xc3\xbcller"),
                                  .meta = TEXT_LITERAL("{\"a\":1}")};
    budget_make(f, "b", 5);
    batch_append(&f->batch, &deduction, NULL, TEXT_NONE);
    assert_ok(settle_all(f));
    assert_string_equal(raw_text(f, "SELECT user_id || deducted_at_us FROM v_deduction"),
                        "M\xc3\xbcller1234567");
    assert_string_equal(raw_text(f, "SELECT meta FROM deduction"), "{\"a\":1}");
    assert_string_equal(raw_text(f, "SELECT updated_at > created_at FROM v_budget"), "1");
    assert_string_equal(
        raw_text(f, "SELECT abs(julianday(booked_at) - julianday('now')) < 0.01 FROM v_deduction"), "1");
}

static void versions_are_told_apart(void **state)
{
    struct fixture *f = *state;
    const char *version = raw_text(f, "PRAGMA user_version");
    assert_string_equal(raw_text(f, "PRAGMA journal_mode"), "wal");
    assert_int_equal(raw_execute(f, "PRAGMA user_version = 99"), SQLITE_OK);
    add(f, "m", "b", 1, 1);
    assert_status(ledger_ping(f->ledger, &f->error), STATUS_CONFIG);
    assert_non_null(strstr(f->error.text, "99"));
    assert_status(settle_all(f), STATUS_CONFIG);
    assert_status(ledger_initialise(f->ledger, &f->error), STATUS_CONFIG);
    assert_int_equal(raw_execute(f, "PRAGMA user_version = 0"), SQLITE_OK);
    assert_status(settle_all(f), STATUS_RETRY);
    assert_non_null(strstr(f->error.text, "bursar init"));
    assert_int_equal(raw_execute(f, arena_format(&f->arena, "PRAGMA user_version = %s", version)), SQLITE_OK);
    assert_ok(settle_all(f));
}

static void a_migration_that_fails_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(raw_execute(f, "PRAGMA application_id = 0x42555253; CREATE TABLE parked (mine)"),
                     SQLITE_OK);
    assert_status(ledger_initialise(f->ledger, &f->error), STATUS_RETRY);
    assert_string_equal(raw_text(f, "SELECT group_concat(name) FROM sqlite_schema"), "parked");
    assert_int_equal(raw_execute(f, "DROP TABLE parked"), SQLITE_OK);
    assert_ok(ledger_initialise(f->ledger, &f->error));
    assert_ok(ledger_ping(f->ledger, &f->error));
}

static void file_write(struct fixture *f, const char *text)
{
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_file_that_is_not_bursars_is_left_alone(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(raw_execute(f, "CREATE TABLE theirs (a)"), SQLITE_OK);
    assert_status(ledger_ping(f->ledger, &f->error), STATUS_CONFIG);
    assert_status(ledger_initialise(f->ledger, &f->error), STATUS_CONFIG);
    assert_string_equal(raw_text(f, "PRAGMA journal_mode"), "delete");
    file_write(f, "This is a text of more than sixteen bytes, and no database.\n");
    assert_status(ledger_ping(f->ledger, &f->error), STATUS_CONFIG);
    assert_status(ledger_initialise(f->ledger, &f->error), STATUS_CONFIG);
    file_write(f, "");
    assert_status(ledger_ping(f->ledger, &f->error), STATUS_RETRY);
    assert_ok(ledger_initialise(f->ledger, &f->error));
}

static void paths_that_cannot_be(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {NULL, "", ":memory:", "file:x?mode=memory"};
    struct ledger *ledger = NULL;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct sqlite_ledger_options options = {.path = paths[i], .role = SQLITE_LEDGER_TOOL};
        assert_status(sqlite_ledger_open(&options, &ledger, &f->error), STATUS_CONFIG);
    }
    assert_int_equal(access(f->path, F_OK), -1);
    assert_status(ledger_ping(f->ledger, &f->error), STATUS_RETRY);
    assert_non_null(strstr(f->error.text, "bursar init"));
    assert_int_equal(access(f->path, F_OK), -1); /* only initialise makes a file */

    const char *missing = arena_format(&f->arena, "%s/none/ledger.db", f->folder);
    const char *const odd[] = {missing, f->folder};
    for (size_t i = 0; i < 2; i++) {
        struct sqlite_ledger_options options = {.path = odd[i], .role = SQLITE_LEDGER_TOOL};
        assert_ok(sqlite_ledger_open(&options, &ledger, &f->error));
        assert_status(ledger_initialise(ledger, &f->error), STATUS_CONFIG);
        ledger_close(ledger);
    }
}

static void the_file_is_not_for_everybody(void **state)
{
    struct fixture *f = *state;
    struct stat found;
    mode_t mask = umask(0);
    assert_ok(ledger_initialise(f->ledger, &f->error));
    assert_ok(ledger_lock(f->ledger, LEDGER_LOCK_RECONCILE, &f->error));
    assert_ok(ledger_lock(f->ledger, LEDGER_LOCK_DEAD_LETTERS, &f->error));
    umask(mask);
    static const char *const suffixes[] = {
        "", "-wal", "-shm", ".worker-lock", ".reconcile-lock", ".dead-letters-lock"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        const char *path = arena_format(&f->arena, "%s%s", f->path, suffixes[i]);
        assert_int_equal(stat(path, &found), 0);
        assert_int_equal(found.st_mode & 0777, 0640);
    }
}

/* Every statement that runs again and again finds its rows by an index. */
static void no_statement_scans(void **state)
{
    struct fixture *f = *state;
    sqlite3 *database = raw_open(f);
    for (int i = STATEMENT_BUDGET_READ; i < STATEMENT_STATS; i++) {
        const char *sql = arena_format(&f->arena, "EXPLAIN QUERY PLAN %s", statement_sql((enum statement)i));
        sqlite3_stmt *plan = NULL;
        assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &plan, NULL), SQLITE_OK);
        while (sqlite3_step(plan) == SQLITE_ROW) {
            const char *step = (const char *)sqlite3_column_text(plan, 3);
            if (strcmp(step, "SCAN CONSTANT ROW") == 0) continue; /* no table */
            if (strstr(step, "SCAN") != NULL || strstr(step, "TEMP B-TREE") != NULL)
                fail_msg("%s: %s", step, sql);
        }
        sqlite3_finalize(plan);
    }
    sqlite3_close(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_illegal_row_cannot_exist, setup_sqlite, fixture_teardown),
        cmocka_unit_test_setup_teardown(the_views_have_these_columns, setup_sqlite, fixture_teardown),
        cmocka_unit_test_setup_teardown(the_views_speak_the_words_of_the_program, setup_sqlite,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(what_came_with_a_deduction_is_kept, setup_sqlite, fixture_teardown),
        cmocka_unit_test_setup_teardown(versions_are_told_apart, setup_sqlite, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_migration_that_fails_leaves_nothing, setup_sqlite_empty,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_not_bursars_is_left_alone, setup_sqlite_empty,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(paths_that_cannot_be, setup_sqlite_empty, fixture_teardown),
        cmocka_unit_test_setup_teardown(the_file_is_not_for_everybody, setup_sqlite_empty, fixture_teardown),
        cmocka_unit_test_setup_teardown(no_statement_scans, setup_sqlite, fixture_teardown),
    };
    return cmocka_run_group_tests_name("the ledger's file", tests, NULL, NULL);
}
