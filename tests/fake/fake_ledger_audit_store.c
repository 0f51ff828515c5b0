/* The fake ledger's journal, runs and sights: how they are kept and looked at. */
#include "fake/fake_ledger_store.h"

#include "core/limits.h"

#include <assert.h>
#include <string.h>

#define ACTOR_SIZE_MAX 255 /* bytes */

/* Runs that are kept: the last one, and a thousand before it. */
#define RUNS_KEPT 1001

size_t store_text_characters(struct text text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++) count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return count;
}

bool store_id_fits(struct text id)
{
    size_t characters = store_text_characters(id);
    return characters >= 1 && characters <= MESSAGE_ID_SIZE_MAX;
}

bool store_actor_fits(struct text actor)
{
    return actor.size >= 1 && actor.size <= ACTOR_SIZE_MAX;
}

void store_intervention_add(struct fake_ledger_store *store, const struct intervention *entry)
{
    store->interventions = store_grow(store->interventions, store->intervention_count,
                                      &store->intervention_capacity, sizeof *store->interventions);
    struct intervention *added = &store->interventions[store->intervention_count++];
    *added = *entry;
    added->actor = arena_copy(&store->arena, entry->actor);
    added->budget_id = arena_copy(&store->arena, entry->budget_id);
    added->message_id = arena_copy(&store->arena, entry->message_id);
    added->subject = arena_copy(&store->arena, entry->subject);
    added->before = arena_copy(&store->arena, entry->before);
    added->after = arena_copy(&store->arena, entry->after);
}

void store_run_add(struct fake_ledger_store *store, const struct reconcile_run *run)
{
    store->runs = store_grow(store->runs, store->run_count, &store->run_capacity, sizeof *store->runs);
    store->runs[store->run_count] = *run;
    store->runs[store->run_count++].actor = arena_copy(&store->arena, run->actor);
    if (store->run_count <= RUNS_KEPT) return;
    store->run_count--;
    memmove(store->runs, store->runs + 1, store->run_count * sizeof *store->runs);
}

struct stock_sight *store_sight_find(const struct fake_ledger_store *store, struct text budget_id)
{
    for (size_t i = 0; i < store->sight_count; i++) {
        if (text_equal(store->sights[i].budget_id, budget_id)) return &store->sights[i];
    }
    return NULL;
}

void store_sight_set(struct fake_ledger_store *store, const struct stock_sight *sight)
{
    struct stock_sight *kept = store_sight_find(store, sight->budget_id);
    if (kept == NULL) {
        store->sights =
            store_grow(store->sights, store->sight_count, &store->sight_capacity, sizeof *store->sights);
        kept = &store->sights[store->sight_count++];
        kept->budget_id = arena_copy(&store->arena, sight->budget_id);
    }
    struct text budget_id = kept->budget_id;
    *kept = *sight;
    kept->budget_id = budget_id;
    kept->server = arena_copy(&store->arena, sight->server);
}

size_t fake_ledger_intervention_count(const struct fake_ledger_store *store)
{
    return store->intervention_count;
}

const struct intervention *fake_ledger_intervention(const struct fake_ledger_store *store, size_t index)
{
    assert(index < store->intervention_count);
    return &store->interventions[index];
}

size_t fake_ledger_run_count(const struct fake_ledger_store *store)
{
    return store->run_count;
}

const struct reconcile_run *fake_ledger_run(const struct fake_ledger_store *store, size_t index)
{
    assert(index < store->run_count);
    return &store->runs[index];
}

size_t fake_ledger_sight_count(const struct fake_ledger_store *store)
{
    return store->sight_count;
}

const struct stock_sight *fake_ledger_sight(const struct fake_ledger_store *store, size_t index)
{
    assert(index < store->sight_count);
    return &store->sights[index];
}
