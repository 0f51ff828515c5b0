#include "sqlite/statement.h"

#include "sqlite/connection.h"

#include <assert.h>

/* NULL stands for "no token" in the table, 0 in the program. */
static const char *const statement_table[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [STATEMENT_BEGIN_READ] = "BEGIN",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_VERSION] = "PRAGMA user_version",
    [STATEMENT_BUDGET_READ] = "SELECT state, total, settled, closed_at_us FROM budget WHERE id = ?1",
    [STATEMENT_BUDGET_SETTLE] = "UPDATE budget SET settled = settled + ?2, updated_at_us = ?3 WHERE id = ?1",
    [STATEMENT_BUDGET_INSERT] =
        "INSERT INTO budget (id, name, description, ext_params, total, created_at_us, updated_at_us)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
    [STATEMENT_BUDGET_FIND] =
        "SELECT id, name, description, ext_params, total, settled, state, created_at_us, updated_at_us"
        " FROM budget WHERE id = ?1",
    [STATEMENT_BUDGETS_LIST] =
        "SELECT id, name, description, ext_params, total, settled, state, created_at_us, updated_at_us"
        " FROM budget WHERE id > ?1 ORDER BY id LIMIT ?2",
    [STATEMENT_BUDGET_RAISE] = "UPDATE budget SET total = total + ?2, updated_at_us = ?3 WHERE id = ?1",
    [STATEMENT_BUDGET_STATE] =
        "UPDATE budget SET state = ?2, closed_at_us = ?3, updated_at_us = ?4 WHERE id = ?1",
    [STATEMENT_DEDUCTION_KNOWN] =
        "SELECT budget_id, amount, state, deducted_at_us, booked_at_us, reason FROM deduction"
        " WHERE message_id = ?1",
    [STATEMENT_DEDUCTION_INSERT] = "INSERT INTO deduction (message_id, budget_id, amount, deducted_at_us, "
                                   "state, reason, refund, booked_at_us, user_id, meta)"
                                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [STATEMENT_DEDUCTION_FIND] =
        "SELECT budget_id, amount, deducted_at_us, state, reason, refund, booked_at_us, sequence"
        " FROM deduction WHERE message_id = ?1",
    [STATEMENT_CREDIT_INSERT] =
        "INSERT INTO credit (budget_id, credit_id, amount, created_at_us) VALUES (?1, ?2, ?3, ?4)",
    [STATEMENT_CREDIT_FIND] = "SELECT amount, applied FROM credit WHERE budget_id = ?1 AND credit_id = ?2",
    [STATEMENT_CREDIT_APPLIED] = "UPDATE credit SET applied = 1 WHERE budget_id = ?1 AND credit_id = ?2",
    [STATEMENT_REFUNDS_DUE] = "SELECT sequence, budget_id, message_id, amount, deducted_at_us, state"
                              " FROM deduction INDEXED BY deduction_refund_due"
                              " WHERE refund = 1 AND sequence > ?1 ORDER BY sequence LIMIT ?2",
    [STATEMENT_CREDITS_DUE] =
        "SELECT sequence, budget_id, credit_id, amount FROM credit INDEXED BY credit_due"
        " WHERE applied = 0 AND sequence > ?1 ORDER BY sequence LIMIT ?2",
    [STATEMENT_REFUND_DONE] = "UPDATE deduction SET refund = 2 WHERE message_id = ?1 AND refund = 1",
    [STATEMENT_PARKED_INSERT] =
        "INSERT INTO parked (message_id, reason, detail, parked_at_us) VALUES (?1, ?2, ?3, ?4)",
    [STATEMENT_PARKED_LOOK] =
        "SELECT EXISTS (SELECT 1 FROM parked INDEXED BY parked_of_id WHERE message_id = ?1 AND state = 0),"
        " EXISTS (SELECT 1 FROM parked INDEXED BY parked_of_id WHERE message_id = ?1 AND state = 1)"
        " OR EXISTS (SELECT 1 FROM intervention INDEXED BY intervention_replayed"
        "            WHERE message_id = ?1 AND kind IN (3, 6))",
    [STATEMENT_PARKED_SINCE] = "SELECT sequence, message_id, reason, parked_at_us FROM parked"
                               " WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
    [STATEMENT_PARKED_MARK] =
        "UPDATE parked INDEXED BY parked_waiting SET state = ?2 WHERE message_id = ?1 AND state = 0"
        " AND sequence <= ?3",
    [STATEMENT_PARKED_MARK_ONE] = "UPDATE parked SET state = ?2 WHERE sequence ="
                                  " (SELECT sequence FROM parked INDEXED BY parked_without_id"
                                  "  WHERE reason = ?1 AND state = 0 AND message_id IS NULL AND sequence <= "
                                  "?3 ORDER BY sequence LIMIT 1)",
    [STATEMENT_ROWS_SCAN] = "SELECT sequence, budget_id, amount, deducted_at_us, state, refund FROM deduction"
                            " WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
    [STATEMENT_CREDITS_LIST] =
        "SELECT sequence, credit_id, amount, applied, created_at_us FROM credit INDEXED BY credit_of_budget"
        " WHERE budget_id = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3",
    [STATEMENT_INTERVENTION_LAST] = "SELECT max(sequence) FROM intervention",
    [STATEMENT_INTERVENTION_INSERT] =
        "INSERT INTO intervention (sequence, kind, state, begun_at_us, actor, budget_id, message_id, subject,"
        " value_before, value_after, amount) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [STATEMENT_INTERVENTION_END] = "UPDATE intervention SET state = ?2 WHERE sequence = ?1",
    [STATEMENT_INTERVENTIONS_OPEN] =
        "SELECT sequence, kind, state, begun_at_us, actor, budget_id, message_id, subject, value_before,"
        " value_after, amount FROM intervention INDEXED BY intervention_begun"
        " WHERE state = 0 AND kind = ?1 ORDER BY sequence LIMIT ?2",
    [STATEMENT_RUN_INSERT] =
        "INSERT INTO reconcile_run (started_at_us, finished_at_us, actor, repair, complete, clean, budgets,"
        " left_drift, missing_key, uncleared, refund_due, credit_due, orphan, ledger_behind, untracked,"
        " mended) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    [STATEMENT_RUNS_FORGET] = "DELETE FROM reconcile_run WHERE sequence < ?1",
    [STATEMENT_RUN_LAST] =
        "SELECT started_at_us, finished_at_us, actor, repair, complete, clean, budgets, left_drift,"
        " missing_key, uncleared, refund_due, credit_due, orphan, ledger_behind, untracked, mended,"
        " (SELECT finished_at_us FROM reconcile_run WHERE sequence > 0 AND complete = 1 ORDER BY sequence "
        "DESC LIMIT 1)"
        " FROM reconcile_run WHERE sequence > 0 ORDER BY sequence DESC LIMIT 1",
    [STATEMENT_SIGHT_READ] =
        "SELECT server, credited, deducted, settled, released FROM sight WHERE budget_id = ?1",
    [STATEMENT_SIGHT_RECORD] =
        "INSERT INTO sight (budget_id, server, credited, deducted, settled, released, seen_at_us)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (budget_id) DO UPDATE SET"
        " server = excluded.server, credited = excluded.credited, deducted = excluded.deducted,"
        " settled = excluded.settled, released = excluded.released, seen_at_us = excluded.seen_at_us",
    [STATEMENT_STATS] = "SELECT (SELECT count(*) FROM budget),"
                        " (SELECT count(*) FROM deduction INDEXED BY deduction_refund_due WHERE refund = 1),"
                        " (SELECT count(*) FROM credit INDEXED BY credit_due WHERE applied = 0),"
                        " (SELECT count(*) FROM parked INDEXED BY parked_waiting WHERE state = 0),"
                        " (SELECT deducted_at_us FROM"
                        "   (SELECT deducted_at_us FROM deduction ORDER BY sequence DESC LIMIT 1000)"
                        "   WHERE deducted_at_us IS NOT NULL LIMIT 1),"
                        " (SELECT max(sequence) FROM parked)",
};

const char *statement_sql(enum statement statement)
{
    assert(statement < STATEMENT_COUNT);
    return statement_table[statement];
}

enum status statement_get(struct sqlite_ledger *ledger, enum statement statement, sqlite3_stmt **prepared,
                          struct error *error)
{
    assert(ledger->database != NULL);
    sqlite3_stmt **cached = &ledger->statements[statement];
    if (*cached == NULL) {
        int code = sqlite3_prepare_v3(ledger->database, statement_sql(statement), -1,
                                      SQLITE_PREPARE_PERSISTENT, cached, NULL);
        if (code != SQLITE_OK) return connection_fail(ledger, code, "preparing a statement", error);
    }
    sqlite3_reset(*cached); /* repeats the code of the step before, which was dealt with then */
    *prepared = *cached;
    return STATUS_OK;
}

int statement_run(sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    assert(code != SQLITE_ROW);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

void statement_bind_text(sqlite3_stmt *statement, int parameter, struct text text)
{
    assert(text.size <= INT32_MAX);
    int code = sqlite3_bind_text(statement, parameter, text.data, (int)text.size, SQLITE_STATIC);
    assert(code == SQLITE_OK);
}

void statement_bind_number(sqlite3_stmt *statement, int parameter, int64_t number)
{
    int code = sqlite3_bind_int64(statement, parameter, number);
    assert(code == SQLITE_OK);
}

void statement_bind_number_or_null(sqlite3_stmt *statement, int parameter, int64_t number)
{
    int code = number == 0 ? sqlite3_bind_null(statement, parameter)
                           : sqlite3_bind_int64(statement, parameter, number);
    assert(code == SQLITE_OK);
}

struct text statement_text(sqlite3_stmt *statement, int column)
{
    const char *data = (const char *)sqlite3_column_text(statement, column);
    return (struct text){data, data == NULL ? 0 : (size_t)sqlite3_column_bytes(statement, column)};
}
