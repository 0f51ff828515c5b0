#include "sqlite/connection.h"

#include "sqlite/schema.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The worker's page cache: with ids in random order each batch touches pages all over the index. */
#define WORKER_CACHE_KIB 65536

/* Pages in the write-ahead log after which a commit moves them into the file (16 MiB). */
#define WORKER_CHECKPOINT_PAGES 4096

/* Bytes that the write-ahead log keeps on disk once it was emptied. */
#define LOG_SIZE_KEPT_MAX 67108864

#define TEXT_OF_(value) #value
#define TEXT_OF(value)  TEXT_OF_(value)

int connection_execute(struct sqlite_ledger *ledger, const char *sql)
{
    return sqlite3_exec(ledger->database, sql, NULL, NULL, NULL);
}

/* Not readable for everybody, as SQLite would have it; what SQLite puts beside the file inherits them. */
static enum status file_create(const struct sqlite_ledger *ledger, struct error *error)
{
    int descriptor = open(ledger->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (descriptor >= 0) {
        close(descriptor);
        return STATUS_OK;
    }
    if (errno == ENOENT || errno == ENOTDIR) {
        return error_set(error, STATUS_CONFIG, "ledger %s: its directory does not exist: create it",
                         ledger->path);
    }
    if (errno == EISDIR) {
        return error_set(error, STATUS_CONFIG, "ledger %s: this is a directory: name a file", ledger->path);
    }
    return error_set(error, STATUS_RETRY,
                     "ledger %s: it cannot be created: %s: let this user write to the directory",
                     ledger->path, strerror(errno));
}

static enum status file_find(const struct sqlite_ledger *ledger, bool create, struct error *error)
{
    struct stat found;
    if (stat(ledger->path, &found) == 0) {
        if (S_ISREG(found.st_mode)) return STATUS_OK;
        return error_set(error, STATUS_CONFIG, "ledger %s: this is no regular file: name another",
                         ledger->path);
    }
    if (errno == ENOENT && create) return file_create(ledger, error);
    if (errno == ENOENT) {
        return error_set(error, STATUS_RETRY,
                         "ledger %s: there is no such file: create the ledger with `bursar init`",
                         ledger->path);
    }
    if (errno == ENOTDIR && create) return file_create(ledger, error);
    return error_set(error, STATUS_RETRY,
                     "ledger %s: it cannot be reached: %s: check the path and its permissions", ledger->path,
                     strerror(errno));
}

/* The file is Bursar's or empty; from here on it may be written. */
static enum status settings_apply(struct sqlite_ledger *ledger, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(ledger->database, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    bool logging = code == SQLITE_ROW && text_equal_string(statement_text(statement, 0), "wal");
    if (code == SQLITE_ROW) code = sqlite3_step(statement); /* the switch is committed only behind its row */
    sqlite3_finalize(statement);
    if (code != SQLITE_DONE) return connection_fail(ledger, code, "switching to a write-ahead log", error);
    if (!logging) {
        return error_set(
            error, STATUS_CONFIG,
            "ledger %s: its file system does not allow a write-ahead log: put it on a local disk",
            ledger->path);
    }
    code = connection_execute(
        ledger, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;"
                " PRAGMA journal_size_limit = " TEXT_OF(LOG_SIZE_KEPT_MAX));
    if (code == SQLITE_OK && ledger->role == SQLITE_LEDGER_WORKER) {
        code = connection_execute(
            ledger, "PRAGMA cache_size = -" TEXT_OF(WORKER_CACHE_KIB) ";"
                                                                      " PRAGMA wal_autocheckpoint = " TEXT_OF(
                                                                          WORKER_CHECKPOINT_PAGES));
    }
    if (code != SQLITE_OK) return connection_fail(ledger, code, "setting up the connection", error);
    return STATUS_OK;
}

/* Two connections that checkpoint and write at the same instant can damage the file in SQLite before 3.51.3,
 * so only the holder of the worker's lock ever does. Set before the first read, which could already do it. */
static int checkpoints_leave_to_worker(struct sqlite_ledger *ledger)
{
    int code = sqlite3_db_config(ledger->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
    return code == SQLITE_OK ? sqlite3_wal_autocheckpoint(ledger->database, 0) : code;
}

enum status connection_move_log(struct sqlite_ledger *ledger, struct error *error)
{
    int frames = 0, moved = 0;
    int code =
        sqlite3_wal_checkpoint_v2(ledger->database, "main", SQLITE_CHECKPOINT_PASSIVE, &frames, &moved);
    /* Where a reader holds it back, nothing may have been synced. A commit syncs all that lies before it, and
     * this one changes nothing. */
    char commit[64];
    snprintf(commit, sizeof commit, "PRAGMA application_id = %d", SCHEMA_APPLICATION_ID);
    if (code == SQLITE_OK && moved < frames) code = connection_execute(ledger, commit);
    return code == SQLITE_OK ? STATUS_OK : connection_fail(ledger, code, "moving the log into it", error);
}

static enum status connection_make(struct sqlite_ledger *ledger, bool create, struct error *error)
{
    enum status status = file_find(ledger, create, error);
    if (status != STATUS_OK) return status;
    if (ledger->role == SQLITE_LEDGER_WORKER) {
        status = lock_file_take(&ledger->locks[LOCK_WORKER], LOCK_WORKER, ledger->path, error);
        if (status != STATUS_OK) return status;
    }
    int code =
        sqlite3_open_v2(ledger->path, &ledger->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) code = sqlite3_extended_result_codes(ledger->database, 1);
    if (code == SQLITE_OK) code = sqlite3_busy_timeout(ledger->database, ledger->busy_timeout_ms);
    if (code == SQLITE_OK && ledger->role == SQLITE_LEDGER_TOOL) code = checkpoints_leave_to_worker(ledger);
    if (code != SQLITE_OK) {
        status = connection_fail(ledger, code, "opening", error);
        goto out;
    }
    bool empty = false;
    status = schema_identify(ledger, &empty, error);
    if (status == STATUS_OK && empty && !create) {
        status = error_set(error, STATUS_RETRY,
                           "ledger %s: it has no tables yet: create them with `bursar init`", ledger->path);
    }
    if (status == STATUS_OK) status = settings_apply(ledger, error);
    /* A worker that was killed, or whose sync failed, may have left rows in the log that are read and not on
     * the disk. They must be there before they are taken for duplicates and acknowledged. */
    if (status == STATUS_OK && ledger->role == SQLITE_LEDGER_WORKER)
        status = connection_move_log(ledger, error);
out:
    if (status != STATUS_OK) connection_close(ledger);
    return status;
}

/* A file that was moved or deleted would swallow bookings that nobody finds again. */
static enum status file_in_place(struct sqlite_ledger *ledger, struct error *error)
{
    int moved = 0;
    int code = sqlite3_file_control(ledger->database, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (code != SQLITE_OK) return connection_fail(ledger, code, "looking for the file", error);
    if (!moved) return STATUS_OK;
    transaction_rollback(ledger);
    connection_close(ledger);
    return error_set(error, STATUS_RETRY,
                     "ledger %s: the file was moved or deleted: put it back; nothing was written",
                     ledger->path);
}

enum status connection_open(struct sqlite_ledger *ledger, bool create, struct error *error)
{
    if (ledger->database != NULL && file_in_place(ledger, error) == STATUS_OK) return STATUS_OK;
    return ledger->database != NULL ? STATUS_RETRY : connection_make(ledger, create, error);
}

void connection_close(struct sqlite_ledger *ledger)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(ledger->statements[i]);
        ledger->statements[i] = NULL;
    }
    int code = sqlite3_close(ledger->database);
    assert(code == SQLITE_OK); /* no statement is left */
    ledger->database = NULL;
}

static enum status transaction_begin(struct sqlite_ledger *ledger, enum statement begin, struct error *error)
{
    enum status status = connection_open(ledger, false, error);
    if (status != STATUS_OK) return status;
    assert(sqlite3_get_autocommit(ledger->database));
    sqlite3_stmt *statement;
    status = statement_get(ledger, begin, &statement, error);
    if (status != STATUS_OK) return status;
    int code = statement_run(statement);
    if (code != SQLITE_OK) return connection_fail(ledger, code, "beginning", error);
    status = schema_check(ledger, error);
    if (status != STATUS_OK) transaction_rollback(ledger);
    return status;
}

enum status transaction_begin_write(struct sqlite_ledger *ledger, struct error *error)
{
    return transaction_begin(ledger, STATEMENT_BEGIN_WRITE, error);
}

enum status transaction_begin_read(struct sqlite_ledger *ledger, struct error *error)
{
    return transaction_begin(ledger, STATEMENT_BEGIN_READ, error);
}

enum status transaction_commit(struct sqlite_ledger *ledger, struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = file_in_place(ledger, error);
    if (status == STATUS_OK) status = statement_get(ledger, STATEMENT_COMMIT, &statement, error);
    if (status != STATUS_OK) return status;
    int code = statement_run(statement);
    if (code == SQLITE_OK) return STATUS_OK;
    /* Full or busy: the commit record, which comes last, was not written. After any other failure it may be
     * in the log. */
    int primary = code & 0xff;
    if (primary == SQLITE_FULL || primary == SQLITE_BUSY)
        return connection_fail(ledger, code, "committing", error);
    connection_fail(ledger, code, "committing", error);
    connection_close(ledger);
    return error_set(
        error, STATUS_UNKNOWN,
        "ledger %s: committing: %s (code %d): whether it was written shows when the same is done again",
        ledger->path, sqlite3_errstr(code), code);
}

void transaction_rollback(struct sqlite_ledger *ledger)
{
    if (ledger->database == NULL) return;
    /* A statement left in the middle would keep the snapshot. */
    for (size_t i = 0; i < STATEMENT_COUNT; i++) sqlite3_reset(ledger->statements[i]);
    if (sqlite3_get_autocommit(ledger->database)) return;
    if (connection_execute(ledger, "ROLLBACK") != SQLITE_OK) connection_close(ledger);
}
