#include "sqlite/operations.h"

#include "sqlite/connection.h"

#include <assert.h>

enum status sqlite_rows_scan(struct ledger *port, int64_t after, struct arena *arena, struct ledger_row *rows,
                             size_t capacity, size_t *count, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    sqlite3_stmt *statement;
    *count = 0;
    enum status status = transaction_begin_read(ledger, error);
    if (status == STATUS_OK) status = statement_get(ledger, STATEMENT_ROWS_SCAN, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_number(statement, 1, after);
    statement_bind_number(statement, 2, (int64_t)capacity);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        assert(*count < capacity);
        struct text budget_id = statement_text(statement, 1);
        /* The column is never NULL, so memory ran out; a row of no budget would be a drift of its own. */
        if (!text_is_present(budget_id)) {
            code = SQLITE_NOMEM;
            break;
        }
        /* Rows of one budget come in runs. */
        bool same = *count > 0 && text_equal(rows[*count - 1].budget_id, budget_id);
        rows[*count] = (struct ledger_row){
            .sequence = sqlite3_column_int64(statement, 0),
            .budget_id = same ? rows[*count - 1].budget_id : arena_copy(arena, budget_id),
            .amount = sqlite3_column_int64(statement, 2),
            .deducted_at_us = sqlite3_column_int64(statement, 3),
            .state = (enum deduction_state)sqlite3_column_int(statement, 4),
            .refund = (enum refund_state)sqlite3_column_int(statement, 5),
        };
        (*count)++;
    }
    if (code != SQLITE_DONE) {
        *count = 0;
        return connection_fail(ledger, code, "reading the rows", error);
    }
    transaction_rollback(ledger);
    return STATUS_OK;
}

enum status sqlite_credits_list(struct ledger *port, struct text budget_id, int64_t after,
                                struct arena *arena, struct ledger_credit *credits, size_t capacity,
                                size_t *count, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    sqlite3_stmt *statement;
    *count = 0;
    enum status status = transaction_begin_read(ledger, error);
    if (status == STATUS_OK) status = statement_get(ledger, STATEMENT_CREDITS_LIST, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_text(statement, 1, budget_id);
    statement_bind_number(statement, 2, after);
    statement_bind_number(statement, 3, (int64_t)capacity);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        assert(*count < capacity);
        credits[(*count)++] = (struct ledger_credit){
            .sequence = sqlite3_column_int64(statement, 0),
            .credit_id = arena_copy(arena, statement_text(statement, 1)),
            .amount = sqlite3_column_int64(statement, 2),
            .applied = sqlite3_column_int(statement, 3) != 0,
            .created_at_us = sqlite3_column_int64(statement, 4),
        };
    }
    if (code != SQLITE_DONE) {
        *count = 0;
        return connection_fail(ledger, code, "reading a budget's credits", error);
    }
    transaction_rollback(ledger);
    return STATUS_OK;
}
