/* A ledger in memory: same answers as the real one, no file, no clock of its own, and faults on demand.
 *
 * The store is the disk: it outlives every ledger opened on it, as a file outlives a process that crashed. */
#ifndef BURSAR_TESTS_FAKE_LEDGER_H
#define BURSAR_TESTS_FAKE_LEDGER_H

#include "port/ledger_audit.h"

struct fake_ledger_store;

enum fake_ledger_fault {
    FAKE_LEDGER_WELL,
    FAKE_LEDGER_RETRY,          /* nothing happens, STATUS_RETRY */
    FAKE_LEDGER_LOST_UNWRITTEN, /* nothing happens, STATUS_UNKNOWN; a call that only reads answers
                                   STATUS_RETRY */
    FAKE_LEDGER_LOST_WRITTEN,   /* it happens, STATUS_UNKNOWN; a call that only reads answers STATUS_RETRY */
    FAKE_LEDGER_CONFIG,         /* nothing happens, STATUS_CONFIG */
};

/* A booked row; the texts belong to the store. */
struct fake_deduction {
    struct text message_id;
    struct text budget_id;
    struct text user_id;
    struct text meta;
    int64_t amount;
    int64_t deducted_at_us;
    enum deduction_state state;
    enum deduction_reason reason;
    enum refund_state refund;
    int64_t booked_at_us;
};

struct fake_budget {
    struct ledger_budget budget;
    int64_t closed_at_us;
};

struct fake_credit {
    struct text budget_id;
    struct text credit_id;
    int64_t amount;
    bool applied;
    int64_t created_at_us;
};

struct fake_parked {
    struct text message_id;
    enum park_reason reason;
    struct text detail;
    int64_t parked_at_us;
    enum parked_state state;
};

/* Empty, without tables, at one microsecond after the epoch. The caller frees. */
struct fake_ledger_store *fake_ledger_store_new(void);
void fake_ledger_store_free(struct fake_ledger_store *store);

/* A connection to the store, to be closed with ledger_close; the rows stay in the store. */
struct ledger *fake_ledger_open(struct fake_ledger_store *store);

void fake_ledger_clock_set(struct fake_ledger_store *store, int64_t wall_us);

/* From the call behind the next `skip` on, `times` calls suffer `fault`. Replaces the fault that was set. */
void fake_ledger_fail(struct fake_ledger_store *store, enum fake_ledger_fault fault, unsigned skip,
                      unsigned times);

/* A void row with its refund due, past the ports and without an entry in the journal; false: the id is
 * booked. */
bool fake_ledger_void(struct fake_ledger_store *store, struct text message_id, struct text budget_id,
                      int64_t amount, int64_t deducted_at_us);

/* From now on a row with this message id is refused (absent: none is any more). One id at a time. */
void fake_ledger_refuse(struct fake_ledger_store *store, struct text message_id);

/* A backup of the store: its tables and all that they hold. Restoring puts all of it in the place of what the
 * store holds, as often as one likes, under the ledgers that are open; the clock, the calls, the fault, the
 * locks and the refused row go on. Rows looked at before are dead. The caller frees. */
struct fake_ledger_snapshot;
struct fake_ledger_snapshot *fake_ledger_snapshot_take(const struct fake_ledger_store *store);
void fake_ledger_snapshot_restore(struct fake_ledger_store *store,
                                  const struct fake_ledger_snapshot *snapshot);
void fake_ledger_snapshot_free(struct fake_ledger_snapshot *snapshot);

/* What the store holds, in the order it was written. A row is valid until the next write. */
size_t fake_ledger_deduction_count(const struct fake_ledger_store *store);
const struct fake_deduction *fake_ledger_deduction(const struct fake_ledger_store *store, size_t index);
const struct fake_deduction *fake_ledger_deduction_find(const struct fake_ledger_store *store,
                                                        struct text message_id);
size_t fake_ledger_budget_count(const struct fake_ledger_store *store);
const struct fake_budget *fake_ledger_budget(const struct fake_ledger_store *store, size_t index);
size_t fake_ledger_credit_count(const struct fake_ledger_store *store);
const struct fake_credit *fake_ledger_credit(const struct fake_ledger_store *store, size_t index);
size_t fake_ledger_parked_count(const struct fake_ledger_store *store);
const struct fake_parked *fake_ledger_parked(const struct fake_ledger_store *store, size_t index);
size_t fake_ledger_intervention_count(const struct fake_ledger_store *store);
const struct intervention *fake_ledger_intervention(const struct fake_ledger_store *store, size_t index);
size_t fake_ledger_run_count(const struct fake_ledger_store *store);
const struct reconcile_run *fake_ledger_run(const struct fake_ledger_store *store, size_t index);
size_t fake_ledger_sight_count(const struct fake_ledger_store *store);
const struct stock_sight *fake_ledger_sight(const struct fake_ledger_store *store, size_t index);

/* Whether a ledger holds the lock. */
bool fake_ledger_is_locked(const struct fake_ledger_store *store, enum ledger_lock lock);

/* Calls that got as far as the store, faults included. */
uint64_t fake_ledger_calls(const struct fake_ledger_store *store);

#endif
