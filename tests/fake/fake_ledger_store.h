/* What a fake ledger's store is made of: shared by the files of the fake, nobody else's business. */
#ifndef BURSAR_TESTS_FAKE_LEDGER_STORE_H
#define BURSAR_TESTS_FAKE_LEDGER_STORE_H

#include "fake/fake_ledger.h"

struct fake_ledger_store {
    bool initialised;
    int64_t now_us;
    uint64_t calls;
    enum fake_ledger_fault fault;
    unsigned fault_skip;
    unsigned fault_times;
    struct text refused_id;
    struct fake_deduction *deductions; /* owned */
    size_t deduction_count, deduction_capacity;
    uint32_t *slots; /* owned; open addressing by message id: index + 1 */
    size_t slot_count;
    struct fake_budget *budgets; /* owned */
    size_t budget_count, budget_capacity;
    struct fake_credit *credits; /* owned */
    size_t credit_count, credit_capacity;
    struct fake_parked *parked; /* owned */
    size_t parked_count, parked_capacity;
    struct intervention *interventions; /* owned */
    size_t intervention_count, intervention_capacity;
    struct reconcile_run *runs; /* owned */
    size_t run_count, run_capacity;
    struct stock_sight *sights; /* owned */
    size_t sight_count, sight_capacity;
    const struct ledger *lock_holders[LEDGER_LOCK_DEAD_LETTERS + 1]; /* borrowed; NULL: free */
    struct arena arena;                                              /* owned: the texts */
};

struct fake_deduction *store_deduction_find(const struct fake_ledger_store *store, struct text message_id);
struct fake_budget *store_budget_find(const struct fake_ledger_store *store, struct text budget_id);
struct fake_credit *store_credit_find(const struct fake_ledger_store *store, struct text budget_id,
                                      struct text credit_id);

/* Each copies the texts. */
void store_deduction_add(struct fake_ledger_store *store, const struct fake_deduction *row);
void store_budget_add(struct fake_ledger_store *store, const struct ledger_budget *budget);
void store_credit_add(struct fake_ledger_store *store, struct text budget_id, struct text credit_id,
                      int64_t amount);
void store_parked_add(struct fake_ledger_store *store, const struct parked_row *row);
void store_intervention_add(struct fake_ledger_store *store, const struct intervention *entry);
void store_run_add(struct fake_ledger_store *store, const struct reconcile_run *run);
void store_sight_set(struct fake_ledger_store *store, const struct stock_sight *sight);

struct stock_sight *store_sight_find(const struct fake_ledger_store *store, struct text budget_id);

/* Room for one more row: the rows, perhaps moved. */
void *store_grow(void *rows, size_t count, size_t *capacity, size_t size);

/* Characters, as SQLite's length() counts them. */
size_t store_text_characters(struct text text);

/* What the tables check of ids and actors. */
bool store_id_fits(struct text id);
bool store_actor_fits(struct text actor);

/* The fault of the call that begins. */
enum fake_ledger_fault store_fault_take(struct fake_ledger_store *store);

struct fake_ledger_store *store_of(struct ledger *port);

/* How a call goes on after its fault was looked up. */
struct call {
    struct fake_ledger_store *store;
    bool lost; /* it happens, and its answer is lost */
};

/* Looks the call's fault up and insists on tables. What follows STATUS_OK happens; call_end then says what
 * the caller learns. */
enum status call_begin(struct ledger *port, bool writes, struct call *call, struct error *error);
enum status call_end(const struct call *call, struct error *error);

/* The calls about budgets. */
enum status fake_ledger_budget_create(struct ledger *port, const struct ledger_budget *budget,
                                      struct text credit_id, struct error *error);
enum status fake_ledger_budget_credit(struct ledger *port, struct text budget_id, struct text credit_id,
                                      int64_t amount, bool *applied, struct error *error);
enum status fake_ledger_credit_mark(struct ledger *port, struct text budget_id, struct text credit_id,
                                    struct error *error);
enum status fake_ledger_budget_state_set(struct ledger *port, struct text budget_id, enum budget_state state,
                                         int64_t closed_at_us, struct error *error);
enum status fake_ledger_budget_find(struct ledger *port, struct text budget_id, struct arena *arena,
                                    struct ledger_budget *budget, bool *found, struct error *error);
enum status fake_ledger_budgets_list(struct ledger *port, struct text after_id, struct arena *arena,
                                     struct ledger_budget *budgets, size_t capacity, size_t *count,
                                     struct error *error);

/* The calls about runs and sights. */
enum status fake_ledger_run_record(struct ledger *port, const struct reconcile_run *run, struct error *error);
enum status fake_ledger_run_last(struct ledger *port, struct arena *arena, struct reconcile_run *run,
                                 bool *found, struct error *error);
enum status fake_ledger_sights_read(struct ledger *port, const struct text *budget_ids, size_t count,
                                    struct arena *arena, struct stock_sight *sights, struct error *error);
enum status fake_ledger_sights_record(struct ledger *port, const struct stock_sight *sights, size_t count,
                                      struct error *error);

/* The calls of port/ledger_audit.h. */
extern const struct ledger_audit_ops fake_ledger_audit_operations;

/* Lets go of the locks that the ledger holds. */
void fake_ledger_locks_free(struct ledger *port);

#endif
