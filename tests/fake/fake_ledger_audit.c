/* The fake ledger's answers to port/ledger_audit.h. */
#include "fake/fake_ledger_store.h"

#include "core/limits.h"

#include <assert.h>

static enum status fake_rows_scan(struct ledger *port, int64_t after, struct arena *arena,
                                  struct ledger_row *rows, size_t capacity, size_t *count,
                                  struct error *error)
{
    struct call call;
    *count = 0;
    enum status status = call_begin(port, false, &call, error);
    if (status != STATUS_OK) return status;
    for (size_t i = after < 0 ? 0 : (size_t)after; i < call.store->deduction_count && *count < capacity;
         i++) {
        const struct fake_deduction *row = &call.store->deductions[i];
        rows[(*count)++] = (struct ledger_row){.sequence = (int64_t)i + 1,
                                               .budget_id = arena_copy(arena, row->budget_id),
                                               .amount = row->amount,
                                               .deducted_at_us = row->deducted_at_us,
                                               .state = row->state,
                                               .refund = row->refund};
    }
    return STATUS_OK;
}

static enum status fake_credits_list(struct ledger *port, struct text budget_id, int64_t after,
                                     struct arena *arena, struct ledger_credit *credits, size_t capacity,
                                     size_t *count, struct error *error)
{
    struct call call;
    *count = 0;
    enum status status = call_begin(port, false, &call, error);
    if (status != STATUS_OK) return status;
    for (size_t i = after < 0 ? 0 : (size_t)after; i < call.store->credit_count && *count < capacity; i++) {
        const struct fake_credit *credit = &call.store->credits[i];
        if (!text_equal(credit->budget_id, budget_id)) continue;
        credits[(*count)++] = (struct ledger_credit){.sequence = (int64_t)i + 1,
                                                     .credit_id = arena_copy(arena, credit->credit_id),
                                                     .amount = credit->amount,
                                                     .applied = credit->applied,
                                                     .created_at_us = credit->created_at_us};
    }
    return STATUS_OK;
}

/* Why the tables have no place for this void; NULL: they have. */
static const char *void_objection(const struct fake_ledger_store *store, struct text actor,
                                  const struct ledger_void *row)
{
    if (!store_id_fits(row->message_id)) return "no valid message id";
    if (!store_id_fits(row->budget_id)) return "no valid budget id";
    if (row->amount < 1 || row->amount > AMOUNT_MAX) return "no valid amount";
    if (row->deducted_at_us < 0 || row->deducted_at_us > AMOUNT_MAX) return "no valid token";
    if (row->refund != REFUND_DUE && row->refund != REFUND_DONE) return "no valid refund";
    if (!store_actor_fits(actor)) return "no valid actor";
    bool refused = text_is_present(store->refused_id) && text_equal(row->message_id, store->refused_id);
    return refused ? "refused, as asked for" : NULL;
}

/* Not below the time, as the real one's. */
static int64_t sequence_next(const struct fake_ledger_store *store)
{
    size_t count = store->intervention_count;
    int64_t last = count == 0 ? 0 : store->interventions[count - 1].sequence;
    return last < store->now_us ? store->now_us : last + 1;
}

static void void_book(struct fake_ledger_store *store, struct text actor, const struct ledger_void *row)
{
    store_deduction_add(store, &(struct fake_deduction){.message_id = row->message_id,
                                                        .budget_id = row->budget_id,
                                                        .amount = row->amount,
                                                        .deducted_at_us = row->deducted_at_us,
                                                        .state = DEDUCTION_VOIDED,
                                                        .reason = row->reason,
                                                        .refund = row->refund,
                                                        .booked_at_us = store->now_us});
    store_intervention_add(
        store, &(struct intervention){.sequence = sequence_next(store),
                                      .kind = row->reason == REASON_ORPHANED ? INTERVENTION_VOID
                                                                             : INTERVENTION_DISCARD,
                                      .state = INTERVENTION_DONE,
                                      .at_us = store->now_us,
                                      .actor = actor,
                                      .budget_id = row->budget_id,
                                      .message_id = row->message_id,
                                      .amount = row->refund == REFUND_DUE ? row->amount : 0});
}

/* Booked, or the same as one before it. */
static bool void_is_known(const struct fake_ledger_store *store, const struct ledger_void *voids,
                          size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (text_equal(voids[i].message_id, voids[index].message_id)) return true;
    }
    return store_deduction_find(store, voids[index].message_id) != NULL;
}

static enum status fake_voids_insert(struct ledger *port, struct text actor, struct ledger_void *voids,
                                     size_t count, struct error *error)
{
    struct call call;
    enum status status = call_begin(port, true, &call, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        assert(voids[i].reason == REASON_ORPHANED || voids[i].reason == REASON_DISCARDED);
        if (void_is_known(call.store, voids, i)) continue;
        const char *objection = void_objection(call.store, actor, &voids[i]);
        if (objection == NULL) continue;
        return error_set(error, STATUS_REFUSED, "ledger: voiding a deduction: %s", objection);
    }
    for (size_t i = 0; i < count; i++) {
        voids[i].inserted = store_deduction_find(call.store, voids[i].message_id) == NULL;
        if (voids[i].inserted) void_book(call.store, actor, &voids[i]);
    }
    return call_end(&call, error);
}

static enum status fake_interventions_begin(struct ledger *port, struct intervention *interventions,
                                            size_t count, struct error *error)
{
    struct call call;
    enum status status = call_begin(port, true, &call, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        if (!store_actor_fits(interventions[i].actor))
            return error_set(error, STATUS_REFUSED, "ledger: writing into the journal: no valid actor");
    }
    for (size_t i = 0; i < count; i++) {
        struct intervention entry = interventions[i];
        entry.sequence = interventions[i].sequence = sequence_next(call.store);
        entry.at_us = call.store->now_us;
        store_intervention_add(call.store, &entry);
    }
    return call_end(&call, error);
}

static struct intervention *intervention_find(const struct fake_ledger_store *store, int64_t sequence)
{
    for (size_t i = store->intervention_count; i > 0; i--) {
        if (store->interventions[i - 1].sequence == sequence) return &store->interventions[i - 1];
    }
    return NULL;
}

static enum status fake_interventions_end(struct ledger *port, const struct intervention *interventions,
                                          size_t count, struct error *error)
{
    struct call call;
    enum status status = call_begin(port, true, &call, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        if (intervention_find(call.store, interventions[i].sequence) == NULL)
            return error_set(error, STATUS_REFUSED, "ledger: its journal has no entry %lld",
                             (long long)interventions[i].sequence);
    }
    for (size_t i = 0; i < count; i++)
        intervention_find(call.store, interventions[i].sequence)->state = interventions[i].state;
    return call_end(&call, error);
}

static enum status fake_interventions_open(struct ledger *port, enum intervention_kind kind,
                                           struct arena *arena, struct intervention *interventions,
                                           size_t capacity, size_t *count, struct error *error)
{
    struct call call;
    *count = 0;
    enum status status = call_begin(port, false, &call, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < call.store->intervention_count && *count < capacity; i++) {
        const struct intervention *entry = &call.store->interventions[i];
        if (entry->kind != kind || entry->state != INTERVENTION_BEGUN) continue;
        struct intervention *copy = &interventions[(*count)++];
        *copy = *entry;
        copy->actor = arena_copy(arena, entry->actor);
        copy->budget_id = arena_copy(arena, entry->budget_id);
        copy->message_id = arena_copy(arena, entry->message_id);
        copy->subject = arena_copy(arena, entry->subject);
        copy->before = arena_copy(arena, entry->before);
        copy->after = arena_copy(arena, entry->after);
    }
    return STATUS_OK;
}

static bool id_is(struct text id, struct text wanted)
{
    return text_is_present(id) && text_equal(id, wanted);
}

static struct parked_look look_of(const struct fake_ledger_store *store, struct text message_id)
{
    struct parked_look look = {.parked = false};
    for (size_t i = 0; i < store->parked_count; i++) {
        if (!id_is(store->parked[i].message_id, message_id)) continue;
        look.parked |= store->parked[i].state == PARKED_PARKED;
        look.replayed |= store->parked[i].state == PARKED_REPLAYED;
    }
    for (size_t i = 0; i < store->intervention_count && !look.replayed; i++) {
        const struct intervention *entry = &store->interventions[i];
        bool again = entry->kind == INTERVENTION_REPLAY || entry->kind == INTERVENTION_IMPORT;
        look.replayed = again && id_is(entry->message_id, message_id);
    }
    return look;
}

static enum status fake_parked_look(struct ledger *port, const struct text *message_ids, size_t count,
                                    struct parked_look *looks, struct error *error)
{
    struct call call;
    enum status status = call_begin(port, false, &call, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) looks[i] = look_of(call.store, message_ids[i]);
    return STATUS_OK;
}

static enum status fake_parked_since(struct ledger *port, int64_t after, struct arena *arena,
                                     struct parked_entry *entries, size_t capacity, size_t *count,
                                     struct error *error)
{
    struct call call;
    *count = 0;
    enum status status = call_begin(port, false, &call, error);
    if (status != STATUS_OK) return status;
    for (size_t i = after < 0 ? 0 : (size_t)after; i < call.store->parked_count && *count < capacity; i++) {
        const struct fake_parked *parked = &call.store->parked[i];
        struct text reason = text_of(park_reason_name(parked->reason));
        entries[(*count)++] = (struct parked_entry){.sequence = (int64_t)i + 1,
                                                    .message_id = arena_copy(arena, parked->message_id),
                                                    .reason = arena_copy(arena, reason),
                                                    .parked_at_us = parked->parked_at_us};
    }
    return STATUS_OK;
}

static void parked_mark_all(struct fake_ledger_store *store, const struct parked_mark *mark,
                            enum parked_state state)
{
    bool readable = text_is_present(mark->message_id);
    for (size_t i = 0; i < store->parked_count; i++) {
        struct fake_parked *parked = &store->parked[i];
        if (mark->up_to != 0 && (int64_t)i >= mark->up_to) return;
        if (parked->state != PARKED_PARKED) continue;
        if (readable && id_is(parked->message_id, mark->message_id)) parked->state = state;
        if (readable || text_is_present(parked->message_id)) continue;
        if (!text_equal_string(mark->reason, park_reason_name(parked->reason))) continue;
        parked->state = state;
        return;
    }
}

static enum status fake_parked_mark(struct ledger *port, const struct parked_mark *marks, size_t count,
                                    enum parked_state state, struct error *error)
{
    struct call call;
    assert(state == PARKED_REPLAYED || state == PARKED_DISCARDED);
    enum status status = call_begin(port, true, &call, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) parked_mark_all(call.store, &marks[i], state);
    return call_end(&call, error);
}

/* Nothing is written: an answer that is lost is a lock that is not taken. */
static enum status fake_lock(struct ledger *port, enum ledger_lock lock, struct error *error)
{
    struct call call;
    enum status status = call_begin(port, false, &call, error);
    if (status != STATUS_OK) return status;
    const struct ledger **holder = &call.store->lock_holders[lock];
    if (*holder != NULL && *holder != port)
        return error_set(error, STATUS_REFUSED, "ledger: another one holds the lock");
    *holder = port;
    return STATUS_OK;
}

static void fake_unlock(struct ledger *port, enum ledger_lock lock)
{
    struct fake_ledger_store *store = store_of(port);
    if (store->lock_holders[lock] == port) store->lock_holders[lock] = NULL;
}

bool fake_ledger_is_locked(const struct fake_ledger_store *store, enum ledger_lock lock)
{
    return store->lock_holders[lock] != NULL;
}

void fake_ledger_locks_free(struct ledger *port)
{
    fake_unlock(port, LEDGER_LOCK_RECONCILE);
    fake_unlock(port, LEDGER_LOCK_DEAD_LETTERS);
}

const struct ledger_audit_ops fake_ledger_audit_operations = {
    .rows_scan = fake_rows_scan,
    .credits_list = fake_credits_list,
    .voids_insert = fake_voids_insert,
    .interventions_begin = fake_interventions_begin,
    .interventions_end = fake_interventions_end,
    .interventions_open = fake_interventions_open,
    .parked_look = fake_parked_look,
    .parked_since = fake_parked_since,
    .parked_mark = fake_parked_mark,
    .run_record = fake_ledger_run_record,
    .run_last = fake_ledger_run_last,
    .sights_read = fake_ledger_sights_read,
    .sights_record = fake_ledger_sights_record,
    .lock = fake_lock,
    .unlock = fake_unlock,
};
