#include "sqlite/journal.h"

#include "base/instant.h"
#include "sqlite/connection.h"
#include "sqlite/operations.h"

#include <assert.h>

/* Not below the time: a ledger that was restored from a backup must not give a number again that Redis has
 * seen. */
enum status journal_next(struct sqlite_ledger *ledger, int64_t now_us, int64_t *sequence, struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_INTERVENTION_LAST, &statement, error);
    if (status != STATUS_OK) return status;
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW) return connection_fail(ledger, code, "reading the journal's end", error);
    int64_t last = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    *sequence = last < now_us ? now_us : last + 1;
    return STATUS_OK;
}

enum status journal_append(struct sqlite_ledger *ledger, const struct intervention *entry, int64_t now_us,
                           struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_INTERVENTION_INSERT, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_number(statement, 1, entry->sequence);
    statement_bind_number(statement, 2, entry->kind);
    statement_bind_number(statement, 3, entry->state);
    statement_bind_number(statement, 4, now_us);
    statement_bind_text(statement, 5, entry->actor);
    statement_bind_text(statement, 6, entry->budget_id);
    statement_bind_text(statement, 7, entry->message_id);
    statement_bind_text(statement, 8, entry->subject);
    statement_bind_text(statement, 9, entry->before);
    statement_bind_text(statement, 10, entry->after);
    statement_bind_number(statement, 11, entry->amount);
    int code = statement_run(statement);
    if (code != SQLITE_OK) return connection_fail_row(ledger, code, "writing into the journal", error);
    /* A trigger may swallow a row without an error; what is not written down must not be done. */
    if (sqlite3_changes(ledger->database) == 1) return STATUS_OK;
    transaction_rollback(ledger);
    return error_set(error, STATUS_REFUSED,
                     "ledger %s: writing into the journal: the entry was silently left out; look at its "
                     "triggers",
                     ledger->path);
}

enum status sqlite_interventions_begin(struct ledger *port, struct intervention *interventions, size_t count,
                                       struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    int64_t now_us = instant_wall_us(), next = 0;
    enum status status = transaction_begin_write(ledger, error);
    if (status == STATUS_OK) status = journal_next(ledger, now_us, &next, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        interventions[i].sequence = next++;
        status = journal_append(ledger, &interventions[i], now_us, error);
    }
    if (status != STATUS_OK) return status;
    return transaction_commit(ledger, error);
}

enum status sqlite_interventions_end(struct ledger *port, const struct intervention *interventions,
                                     size_t count, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    sqlite3_stmt *statement;
    enum status status = transaction_begin_write(ledger, error);
    if (status == STATUS_OK) status = statement_get(ledger, STATEMENT_INTERVENTION_END, &statement, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        statement_bind_number(statement, 1, interventions[i].sequence);
        statement_bind_number(statement, 2, interventions[i].state);
        int code = statement_run(statement);
        if (code != SQLITE_OK) return connection_fail_row(ledger, code, "closing an intervention", error);
        if (sqlite3_changes(ledger->database) == 1) continue;
        transaction_rollback(ledger);
        return error_set(error, STATUS_REFUSED,
                         "ledger %s: its journal has no entry %lld; was it restored from a backup?",
                         ledger->path, (long long)interventions[i].sequence);
    }
    return transaction_commit(ledger, error);
}

enum status sqlite_interventions_open(struct ledger *port, enum intervention_kind kind, struct arena *arena,
                                      struct intervention *interventions, size_t capacity, size_t *count,
                                      struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    sqlite3_stmt *statement;
    *count = 0;
    enum status status = transaction_begin_read(ledger, error);
    if (status == STATUS_OK) status = statement_get(ledger, STATEMENT_INTERVENTIONS_OPEN, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_number(statement, 1, kind);
    statement_bind_number(statement, 2, (int64_t)capacity);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        assert(*count < capacity);
        interventions[(*count)++] = (struct intervention){
            .sequence = sqlite3_column_int64(statement, 0),
            .kind = (enum intervention_kind)sqlite3_column_int(statement, 1),
            .state = (enum intervention_state)sqlite3_column_int(statement, 2),
            .at_us = sqlite3_column_int64(statement, 3),
            .actor = arena_copy(arena, statement_text(statement, 4)),
            .budget_id = arena_copy(arena, statement_text(statement, 5)),
            .message_id = arena_copy(arena, statement_text(statement, 6)),
            .subject = arena_copy(arena, statement_text(statement, 7)),
            .before = arena_copy(arena, statement_text(statement, 8)),
            .after = arena_copy(arena, statement_text(statement, 9)),
            .amount = sqlite3_column_int64(statement, 10),
        };
    }
    if (code != SQLITE_DONE) {
        *count = 0;
        return connection_fail(ledger, code, "reading open interventions", error);
    }
    transaction_rollback(ledger);
    return STATUS_OK;
}
