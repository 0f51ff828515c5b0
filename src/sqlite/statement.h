/* The prepared statements of a connection: the whole of the SQL that runs again and again. */
#ifndef BURSAR_SQLITE_STATEMENT_H
#define BURSAR_SQLITE_STATEMENT_H

#include "base/status.h"
#include "base/text.h"

#include <sqlite3.h>
#include <stdint.h>

enum statement {
    STATEMENT_BEGIN_WRITE,
    STATEMENT_BEGIN_READ,
    STATEMENT_COMMIT,
    STATEMENT_VERSION,
    STATEMENT_BUDGET_READ,
    STATEMENT_BUDGET_SETTLE,
    STATEMENT_BUDGET_INSERT,
    STATEMENT_BUDGET_FIND,
    STATEMENT_BUDGETS_LIST,
    STATEMENT_BUDGET_RAISE,
    STATEMENT_BUDGET_STATE,
    STATEMENT_DEDUCTION_KNOWN,
    STATEMENT_DEDUCTION_INSERT,
    STATEMENT_DEDUCTION_FIND,
    STATEMENT_CREDIT_INSERT,
    STATEMENT_CREDIT_FIND,
    STATEMENT_CREDIT_APPLIED,
    STATEMENT_REFUNDS_DUE,
    STATEMENT_CREDITS_DUE,
    STATEMENT_REFUND_DONE,
    STATEMENT_PARKED_INSERT,
    STATEMENT_PARKED_LOOK,
    STATEMENT_PARKED_SINCE,
    STATEMENT_PARKED_MARK,
    STATEMENT_PARKED_MARK_ONE,
    STATEMENT_ROWS_SCAN,
    STATEMENT_CREDITS_LIST,
    STATEMENT_INTERVENTION_LAST,
    STATEMENT_INTERVENTION_INSERT,
    STATEMENT_INTERVENTION_END,
    STATEMENT_INTERVENTIONS_OPEN,
    STATEMENT_RUN_INSERT,
    STATEMENT_RUNS_FORGET,
    STATEMENT_RUN_LAST,
    STATEMENT_SIGHT_READ,
    STATEMENT_SIGHT_RECORD,
    STATEMENT_STATS,
    STATEMENT_COUNT,
};

/* Static storage. */
const char *statement_sql(enum statement statement);

struct sqlite_ledger;

/* The statement, reset and ready to bind; prepared at its first use on a connection. On failure the
 * transaction is rolled back. */
MUST_CHECK enum status statement_get(struct sqlite_ledger *ledger, enum statement statement,
                                     sqlite3_stmt **prepared, struct error *error);

/* Steps a statement that returns no row, and resets it. SQLITE_OK, or SQLite's extended code. */
int statement_run(sqlite3_stmt *statement);

/* Binding borrows the text until the statement is reset. An absent text, or a number bound with _or_null that
 * is 0, is NULL. */
void statement_bind_text(sqlite3_stmt *statement, int parameter, struct text text);
void statement_bind_number(sqlite3_stmt *statement, int parameter, int64_t number);
void statement_bind_number_or_null(sqlite3_stmt *statement, int parameter, int64_t number);

/* The column's text, valid until the next step; absent for NULL. */
struct text statement_text(sqlite3_stmt *statement, int column);

#endif
