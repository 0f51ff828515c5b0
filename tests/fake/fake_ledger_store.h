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
    struct arena arena; /* owned: the texts */
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

/* The fault of the call that begins. */
enum fake_ledger_fault store_fault_take(struct fake_ledger_store *store);

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

#endif
