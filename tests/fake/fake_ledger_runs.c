/* The fake ledger's runs of reconcile, and what Redis looked like in them. */
#include "fake/fake_ledger_store.h"

#include "core/limits.h"

static bool run_fits(const struct reconcile_run *run)
{
    bool fits = run->started_at_us > 0 && run->finished_at_us > 0 && store_actor_fits(run->actor) &&
                run->budgets >= 0 && run->mended >= 0;
    for (int i = 0; i < FINDING_KIND_COUNT; i++) fits &= run->found[i] >= 0;
    return fits;
}

enum status fake_ledger_run_record(struct ledger *port, const struct reconcile_run *run, struct error *error)
{
    struct call call;
    enum status status = call_begin(port, true, &call, error);
    if (status != STATUS_OK) return status;
    if (!run_fits(run)) return error_set(error, STATUS_REFUSED, "ledger: recording a run: no valid run");
    store_run_add(call.store, run);
    return call_end(&call, error);
}

enum status fake_ledger_run_last(struct ledger *port, struct arena *arena, struct reconcile_run *run,
                                 bool *found, struct error *error)
{
    struct call call;
    enum status status = call_begin(port, false, &call, error);
    if (status != STATUS_OK) return status;
    *found = call.store->run_count > 0;
    if (!*found) return STATUS_OK;
    *run = call.store->runs[call.store->run_count - 1];
    run->actor = arena_copy(arena, run->actor);
    run->complete_at_us = 0;
    for (size_t i = call.store->run_count; i-- > 0 && run->complete_at_us == 0;) {
        const struct reconcile_run *kept = &call.store->runs[i];
        if (kept->complete) run->complete_at_us = kept->finished_at_us;
    }
    return STATUS_OK;
}

enum status fake_ledger_sights_read(struct ledger *port, const struct text *budget_ids, size_t count,
                                    struct arena *arena, struct stock_sight *sights, struct error *error)
{
    struct call call;
    enum status status = call_begin(port, false, &call, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        const struct stock_sight *kept = store_sight_find(call.store, budget_ids[i]);
        sights[i] = kept == NULL ? (struct stock_sight){.budget_id = TEXT_NONE} : *kept;
        sights[i].budget_id = arena_copy(arena, sights[i].budget_id);
        sights[i].server = arena_copy(arena, sights[i].server);
    }
    return STATUS_OK;
}

static bool total_fits(int64_t total)
{
    return total >= 0 && total <= AMOUNT_MAX;
}

static bool sight_fits(const struct stock_sight *sight)
{
    size_t characters = store_text_characters(sight->server);
    bool server_fits = !text_is_present(sight->server) || (characters >= 1 && characters <= 64);
    return server_fits && store_id_fits(sight->budget_id) && total_fits(sight->credited) &&
           total_fits(sight->deducted) && total_fits(sight->settled) && total_fits(sight->released);
}

enum status fake_ledger_sights_record(struct ledger *port, const struct stock_sight *sights, size_t count,
                                      struct error *error)
{
    struct call call;
    enum status status = call_begin(port, true, &call, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        if (!sight_fits(&sights[i]))
            return error_set(error, STATUS_REFUSED, "ledger: recording what Redis looks like: no valid sum");
    }
    for (size_t i = 0; i < count; i++) store_sight_set(call.store, &sights[i]);
    return call_end(&call, error);
}
