#include "sqlite/schema.h"

#include "base/embedded.h"
#include "sqlite/connection.h"

#include <assert.h>
#include <stdio.h>

#define SCHEMA_VERSION ((int)(sizeof migrations / sizeof migrations[0]))

extern const struct embedded_file migration_001_tables_and_views;
extern const struct embedded_file migration_002_audit;

/* src/sqlite/migrations/. Step i leads from version i to version i + 1. A step that was released is never
 * changed. */
static const struct embedded_file *const migrations[] = {&migration_001_tables_and_views,
                                                         &migration_002_audit};

/* The number that `sql` selects. */
static int number_read(struct sqlite_ledger *ledger, const char *sql, int64_t *number)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(ledger->database, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    if (code == SQLITE_ROW) *number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW ? SQLITE_OK : code;
}

enum status schema_identify(struct sqlite_ledger *ledger, bool *empty, struct error *error)
{
    int64_t application = 0, version = 0, tables = 0;
    int code = number_read(ledger, "PRAGMA application_id", &application);
    if (code == SQLITE_OK) code = number_read(ledger, "PRAGMA user_version", &version);
    if (code == SQLITE_OK) code = number_read(ledger, "SELECT count(*) FROM sqlite_schema", &tables);
    if ((code & 0xff) == SQLITE_NOTADB) {
        return error_set(error, STATUS_CONFIG, "ledger %s: this file is no database: name another",
                         ledger->path);
    }
    if (code != SQLITE_OK) return connection_fail(ledger, code, "reading what the file is", error);
    *empty = application == 0 && version == 0 && tables == 0;
    if (*empty || application == SCHEMA_APPLICATION_ID) return STATUS_OK;
    return error_set(error, STATUS_CONFIG,
                     "ledger %s: this database belongs to another program: name another file", ledger->path);
}

static enum status schema_newer(const struct sqlite_ledger *ledger, int version, struct error *error)
{
    return error_set(
        error, STATUS_CONFIG,
        "ledger %s: its schema has version %d, this program knows %d: run the newer bursar that made it",
        ledger->path, version, SCHEMA_VERSION);
}

enum status schema_check(struct sqlite_ledger *ledger, struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_VERSION, &statement, error);
    if (status != STATUS_OK) return status;
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW) return connection_fail(ledger, code, "reading the schema's version", error);
    int version = sqlite3_column_int(statement, 0);
    sqlite3_reset(statement);
    if (version == SCHEMA_VERSION) return STATUS_OK;
    if (version > SCHEMA_VERSION) return schema_newer(ledger, version, error);
    return error_set(error, STATUS_RETRY,
                     "ledger %s: its schema has version %d, this program needs %d: run `bursar init`",
                     ledger->path, version, SCHEMA_VERSION);
}

static int migration_run(struct sqlite_ledger *ledger, int version)
{
    char header[96];
    snprintf(header, sizeof header, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             SCHEMA_APPLICATION_ID, version + 1);
    int code = connection_execute(ledger, migrations[version]->data);
    return code == SQLITE_OK ? connection_execute(ledger, header) : code;
}

enum status schema_migrate(struct sqlite_ledger *ledger, struct error *error)
{
    int64_t version = 0;
    int code = connection_execute(ledger, "BEGIN IMMEDIATE");
    if (code == SQLITE_OK) code = number_read(ledger, "PRAGMA user_version", &version);
    if (code != SQLITE_OK) return connection_fail(ledger, code, "beginning a migration", error);
    if (version == SCHEMA_VERSION) {
        transaction_rollback(ledger);
        return STATUS_OK;
    }
    if (version > SCHEMA_VERSION || version < 0) {
        transaction_rollback(ledger);
        return schema_newer(ledger, (int)version, error);
    }
    for (; version < SCHEMA_VERSION; version++) {
        code = migration_run(ledger, (int)version);
        if (code != SQLITE_OK) return connection_fail(ledger, code, "migrating the schema", error);
    }
    return transaction_commit(ledger, error);
}
