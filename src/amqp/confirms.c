#include "amqp/confirms.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void confirms_begin(struct confirms *confirms, struct publication *publications, size_t count,
                    uint64_t tag_base)
{
    if (count > confirms->capacity) {
        confirms->is_answered = memory_resize(confirms->is_answered, count, sizeof *confirms->is_answered);
        confirms->capacity = count;
    }
    if (count > 0) memset(confirms->is_answered, 0, count * sizeof *confirms->is_answered);
    confirms->publications = publications;
    confirms->count = count;
    confirms->tag_base = tag_base;
    confirms->sent = confirms->answered = confirms->oldest = confirms->search_from = 0;
    for (size_t i = 0; i < count; i++) publications[i].outcome = PUBLICATION_NONE;
}

void confirms_sent(struct confirms *confirms)
{
    assert(confirms->sent < confirms->count);
    confirms->sent++;
}

static void answer_one(struct confirms *confirms, size_t index, enum publication_outcome outcome)
{
    struct publication *publication = &confirms->publications[index];
    if (confirms->is_answered[index]) return;
    confirms->is_answered[index] = true;
    confirms->answered++;
    /* A returned message is acked too, for the broker has dealt with it. */
    if (publication->outcome != PUBLICATION_RETURNED) publication->outcome = outcome;
}

bool confirms_answer(struct confirms *confirms, uint64_t tag, bool multiple, enum publication_outcome outcome)
{
    uint64_t last_tag = confirms->tag_base + confirms->sent;
    if (tag == 0 && multiple) tag = last_tag;
    if (tag <= confirms->tag_base || tag > last_tag) return false;
    size_t index = (size_t)(tag - confirms->tag_base - 1);
    for (size_t i = multiple ? confirms->oldest : index; i <= index; i++) answer_one(confirms, i, outcome);
    while (confirms->oldest < confirms->sent && confirms->is_answered[confirms->oldest]) confirms->oldest++;
    return true;
}

static bool is_same_message(const struct publication *publication, const struct assembly *returned,
                            const struct properties_limits *limits, amqp_pool_t *pool)
{
    if (!text_equal(publication->body, returned->body) ||
        !text_equal(publication->exchange, returned->exchange) ||
        !text_equal(publication->routing_key, returned->routing_key))
        return false;
    amqp_basic_properties_t wire;
    recycle_amqp_pool(pool);
    if (properties_build(publication, limits, pool, &wire, NULL) != STATUS_OK) return false;
    return text_equal(properties_message_id(&wire), returned->message_id);
}

bool confirms_return(struct confirms *confirms, const struct assembly *returned,
                     const struct properties_limits *limits, amqp_pool_t *pool)
{
    for (size_t i = confirms->search_from; i < confirms->sent; i++) {
        struct publication *publication = &confirms->publications[i];
        if (confirms->is_answered[i] || publication->outcome == PUBLICATION_RETURNED) continue;
        if (!is_same_message(publication, returned, limits, pool)) continue;
        publication->outcome = PUBLICATION_RETURNED;
        confirms->search_from = i + 1;
        return true;
    }
    return false;
}

void confirms_free(struct confirms *confirms)
{
    free(confirms->is_answered);
    *confirms = (struct confirms){0};
}
