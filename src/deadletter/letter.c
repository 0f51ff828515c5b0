#include "deadletter/letter.h"

#include "base/instant.h"
#include "core/identifier.h"
#include "deadletter/letter_body.h"

#include <assert.h>

/* The broker's word counts where it spoke last: the message was parked, replayed and then given up. */
static bool died_last(const struct letter_origin *origin, int64_t parked_at_us)
{
    if (!text_is_present(origin->death_reason)) return false;
    return !text_is_present(origin->reason) || origin->died_at_us > parked_at_us;
}

static void find_route(struct letter *letter)
{
    const struct letter_origin *origin = &letter->origin;
    letter->exchange = letter->routing_key = TEXT_NONE;
    if (text_is_present(origin->exchange) && text_is_present(origin->routing_key)) {
        letter->exchange = origin->exchange;
        letter->routing_key = origin->routing_key;
    } else if (text_is_present(origin->first_exchange) && text_is_present(origin->first_routing_key)) {
        letter->exchange = origin->first_exchange;
        letter->routing_key = origin->first_routing_key;
    }
}

static void read_origin(const struct consumer *consumer, struct letter *letter)
{
    struct letter_origin *origin = &letter->origin;
    int64_t parked_at_us = 0;
    consumer_origin(consumer, letter->properties, origin);
    (void)instant_parse(origin->parked_at, &parked_at_us); /* where it is no time, none is known */
    letter->detail = TEXT_NONE;
    if (died_last(origin, parked_at_us)) {
        letter->reason = origin->death_reason;
        letter->parked_at_us = origin->died_at_us;
    } else if (text_is_present(origin->reason)) {
        letter->reason = origin->reason;
        letter->detail = origin->detail;
        letter->parked_at_us = parked_at_us;
    } else {
        letter->reason = TEXT_LITERAL("unknown");
        letter->parked_at_us = parked_at_us;
    }
    find_route(letter);
}

void letter_read(const struct consumer *consumer, const struct delivery *delivery, struct letter *letter)
{
    *letter = (struct letter){
        .tag = delivery->tag,
        .property_id = delivery->message_id,
        .properties = delivery->properties,
        .body = delivery->body,
    };
    read_origin(consumer, letter);
}

void letter_keep(const struct consumer *consumer, struct letter *letter, struct arena *arena)
{
    letter->decoded = false; /* what was decoded borrows the old body */
    letter->property_id = arena_copy(arena, letter->property_id);
    letter->properties = arena_copy(arena, letter->properties);
    letter->body = arena_copy(arena, letter->body);
    read_origin(consumer, letter);
}

void letter_decode(struct letter *letter, struct arena *arena)
{
    if (letter->decoded) return;
    struct message *message = &letter->message;
    message_decode(letter->body, letter->property_id, arena, message);
    letter->decoded = true;
    letter->message_id = message->message_id;
    if (message->reason == PARK_NONE && !message->is_batch) {
        letter->message_id = message->items[0].deduction.message_id;
        letter->budget_id = message->items[0].deduction.budget_id;
        return;
    }
    if (message->is_batch) return;
    if (!text_is_present(letter->message_id)) letter->message_id = letter->property_id;
    /* A letter whose amount is wrong still says whose budget it is. */
    struct text budget_id = letter_body_string(letter->body, "budget_id");
    if (budget_id_is_valid(budget_id)) letter->budget_id = budget_id;
}

size_t letter_item_count(const struct letter *letter)
{
    assert(letter->decoded);
    return letter->message.reason == PARK_NONE ? letter->message.count : 1;
}

struct text letter_item_id(const struct letter *letter, size_t index)
{
    assert(letter->decoded && index < letter_item_count(letter));
    if (letter->message.reason == PARK_NONE) return letter->message.items[index].deduction.message_id;
    return letter->message.message_id;
}
