/* What the tests of ledgers share: a folder of their own, one ledger, one batch, and short words for common
 * steps. */
#ifndef BURSAR_TESTS_LEDGER_FIXTURE_H
#define BURSAR_TESTS_LEDGER_FIXTURE_H

#include "base/memory.h"
#include "fake/fake_ledger.h"
#include "sqlite/sqlite_ledger.h"

#include <ftw.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_ok(call)             fixture_expect(f, (call), STATUS_OK, __FILE__, __LINE__)
#define assert_status(call, wanted) fixture_expect(f, (call), (wanted), __FILE__, __LINE__)

struct fixture {
    struct fake_ledger_store *store; /* the fake's disk; NULL: the ledger is SQLite's */
    char folder[64];
    char path[96];
    struct ledger *ledger;
    struct batch batch;
    struct arena arena;
    struct error error;
};

static inline void fixture_expect(struct fixture *f, enum status status, enum status wanted, const char *file,
                                  int line)
{
    if (status == wanted) return;
    print_error("%s instead of %s: %s\n", status_name(status), status_name(wanted),
                status == STATUS_OK ? "" : f->error.text);
    _fail(file, line);
}

static inline struct ledger *sqlite_open(struct fixture *f, enum sqlite_ledger_role role)
{
    struct ledger *ledger = NULL;
    struct sqlite_ledger_options options = {.path = f->path, .role = role, .busy_timeout_ms = 20};
    assert_ok(sqlite_ledger_open(&options, &ledger, &f->error));
    return ledger;
}

/* Opens a file that need not be a ledger, past the adapter. The caller closes. */
static inline sqlite3 *raw_open(struct fixture *f)
{
    sqlite3 *database = NULL;
    assert_int_equal(sqlite3_open(f->path, &database), SQLITE_OK);
    sqlite3_extended_result_codes(database, 1);
    sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
    return database;
}

/* Runs SQL past the adapter; returns SQLite's code. */
static inline int raw_execute(struct fixture *f, const char *sql)
{
    sqlite3 *database = raw_open(f);
    int code = sqlite3_exec(database, "PRAGMA foreign_keys = ON", NULL, NULL, NULL);
    if (code == SQLITE_OK) code = sqlite3_exec(database, sql, NULL, NULL, NULL);
    sqlite3_close(database);
    return code;
}

/* The first column of the first row, as text in the arena; NULL for NULL or no row. */
static inline const char *raw_text(struct fixture *f, const char *sql)
{
    sqlite3 *database = raw_open(f);
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
    const char *text = NULL;
    if (sqlite3_step(statement) == SQLITE_ROW) text = (const char *)sqlite3_column_text(statement, 0);
    struct text copy = arena_copy(&f->arena, text_of(text));
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return copy.data;
}

static inline void fixture_reopen(struct fixture *f)
{
    ledger_close(f->ledger);
    f->ledger = f->store != NULL ? fake_ledger_open(f->store) : sqlite_open(f, SQLITE_LEDGER_WORKER);
}

static inline void folder_make(struct fixture *f)
{
    snprintf(f->folder, sizeof f->folder, "/tmp/bursar-ledger-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/ledger.db", f->folder);
}

static inline int folder_remove_entry(const char *path, const struct stat *found, int kind, struct FTW *walk)
{
    (void)found, (void)kind, (void)walk;
    return remove(path);
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    ledger_close(f->ledger);
    fake_ledger_store_free(f->store);
    if (f->folder[0] != '\0') nftw(f->folder, folder_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    batch_free(&f->batch);
    arena_free(&f->arena);
    free(f);
    return 0;
}

/* A ledger without tables. */
static inline struct fixture *fixture_new(bool fake)
{
    struct fixture *f = memory_alloc_zero(1, sizeof *f);
    batch_init(&f->batch, 16);
    if (fake) {
        f->store = fake_ledger_store_new();
        fake_ledger_clock_set(f->store, INT64_C(1767323045678901));
    } else {
        folder_make(f);
    }
    fixture_reopen(f);
    return f;
}

static inline int setup_fake_empty(void **state)
{
    *state = fixture_new(true);
    return 0;
}

static inline int setup_sqlite_empty(void **state)
{
    *state = fixture_new(false);
    return 0;
}

static inline int setup_fake(void **state)
{
    struct fixture *f = *state = fixture_new(true);
    assert_ok(ledger_initialise(f->ledger, &f->error));
    return 0;
}

static inline int setup_sqlite(void **state)
{
    struct fixture *f = *state = fixture_new(false);
    assert_ok(ledger_initialise(f->ledger, &f->error));
    return 0;
}

static inline void budget_make(struct fixture *f, const char *id, int64_t total)
{
    struct ledger_budget budget = {.id = text_of(id), .total = total};
    assert_ok(ledger_budget_create(f->ledger, &budget, TEXT_LITERAL("first"), &f->error));
}

static inline struct ledger_budget budget_get(struct fixture *f, const char *id)
{
    struct ledger_budget budget = {.total = 0};
    bool found = false;
    assert_ok(ledger_budget_find(f->ledger, text_of(id), &f->arena, &budget, &found, &f->error));
    assert_true(found);
    return budget;
}

static inline void add(struct fixture *f, const char *message_id, const char *budget_id, int64_t amount,
                       int64_t deducted_at_us)
{
    struct deduction deduction = {
        .message_id = arena_copy(&f->batch.arena, text_of(message_id)),
        .budget_id = arena_copy(&f->batch.arena, text_of(budget_id)),
        .amount = amount,
        .deducted_at_us = deducted_at_us,
    };
    batch_append(&f->batch, &deduction, NULL, TEXT_NONE);
}

static inline enum status settle_all(struct fixture *f)
{
    return ledger_settle(f->ledger, &f->batch, 0, f->batch.count, &f->error);
}

/* Settles one deduction in a batch of its own and returns its item. */
static inline const struct batch_item *settle_one(struct fixture *f, const char *message_id,
                                                  const char *budget_id, int64_t amount,
                                                  int64_t deducted_at_us)
{
    batch_reset(&f->batch);
    add(f, message_id, budget_id, amount, deducted_at_us);
    assert_ok(settle_all(f));
    return &f->batch.items[0];
}

static inline struct ledger_deduction row_get(struct fixture *f, const char *message_id)
{
    struct text id = text_of(message_id);
    struct ledger_deduction row = {.found = false};
    assert_ok(ledger_deductions_find(f->ledger, &id, 1, &f->arena, &row, &f->error));
    return row;
}

#endif
