#include "sqlite/operations.h"

#include "base/failpoint.h"
#include "base/instant.h"
#include "sqlite/connection.h"
#include "sqlite/journal.h"

#include <assert.h>

/* Whoever inserts the row first has decided: the transaction holds the write lock, so that nobody comes
 * between this look and the row. */
static enum status id_look_up(struct sqlite_ledger *ledger, struct text message_id, bool *known,
                              struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_DEDUCTION_KNOWN, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_text(statement, 1, message_id);
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return connection_fail(ledger, code, "looking message ids up", error);
    *known = code == SQLITE_ROW;
    sqlite3_reset(statement);
    return STATUS_OK;
}

static enum status row_insert(struct sqlite_ledger *ledger, const struct ledger_void *row, int64_t now_us,
                              struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_DEDUCTION_INSERT, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_text(statement, 1, row->message_id);
    statement_bind_text(statement, 2, row->budget_id);
    statement_bind_number(statement, 3, row->amount);
    statement_bind_number_or_null(statement, 4, row->deducted_at_us);
    statement_bind_number(statement, 5, DEDUCTION_VOIDED);
    statement_bind_number(statement, 6, row->reason);
    statement_bind_number(statement, 7, row->refund);
    statement_bind_number(statement, 8, now_us);
    statement_bind_text(statement, 9, TEXT_NONE);
    statement_bind_text(statement, 10, TEXT_NONE);
    int code = statement_run(statement);
    if (code != SQLITE_OK) return connection_fail_row(ledger, code, "voiding a deduction", error);
    /* A trigger may swallow a row without an error; its refund would then be nobody's. */
    if (sqlite3_changes(ledger->database) == 1) return STATUS_OK;
    transaction_rollback(ledger);
    return error_set(error, STATUS_REFUSED,
                     "ledger %s: voiding a deduction: the row was silently left out; look at its triggers",
                     ledger->path);
}

static enum status void_insert(struct sqlite_ledger *ledger, struct text actor, struct ledger_void *row,
                               int64_t now_us, int64_t *sequence, struct error *error)
{
    bool known = false;
    enum status status = id_look_up(ledger, row->message_id, &known, error);
    row->inserted = status == STATUS_OK && !known;
    if (!row->inserted) return status;
    status = row_insert(ledger, row, now_us, error);
    if (status != STATUS_OK) return status;
    struct intervention entry = {
        .sequence = (*sequence)++,
        .kind = row->reason == REASON_ORPHANED ? INTERVENTION_VOID : INTERVENTION_DISCARD,
        .state = INTERVENTION_DONE,
        .actor = actor,
        .budget_id = row->budget_id,
        .message_id = row->message_id,
        .amount = row->refund == REFUND_DUE ? row->amount : 0,
    };
    return journal_append(ledger, &entry, now_us, error);
}

enum status sqlite_voids_insert(struct ledger *port, struct text actor, struct ledger_void *voids,
                                size_t count, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    int64_t now_us = instant_wall_us(), sequence = 0;
    enum status status = transaction_begin_write(ledger, error);
    if (status == STATUS_OK) status = journal_next(ledger, now_us, &sequence, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        assert(voids[i].reason == REASON_ORPHANED || voids[i].reason == REASON_DISCARDED);
        status = void_insert(ledger, actor, &voids[i], now_us, &sequence, error);
    }
    if (status != STATUS_OK) return status;
    FAILPOINT("void-before-commit");
    status = transaction_commit(ledger, error);
    if (status == STATUS_OK) FAILPOINT("void-after-commit");
    return status;
}
