/* The fake stock behind port/stock_audit.h. */
#include "port/stock_audit.h"

#include "core/identifier.h"
#include "fake/fake_stock_private.h"

#include <inttypes.h>
#include <stdio.h>

#define SCAN_SLICE 100

static struct fake_stock *fake_of(struct stock *stock)
{
    return (struct fake_stock *)stock;
}

static enum status fake_server(struct stock *stock, char server[STOCK_SERVER_SIZE_MAX], struct error *error)
{
    struct fake_stock *fake = fake_of(stock);
    struct fate fate = fake_stock_fate(fake, 1, error);
    server[0] = '\0';
    if (fate.answered == 0) return STATUS_RETRY; /* a question that got lost did nothing */
    if (!fake->server_hidden) snprintf(server, STOCK_SERVER_SIZE_MAX, "fake-run-%" PRIu64, fake->server);
    return STATUS_OK;
}

static enum status fake_audit(struct stock *stock, struct stock_audit *items, size_t count,
                              struct error *error)
{
    struct fake_stock *fake = fake_of(stock);
    struct fate fate = fake_stock_fate(fake, count, error);
    for (size_t i = 0; i < count; i++) {
        struct stock_audit *item = &items[i];
        struct fake_budget *budget;
        enum status status = fate.status;
        if (i < fate.answered) status = fake_stock_reach(fake, item->budget_id, &budget, error);
        if (i < fate.answered && status == STATUS_OK)
            status = fake_budget_audit(budget, fake->now_us, item, error);
        if (status != STATUS_OK)
            *item = (struct stock_audit){.budget_id = item->budget_id, .left = STOCK_LEFT_NONE};
        item->status = status;
    }
    return fate.status;
}

static enum status fake_credits_scan(struct stock *stock, struct text budget_id, uint64_t *cursor,
                                     struct arena *arena, struct stock_credit_entry **entries, size_t *count,
                                     struct error *error)
{
    struct fake_stock *fake = fake_of(stock);
    struct fate fate = fake_stock_fate(fake, 1, error);
    *entries = NULL;
    *count = 0;
    if (fate.answered == 0) return fate.status;
    struct fake_budget *budget;
    enum status status = fake_stock_reach(fake, budget_id, &budget, error);
    if (status != STATUS_OK) return status;
    *entries = arena_alloc(arena, SCAN_SLICE * sizeof **entries);
    const struct map_entry *entry = map_next(&budget->credits, *cursor);
    for (; entry != NULL && *count < SCAN_SLICE; entry = map_next(&budget->credits, entry->serial + 1)) {
        (*entries)[(*count)++] = (struct stock_credit_entry){
            .credit_id = arena_copy(arena, (struct text){entry->id, entry->id_size}),
            .amount = entry->amount,
        };
    }
    *cursor = entry == NULL ? 0 : entry->serial;
    return STATUS_OK;
}

static enum status amend_one(struct fake_stock *fake, struct stock_amendment *item, struct error *error)
{
    struct fake_budget *budget;
    enum status status = fake_stock_reach(fake, item->budget_id, &budget, error);
    if (status == STATUS_OK) status = fake_budget_amend(budget, item, error);
    if (status == STATUS_OK && item->applied) {
        fake_stock_tell(fake, (struct fake_stock_change){.kind = FAKE_STOCK_AMENDED,
                                                         .budget_id = item->budget_id,
                                                         .amendment = item});
    }
    return status;
}

static enum status fake_amend(struct stock *stock, struct stock_amendment *items, size_t count,
                              struct error *error)
{
    struct fake_stock *fake = fake_of(stock);
    struct fate fate = fake_stock_fate(fake, count, error);
    for (size_t i = 0; i < count; i++) {
        struct stock_amendment *item = &items[i];
        item->status = i < fate.done ? amend_one(fake, item, error) : fate.status;
        if (i >= fate.answered) item->status = fate.status;
        if (item->status == STATUS_OK) continue;
        item->applied = false;
        item->left_after = STOCK_LEFT_NONE;
    }
    return fate.status;
}

const struct stock_audit_ops fake_stock_audit_ops = {
    .server = fake_server,
    .audit = fake_audit,
    .credits_scan = fake_credits_scan,
    .amend = fake_amend,
};
