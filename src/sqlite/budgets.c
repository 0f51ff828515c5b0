#include "sqlite/operations.h"

#include "base/instant.h"
#include "core/limits.h"
#include "sqlite/connection.h"

/* What budget_credit must know of a budget. */
struct budget_row {
    bool found;
    enum budget_state state;
    int64_t total;
};

static enum status budget_read(struct sqlite_ledger *ledger, struct text budget_id, struct budget_row *row,
                               struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_BUDGET_READ, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_text(statement, 1, budget_id);
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return connection_fail(ledger, code, "reading a budget", error);
    *row = (struct budget_row){.found = code == SQLITE_ROW};
    if (row->found) {
        row->state = (enum budget_state)sqlite3_column_int(statement, 0);
        row->total = sqlite3_column_int64(statement, 1);
    }
    sqlite3_reset(statement);
    return STATUS_OK;
}

/* Rolls back and says why the budget cannot take this. */
static enum status budget_refuse(struct sqlite_ledger *ledger, struct text budget_id, const char *why,
                                 struct error *error)
{
    transaction_rollback(ledger);
    return error_set(error, STATUS_REFUSED, "ledger %s: budget " TEXT_FORMAT " %s", ledger->path,
                     TEXT_ARGUMENTS(budget_id), why);
}

static enum status credit_insert(struct sqlite_ledger *ledger, struct text budget_id, struct text credit_id,
                                 int64_t amount, int64_t now_us, struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_CREDIT_INSERT, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_text(statement, 1, budget_id);
    statement_bind_text(statement, 2, credit_id);
    statement_bind_number(statement, 3, amount);
    statement_bind_number(statement, 4, now_us);
    int code = statement_run(statement);
    return code == SQLITE_OK ? STATUS_OK : connection_fail_row(ledger, code, "booking a credit", error);
}

static enum status budget_insert(struct sqlite_ledger *ledger, const struct ledger_budget *budget,
                                 int64_t now_us, struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_BUDGET_INSERT, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_text(statement, 1, budget->id);
    statement_bind_text(statement, 2, budget->name);
    statement_bind_text(statement, 3, budget->description);
    statement_bind_text(statement, 4, budget->ext_params);
    statement_bind_number(statement, 5, budget->total);
    statement_bind_number(statement, 6, now_us);
    int code = statement_run(statement);
    return code == SQLITE_OK ? STATUS_OK : connection_fail_row(ledger, code, "booking a budget", error);
}

enum status sqlite_budget_create(struct ledger *port, const struct ledger_budget *budget,
                                 struct text credit_id, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    struct budget_row row;
    int64_t now_us = instant_wall_us();
    enum status status = transaction_begin_write(ledger, error);
    if (status == STATUS_OK) status = budget_read(ledger, budget->id, &row, error);
    if (status != STATUS_OK) return status;
    if (row.found) return budget_refuse(ledger, budget->id, "exists already", error);
    status = budget_insert(ledger, budget, now_us, error);
    if (status == STATUS_OK)
        status = credit_insert(ledger, budget->id, credit_id, budget->total, now_us, error);
    return status == STATUS_OK ? transaction_commit(ledger, error) : status;
}

/* Whether the credit is booked, with which amount, and whether Redis has it. */
static enum status credit_find(struct sqlite_ledger *ledger, struct text budget_id, struct text credit_id,
                               bool *found, int64_t *amount, bool *applied, struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_CREDIT_FIND, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_text(statement, 1, budget_id);
    statement_bind_text(statement, 2, credit_id);
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return connection_fail(ledger, code, "reading a credit", error);
    *found = code == SQLITE_ROW;
    *amount = *found ? sqlite3_column_int64(statement, 0) : 0;
    *applied = *found && sqlite3_column_int(statement, 1) != 0;
    sqlite3_reset(statement);
    return STATUS_OK;
}

static enum status budget_raise(struct sqlite_ledger *ledger, struct text budget_id, int64_t amount,
                                int64_t now_us, struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_BUDGET_RAISE, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_text(statement, 1, budget_id);
    statement_bind_number(statement, 2, amount);
    statement_bind_number(statement, 3, now_us);
    int code = statement_run(statement);
    return code == SQLITE_OK ? STATUS_OK : connection_fail_row(ledger, code, "raising a total", error);
}

/* Why a credit that is not booked yet cannot be; NULL: it can. */
static const char *credit_objection(const struct budget_row *budget, int64_t amount)
{
    int64_t total;
    if (!budget->found) return "does not exist";
    if (budget->state == BUDGET_DELETED) return "is deleted";
    if (budget->total == TOTAL_UNLIMITED) return "is unlimited";
    if (amount < 1 || amount > AMOUNT_MAX) return "takes credits of 1 to 9007199254740991";
    if (__builtin_add_overflow(budget->total, amount, &total) || total > AMOUNT_MAX)
        return "would have a total beyond 9007199254740991";
    return NULL;
}

enum status sqlite_budget_credit(struct ledger *port, struct text budget_id, struct text credit_id,
                                 int64_t amount, bool *applied, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    struct budget_row budget;
    int64_t now_us = instant_wall_us(), booked = 0;
    bool found = false;
    enum status status = transaction_begin_write(ledger, error);
    if (status == STATUS_OK) status = budget_read(ledger, budget_id, &budget, error);
    if (status == STATUS_OK)
        status = credit_find(ledger, budget_id, credit_id, &found, &booked, applied, error);
    if (status != STATUS_OK) return status;
    if (found) {
        if (booked != amount)
            return budget_refuse(ledger, budget_id, "has this credit id with another amount", error);
        transaction_rollback(ledger);
        return STATUS_OK;
    }
    const char *objection = credit_objection(&budget, amount);
    if (objection != NULL) return budget_refuse(ledger, budget_id, objection, error);
    status = credit_insert(ledger, budget_id, credit_id, amount, now_us, error);
    if (status == STATUS_OK) status = budget_raise(ledger, budget_id, amount, now_us, error);
    return status == STATUS_OK ? transaction_commit(ledger, error) : status;
}

enum status sqlite_budget_state_set(struct ledger *port, struct text budget_id, enum budget_state state,
                                    int64_t closed_at_us, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    sqlite3_stmt *statement;
    enum status status = transaction_begin_write(ledger, error);
    if (status == STATUS_OK) status = statement_get(ledger, STATEMENT_BUDGET_STATE, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_text(statement, 1, budget_id);
    statement_bind_number(statement, 2, state);
    statement_bind_number(statement, 3, closed_at_us);
    statement_bind_number(statement, 4, instant_wall_us());
    int code = statement_run(statement);
    if (code != SQLITE_OK) return connection_fail_row(ledger, code, "setting a budget's state", error);
    if (sqlite3_changes(ledger->database) == 0)
        return budget_refuse(ledger, budget_id, "does not exist", error);
    return transaction_commit(ledger, error);
}
