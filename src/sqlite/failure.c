#include "sqlite/connection.h"

/* What SQLite's primary codes ask of the operator, and whether the connection can be used after them. */
struct advice {
    int code;
    bool reconnect;
    const char *text;
};

static const struct advice advice_table[] = {
    {SQLITE_FULL, false, "free some space"},
    {SQLITE_BUSY, false, "another program is writing to it; it is tried again"},
    {SQLITE_LOCKED, false, "another program is writing to it; it is tried again"},
    {SQLITE_NOMEM, true, "free some memory"},
    {SQLITE_IOERR, true, "check the disk, its mount and its quota"},
    {SQLITE_PERM, true, "let this user read and write the file and its directory"},
    {SQLITE_AUTH, true, "let this user read and write the file and its directory"},
    {SQLITE_READONLY, true, "let this user read and write the file and its directory"},
    {SQLITE_CANTOPEN, true, "let this user read and write the file and its directory"},
    {SQLITE_CORRUPT, true, "stop, keep a copy, run `PRAGMA integrity_check` on it and restore a backup"},
    {SQLITE_NOTADB, true, "put the ledger's file back"},
    {SQLITE_PROTOCOL, true, "it is tried again"},
};

static struct advice advice_for(int code)
{
    for (size_t i = 0; i < sizeof advice_table / sizeof advice_table[0]; i++) {
        if (advice_table[i].code == (code & 0xff)) return advice_table[i];
    }
    return (struct advice){code, true, "check that its schema was not changed by hand"};
}

/* A trigger's message may hold anything; an error is one line. */
static void flatten(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) *text = ' ';
    }
}

/* SQLite's own words for the failure, which the next call on the connection overwrites. */
static const char *code_text(const struct sqlite_ledger *ledger, int code)
{
    if (ledger->database == NULL || sqlite3_extended_errcode(ledger->database) != code)
        return sqlite3_errstr(code);
    return sqlite3_errmsg(ledger->database);
}

enum status connection_fail(struct sqlite_ledger *ledger, int code, const char *doing, struct error *error)
{
    struct advice advice = advice_for(code);
    error_set(error, STATUS_RETRY, "ledger %s: %s: %s (code %d): %s; nothing of this was written",
              ledger->path, doing, code_text(ledger, code), code, advice.text);
    if (error != NULL) flatten(error->text);
    transaction_rollback(ledger);
    if (advice.reconnect) connection_close(ledger);
    return STATUS_RETRY;
}

enum status connection_fail_row(struct sqlite_ledger *ledger, int code, const char *doing,
                                struct error *error)
{
    /* An id that the same transaction did not find and now cannot insert means another writer or a damaged
     * index: no fault of the row. */
    bool present = code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
                   code == SQLITE_CONSTRAINT_ROWID;
    int primary = code & 0xff;
    bool refused = primary == SQLITE_CONSTRAINT || primary == SQLITE_TOOBIG || primary == SQLITE_MISMATCH;
    if (present || !refused) return connection_fail(ledger, code, doing, error);
    error_set(error, STATUS_REFUSED, "ledger %s: %s: %s (code %d)", ledger->path, doing,
              code_text(ledger, code), code);
    if (error != NULL) flatten(error->text);
    transaction_rollback(ledger);
    return STATUS_REFUSED;
}
