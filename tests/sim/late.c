#include "sim/late.h"

#include "base/memory.h"
#include "sim/check.h"
#include "sim/world.h"

#include <stdlib.h>
#include <string.h>

static size_t item_size(enum late_kind kind)
{
    switch (kind) {
    case LATE_SETTLE: return sizeof(struct stock_settlement);
    case LATE_RELEASE:
    case LATE_FORGET: return sizeof(struct stock_release);
    case LATE_CREDIT: return sizeof(struct stock_credit);
    case LATE_DEDUCT: return sizeof(struct stock_deduct);
    case LATE_STATE: return sizeof(struct text);
    case LATE_AMEND: return sizeof(struct stock_amendment);
    }
    return 0;
}

/* Every item begins with its texts: the budget's id, and but for a state and an amendment the message's or
 * credit's. */
static size_t text_count(enum late_kind kind)
{
    return kind == LATE_STATE || kind == LATE_AMEND ? 1 : 2;
}

/* One allocation: the items, then the bytes of their texts. */
static void *items_copy(enum late_kind kind, const void *items, size_t count)
{
    size_t size = item_size(kind), bytes = count * size;
    for (size_t i = 0; i < count; i++) {
        const struct text *texts = (const void *)((const char *)items + i * size);
        for (size_t t = 0; t < text_count(kind); t++) bytes += texts[t].size;
    }
    char *copy = memory_alloc(bytes);
    memcpy(copy, items, count * size);
    char *to = copy + count * size;
    for (size_t i = 0; i < count; i++) {
        struct text *texts = (void *)(copy + i * size);
        for (size_t t = 0; t < text_count(kind); t++) {
            memcpy(to, texts[t].data, texts[t].size);
            texts[t].data = to;
            to += texts[t].size;
        }
    }
    return copy;
}

/* The same for amendments: the items, their credits, then the bytes of the texts of both. */
static void *amendments_copy(const struct stock_amendment *items, size_t count)
{
    size_t credits = 0, bytes = 0;
    for (size_t i = 0; i < count; i++) {
        credits += items[i].credit_count;
        bytes += items[i].budget_id.size;
        for (size_t c = 0; c < items[i].credit_count; c++) bytes += items[i].credits[c].credit_id.size;
    }
    struct stock_amendment *copy =
        memory_alloc(count * sizeof *copy + credits * sizeof(struct stock_credit_entry) + bytes);
    struct stock_credit_entry *credit = (void *)(copy + count);
    char *to = (char *)(credit + credits);
    for (size_t i = 0; i < count; i++) {
        copy[i] = items[i];
        copy[i].budget_id.data = memcpy(to, items[i].budget_id.data, items[i].budget_id.size);
        to += items[i].budget_id.size;
        copy[i].credits = credit;
        for (size_t c = 0; c < items[i].credit_count; c++, credit++) {
            *credit = items[i].credits[c];
            credit->credit_id.data = memcpy(to, credit->credit_id.data, credit->credit_id.size);
            to += credit->credit_id.size;
        }
    }
    return copy;
}

bool late_add(struct world *world, enum late_kind kind, const void *items, size_t count,
              enum budget_state state)
{
    struct late *late = &world->late;
    if (late->count == LATE_MAX || count == 0) return false;
    void *copy = kind == LATE_AMEND ? amendments_copy(items, count) : items_copy(kind, items, count);
    late->requests[late->count++] = (struct late_request){
        .kind = kind, .count = count, .items = copy, .sent_at_us = world->now_us, .state = state};
    return true;
}

static void carry_out(struct world *world, const struct late_request *request)
{
    struct stock *stock = fake_stock_port(world->stock);
    struct error error;
    int64_t now_us;
    enum status ignored = STATUS_OK; /* nobody waits for the answer */
    switch (request->kind) {
    case LATE_SETTLE: ignored = stock_settle(stock, request->items, request->count, NULL, &error); break;
    case LATE_RELEASE: ignored = stock_release(stock, request->items, request->count, &error); break;
    case LATE_FORGET: ignored = stock_forget_guards(stock, request->items, request->count, &error); break;
    case LATE_CREDIT: ignored = stock_credit(stock, request->items, request->count, &error); break;
    case LATE_DEDUCT: ignored = stock_deduct(stock, request->items, request->count, &error); break;
    case LATE_STATE:
        ignored =
            stock_state_set(stock, *(const struct text *)request->items, request->state, &now_us, &error);
        break;
    case LATE_AMEND: ignored = stock_amend(stock, request->items, request->count, &error); break;
    }
    (void)ignored;
}

bool late_arrive(struct world *world)
{
    struct late *late = &world->late;
    if (late->count == 0) return false;
    size_t index = dice_roll(&world->dice, late->count);
    struct late_request request = late->requests[index];
    late->requests[index] = late->requests[--late->count];
    int64_t half_window_us = world->swarm.done_window_s * 500000;
    int64_t age_max_us = half_window_us < LATE_AGE_MAX_US ? half_window_us : LATE_AGE_MAX_US;
    bool in_time = world->now_us - request.sent_at_us <= age_max_us && !world->redis_down;
    world_trace(world, "  late request %d of %zu items %s", (int)request.kind, request.count,
                in_time ? "arrives" : "is lost");
    check_ledger(world);
    bool stepping = world->reconciler.stepping, handling = world->replayer.stepping;
    world->reconciler.stepping = world->replayer.stepping =
        false; /* whoever sent it, it is nobody's doing now */
    if (in_time) carry_out(world, &request);
    world->reconciler.stepping = stepping;
    world->replayer.stepping = handling;
    free(request.items);
    return true;
}

void late_free(struct late *late)
{
    for (size_t i = 0; i < late->count; i++) free(late->requests[i].items);
    late->count = 0;
}
