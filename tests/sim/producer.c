#include "sim/producer.h"

#include "sim/message_body.h"
#include "sim/world.h"

#include <inttypes.h>
#include <string.h>

#define BATCH_MAX 6 /* items of a batch message */

void producer_open(struct producer *producer, struct world *world)
{
    *producer = (struct producer){.world = world};
    sim_stock_open(&producer->stock, world, NULL);
    sim_publisher_open(&producer->publisher, world, NULL);
}

void producer_close(struct producer *producer)
{
    publisher_close(&producer->publisher.base);
}

static void forget(struct producer *producer, size_t index)
{
    producer->outstanding[index] = producer->outstanding[--producer->outstanding_count];
}

static uint32_t draw_budget(struct world *world)
{
    if (dice_permille(&world->dice, world->swarm.hot)) return 0;
    /* Rarely one that Redis or the ledger does not know. */
    bool odd = dice_permille(&world->dice, 10);
    return (uint32_t)(odd ? world->swarm.budgets + dice_roll(&world->dice, 2)
                          : dice_roll(&world->dice, world->swarm.budgets));
}

static struct intent draw_intent(struct world *world)
{
    struct intent intent = {.budget = draw_budget(world),
                            .amount = dice_between(&world->dice, 1, world->swarm.amount_max)};
    bool again = world->truth.id_count > 0 && dice_permille(&world->dice, world->swarm.id_again);
    intent.id =
        again ? (uint32_t)dice_roll(&world->dice, world->truth.id_count) : truth_id_new(&world->truth);
    /* With and without a token the same id cannot be told apart. */
    if (world->truth.ids[intent.id].old) world->truth.ids[intent.id].tainted = true;
    /* Most often the same purchase again, and not another one that took the id of an earlier one. */
    uint32_t sale = world->truth.ids[intent.id].sale;
    if (again && sale != TRUTH_NONE && dice_permille(&world->dice, 700)) {
        intent.budget = world->truth.sales[sale].budget;
        intent.amount = world->truth.sales[sale].amount;
    }
    return intent;
}

/* A deduction whose answer is not known yet is asked for again, with the same id. */
bool producer_sell(struct producer *producer)
{
    struct world *world = producer->world;
    size_t index = 0;
    while (index < producer->outstanding_count && producer->outstanding[index].token != 0) index++;
    if (index == OUTSTANDING_MAX) return false;
    if (index == producer->outstanding_count || dice_roll(&world->dice, 2) == 0) {
        if (producer->outstanding_count == OUTSTANDING_MAX) return false;
        index = producer->outstanding_count++;
        producer->outstanding[index] = draw_intent(world);
    }
    struct intent *intent = &producer->outstanding[index];
    if (intent->old) return false;
    char id[16], budget[8];
    struct error error;
    snprintf(id, sizeof id, "i%" PRIu32, intent->id);
    snprintf(budget, sizeof budget, "b%" PRIu32, intent->budget);
    struct stock_deduct deduct = {
        .budget_id = text_of(budget), .message_id = text_of(id), .amount = intent->amount};
    enum status status = stock_deduct(&producer->stock.base, &deduct, 1, &error);
    world_trace(world, "  deducts %s of %s amount %" PRId64 ": %s %d", id, budget, intent->amount,
                status_name(status), (int)deduct.result);
    if (status != STATUS_OK || deduct.status != STATUS_OK) return true;
    bool deducted = deduct.result == DEDUCT_DONE || deduct.result == DEDUCT_REPEAT;
    intent->token = deduct.deducted_at_us;
    if (!deducted) forget(producer, index);
    return true;
}

/* As producers did before there were scripts: look, then take, and no entry among the pending ones. */
bool producer_sell_old(struct producer *producer)
{
    struct world *world = producer->world;
    if (producer->outstanding_count == OUTSTANDING_MAX || world->redis_down) return false;
    struct intent intent = {.budget = (uint32_t)dice_roll(&world->dice, world->swarm.budgets),
                            .amount = dice_between(&world->dice, 1, world->swarm.amount_max),
                            .old = true};
    char budget[8];
    snprintf(budget, sizeof budget, "b%" PRIu32, intent.budget);
    struct fake_stock_totals totals = fake_stock_totals(world->stock, text_of(budget));
    if (!totals.has_left || (totals.left != TOTAL_UNLIMITED && totals.left < intent.amount)) return false;
    if (totals.left != TOTAL_UNLIMITED) {
        fake_stock_set_left(world->stock, text_of(budget), totals.left - intent.amount);
        world->truth.budgets[intent.budget].by_hand += intent.amount;
    }
    world->truth.budgets[intent.budget].tampered = true; /* nothing says what was taken until it is booked */
    world->upsets++;
    intent.id = truth_id_new(&world->truth);
    world->truth.ids[intent.id].old = true;
    producer->outstanding[producer->outstanding_count++] = intent;
    return true;
}

/* A message under construction. */
struct draft {
    uint32_t message;
    bool is_batch;
    struct buffer body;
    struct buffer bodies[BATCH_MAX]; /* of its items */
    size_t count;
    char property_id[16]; /* "": none */
};

static struct draft draft_begin(struct world *world, bool is_batch)
{
    return (struct draft){.message = truth_message_add(&world->truth, PARK_NONE), .is_batch = is_batch};
}

static void draft_add(struct world *world, struct draft *draft, const struct truth_item *item)
{
    bool in_property = !draft->is_batch && dice_roll(&world->dice, 2) == 0;
    if (in_property) snprintf(draft->property_id, sizeof draft->property_id, "i%" PRIu32, item->id);
    message_body_item(&draft->bodies[draft->count], draft->message, (uint32_t)draft->count, item,
                      !in_property || dice_roll(&world->dice, 2) == 0);
    draft->count++;
    truth_item_add(&world->truth, draft->message, item);
}

static void draft_add_bad(struct world *world, struct draft *draft)
{
    struct truth_item item = {.id = TRUTH_NONE};
    uint32_t id = truth_id_new(&world->truth);
    item.amount = 1; /* where it is the budget that cannot be read */
    item.fault = message_body_bad(&draft->bodies[draft->count], &world->dice, draft->message,
                                  (uint32_t)draft->count, id, &item.id);
    draft->count++;
    truth_item_add(&world->truth, draft->message, &item);
}

static enum publication_outcome draft_publish(struct producer *producer, struct draft *draft)
{
    if (draft->is_batch) buffer_append_string(&draft->body, "[");
    for (size_t i = 0; i < draft->count; i++) {
        if (i > 0) buffer_append_string(&draft->body, ", ");
        buffer_append(&draft->body, (struct text){draft->bodies[i].data, draft->bodies[i].size});
        buffer_free(&draft->bodies[i]);
    }
    if (draft->is_batch) buffer_append_string(&draft->body, "]");
    struct truth_message *truth = &producer->world->truth.messages[draft->message];
    truth->is_batch = draft->is_batch;
    truth->property_id = truth_number(text_of(draft->property_id), 'i');
    char mark[16];
    snprintf(mark, sizeof mark, "m%" PRIu32, draft->message);
    struct publication publication = {
        .exchange = TEXT_LITERAL(EXCHANGE),
        .routing_key = TEXT_LITERAL(ROUTING_KEY),
        .message_id = draft->property_id[0] == '\0' ? TEXT_NONE : text_of(draft->property_id),
        .body = {draft->body.data, draft->body.size},
        .header_count = 1,
        .headers = {{.name = "mark", .value = text_of(mark)}},
    };
    struct error error;
    enum status status = publisher_publish(&producer->publisher.base, &publication, 1, &error);
    world_trace(producer->world, "  publishes %" PRIu32 " %s: %s outcome %d", draft->message,
                draft->body.data, status_name(status), (int)publication.outcome);
    buffer_free(&draft->body);
    return status == STATUS_OK ? publication.outcome : PUBLICATION_UNKNOWN;
}

static struct truth_item item_of(const struct intent *intent)
{
    return (struct truth_item){
        .id = intent->id, .budget = intent->budget, .amount = intent->amount, .token = intent->token};
}

bool producer_publish(struct producer *producer)
{
    struct world *world = producer->world;
    bool is_batch = dice_permille(&world->dice, world->swarm.batch);
    size_t most = is_batch ? 1 + dice_roll(&world->dice, BATCH_MAX) : 1, count = 0, chosen[BATCH_MAX];
    for (size_t i = producer->outstanding_count; i > 0 && count < most; i--) {
        const struct intent *intent = &producer->outstanding[i - 1];
        if (intent->token != 0 || intent->old) chosen[count++] = i - 1;
    }
    if (count == 0) return false;
    struct draft draft = draft_begin(world, is_batch);
    for (size_t i = 0; i < count; i++) {
        struct truth_item item = item_of(&producer->outstanding[chosen[i]]);
        draft_add(world, &draft, &item);
    }
    if (is_batch && world->swarm.weights[ACTION_GARBAGE] > 0 && draft.count < BATCH_MAX &&
        dice_roll(&world->dice, 4) == 0)
        draft_add_bad(world, &draft);
    if (draft_publish(producer, &draft) != PUBLICATION_CONFIRMED) return true;
    for (size_t i = 0; i < count; i++) {
        const struct intent *intent = &producer->outstanding[chosen[i]];
        struct truth_sale *sale = truth_sale_find(&world->truth, intent->id, intent->budget, intent->token);
        if (sale != NULL) sale->published = true;
        forget(producer, chosen[i]); /* from the back: what moves up lies behind */
    }
    return true;
}

/* What somebody published once; NULL: nothing yet. */
static const struct truth_item *any_item(struct world *world)
{
    if (world->truth.item_count == 0) return NULL;
    const struct truth_item *item = &world->truth.items[dice_roll(&world->dice, world->truth.item_count)];
    return item->fault == PARK_NONE ? item : NULL;
}

bool producer_publish_again(struct producer *producer)
{
    const struct truth_item *known = any_item(producer->world);
    if (known == NULL) return false;
    struct truth_item item = {
        .id = known->id, .budget = known->budget, .amount = known->amount, .token = known->token};
    struct draft draft = draft_begin(producer->world, dice_roll(&producer->world->dice, 4) == 0);
    draft_add(producer->world, &draft, &item);
    if (draft.is_batch) draft_add(producer->world, &draft, &item); /* twice in one message */
    draft_publish(producer, &draft);
    return true;
}

/* What it sold, in a message that nobody can read until somebody edits it. */
static bool publish_ruin(struct producer *producer)
{
    struct world *world = producer->world;
    size_t index = 0;
    while (index < producer->outstanding_count && producer->outstanding[index].token == 0) index++;
    if (index == producer->outstanding_count) return false;
    struct truth_item item = item_of(&producer->outstanding[index]);
    struct draft draft = draft_begin(world, false);
    item.fault = message_body_ruin(&draft.bodies[0], &world->dice, draft.message, &item);
    draft.count = 1;
    truth_item_add(&world->truth, draft.message, &item);
    if (draft_publish(producer, &draft) != PUBLICATION_CONFIRMED) return true;
    struct truth_sale *sale = truth_sale_find(&world->truth, item.id, item.budget, item.token);
    if (sale != NULL) sale->published = true;
    forget(producer, index);
    return true;
}

bool producer_publish_garbage(struct producer *producer)
{
    struct world *world = producer->world;
    if (world->swarm.handles_letters && dice_roll(&world->dice, 2) == 0) return publish_ruin(producer);
    if (dice_roll(&world->dice, 2) == 0) {
        struct draft draft = draft_begin(world, dice_roll(&world->dice, 2) == 0);
        draft_add_bad(world, &draft);
        draft_publish(producer, &draft);
        return true;
    }
    struct draft draft = {.message = truth_message_add(&world->truth, PARK_MALFORMED), .count = 1};
    message_body_garbage(&draft.bodies[0], &world->dice, draft.message);
    draft_publish(producer, &draft);
    return true;
}

/* A message that does not say what Redis did: another amount, budget or token, none, or no deduction at all.
 */
bool producer_lie(struct producer *producer)
{
    struct world *world = producer->world;
    const struct truth_item *known = any_item(world);
    if (known == NULL) return false;
    struct truth_item item = {
        .id = known->id, .budget = known->budget, .amount = known->amount, .token = known->token};
    switch (dice_roll(&world->dice, 6)) {
    case 0: item.amount++; break;
    case 1: item.budget = (item.budget + 1) % (uint32_t)world->swarm.budgets; break;
    case 2: item.token = 0; break;
    case 3: {
        /* Far enough ahead that a reconcile could take it for what comes after everything in the queue. */
        int64_t far_us = world->swarm.reconciles ? 2 * world->swarm.orphan_after_us : 0;
        item.token =
            fake_stock_now(world->stock) + 1 + (far_us == 0 ? 0 : dice_between(&world->dice, 0, far_us));
        break;
    }
    case 4: item.token = fake_stock_now(world->stock) - dice_between(&world->dice, 1, 5000000); break;
    default: item.id = truth_id_new(&world->truth); break;
    }
    world->truth.ids[item.id].tainted = true;
    struct draft draft = draft_begin(world, false);
    draft_add(world, &draft, &item);
    draft_publish(producer, &draft);
    return true;
}

bool producer_crash(struct producer *producer)
{
    if (producer->outstanding_count == 0) return false;
    producer->outstanding_count = 0;
    publisher_close(&producer->publisher.base);
    sim_publisher_open(&producer->publisher, producer->world, NULL);
    return true;
}
