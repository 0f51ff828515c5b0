#include "sqlite/operations.h"

#include "sqlite/connection.h"

#include <assert.h>

static enum status refunds_fetch(struct sqlite_ledger *ledger, int64_t after, struct arena *arena,
                                 struct debt *debts, size_t capacity, size_t *count, struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_REFUNDS_DUE, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_number(statement, 1, after);
    statement_bind_number(statement, 2, (int64_t)capacity);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        assert(*count < capacity);
        debts[(*count)++] = (struct debt){
            .kind = DEBT_REFUND,
            .sequence = sqlite3_column_int64(statement, 0),
            .budget_id = arena_copy(arena, statement_text(statement, 1)),
            .id = arena_copy(arena, statement_text(statement, 2)),
            .amount = sqlite3_column_int64(statement, 3),
            .deducted_at_us = sqlite3_column_int64(statement, 4),
            .outcome = (enum deduction_state)sqlite3_column_int(statement, 5),
        };
    }
    return code == SQLITE_DONE ? STATUS_OK : connection_fail(ledger, code, "reading refunds due", error);
}

static enum status credits_fetch(struct sqlite_ledger *ledger, int64_t after, struct arena *arena,
                                 struct debt *debts, size_t capacity, size_t *count, struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_CREDITS_DUE, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_number(statement, 1, after);
    statement_bind_number(statement, 2, (int64_t)(capacity - *count));
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        assert(*count < capacity);
        debts[(*count)++] = (struct debt){
            .kind = DEBT_CREDIT,
            .sequence = sqlite3_column_int64(statement, 0),
            .budget_id = arena_copy(arena, statement_text(statement, 1)),
            .id = arena_copy(arena, statement_text(statement, 2)),
            .amount = sqlite3_column_int64(statement, 3),
        };
    }
    return code == SQLITE_DONE ? STATUS_OK
                               : connection_fail(ledger, code, "reading credits not applied", error);
}

enum status sqlite_debts_fetch(struct ledger *port, struct debt_cursor *cursor, struct arena *arena,
                               struct debt *debts, size_t capacity, size_t *count, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    *count = 0;
    enum status status = transaction_begin_read(ledger, error);
    if (status == STATUS_OK) {
        status = refunds_fetch(ledger, cursor->refund_sequence, arena, debts, capacity, count, error);
    }
    if (status == STATUS_OK) {
        status = credits_fetch(ledger, cursor->credit_sequence, arena, debts, capacity, count, error);
    }
    if (status != STATUS_OK) {
        *count = 0;
        return status;
    }
    transaction_rollback(ledger);
    for (size_t i = 0; i < *count; i++) {
        int64_t *sequence =
            debts[i].kind == DEBT_REFUND ? &cursor->refund_sequence : &cursor->credit_sequence;
        *sequence = debts[i].sequence;
    }
    return STATUS_OK;
}

/* Adds to *changed how many rows it changed. */
static enum status credit_applied(struct sqlite_ledger *ledger, struct text budget_id, struct text credit_id,
                                  int *changed, struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_CREDIT_APPLIED, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_text(statement, 1, budget_id);
    statement_bind_text(statement, 2, credit_id);
    int code = statement_run(statement);
    if (code != SQLITE_OK) return connection_fail_row(ledger, code, "marking a credit", error);
    *changed += sqlite3_changes(ledger->database);
    return STATUS_OK;
}

static enum status refund_done(struct sqlite_ledger *ledger, struct text message_id, struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_REFUND_DONE, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_text(statement, 1, message_id);
    int code = statement_run(statement);
    return code == SQLITE_OK ? STATUS_OK : connection_fail_row(ledger, code, "marking a refund", error);
}

enum status sqlite_debts_mark(struct ledger *port, const struct debt *debts, size_t count,
                              struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    int changed = 0;
    enum status status = transaction_begin_write(ledger, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (!debts[i].paid) continue;
        status = debts[i].kind == DEBT_REFUND
                     ? refund_done(ledger, debts[i].id, error)
                     : credit_applied(ledger, debts[i].budget_id, debts[i].id, &changed, error);
    }
    return status == STATUS_OK ? transaction_commit(ledger, error) : status;
}

enum status sqlite_credit_mark(struct ledger *port, struct text budget_id, struct text credit_id,
                               struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    int changed = 0;
    enum status status = transaction_begin_write(ledger, error);
    if (status == STATUS_OK) status = credit_applied(ledger, budget_id, credit_id, &changed, error);
    if (status != STATUS_OK) return status;
    if (changed == 1) return transaction_commit(ledger, error);
    transaction_rollback(ledger);
    return error_set(error, STATUS_REFUSED, "ledger %s: budget " TEXT_FORMAT " has no credit " TEXT_FORMAT,
                     ledger->path, TEXT_ARGUMENTS(budget_id), TEXT_ARGUMENTS(credit_id));
}
