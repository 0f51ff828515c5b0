/* One connection to the database file: opening and closing it, transactions, prepared statements, and what
 * its errors mean. */
#ifndef BURSAR_SQLITE_CONNECTION_H
#define BURSAR_SQLITE_CONNECTION_H

#include "sqlite/lock_file.h"
#include "sqlite/sqlite_ledger.h"
#include "sqlite/statement.h"

#include <sqlite3.h>

struct sqlite_ledger {
    struct ledger base; /* first, so that a ledger of the port is one of these */
    char *path;
    enum sqlite_ledger_role role;
    int busy_timeout_ms;
    struct lock_file locks[LOCK_KIND_COUNT]; /* the role WORKER holds the worker's once it connected; they
                                                outlive a connection */
    sqlite3 *database;                       /* NULL: not connected */
    sqlite3_stmt *statements[STATEMENT_COUNT];
    /* of settle: the budgets that a range uses */
    uint32_t *range_budgets;
    bool *range_budget_seen;
    size_t range_budget_count;
    size_t range_budget_capacity;
};

static inline struct sqlite_ledger *sqlite_ledger_of(struct ledger *ledger)
{
    return (struct sqlite_ledger *)ledger;
}

/* Connects unless that is done, and finds out whether the file is still where it was. `create`: makes a file
 * that does not exist. STATUS_RETRY: there is no ledger yet, or the file cannot be read now. STATUS_CONFIG:
 * it is not Bursar's, or another worker has it. */
MUST_CHECK enum status connection_open(struct sqlite_ledger *ledger, bool create, struct error *error);

/* Frees the statements and closes; harmless when not connected. The locks stay. */
void connection_close(struct sqlite_ledger *ledger);

/* Syncs the write-ahead log, and moves it into the file as far as nobody reads it. Only for the holder of the
 * worker's lock. STATUS_RETRY: the disk failed. */
MUST_CHECK enum status connection_move_log(struct sqlite_ledger *ledger, struct error *error);

/* Connects if need be and begins; the schema is then known to be this version's. Write transactions lock at
 * once. */
MUST_CHECK enum status transaction_begin_write(struct sqlite_ledger *ledger, struct error *error);
MUST_CHECK enum status transaction_begin_read(struct sqlite_ledger *ledger, struct error *error);

/* Commits durably. STATUS_RETRY: nothing is written. STATUS_UNKNOWN: it may be; the connection is closed. */
MUST_CHECK enum status transaction_commit(struct sqlite_ledger *ledger, struct error *error);

/* Ends the transaction without effect, if there is one. */
void transaction_rollback(struct sqlite_ledger *ledger);

/* Runs SQL that is no prepared statement. Returns SQLite's code. */
int connection_execute(struct sqlite_ledger *ledger, const char *sql);

/* For a failed SQLite call: says what failed while `doing`, and what to do about it; rolls back; closes the
 * connection where the next call needs a new one. Returns STATUS_RETRY. */
enum status connection_fail(struct sqlite_ledger *ledger, int code, const char *doing, struct error *error);

/* As connection_fail, but STATUS_REFUSED where the row itself was refused: a constraint, a trigger, its size.
 */
enum status connection_fail_row(struct sqlite_ledger *ledger, int code, const char *doing,
                                struct error *error);

#endif
