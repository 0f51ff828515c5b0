/* The keys of a budget as Redis would hold them: to take one away, and to look at all. */
#include "fake/fake_stock_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static void lose_meta(struct fake_budget *budget)
{
    budget->has_meta = budget->has_credited = budget->unlimited = false;
    budget->credited = budget->deducted = budget->settled = budget->released = 0;
    budget->amended = 0;
    budget->state = BUDGET_ACTIVE;
    budget->generation = 0;
    budget->generation_started_us = 0;
    map_clear(&budget->guards);
}

void fake_stock_lose(struct fake_stock *fake, struct text budget_id, enum fake_stock_key key)
{
    struct fake_budget *budget = fake_stock_budget(fake, budget_id);
    switch (key) {
    case FAKE_STOCK_LEFT: budget->has_left = false; break;
    case FAKE_STOCK_PENDING: map_clear(&budget->pending); break;
    case FAKE_STOCK_DONE_0: map_clear(&budget->done[0]); break;
    case FAKE_STOCK_DONE_1: map_clear(&budget->done[1]); break;
    case FAKE_STOCK_META: lose_meta(budget); break;
    case FAKE_STOCK_CREDITS: map_clear(&budget->credits); break;
    }
}

void fake_stock_lose_budget(struct fake_stock *fake, struct text budget_id)
{
    for (int key = FAKE_STOCK_LEFT; key <= FAKE_STOCK_CREDITS; key++)
        fake_stock_lose(fake, budget_id, (enum fake_stock_key)key);
    fake_stock_budget(fake, budget_id)->corrupt = false;
}

/* Where the fields go. */
struct view {
    fake_stock_visitor *visit;
    void *context;
};

__attribute__((format(printf, 4, 5))) static void show(const struct view *view, enum fake_stock_key key,
                                                       struct text field, const char *format, ...)
{
    char value[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    view->visit(view->context, key, field, value);
}

static void show_total(const struct view *view, const char *name, int64_t total, bool is_there)
{
    if (is_there) show(view, FAKE_STOCK_META, text_of(name), "%" PRId64, total);
}

static const char *outcome_of(const struct map_entry *entry, bool is_guard)
{
    if (is_guard) return release_outcome_name((enum release_outcome)entry->outcome);
    return entry->outcome == PENDING_SETTLED    ? "settled"
           : entry->outcome == PENDING_REJECTED ? "rejected"
                                                : "voided";
}

static struct text id_of(const struct map_entry *entry)
{
    return (struct text){entry->id, entry->id_size};
}

static void show_done(const struct view *view, const struct fake_budget *budget, int generation)
{
    const struct map *done = &budget->done[generation];
    for (const struct map_entry *entry = map_next(done, 0); entry != NULL;
         entry = map_next(done, entry->serial + 1)) {
        bool is_guard = memchr(entry->id, ' ', entry->id_size) != NULL;
        show(view, generation == 0 ? FAKE_STOCK_DONE_0 : FAKE_STOCK_DONE_1, id_of(entry),
             "%s:%" PRId64 ":%" PRId64, outcome_of(entry, is_guard), entry->amount, entry->deducted_at_us);
    }
}

static void show_meta(const struct view *view, const struct fake_budget *budget)
{
    show_total(view, "credited", budget->credited, budget->has_credited);
    show_total(view, "deducted", budget->deducted, budget->deducted != 0);
    show_total(view, "settled", budget->settled, budget->settled != 0);
    show_total(view, "released", budget->released, budget->released != 0);
    show_total(view, "unlimited", 1, budget->unlimited);
    show_total(view, "amended", budget->amended, budget->amended != 0);
    show_total(view, "gen", budget->generation, budget->generation_started_us != 0);
    show_total(view, "gen_started_us", budget->generation_started_us, budget->generation_started_us != 0);
    if (budget->state != BUDGET_ACTIVE)
        show(view, FAKE_STOCK_META, TEXT_LITERAL("state"), "%s", budget_state_name(budget->state));
    for (const struct map_entry *entry = map_next(&budget->guards, 0); entry != NULL;
         entry = map_next(&budget->guards, entry->serial + 1)) {
        char buffer[GUARD_NAME_SIZE_MAX];
        show(view, FAKE_STOCK_META, fake_guard_name(buffer, id_of(entry)), "%s:%" PRId64,
             outcome_of(entry, true), entry->amount);
    }
}

void fake_stock_visit(const struct fake_stock *fake, struct text budget_id, fake_stock_visitor *visit,
                      void *context)
{
    struct view view = {visit, context};
    const struct fake_budget *budget = fake_stock_find(fake, budget_id);
    if (budget == NULL) return;
    if (budget->has_left) show(&view, FAKE_STOCK_LEFT, TEXT_LITERAL(""), "%" PRId64, budget->left);
    const struct map *pending = &budget->pending;
    for (const struct map_entry *entry = map_next(pending, 0); entry != NULL;
         entry = map_next(pending, entry->serial + 1)) {
        if (entry->amount == 0)
            show(&view, FAKE_STOCK_PENDING, id_of(entry), "x"); /* planted */
        else
            show(&view, FAKE_STOCK_PENDING, id_of(entry), "%" PRId64 ":%" PRId64, entry->amount,
                 entry->deducted_at_us);
    }
    show_done(&view, budget, 0);
    show_done(&view, budget, 1);
    show_meta(&view, budget);
    for (const struct map_entry *entry = map_next(&budget->credits, 0); entry != NULL;
         entry = map_next(&budget->credits, entry->serial + 1)) {
        if (entry->amount == TOTAL_UNLIMITED)
            show(&view, FAKE_STOCK_CREDITS, id_of(entry), "unlimited");
        else
            show(&view, FAKE_STOCK_CREDITS, id_of(entry), "%" PRId64, entry->amount);
    }
}
