#include "sqlite/schema.h"

#include "sqlite/connection.h"

#include <assert.h>
#include <stdio.h>

#define SCHEMA_VERSION ((int)(sizeof migrations / sizeof migrations[0]))

/* 2^53 - 1, as in core/limits.h. */
#define AMOUNT_LIMIT "9007199254740991"

/* RFC 3339 UTC of a column in microseconds. */
#define TIME_TEXT(column)                                                                                    \
    "strftime('%Y-%m-%dT%H:%M:%S', " column " / 1000000, 'unixepoch') || printf('.%06dZ', " column           \
    " % 1000000)"

/* The numbers of states and reasons are those of core/deduction.h. The checks repeat what the program takes
 * care of: whatever else writes here, a row that breaks the ledger's promises cannot exist. */
static const char migration_1[] =
    "CREATE TABLE budget ("
    "  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 128 AND id NOT GLOB "
    "'*[^A-Za-z0-9._:-]*'),"
    "  name TEXT,"
    "  description TEXT,"
    "  ext_params TEXT CHECK (ext_params IS NULL OR (json_valid(ext_params) AND json_type(ext_params) = "
    "'object')),"
    "  total INTEGER NOT NULL CHECK (total BETWEEN -1 AND " AMOUNT_LIMIT "),"
    "  settled INTEGER NOT NULL DEFAULT 0 CHECK (settled BETWEEN 0 AND " AMOUNT_LIMIT "),"
    "  state INTEGER NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 2),"
    "  closed_at_us INTEGER NOT NULL DEFAULT 0 CHECK (closed_at_us BETWEEN 0 AND " AMOUNT_LIMIT "),"
    "  created_at_us INTEGER NOT NULL CHECK (created_at_us > 0),"
    "  updated_at_us INTEGER NOT NULL CHECK (updated_at_us > 0),"
    "  CONSTRAINT never_over_total CHECK (total = -1 OR settled <= total),"
    "  CONSTRAINT closing_has_a_time CHECK ((state = 0 AND closed_at_us = 0) OR (state = 1 AND closed_at_us "
    "> 0) OR state = 2)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE deduction ("
    "  sequence INTEGER PRIMARY KEY,"
    "  message_id TEXT NOT NULL COLLATE BINARY UNIQUE CHECK (length(message_id) BETWEEN 1 AND 128),"
    "  budget_id TEXT NOT NULL COLLATE BINARY CHECK (length(budget_id) BETWEEN 1 AND 128),"
    "  amount INTEGER NOT NULL CHECK (amount BETWEEN 1 AND " AMOUNT_LIMIT "),"
    "  deducted_at_us INTEGER CHECK (deducted_at_us BETWEEN 1 AND " AMOUNT_LIMIT "),"
    "  state INTEGER NOT NULL,"
    "  reason INTEGER NOT NULL,"
    "  refund INTEGER NOT NULL,"
    "  booked_at_us INTEGER NOT NULL CHECK (booked_at_us > 0),"
    "  user_id TEXT CHECK (length(user_id) <= 128),"
    "  meta TEXT CHECK (length(meta) <= 4096),"
    "  CONSTRAINT state_reason_refund CHECK ("
    "    (state = 0 AND reason = 0 AND refund = 0)"
    "    OR (state = 1 AND reason BETWEEN 1 AND 4 AND refund BETWEEN 1 AND 2)"
    "    OR (state = 2 AND reason BETWEEN 5 AND 6 AND refund BETWEEN 1 AND 2))"
    ") STRICT;"
    "CREATE INDEX deduction_refund_due ON deduction (refund) WHERE refund = 1;"

    "CREATE TABLE credit ("
    "  sequence INTEGER PRIMARY KEY,"
    "  budget_id TEXT NOT NULL COLLATE BINARY REFERENCES budget (id),"
    "  credit_id TEXT NOT NULL COLLATE BINARY CHECK (length(credit_id) BETWEEN 1 AND 128),"
    "  amount INTEGER NOT NULL CHECK (amount BETWEEN -1 AND " AMOUNT_LIMIT "),"
    "  applied INTEGER NOT NULL DEFAULT 0 CHECK (applied BETWEEN 0 AND 1),"
    "  created_at_us INTEGER NOT NULL CHECK (created_at_us > 0),"
    "  UNIQUE (budget_id, credit_id)"
    ") STRICT;"
    "CREATE INDEX credit_due ON credit (applied) WHERE applied = 0;"

    "CREATE TABLE parked ("
    "  sequence INTEGER PRIMARY KEY,"
    "  message_id TEXT,"
    "  reason TEXT NOT NULL CHECK (reason IN ('malformed', 'missing-id', 'invalid-id', 'invalid-budget-id', "
    "'invalid-amount',"
    "    'too-large', 'id-conflict', 'unprocessable')),"
    "  detail TEXT,"
    "  parked_at_us INTEGER NOT NULL CHECK (parked_at_us > 0),"
    "  state INTEGER NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 2)"
    ") STRICT;"
    "CREATE INDEX parked_waiting ON parked (message_id) WHERE state = 0;"

    "CREATE VIEW v_budget AS SELECT id, name, description, total, settled,"
    "  CASE state WHEN 0 THEN 'active' WHEN 1 THEN 'closed' ELSE 'deleted' END AS state,"
    "  ext_params, " TIME_TEXT("created_at_us") " AS created_at, " TIME_TEXT(
        "updated_at_us") " AS updated_at FROM budget;"

                         "CREATE VIEW v_deduction AS SELECT message_id, budget_id, amount, user_id, "
                         "deducted_at_us,"
                         "  CASE state WHEN 0 THEN 'settled' WHEN 1 THEN 'rejected' ELSE 'voided' END AS "
                         "state,"
                         "  CASE reason WHEN 1 THEN 'unknown-budget' WHEN 2 THEN 'closed-budget' WHEN 3 THEN "
                         "'deleted-budget'"
                         "    WHEN 4 THEN 'over-total' WHEN 5 THEN 'orphaned' WHEN 6 THEN 'discarded' END AS "
                         "reason,"
                         "  CASE refund WHEN 0 THEN 'none' WHEN 1 THEN 'due' ELSE 'done' END AS refund,"
                         "  " TIME_TEXT(
                             "booked_at_us") " AS booked_at FROM deduction;"

                                             "CREATE VIEW v_credit AS SELECT credit_id, budget_id, amount, "
                                             "applied, " TIME_TEXT(
                                                 "created_at_us") " AS created_at"
                                                                  "  FROM credit;"

                                                                  "CREATE VIEW v_parked AS SELECT "
                                                                  "message_id, reason, detail, " TIME_TEXT(
                                                                      "parked_at_us") " AS parked_at,"
                                                                                      "  CASE state WHEN 0 "
                                                                                      "THEN 'parked' WHEN 1 "
                                                                                      "THEN 'replayed' ELSE "
                                                                                      "'discarded' END AS "
                                                                                      "state FROM parked;";

/* Step i leads from version i to version i + 1. A step that was released is never changed. */
static const char *const migrations[] = {migration_1};

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
    int code = connection_execute(ledger, migrations[version]);
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
