/* What the broker forgets must be durable elsewhere; what is parked must deserve it. */
#include "sim/check.h"

#include "fake/fake_properties.h"

#include <inttypes.h>
#include <string.h>

static const struct truth_row *row_of(const struct truth *truth, uint32_t id)
{
    return id == TRUTH_NONE || truth->ids[id].row == TRUTH_NONE ? NULL : &truth->rows[truth->ids[id].row];
}

/* The reason in the header that the worker added; PARK_NONE: it did not, the broker moved the message itself.
 */
static enum park_reason reason_of(struct text properties)
{
    struct text value = fake_properties_header(properties, "x-bursar-reason");
    if (!text_is_present(value) || value.size < 5) return PARK_NONE;
    struct text name = {value.data + 5, value.size - 5}; /* behind the kind and four bytes of length */
    for (enum park_reason reason = PARK_NONE + 1; reason < TRUTH_REASON_COUNT; reason++) {
        if (text_equal_string(name, park_reason_name(reason))) return reason;
    }
    return PARK_NONE;
}

/* Why a good item may be parked: the ledger says so. */
static bool is_deserved(const struct truth *truth, const struct truth_item *item, bool edited,
                        enum park_reason reason)
{
    const struct truth_row *row = row_of(truth, item->id);
    if (item->fault != PARK_NONE && !edited) return reason == item->fault;
    if (reason == PARK_UNPROCESSABLE) return truth->ids[item->id].refusable;
    if (reason != PARK_ID_CONFLICT) return false;
    return truth->ledger_lost ||
           (row != NULL && (row->amount != item->amount || row->budget != item->budget));
}

static bool header_is(struct text properties, const char *name, const char *expected)
{
    struct text value = fake_properties_header(properties, name);
    return value.size >= 5 && text_equal_string((struct text){value.data + 5, value.size - 5}, expected);
}

/* Its own headers and id stay; where it came from is said. */
static void check_copy(struct world *world, struct truth_place place, const struct delivery *delivery)
{
    const struct truth_message *message = &world->truth.messages[place.message];
    bool is_item = message->is_batch && message->fault == PARK_NONE && place.item != TRUTH_NONE;
    uint32_t id = is_item ? world->truth.items[message->first_item + place.item].id : message->property_id;
    char mark[16];
    snprintf(mark, sizeof mark, "m%" PRIu32, place.message);
    uint32_t has = truth_number(fake_properties_message_id(delivery->properties), 'i');
    if (!header_is(delivery->properties, "mark", mark) ||
        !header_is(delivery->properties, "x-bursar-exchange", EXCHANGE) ||
        !header_is(delivery->properties, "x-bursar-routing-key", ROUTING_KEY) || has != id)
        world_violate(world, "parked-as-it-was", "message %" PRIu32 ": its properties are another's",
                      place.message);
}

static void parked(struct world *world, const struct delivery *delivery)
{
    struct truth *truth = &world->truth;
    struct truth_place place = truth_place_of(delivery->body);
    enum park_reason reason = reason_of(delivery->properties);
    if (place.message >= truth->message_count) {
        world_violate(world, "parked-as-it-was", "the dead-letter queue holds a body that nobody published");
        return;
    }
    struct truth_message *message = &truth->messages[place.message];
    if (reason == PARK_NONE) return; /* moved by the broker: that is told apart */
    check_copy(world, place, delivery);
    if (message->fault != PARK_NONE || place.item == TRUTH_NONE) {
        if (reason != message->fault)
            world_violate(world, "parked-for-a-reason", "message %" PRIu32 " is parked as %s", place.message,
                          park_reason_name(reason));
        message->parked_as = reason;
        return;
    }
    struct truth_item *item = &truth->items[message->first_item + place.item];
    bool edited = check_is_edited(item, delivery->body);
    if (!is_deserved(truth, item, edited, reason))
        world_violate(world, "parked-for-a-reason", "item %" PRIu32 " of message %" PRIu32 " is parked as %s",
                      place.item, place.message, park_reason_name(reason));
    *(edited ? &item->edited_parked_as : &item->parked_as) = reason;
}

/* Each acknowledgement of what was parked has a row of its own in the ledger. */
static void check_park(struct world *world, bool has_row, uint32_t message, enum park_reason reason)
{
    if (!has_row && !world->truth.ledger_lost)
        world_violate(world, "parked-and-recorded",
                      "message %" PRIu32 " is acknowledged as parked (%s) without its row in the ledger",
                      message, park_reason_name(reason));
}

static void count_park(struct world *world, enum park_reason reason, uint32_t message)
{
    struct truth *truth = &world->truth;
    bool has_row = ++truth->parks_acknowledged[reason] <= truth->parked_rows[reason];
    check_park(world, has_row, message, reason);
}

static void count_park_of_item(struct world *world, enum park_reason reason, uint32_t message,
                               uint32_t item_id)
{
    if (!truth_reason_has_id(reason)) {
        count_park(world, reason, message);
        return;
    }
    struct truth_id *id = &world->truth.ids[item_id];
    bool has_row = ++id->parks_acknowledged <= id->parked_rows;
    check_park(world, has_row, message, reason);
}

/* One outcome for each item: a row that says the same, or a place in the dead-letter queue; or another copy
 * of it is still to come, for a replay was faster. */
static void check_item(struct world *world, uint32_t message, struct truth_item *item, bool edited)
{
    const struct truth_row *row = row_of(&world->truth, item->id);
    bool readable = item->fault == PARK_NONE || item->edited;
    enum park_reason parked_as = edited ? item->edited_parked_as : item->parked_as;
    bool booked = readable && row != NULL && row->amount == item->amount && row->budget == item->budget;
    item->told = item->told || booked;
    if (booked || (readable && world->truth.ids[item->id].row_lost)) return;
    bool is_somewhere = item->letters > 0 || item->copies > 0 || item->lost || item->discarded;
    if (parked_as == PARK_NONE || !is_somewhere) {
        world_violate(world, "acknowledged-when-durable",
                      "message %" PRIu32 " is acknowledged, and i%" PRIu32 " is neither booked nor parked",
                      message, item->id);
        return;
    }
    count_park_of_item(world, parked_as, message, item->id);
}

static void acknowledged(struct world *world, struct truth_place place, struct text body)
{
    /* The rows of the very commit that this acknowledges may not have been looked at yet. */
    check_ledger(world);
    uint32_t index = place.message;
    const struct truth_message *message = &world->truth.messages[index];
    if (message->fault != PARK_NONE) {
        if (message->parked_as == PARK_NONE)
            world_violate(world, "acknowledged-when-durable",
                          "message %" PRIu32 " is unreadable, acknowledged and not parked", index);
        else
            count_park(world, message->parked_as, index);
    }
    size_t count;
    struct truth_item *items = truth_items(&world->truth, place, &count);
    for (size_t i = 0; i < count; i++) check_item(world, index, &items[i], check_is_edited(&items[i], body));
}

/* Counts what holds an item, or a message that nobody can read. */
static void count_letters(struct truth *truth, struct truth_place place, int more)
{
    size_t count;
    struct truth_item *items = truth_items(truth, place, &count);
    for (size_t i = 0; i < count; i++) items[i].letters += (uint32_t)more;
    if (count == 0) truth->messages[place.message].letters += (uint32_t)more;
}

static void count_copies(struct truth *truth, struct truth_place place, int more)
{
    size_t count;
    struct truth_item *items = truth_items(truth, place, &count);
    for (size_t i = 0; i < count; i++) items[i].copies += (uint32_t)more;
    if (count == 0) truth->messages[place.message].copies += (uint32_t)more;
}

static void lose(struct truth *truth, struct truth_place place)
{
    size_t count;
    struct truth_item *items = truth_items(truth, place, &count);
    for (size_t i = 0; i < count; i++) items[i].lost = true;
}

static bool takes_letters(const struct world *world)
{
    return !world->dlq_full && fake_broker_exists(world->broker, DEAD_LETTER_QUEUE);
}

/* In the dead-letter queue. */
static void check_letter(struct world *world, enum fake_broker_event event, const struct delivery *delivery,
                         bool by_broker)
{
    struct truth *truth = &world->truth;
    struct truth_place place;
    bool is_known = truth_holds(truth, delivery->body, &place);
    /* What the broker moves may carry the reason of an earlier time. */
    if (event == FAKE_BROKER_QUEUED && !by_broker) parked(world, delivery);
    if (!is_known) return;
    switch (event) {
    case FAKE_BROKER_QUEUED: count_letters(truth, place, 1); break;
    case FAKE_BROKER_GIVEN: check_letter_given(world, delivery); break;
    case FAKE_BROKER_ACKNOWLEDGED:
        count_letters(truth, place, -1);
        check_letter_acknowledged(world, delivery);
        break;
    case FAKE_BROKER_DEAD_LETTERED:
    case FAKE_BROKER_DROPPED:
        count_letters(truth, place, -1);
        lose(truth, place);
        break;
    case FAKE_BROKER_BAD_TAG: break;
    }
}

void check_broker(void *context, enum fake_broker_event event, const char *queue,
                  const struct delivery *delivery)
{
    struct world *world = context;
    bool by_broker = world->gives_up;
    bool is_main = strcmp(queue, QUEUE) == 0;
    world->gives_up = is_main && event == FAKE_BROKER_DEAD_LETTERED && takes_letters(world);
    if (event == FAKE_BROKER_BAD_TAG) {
        world_violate(world, "tags", "a tag was acknowledged that the connection does not hold");
        return;
    }
    if (!is_main) {
        check_letter(world, event, delivery, by_broker);
        return;
    }
    struct truth_place place;
    if (!truth_holds(&world->truth, delivery->body, &place)) return;
    struct truth_message *message = &world->truth.messages[place.message];
    if (event == FAKE_BROKER_QUEUED) {
        if (message->queued++ == 0) message->queued_at_us = fake_stock_now(world->stock);
        if (message->queued > 1) message->given_at_us = 0; /* replayed: it waits anew */
        count_copies(&world->truth, place, 1);
        return;
    }
    if (event == FAKE_BROKER_GIVEN) {
        if (message->given_at_us == 0) message->given_at_us = fake_stock_now(world->stock);
        return;
    }
    message->gone++;
    count_copies(&world->truth, place, -1);
    /* The dead-letter queue may be full, or gone: then the broker drops it. */
    if (event == FAKE_BROKER_DEAD_LETTERED && !takes_letters(world)) lose(&world->truth, place);
    if (event == FAKE_BROKER_DROPPED) lose(&world->truth, place);
    if (event == FAKE_BROKER_ACKNOWLEDGED) acknowledged(world, place, delivery->body);
}
