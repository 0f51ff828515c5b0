#include "sqlite/operations.h"

#include "base/instant.h"
#include "sqlite/connection.h"

/* Older runs that are kept beside the last one. */
#define OLDER_RUNS_KEPT 1000

_Static_assert(FINDING_KIND_COUNT == 8, "a kind of finding is a column of reconcile_run: needs a migration");

static enum status run_insert(struct sqlite_ledger *ledger, const struct reconcile_run *run,
                              struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_RUN_INSERT, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_number(statement, 1, run->started_at_us);
    statement_bind_number(statement, 2, run->finished_at_us);
    statement_bind_text(statement, 3, run->actor);
    statement_bind_number(statement, 4, run->repair);
    statement_bind_number(statement, 5, run->complete);
    statement_bind_number(statement, 6, run->clean);
    statement_bind_number(statement, 7, run->budgets);
    for (int i = 0; i < FINDING_KIND_COUNT; i++) statement_bind_number(statement, 8 + i, run->found[i]);
    statement_bind_number(statement, 8 + FINDING_KIND_COUNT, run->mended);
    int code = statement_run(statement);
    return code == SQLITE_OK ? STATUS_OK : connection_fail_row(ledger, code, "recording a run", error);
}

enum status sqlite_run_record(struct ledger *port, const struct reconcile_run *run, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    sqlite3_stmt *statement;
    enum status status = transaction_begin_write(ledger, error);
    if (status == STATUS_OK) status = run_insert(ledger, run, error);
    if (status == STATUS_OK) status = statement_get(ledger, STATEMENT_RUNS_FORGET, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_number(statement, 1, sqlite3_last_insert_rowid(ledger->database) - OLDER_RUNS_KEPT);
    int code = statement_run(statement);
    if (code != SQLITE_OK) return connection_fail(ledger, code, "forgetting old runs", error);
    return transaction_commit(ledger, error);
}

enum status sqlite_run_last(struct ledger *port, struct arena *arena, struct reconcile_run *run, bool *found,
                            struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    sqlite3_stmt *statement;
    enum status status = transaction_begin_read(ledger, error);
    if (status == STATUS_OK) status = statement_get(ledger, STATEMENT_RUN_LAST, &statement, error);
    if (status != STATUS_OK) return status;
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return connection_fail(ledger, code, "reading the last run", error);
    *found = code == SQLITE_ROW;
    if (*found) {
        *run = (struct reconcile_run){
            .started_at_us = sqlite3_column_int64(statement, 0),
            .finished_at_us = sqlite3_column_int64(statement, 1),
            .actor = arena_copy(arena, statement_text(statement, 2)),
            .repair = sqlite3_column_int(statement, 3) != 0,
            .complete = sqlite3_column_int(statement, 4) != 0,
            .clean = sqlite3_column_int(statement, 5) != 0,
            .budgets = sqlite3_column_int64(statement, 6),
            .mended = sqlite3_column_int64(statement, 7 + FINDING_KIND_COUNT),
            .complete_at_us = sqlite3_column_int64(statement, 8 + FINDING_KIND_COUNT),
        };
        for (int i = 0; i < FINDING_KIND_COUNT; i++) run->found[i] = sqlite3_column_int64(statement, 7 + i);
    }
    transaction_rollback(ledger);
    return STATUS_OK;
}

enum status sqlite_sights_read(struct ledger *port, const struct text *budget_ids, size_t count,
                               struct arena *arena, struct stock_sight *sights, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    sqlite3_stmt *statement;
    enum status status = transaction_begin_read(ledger, error);
    if (status == STATUS_OK) status = statement_get(ledger, STATEMENT_SIGHT_READ, &statement, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        sights[i] = (struct stock_sight){.budget_id = TEXT_NONE};
        statement_bind_text(statement, 1, budget_ids[i]);
        int code = sqlite3_step(statement);
        if (code == SQLITE_ROW) {
            sights[i] = (struct stock_sight){
                .budget_id = arena_copy(arena, budget_ids[i]),
                .server = arena_copy(arena, statement_text(statement, 0)),
                .credited = sqlite3_column_int64(statement, 1),
                .deducted = sqlite3_column_int64(statement, 2),
                .settled = sqlite3_column_int64(statement, 3),
                .released = sqlite3_column_int64(statement, 4),
            };
        } else if (code != SQLITE_DONE) {
            return connection_fail(ledger, code, "reading what Redis looked like", error);
        }
        sqlite3_reset(statement);
    }
    transaction_rollback(ledger);
    return STATUS_OK;
}

enum status sqlite_sights_record(struct ledger *port, const struct stock_sight *sights, size_t count,
                                 struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    sqlite3_stmt *statement;
    enum status status = transaction_begin_write(ledger, error);
    if (status == STATUS_OK) status = statement_get(ledger, STATEMENT_SIGHT_RECORD, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_number(statement, 7, instant_wall_us());
    for (size_t i = 0; i < count; i++) {
        statement_bind_text(statement, 1, sights[i].budget_id);
        statement_bind_text(statement, 2, sights[i].server);
        statement_bind_number(statement, 3, sights[i].credited);
        statement_bind_number(statement, 4, sights[i].deducted);
        statement_bind_number(statement, 5, sights[i].settled);
        statement_bind_number(statement, 6, sights[i].released);
        int code = statement_run(statement);
        if (code != SQLITE_OK) {
            return connection_fail_row(ledger, code, "recording what Redis looks like", error);
        }
    }
    return transaction_commit(ledger, error);
}
