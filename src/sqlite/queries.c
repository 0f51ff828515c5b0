#include "sqlite/operations.h"

#include "sqlite/connection.h"

#include <assert.h>

static struct ledger_budget budget_of_row(sqlite3_stmt *statement, struct arena *arena)
{
    return (struct ledger_budget){
        .id = arena_copy(arena, statement_text(statement, 0)),
        .name = arena_copy(arena, statement_text(statement, 1)),
        .description = arena_copy(arena, statement_text(statement, 2)),
        .ext_params = arena_copy(arena, statement_text(statement, 3)),
        .total = sqlite3_column_int64(statement, 4),
        .settled = sqlite3_column_int64(statement, 5),
        .state = (enum budget_state)sqlite3_column_int(statement, 6),
        .created_at_us = sqlite3_column_int64(statement, 7),
        .updated_at_us = sqlite3_column_int64(statement, 8),
    };
}

enum status sqlite_budget_find(struct ledger *port, struct text budget_id, struct arena *arena,
                               struct ledger_budget *budget, bool *found, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    sqlite3_stmt *statement;
    enum status status = transaction_begin_read(ledger, error);
    if (status == STATUS_OK) status = statement_get(ledger, STATEMENT_BUDGET_FIND, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_text(statement, 1, budget_id);
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return connection_fail(ledger, code, "reading a budget", error);
    *found = code == SQLITE_ROW;
    if (*found) *budget = budget_of_row(statement, arena);
    transaction_rollback(ledger);
    return STATUS_OK;
}

enum status sqlite_budgets_list(struct ledger *port, struct text after_id, struct arena *arena,
                                struct ledger_budget *budgets, size_t capacity, size_t *count,
                                struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    sqlite3_stmt *statement;
    *count = 0;
    enum status status = transaction_begin_read(ledger, error);
    if (status == STATUS_OK) status = statement_get(ledger, STATEMENT_BUDGETS_LIST, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_text(statement, 1, text_is_present(after_id) ? after_id : TEXT_LITERAL(""));
    statement_bind_number(statement, 2, (int64_t)capacity);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        assert(*count < capacity);
        budgets[(*count)++] = budget_of_row(statement, arena);
    }
    if (code != SQLITE_DONE) {
        *count = 0;
        return connection_fail(ledger, code, "listing budgets", error);
    }
    transaction_rollback(ledger);
    return STATUS_OK;
}

enum status sqlite_deductions_find(struct ledger *port, const struct text *message_ids, size_t count,
                                   struct arena *arena, struct ledger_deduction *rows, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    sqlite3_stmt *statement;
    enum status status = transaction_begin_read(ledger, error);
    if (status == STATUS_OK) status = statement_get(ledger, STATEMENT_DEDUCTION_FIND, &statement, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        rows[i] = (struct ledger_deduction){.found = false};
        statement_bind_text(statement, 1, message_ids[i]);
        int code = sqlite3_step(statement);
        if (code == SQLITE_ROW) {
            rows[i] = (struct ledger_deduction){
                .found = true,
                .sequence = sqlite3_column_int64(statement, 7),
                .budget_id = arena_copy(arena, statement_text(statement, 0)),
                .amount = sqlite3_column_int64(statement, 1),
                .deducted_at_us = sqlite3_column_int64(statement, 2),
                .booked_at_us = sqlite3_column_int64(statement, 6),
                .state = (enum deduction_state)sqlite3_column_int(statement, 3),
                .reason = (enum deduction_reason)sqlite3_column_int(statement, 4),
                .refund = (enum refund_state)sqlite3_column_int(statement, 5),
            };
        } else if (code != SQLITE_DONE) {
            return connection_fail(ledger, code, "looking message ids up", error);
        }
        sqlite3_reset(statement);
    }
    transaction_rollback(ledger);
    return STATUS_OK;
}

enum status sqlite_stats(struct ledger *port, struct ledger_stats *stats, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    sqlite3_stmt *statement;
    enum status status = transaction_begin_read(ledger, error);
    if (status == STATUS_OK) status = statement_get(ledger, STATEMENT_STATS, &statement, error);
    if (status != STATUS_OK) return status;
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW) return connection_fail(ledger, code, "counting", error);
    *stats = (struct ledger_stats){
        .budgets = sqlite3_column_int64(statement, 0),
        .refunds_due = sqlite3_column_int64(statement, 1),
        .credits_due = sqlite3_column_int64(statement, 2),
        .parked = sqlite3_column_int64(statement, 3),
        .last_deducted_at_us = sqlite3_column_int64(statement, 4),
        .last_parked_sequence = sqlite3_column_int64(statement, 5),
    };
    transaction_rollback(ledger);
    return STATUS_OK;
}
