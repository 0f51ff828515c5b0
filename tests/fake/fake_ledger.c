#include "fake/fake_ledger_store.h"

#include "base/memory.h"
#include "core/limits.h"
#include "core/settlement.h"

#include <assert.h>
#include <stdlib.h>

/* Rows among which the last token is looked for. */
#define STATS_NEWEST 1000

struct fake_ledger {
    struct ledger base; /* first */
    struct fake_ledger_store *store;
};

struct fake_ledger_store *store_of(struct ledger *port)
{
    return ((struct fake_ledger *)port)->store;
}

static enum status call_begin_any(struct ledger *port, bool writes, struct call *call, struct error *error)
{
    *call = (struct call){.store = store_of(port)};
    switch (store_fault_take(call->store)) {
    case FAKE_LEDGER_WELL: return STATUS_OK;
    case FAKE_LEDGER_RETRY: return error_set(error, STATUS_RETRY, "ledger: away, as asked for");
    case FAKE_LEDGER_CONFIG: return error_set(error, STATUS_CONFIG, "ledger: badly set up, as asked for");
    case FAKE_LEDGER_LOST_UNWRITTEN:
        return error_set(error, writes ? STATUS_UNKNOWN : STATUS_RETRY,
                         "ledger: the answer is lost, as asked for");
    case FAKE_LEDGER_LOST_WRITTEN:
        if (!writes) return error_set(error, STATUS_RETRY, "ledger: the answer is lost, as asked for");
        call->lost = true;
        return STATUS_OK;
    }
    return STATUS_INTERNAL;
}

enum status call_begin(struct ledger *port, bool writes, struct call *call, struct error *error)
{
    enum status status = call_begin_any(port, writes, call, error);
    if (status != STATUS_OK || call->store->initialised) return status;
    return error_set(error, STATUS_RETRY, "ledger: it has no tables yet: create them with `bursar init`");
}

enum status call_end(const struct call *call, struct error *error)
{
    return call->lost ? error_set(error, STATUS_UNKNOWN, "ledger: the answer is lost, as asked for")
                      : STATUS_OK;
}

static enum status fake_initialise(struct ledger *port, struct error *error)
{
    struct call call;
    enum status status = call_begin_any(port, true, &call, error);
    if (status != STATUS_OK) return status;
    call.store->initialised = true;
    return call_end(&call, error);
}

static enum status fake_ping(struct ledger *port, struct error *error)
{
    struct call call;
    return call_begin(port, false, &call, error);
}

static void range_read(const struct fake_ledger_store *store, struct batch *batch, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        struct batch_item *item = &batch->items[i];
        struct batch_budget *budget = &batch->budgets[item->budget];
        const struct fake_budget *found = store_budget_find(store, budget->id);
        budget->found = found != NULL;
        if (found != NULL) {
            budget->state = found->budget.state;
            budget->total = found->budget.total;
            budget->settled = found->budget.settled;
            budget->closed_at_us = found->closed_at_us;
        }
        if (!batch_item_needs_lookup(batch, i, first)) continue;
        const struct fake_deduction *row = store_deduction_find(store, item->deduction.message_id);
        item->known = (struct known_row){.found = row != NULL};
        if (row == NULL) continue;
        item->known.same =
            row->amount == item->deduction.amount && text_equal(row->budget_id, item->deduction.budget_id);
        item->known.state = row->state;
        item->known.reason = row->reason;
        item->known.deducted_at_us = row->deducted_at_us;
        item->known.booked_at_us = row->booked_at_us;
    }
}

static bool item_is_new(const struct batch_item *item)
{
    return item->verdict == VERDICT_SETTLED || item->verdict == VERDICT_REJECTED;
}

static void item_book(struct fake_ledger_store *store, const struct batch_item *item)
{
    bool settled = item->verdict == VERDICT_SETTLED;
    store_deduction_add(store, &(struct fake_deduction){
                                   .message_id = item->deduction.message_id,
                                   .budget_id = item->deduction.budget_id,
                                   .user_id = item->deduction.user_id,
                                   .meta = item->deduction.meta,
                                   .amount = item->deduction.amount,
                                   .deducted_at_us = item->deduction.deducted_at_us,
                                   .state = settled ? DEDUCTION_SETTLED : DEDUCTION_REJECTED,
                                   .reason = item->reason,
                                   .refund = settled ? REFUND_NONE : REFUND_DUE,
                                   .booked_at_us = store->now_us,
                               });
}

static void budget_add_delta(struct fake_ledger_store *store, const struct batch_budget *budget)
{
    if (budget->delta == 0) return;
    struct fake_budget *booked = store_budget_find(store, budget->id);
    assert(booked != NULL);
    booked->budget.settled += budget->delta;
    booked->budget.updated_at_us = store->now_us;
    assert(booked->budget.settled <=
           (booked->budget.total == TOTAL_UNLIMITED ? AMOUNT_MAX : booked->budget.total));
}

/* Why the table has no place for this row; NULL: it has. */
static const char *row_objection(const struct fake_ledger_store *store, const struct deduction *deduction)
{
    if (deduction->deducted_at_us > AMOUNT_MAX) return "a token beyond 9007199254740991";
    if (store_text_characters(deduction->user_id) > USER_ID_CHARACTERS_MAX)
        return "a user_id that is too long";
    if (store_text_characters(deduction->meta) > META_SIZE_MAX) return "meta that is too long";
    bool refused = text_is_present(store->refused_id) && text_equal(deduction->message_id, store->refused_id);
    return refused ? "refused, as asked for" : NULL;
}

static enum status fake_settle(struct ledger *port, struct batch *batch, size_t first, size_t count,
                               struct error *error)
{
    struct call call;
    enum status status = call_begin(port, true, &call, error);
    if (status != STATUS_OK) return status;
    range_read(call.store, batch, first, first + count);
    settlement_decide(batch, first, count);
    for (size_t i = first; i < first + count; i++) {
        const struct batch_item *item = &batch->items[i];
        const char *objection = item_is_new(item) ? row_objection(call.store, &item->deduction) : NULL;
        if (objection == NULL) continue;
        return error_set(error, STATUS_REFUSED, "ledger: booking a deduction: %s", objection);
    }
    for (size_t i = first; i < first + count; i++) {
        if (item_is_new(&batch->items[i])) item_book(call.store, &batch->items[i]);
    }
    for (size_t i = 0; i < batch->budget_count; i++) budget_add_delta(call.store, &batch->budgets[i]);
    return call_end(&call, error);
}

static enum status fake_record_parked(struct ledger *port, const struct parked_row *rows, size_t count,
                                      struct error *error)
{
    struct call call;
    enum status status = call_begin(port, true, &call, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        assert(rows[i].reason != PARK_NONE);
        store_parked_add(call.store, &rows[i]);
    }
    return call_end(&call, error);
}

/* A row's sequence is its index plus one, so that 0 lies before all. */
static enum status fake_debts_fetch(struct ledger *port, struct debt_cursor *cursor, struct arena *arena,
                                    struct debt *debts, size_t capacity, size_t *count, struct error *error)
{
    struct call call;
    *count = 0;
    enum status status = call_begin(port, false, &call, error);
    if (status != STATUS_OK) return status;
    for (size_t i = (size_t)cursor->refund_sequence; i < call.store->deduction_count && *count < capacity;
         i++) {
        const struct fake_deduction *row = &call.store->deductions[i];
        if (row->refund != REFUND_DUE) continue;
        cursor->refund_sequence = (int64_t)i + 1;
        debts[(*count)++] = (struct debt){.kind = DEBT_REFUND,
                                          .sequence = cursor->refund_sequence,
                                          .budget_id = arena_copy(arena, row->budget_id),
                                          .id = arena_copy(arena, row->message_id),
                                          .amount = row->amount,
                                          .deducted_at_us = row->deducted_at_us,
                                          .outcome = row->state};
    }
    for (size_t i = (size_t)cursor->credit_sequence; i < call.store->credit_count && *count < capacity; i++) {
        const struct fake_credit *credit = &call.store->credits[i];
        if (credit->applied) continue;
        cursor->credit_sequence = (int64_t)i + 1;
        debts[(*count)++] = (struct debt){.kind = DEBT_CREDIT,
                                          .sequence = cursor->credit_sequence,
                                          .budget_id = arena_copy(arena, credit->budget_id),
                                          .id = arena_copy(arena, credit->credit_id),
                                          .amount = credit->amount};
    }
    return STATUS_OK;
}

static enum status fake_debts_mark(struct ledger *port, const struct debt *debts, size_t count,
                                   struct error *error)
{
    struct call call;
    enum status status = call_begin(port, true, &call, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        if (!debts[i].paid) continue;
        if (debts[i].kind == DEBT_REFUND) {
            struct fake_deduction *row = store_deduction_find(call.store, debts[i].id);
            if (row != NULL && row->refund == REFUND_DUE) row->refund = REFUND_DONE;
        } else {
            struct fake_credit *credit = store_credit_find(call.store, debts[i].budget_id, debts[i].id);
            if (credit != NULL) credit->applied = true;
        }
    }
    return call_end(&call, error);
}

static enum status fake_deductions_find(struct ledger *port, const struct text *message_ids, size_t count,
                                        struct arena *arena, struct ledger_deduction *rows,
                                        struct error *error)
{
    struct call call;
    enum status status = call_begin(port, false, &call, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        const struct fake_deduction *row = store_deduction_find(call.store, message_ids[i]);
        rows[i] = (struct ledger_deduction){.found = row != NULL};
        if (row == NULL) continue;
        rows[i].sequence = row - call.store->deductions + 1;
        rows[i].budget_id = arena_copy(arena, row->budget_id);
        rows[i].amount = row->amount;
        rows[i].deducted_at_us = row->deducted_at_us;
        rows[i].booked_at_us = row->booked_at_us;
        rows[i].state = row->state;
        rows[i].reason = row->reason;
        rows[i].refund = row->refund;
    }
    return STATUS_OK;
}

static enum status fake_stats(struct ledger *port, struct ledger_stats *stats, struct error *error)
{
    struct call call;
    enum status status = call_begin(port, false, &call, error);
    if (status != STATUS_OK) return status;
    *stats = (struct ledger_stats){.budgets = (int64_t)call.store->budget_count,
                                   .last_parked_sequence = (int64_t)call.store->parked_count};
    for (size_t i = 0; i < call.store->parked_count; i++)
        stats->parked += call.store->parked[i].state == PARKED_PARKED;
    for (size_t i = 0; i < call.store->deduction_count; i++) {
        const struct fake_deduction *row = &call.store->deductions[i];
        stats->refunds_due += row->refund == REFUND_DUE;
        bool newest = call.store->deduction_count - i <= STATS_NEWEST;
        if (newest && row->deducted_at_us != 0) stats->last_deducted_at_us = row->deducted_at_us;
    }
    for (size_t i = 0; i < call.store->credit_count; i++)
        stats->credits_due += !call.store->credits[i].applied;
    return STATUS_OK;
}

static void fake_close(struct ledger *port)
{
    fake_ledger_locks_free(port);
    free(port);
}

static const struct ledger_ops operations = {
    .initialise = fake_initialise,
    .ping = fake_ping,
    .settle = fake_settle,
    .record_parked = fake_record_parked,
    .debts_fetch = fake_debts_fetch,
    .debts_mark = fake_debts_mark,
    .deductions_find = fake_deductions_find,
    .budget_create = fake_ledger_budget_create,
    .budget_credit = fake_ledger_budget_credit,
    .credit_mark = fake_ledger_credit_mark,
    .budget_state_set = fake_ledger_budget_state_set,
    .budget_find = fake_ledger_budget_find,
    .budgets_list = fake_ledger_budgets_list,
    .stats = fake_stats,
    .close = fake_close,
};

struct ledger *fake_ledger_open(struct fake_ledger_store *store)
{
    struct fake_ledger *ledger = memory_alloc_zero(1, sizeof *ledger);
    ledger->base.ops = &operations;
    ledger->base.audit = &fake_ledger_audit_operations;
    ledger->store = store;
    return &ledger->base;
}
