#include "sim/ports.h"

#include "sim/world.h"

static struct sim_ledger *self_of(struct ledger *base)
{
    return (struct sim_ledger *)base;
}

/* What a call does to the ledger. A reconcile that only looks may keep the record of its run, and write
 * nothing else. */
enum deed { READS, WRITES, RECORDS };

/* Draws how the call goes; STATUS_OK: on to the fake, which then fails as it was told. */
static enum status path(struct ledger *base, enum deed deed, struct error *error)
{
    struct sim_ledger *self = self_of(base);
    struct world *world = self->world;
    if (deed == WRITES && self->caller != NULL && self->caller->looks_only)
        world_violate(world, "a-look-writes-nothing", "who only looks writes into the ledger");
    enum call_fate fate = self->caller == NULL ? CALL_GOES : caller_ask(self->caller);
    if (fate == CALL_IS_DEAD) return error_set(error, STATUS_RETRY, "the process is dead");
    bool away = world->ledger_down || (self->caller != NULL && self->caller->ledger_away);
    if (away) return error_set(error, STATUS_RETRY, "the ledger is away");
    if (world->ledger_full && deed != READS) return error_set(error, STATUS_RETRY, "the disk is full");
    if (fate == CALL_IS_LAST) return STATUS_OK;
    static const struct {
        enum chance chance;
        enum fake_ledger_fault fault;
    } faults[] = {{CHANCE_LEDGER_RETRY, FAKE_LEDGER_RETRY},
                  {CHANCE_LEDGER_LOST_UNWRITTEN, FAKE_LEDGER_LOST_UNWRITTEN},
                  {CHANCE_LEDGER_LOST_WRITTEN, FAKE_LEDGER_LOST_WRITTEN},
                  {CHANCE_LEDGER_CONFIG, FAKE_LEDGER_CONFIG}};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        if (!caller_chance(self->caller, world, faults[i].chance)) continue;
        fake_ledger_fail(world->ledger, faults[i].fault, 0, 1);
        break;
    }
    return STATUS_OK;
}

/* One call: sim_NAME asks the wire, then the fake's ledger_NAME. */
#define CALL(name, deed, parameters, ...)                                                                    \
    static enum status sim_##name parameters                                                                 \
    {                                                                                                        \
        enum status status = path(base, deed, error);                                                        \
        return status == STATUS_OK ? ledger_##name(self_of(base)->real, __VA_ARGS__) : status;               \
    }

CALL(initialise, WRITES, (struct ledger * base, struct error *error), error)
CALL(ping, READS, (struct ledger * base, struct error *error), error)
CALL(settle, WRITES,
     (struct ledger * base, struct batch *batch, size_t first, size_t count, struct error *error), batch,
     first, count, error)
CALL(record_parked, WRITES,
     (struct ledger * base, const struct parked_row *rows, size_t count, struct error *error), rows, count,
     error)
CALL(debts_fetch, READS,
     (struct ledger * base, struct debt_cursor *cursor, struct arena *arena, struct debt *debts,
      size_t capacity, size_t *count, struct error *error),
     cursor, arena, debts, capacity, count, error)
CALL(debts_mark, WRITES, (struct ledger * base, const struct debt *debts, size_t count, struct error *error),
     debts, count, error)
CALL(deductions_find, READS,
     (struct ledger * base, const struct text *ids, size_t count, struct arena *arena,
      struct ledger_deduction *rows, struct error *error),
     ids, count, arena, rows, error)
CALL(budget_create, WRITES,
     (struct ledger * base, const struct ledger_budget *budget, struct text credit_id, struct error *error),
     budget, credit_id, error)
CALL(budget_credit, WRITES,
     (struct ledger * base, struct text budget_id, struct text credit_id, int64_t amount, bool *applied,
      struct error *error),
     budget_id, credit_id, amount, applied, error)
CALL(credit_mark, WRITES,
     (struct ledger * base, struct text budget_id, struct text credit_id, struct error *error), budget_id,
     credit_id, error)
CALL(budget_state_set, WRITES,
     (struct ledger * base, struct text budget_id, enum budget_state state, int64_t closed_at_us,
      struct error *error),
     budget_id, state, closed_at_us, error)
CALL(budget_find, READS,
     (struct ledger * base, struct text budget_id, struct arena *arena, struct ledger_budget *budget,
      bool *found, struct error *error),
     budget_id, arena, budget, found, error)
CALL(budgets_list, READS,
     (struct ledger * base, struct text after_id, struct arena *arena, struct ledger_budget *budgets,
      size_t capacity, size_t *count, struct error *error),
     after_id, arena, budgets, capacity, count, error)
CALL(stats, READS, (struct ledger * base, struct ledger_stats *stats, struct error *error), stats, error)

CALL(rows_scan, READS,
     (struct ledger * base, int64_t after, struct arena *arena, struct ledger_row *rows, size_t capacity,
      size_t *count, struct error *error),
     after, arena, rows, capacity, count, error)
CALL(credits_list, READS,
     (struct ledger * base, struct text budget_id, int64_t after, struct arena *arena,
      struct ledger_credit *credits, size_t capacity, size_t *count, struct error *error),
     budget_id, after, arena, credits, capacity, count, error)
CALL(voids_insert, WRITES,
     (struct ledger * base, struct text actor, struct ledger_void *voids, size_t count, struct error *error),
     actor, voids, count, error)
CALL(interventions_begin, WRITES,
     (struct ledger * base, struct intervention *interventions, size_t count, struct error *error),
     interventions, count, error)
CALL(interventions_end, WRITES,
     (struct ledger * base, const struct intervention *interventions, size_t count, struct error *error),
     interventions, count, error)
CALL(interventions_open, READS,
     (struct ledger * base, enum intervention_kind kind, struct arena *arena,
      struct intervention *interventions, size_t capacity, size_t *count, struct error *error),
     kind, arena, interventions, capacity, count, error)
CALL(parked_look, READS,
     (struct ledger * base, const struct text *ids, size_t count, struct parked_look *looks,
      struct error *error),
     ids, count, looks, error)
CALL(parked_since, READS,
     (struct ledger * base, int64_t after, struct arena *arena, struct parked_entry *entries, size_t capacity,
      size_t *count, struct error *error),
     after, arena, entries, capacity, count, error)
CALL(parked_mark, WRITES,
     (struct ledger * base, const struct parked_mark *marks, size_t count, enum parked_state state,
      struct error *error),
     marks, count, state, error)
CALL(run_record, RECORDS, (struct ledger * base, const struct reconcile_run *run, struct error *error), run,
     error)
CALL(run_last, READS,
     (struct ledger * base, struct arena *arena, struct reconcile_run *run, bool *found, struct error *error),
     arena, run, found, error)
CALL(sights_read, READS,
     (struct ledger * base, const struct text *budget_ids, size_t count, struct arena *arena,
      struct stock_sight *sights, struct error *error),
     budget_ids, count, arena, sights, error)
CALL(sights_record, RECORDS,
     (struct ledger * base, const struct stock_sight *sights, size_t count, struct error *error), sights,
     count, error)
CALL(lock, READS, (struct ledger * base, enum ledger_lock lock, struct error *error), lock, error)

/* Of a dead process nothing arrives any more; its locks are free when it is closed. */
static void sim_unlock(struct ledger *base, enum ledger_lock lock)
{
    struct sim_ledger *self = self_of(base);
    if (self->caller == NULL || !self->caller->dead) ledger_unlock(self->real, lock);
}

static void sim_close(struct ledger *base)
{
    ledger_close(self_of(base)->real);
}

void sim_ledger_open(struct sim_ledger *ledger, struct world *world, struct caller *caller)
{
    static const struct ledger_ops ops = {
        .initialise = sim_initialise,
        .ping = sim_ping,
        .settle = sim_settle,
        .record_parked = sim_record_parked,
        .debts_fetch = sim_debts_fetch,
        .debts_mark = sim_debts_mark,
        .deductions_find = sim_deductions_find,
        .budget_create = sim_budget_create,
        .budget_credit = sim_budget_credit,
        .credit_mark = sim_credit_mark,
        .budget_state_set = sim_budget_state_set,
        .budget_find = sim_budget_find,
        .budgets_list = sim_budgets_list,
        .stats = sim_stats,
        .close = sim_close,
    };
    static const struct ledger_audit_ops audit = {
        .rows_scan = sim_rows_scan,
        .credits_list = sim_credits_list,
        .voids_insert = sim_voids_insert,
        .interventions_begin = sim_interventions_begin,
        .interventions_end = sim_interventions_end,
        .interventions_open = sim_interventions_open,
        .parked_look = sim_parked_look,
        .parked_since = sim_parked_since,
        .parked_mark = sim_parked_mark,
        .run_record = sim_run_record,
        .run_last = sim_run_last,
        .sights_read = sim_sights_read,
        .sights_record = sim_sights_record,
        .lock = sim_lock,
        .unlock = sim_unlock,
    };
    *ledger = (struct sim_ledger){.base.ops = &ops,
                                  .base.audit = &audit,
                                  .real = fake_ledger_open(world->ledger),
                                  .world = world,
                                  .caller = caller};
}
