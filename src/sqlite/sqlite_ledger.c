#include "sqlite/sqlite_ledger.h"

#include "base/memory.h"
#include "sqlite/connection.h"
#include "sqlite/operations.h"
#include "sqlite/schema.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Bytes of write-ahead log at which a tool moves it into the file, if no worker does. */
#define TOOL_LOG_SIZE_MAX (4 << 20)

static enum status sqlite_initialise(struct ledger *port, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    enum status status = connection_open(ledger, true, error);
    return status == STATUS_OK ? schema_migrate(ledger, error) : status;
}

static enum status sqlite_ping(struct ledger *port, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    enum status status = transaction_begin_read(ledger, error);
    if (status == STATUS_OK) transaction_rollback(ledger);
    return status;
}

/* Moves a long write-ahead log into the file, if no worker is there to do it. Without effect where somebody
 * reads or writes just now: whoever closes next tries again. */
static void tool_checkpoint(struct sqlite_ledger *ledger)
{
    char log_path[PATH_MAX];
    struct stat log;
    int length = snprintf(log_path, sizeof log_path, "%s-wal", ledger->path);
    if (length < 0 || (size_t)length >= sizeof log_path) return;
    if (stat(log_path, &log) != 0 || log.st_size < TOOL_LOG_SIZE_MAX) return;
    if (!worker_lock_borrow(&ledger->lock, ledger->path)) return;
    sqlite3_busy_timeout(ledger->database, 0);
    sqlite3_wal_checkpoint_v2(ledger->database, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    worker_lock_release(&ledger->lock);
}

static void sqlite_close(struct ledger *port)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    transaction_rollback(ledger);
    if (ledger->database != NULL && ledger->role == SQLITE_LEDGER_TOOL) tool_checkpoint(ledger);
    connection_close(ledger);
    worker_lock_release(&ledger->lock);
    free(ledger->range_budgets);
    free(ledger->range_budget_seen);
    free(ledger->path);
    free(ledger);
}

static const struct ledger_ops operations = {
    .initialise = sqlite_initialise,
    .ping = sqlite_ping,
    .settle = sqlite_settle,
    .record_parked = sqlite_record_parked,
    .debts_fetch = sqlite_debts_fetch,
    .debts_mark = sqlite_debts_mark,
    .deductions_find = sqlite_deductions_find,
    .budget_create = sqlite_budget_create,
    .budget_credit = sqlite_budget_credit,
    .credit_mark = sqlite_credit_mark,
    .budget_state_set = sqlite_budget_state_set,
    .budget_find = sqlite_budget_find,
    .budgets_list = sqlite_budgets_list,
    .stats = sqlite_stats,
    .close = sqlite_close,
};

static enum status options_check(const struct sqlite_ledger_options *options, struct error *error)
{
    const char *path = options->path;
    if (path == NULL || path[0] == '\0')
        return error_set(error, STATUS_CONFIG, "ledger: the path is empty: name a file");
    if (path[0] == ':' || strncmp(path, "file:", 5) == 0) {
        return error_set(error, STATUS_CONFIG, "ledger %s: this is no plain path: name a file", path);
    }
    if (strlen(path) >= PATH_MAX - sizeof ".worker-lock") {
        return error_set(error, STATUS_CONFIG,
                         "ledger: the path is longer than the system allows: name a shorter one");
    }
    if (options->busy_timeout_ms < 0) {
        return error_set(error, STATUS_CONFIG, "ledger %s: a busy timeout of %d ms is negative", path,
                         options->busy_timeout_ms);
    }
    return STATUS_OK;
}

enum status sqlite_ledger_open(const struct sqlite_ledger_options *options, struct ledger **ledger,
                               struct error *error)
{
    enum status status = options_check(options, error);
    if (status != STATUS_OK) return status;
    struct sqlite_ledger *opened = memory_alloc_zero(1, sizeof *opened);
    opened->base.ops = &operations;
    opened->path = memory_copy_string(options->path);
    opened->role = options->role;
    opened->busy_timeout_ms = options->busy_timeout_ms;
    opened->lock.descriptor = -1;
    *ledger = &opened->base;
    return STATUS_OK;
}
