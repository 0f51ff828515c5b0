#include "sqlite/operations.h"

#include "base/instant.h"
#include "sqlite/connection.h"

#include <assert.h>

enum status sqlite_record_parked(struct ledger *port, const struct parked_row *rows, size_t count,
                                 struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    sqlite3_stmt *statement;
    enum status status = transaction_begin_write(ledger, error);
    if (status == STATUS_OK) status = statement_get(ledger, STATEMENT_PARKED_INSERT, &statement, error);
    if (status != STATUS_OK) return status;
    int64_t now_us = instant_wall_us();
    for (size_t i = 0; i < count; i++) {
        assert(rows[i].reason != PARK_NONE);
        statement_bind_text(statement, 1, rows[i].message_id);
        statement_bind_text(statement, 2, text_of(park_reason_name(rows[i].reason)));
        statement_bind_text(statement, 3, rows[i].detail);
        statement_bind_number(statement, 4, now_us);
        int code = statement_run(statement);
        if (code != SQLITE_OK) return connection_fail_row(ledger, code, "recording a parked message", error);
    }
    return transaction_commit(ledger, error);
}

enum status sqlite_parked_look(struct ledger *port, const struct text *message_ids, size_t count,
                               struct parked_look *looks, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    sqlite3_stmt *statement;
    enum status status = transaction_begin_read(ledger, error);
    if (status == STATUS_OK) status = statement_get(ledger, STATEMENT_PARKED_LOOK, &statement, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        statement_bind_text(statement, 1, message_ids[i]);
        int code = sqlite3_step(statement);
        if (code != SQLITE_ROW) return connection_fail(ledger, code, "looking parked ids up", error);
        looks[i] = (struct parked_look){
            .parked = sqlite3_column_int(statement, 0) != 0,
            .replayed = sqlite3_column_int(statement, 1) != 0,
        };
        sqlite3_reset(statement);
    }
    transaction_rollback(ledger);
    return STATUS_OK;
}

enum status sqlite_parked_since(struct ledger *port, int64_t after, struct arena *arena,
                                struct parked_entry *entries, size_t capacity, size_t *count,
                                struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    sqlite3_stmt *statement;
    *count = 0;
    enum status status = transaction_begin_read(ledger, error);
    if (status == STATUS_OK) status = statement_get(ledger, STATEMENT_PARKED_SINCE, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_number(statement, 1, after);
    statement_bind_number(statement, 2, (int64_t)capacity);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        assert(*count < capacity);
        entries[(*count)++] = (struct parked_entry){
            .sequence = sqlite3_column_int64(statement, 0),
            .message_id = arena_copy(arena, statement_text(statement, 1)),
            .reason = arena_copy(arena, statement_text(statement, 2)),
            .parked_at_us = sqlite3_column_int64(statement, 3),
        };
    }
    if (code != SQLITE_DONE) {
        *count = 0;
        return connection_fail(ledger, code, "reading what was parked", error);
    }
    transaction_rollback(ledger);
    return STATUS_OK;
}

enum status sqlite_parked_mark(struct ledger *port, const struct parked_mark *marks, size_t count,
                               enum parked_state state, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    assert(state == PARKED_REPLAYED || state == PARKED_DISCARDED);
    enum status status = transaction_begin_write(ledger, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        sqlite3_stmt *statement;
        bool readable = text_is_present(marks[i].message_id);
        status = statement_get(ledger, readable ? STATEMENT_PARKED_MARK : STATEMENT_PARKED_MARK_ONE,
                               &statement, error);
        if (status != STATUS_OK) break;
        statement_bind_text(statement, 1, readable ? marks[i].message_id : marks[i].reason);
        statement_bind_number(statement, 2, state);
        statement_bind_number(statement, 3, marks[i].up_to == 0 ? INT64_MAX : marks[i].up_to);
        int code = statement_run(statement);
        if (code != SQLITE_OK) status = connection_fail_row(ledger, code, "marking a parked message", error);
    }
    return status == STATUS_OK ? transaction_commit(ledger, error) : status;
}
