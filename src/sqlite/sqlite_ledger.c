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
    if (!lock_file_borrow(&ledger->locks[LOCK_WORKER], LOCK_WORKER, ledger->path)) return;
    sqlite3_busy_timeout(ledger->database, 0);
    sqlite3_wal_checkpoint_v2(ledger->database, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    lock_file_release(&ledger->locks[LOCK_WORKER]);
}

static enum lock_kind lock_kind_of(enum ledger_lock lock)
{
    return lock == LEDGER_LOCK_RECONCILE ? LOCK_RECONCILE : LOCK_DEAD_LETTERS;
}

/* Looks at the ledger first: there are no locks beside a file that is not there. */
static enum status sqlite_lock(struct ledger *port, enum ledger_lock lock, struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    enum lock_kind kind = lock_kind_of(lock);
    enum status status = sqlite_ping(port, error);
    return status == STATUS_OK ? lock_file_take(&ledger->locks[kind], kind, ledger->path, error) : status;
}

static void sqlite_unlock(struct ledger *port, enum ledger_lock lock)
{
    lock_file_release(&sqlite_ledger_of(port)->locks[lock_kind_of(lock)]);
}

static void sqlite_close(struct ledger *port)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    transaction_rollback(ledger);
    if (ledger->database != NULL && ledger->role == SQLITE_LEDGER_TOOL) tool_checkpoint(ledger);
    connection_close(ledger);
    for (size_t i = 0; i < LOCK_KIND_COUNT; i++) lock_file_release(&ledger->locks[i]);
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

static const struct ledger_audit_ops audit_operations = {
    .rows_scan = sqlite_rows_scan,
    .credits_list = sqlite_credits_list,
    .voids_insert = sqlite_voids_insert,
    .interventions_begin = sqlite_interventions_begin,
    .interventions_end = sqlite_interventions_end,
    .interventions_open = sqlite_interventions_open,
    .parked_look = sqlite_parked_look,
    .parked_since = sqlite_parked_since,
    .parked_mark = sqlite_parked_mark,
    .run_record = sqlite_run_record,
    .run_last = sqlite_run_last,
    .sights_read = sqlite_sights_read,
    .sights_record = sqlite_sights_record,
    .lock = sqlite_lock,
    .unlock = sqlite_unlock,
};

static enum status options_check(const struct sqlite_ledger_options *options, struct error *error)
{
    const char *path = options->path;
    if (path == NULL || path[0] == '\0')
        return error_set(error, STATUS_CONFIG, "ledger: the path is empty: name a file");
    if (path[0] == ':' || strncmp(path, "file:", 5) == 0) {
        return error_set(error, STATUS_CONFIG, "ledger %s: this is no plain path: name a file", path);
    }
    if (strlen(path) >= PATH_MAX - LOCK_SUFFIX_SIZE_MAX - 1) {
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
    opened->base.audit = &audit_operations;
    opened->path = memory_copy_string(options->path);
    opened->role = options->role;
    opened->busy_timeout_ms = options->busy_timeout_ms;
    for (size_t i = 0; i < LOCK_KIND_COUNT; i++) opened->locks[i].descriptor = -1;
    *ledger = &opened->base;
    return STATUS_OK;
}
