#include "amqp/origin.h"

#include "amqp/wire.h"

#define MICROSECONDS_PER_SECOND INT64_C(1000000)

/* The broker keeps one entry for each queue and reason; more than this were not written by it. */
#define DEATHS_MAX 64

static struct text string_named(struct text table, const char *name)
{
    struct wire_value value;
    return wire_find(table, name, &value) ? wire_string(&value) : TEXT_NONE;
}

static int64_t count_named(struct text table, const char *name)
{
    struct wire_value value;
    int64_t number;
    return wire_find(table, name, &value) && wire_number(&value, &number) && number > 0 ? number : 0;
}

static struct text first_string(struct text table, const char *name)
{
    struct wire_value array, value;
    if (!wire_find(table, name, &array) || array.kind != 'A') return TEXT_NONE;
    return wire_next_element(&array.content, &value) ? wire_string(&value) : TEXT_NONE;
}

/* The newest death comes first. The oldest is the last one, unless the same thing happened again and moved it
 * to the front: then the headers x-first-death-… still name its queue and reason. */
static void read_deaths(struct text headers, struct text deaths, struct letter_origin *origin)
{
    struct text queue = string_named(headers, "x-first-death-queue");
    struct text reason = string_named(headers, "x-first-death-reason");
    struct text first = TEXT_NONE;
    struct wire_value death;
    for (size_t i = 0; i < DEATHS_MAX && wire_next_element(&deaths, &death); i++) {
        if (death.kind != 'F') continue;
        struct text table = death.content;
        if (!text_is_present(first)) {
            int64_t seconds = count_named(table, "time");
            origin->death_reason = string_named(table, "reason");
            origin->death_queue = string_named(table, "queue");
            if (seconds <= INT64_MAX / MICROSECONDS_PER_SECOND)
                origin->died_at_us = seconds * MICROSECONDS_PER_SECOND;
        }
        first = table;
        if (text_is_present(queue) && text_equal(string_named(table, "queue"), queue) &&
            text_equal(string_named(table, "reason"), reason))
            break;
    }
    origin->first_exchange = string_named(first, "exchange");
    origin->first_routing_key = first_string(first, "routing-keys");
}

void amqp_letter_origin(struct text properties, struct letter_origin *origin)
{
    struct wire_properties found;
    struct wire_value deaths;
    *origin = (struct letter_origin){0};
    if (!wire_read_properties(properties, &found)) return;
    struct text headers = found.values[WIRE_HEADERS].content;
    origin->reason = string_named(headers, "x-bursar-reason");
    origin->detail = string_named(headers, "x-bursar-detail");
    origin->parked_at = string_named(headers, "x-bursar-parked-at");
    origin->exchange = string_named(headers, "x-bursar-exchange");
    origin->routing_key = string_named(headers, "x-bursar-routing-key");
    origin->replays = count_named(headers, "x-bursar-replays");
    origin->returns = count_named(headers, "x-delivery-count");
    if (wire_find(headers, "x-death", &deaths) && deaths.kind == 'A')
        read_deaths(headers, deaths.content, origin);
}
