#include "sqlite/operations.h"

#include "base/failpoint.h"
#include "base/instant.h"
#include "base/memory.h"
#include "core/settlement.h"
#include "sqlite/connection.h"

#include <assert.h>

/* The range of a batch that one transaction books. */
struct range {
    struct batch *batch;
    size_t first;
    size_t end; /* one behind the last */
};

/* Collects the budgets that the range uses, each once. */
static void range_budgets_collect(struct sqlite_ledger *ledger, struct range range)
{
    size_t budget_count = range.batch->budget_count;
    if (budget_count > ledger->range_budget_capacity) {
        ledger->range_budgets =
            memory_resize(ledger->range_budgets, budget_count, sizeof *ledger->range_budgets);
        ledger->range_budget_seen =
            memory_resize(ledger->range_budget_seen, budget_count, sizeof *ledger->range_budget_seen);
        ledger->range_budget_capacity = budget_count;
    }
    for (size_t i = 0; i < budget_count; i++) ledger->range_budget_seen[i] = false;
    ledger->range_budget_count = 0;
    for (size_t i = range.first; i < range.end; i++) {
        uint32_t budget = range.batch->items[i].budget;
        if (ledger->range_budget_seen[budget]) continue;
        ledger->range_budget_seen[budget] = true;
        ledger->range_budgets[ledger->range_budget_count++] = budget;
    }
}

static enum status budgets_read(struct sqlite_ledger *ledger, struct range range, struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_BUDGET_READ, &statement, error);
    if (status != STATUS_OK) return status;
    range_budgets_collect(ledger, range);
    for (size_t i = 0; i < ledger->range_budget_count; i++) {
        struct batch_budget *budget = &range.batch->budgets[ledger->range_budgets[i]];
        statement_bind_text(statement, 1, budget->id);
        int code = sqlite3_step(statement);
        if (code != SQLITE_ROW && code != SQLITE_DONE)
            return connection_fail(ledger, code, "reading budgets", error);
        budget->found = code == SQLITE_ROW;
        if (budget->found) {
            budget->state = (enum budget_state)sqlite3_column_int(statement, 0);
            budget->total = sqlite3_column_int64(statement, 1);
            budget->settled = sqlite3_column_int64(statement, 2);
            budget->closed_at_us = sqlite3_column_int64(statement, 3);
        }
        sqlite3_reset(statement);
    }
    return STATUS_OK;
}

static enum status known_rows_read(struct sqlite_ledger *ledger, struct range range, struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_DEDUCTION_KNOWN, &statement, error);
    if (status != STATUS_OK) return status;
    for (size_t i = range.first; i < range.end; i++) {
        if (!batch_item_needs_lookup(range.batch, i, range.first)) continue;
        struct batch_item *item = &range.batch->items[i];
        item->known = (struct known_row){0};
        statement_bind_text(statement, 1, item->deduction.message_id);
        int code = sqlite3_step(statement);
        if (code == SQLITE_ROW) {
            struct text budget_id = statement_text(statement, 0);
            /* The column is never NULL, so memory ran out; a guess would park a good message. */
            if (!text_is_present(budget_id))
                return connection_fail(ledger, SQLITE_NOMEM, "reading a row", error);
            item->known.found = true;
            item->known.same = sqlite3_column_int64(statement, 1) == item->deduction.amount &&
                               text_equal(budget_id, item->deduction.budget_id);
            item->known.state = (enum deduction_state)sqlite3_column_int(statement, 2);
            item->known.deducted_at_us = sqlite3_column_int64(statement, 3);
            item->known.booked_at_us = sqlite3_column_int64(statement, 4);
            item->known.reason = (enum deduction_reason)sqlite3_column_int(statement, 5);
        } else if (code != SQLITE_DONE) {
            return connection_fail(ledger, code, "looking message ids up", error);
        }
        sqlite3_reset(statement);
    }
    return STATUS_OK;
}

static void row_bind(sqlite3_stmt *statement, const struct batch_item *item)
{
    bool settled = item->verdict == VERDICT_SETTLED;
    statement_bind_text(statement, 1, item->deduction.message_id);
    statement_bind_text(statement, 2, item->deduction.budget_id);
    statement_bind_number(statement, 3, item->deduction.amount);
    statement_bind_number_or_null(statement, 4, item->deduction.deducted_at_us);
    statement_bind_number(statement, 5, settled ? DEDUCTION_SETTLED : DEDUCTION_REJECTED);
    statement_bind_number(statement, 6, item->reason);
    statement_bind_number(statement, 7, settled ? REFUND_NONE : REFUND_DUE);
    statement_bind_text(statement, 9, item->deduction.user_id);
    statement_bind_text(statement, 10, item->deduction.meta);
}

static enum status rows_insert(struct sqlite_ledger *ledger, struct range range, int64_t now_us,
                               struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_DEDUCTION_INSERT, &statement, error);
    if (status != STATUS_OK) return status;
    statement_bind_number(statement, 8, now_us);
    for (size_t i = range.first; i < range.end; i++) {
        const struct batch_item *item = &range.batch->items[i];
        if (item->verdict != VERDICT_SETTLED && item->verdict != VERDICT_REJECTED) continue;
        row_bind(statement, item);
        int code = statement_run(statement);
        if (code != SQLITE_OK) return connection_fail_row(ledger, code, "booking a deduction", error);
        /* A trigger may swallow a row without an error; it must not be acknowledged. */
        if (sqlite3_changes(ledger->database) == 1) continue;
        transaction_rollback(ledger);
        return error_set(
            error, STATUS_REFUSED,
            "ledger %s: booking a deduction: the row was silently left out; look at its triggers",
            ledger->path);
    }
    return STATUS_OK;
}

static enum status budgets_update(struct sqlite_ledger *ledger, struct range range, int64_t now_us,
                                  struct error *error)
{
    sqlite3_stmt *statement;
    enum status status = statement_get(ledger, STATEMENT_BUDGET_SETTLE, &statement, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < ledger->range_budget_count; i++) {
        const struct batch_budget *budget = &range.batch->budgets[ledger->range_budgets[i]];
        if (budget->delta == 0) continue;
        statement_bind_text(statement, 1, budget->id);
        statement_bind_number(statement, 2, budget->delta);
        statement_bind_number(statement, 3, now_us);
        int code = statement_run(statement);
        if (code != SQLITE_OK)
            return connection_fail(ledger, code, "adding to a budget's settled sum", error);
        if (sqlite3_changes(ledger->database) == 1) continue;
        transaction_rollback(ledger);
        return error_set(error, STATUS_RETRY,
                         "ledger %s: budget " TEXT_FORMAT " was not updated; look at its triggers",
                         ledger->path, TEXT_ARGUMENTS(budget->id));
    }
    return STATUS_OK;
}

enum status sqlite_settle(struct ledger *port, struct batch *batch, size_t first, size_t count,
                          struct error *error)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(port);
    struct range range = {batch, first, first + count};
    int64_t now_us = instant_wall_us();
    assert(range.end <= batch->count);

    enum status status = transaction_begin_write(ledger, error);
    if (status == STATUS_OK) status = budgets_read(ledger, range, error);
    if (status == STATUS_OK) status = known_rows_read(ledger, range, error);
    if (status != STATUS_OK) return status;
    settlement_decide(batch, first, count);
    status = rows_insert(ledger, range, now_us, error);
    if (status == STATUS_OK) status = budgets_update(ledger, range, now_us, error);
    if (status != STATUS_OK) return status;
    FAILPOINT("settle-before-commit");
    status = transaction_commit(ledger, error);
    if (status == STATUS_OK) FAILPOINT("settle-after-commit");
    return status;
}
