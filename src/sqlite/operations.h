/* The calls of the port, each in the file of its subject; sqlite_ledger.c puts them into the table. */
#ifndef BURSAR_SQLITE_OPERATIONS_H
#define BURSAR_SQLITE_OPERATIONS_H

#include "port/ledger_audit.h"

/* settle.c */
enum status sqlite_settle(struct ledger *port, struct batch *batch, size_t first, size_t count,
                          struct error *error);

/* debts.c */
enum status sqlite_debts_fetch(struct ledger *port, struct debt_cursor *cursor, struct arena *arena,
                               struct debt *debts, size_t capacity, size_t *count, struct error *error);
enum status sqlite_debts_mark(struct ledger *port, const struct debt *debts, size_t count,
                              struct error *error);
enum status sqlite_credit_mark(struct ledger *port, struct text budget_id, struct text credit_id,
                               struct error *error);

/* budgets.c */
enum status sqlite_budget_create(struct ledger *port, const struct ledger_budget *budget,
                                 struct text credit_id, struct error *error);
enum status sqlite_budget_credit(struct ledger *port, struct text budget_id, struct text credit_id,
                                 int64_t amount, bool *applied, struct error *error);
enum status sqlite_budget_state_set(struct ledger *port, struct text budget_id, enum budget_state state,
                                    int64_t closed_at_us, struct error *error);

/* queries.c */
enum status sqlite_budget_find(struct ledger *port, struct text budget_id, struct arena *arena,
                               struct ledger_budget *budget, bool *found, struct error *error);
enum status sqlite_budgets_list(struct ledger *port, struct text after_id, struct arena *arena,
                                struct ledger_budget *budgets, size_t capacity, size_t *count,
                                struct error *error);
enum status sqlite_deductions_find(struct ledger *port, const struct text *message_ids, size_t count,
                                   struct arena *arena, struct ledger_deduction *rows, struct error *error);
enum status sqlite_stats(struct ledger *port, struct ledger_stats *stats, struct error *error);

/* parked.c */
enum status sqlite_record_parked(struct ledger *port, const struct parked_row *rows, size_t count,
                                 struct error *error);
enum status sqlite_parked_look(struct ledger *port, const struct text *message_ids, size_t count,
                               struct parked_look *looks, struct error *error);
enum status sqlite_parked_since(struct ledger *port, int64_t after, struct arena *arena,
                                struct parked_entry *entries, size_t capacity, size_t *count,
                                struct error *error);
enum status sqlite_parked_mark(struct ledger *port, const struct parked_mark *marks, size_t count,
                               enum parked_state state, struct error *error);

/* audit_rows.c */
enum status sqlite_rows_scan(struct ledger *port, int64_t after, struct arena *arena, struct ledger_row *rows,
                             size_t capacity, size_t *count, struct error *error);
enum status sqlite_credits_list(struct ledger *port, struct text budget_id, int64_t after,
                                struct arena *arena, struct ledger_credit *credits, size_t capacity,
                                size_t *count, struct error *error);

/* voids.c */
enum status sqlite_voids_insert(struct ledger *port, struct text actor, struct ledger_void *voids,
                                size_t count, struct error *error);

/* interventions.c */
enum status sqlite_interventions_begin(struct ledger *port, struct intervention *interventions, size_t count,
                                       struct error *error);
enum status sqlite_interventions_end(struct ledger *port, const struct intervention *interventions,
                                     size_t count, struct error *error);
enum status sqlite_interventions_open(struct ledger *port, enum intervention_kind kind, struct arena *arena,
                                      struct intervention *interventions, size_t capacity, size_t *count,
                                      struct error *error);

/* runs.c */
enum status sqlite_run_record(struct ledger *port, const struct reconcile_run *run, struct error *error);
enum status sqlite_run_last(struct ledger *port, struct arena *arena, struct reconcile_run *run, bool *found,
                            struct error *error);
enum status sqlite_sights_read(struct ledger *port, const struct text *budget_ids, size_t count,
                               struct arena *arena, struct stock_sight *sights, struct error *error);
enum status sqlite_sights_record(struct ledger *port, const struct stock_sight *sights, size_t count,
                                 struct error *error);

#endif
