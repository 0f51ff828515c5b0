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
