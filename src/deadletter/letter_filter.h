/* Which dead letters are meant. */
#ifndef BURSAR_DEADLETTER_LETTER_FILTER_H
#define BURSAR_DEADLETTER_LETTER_FILTER_H

#include "deadletter/letter.h"

/* All that is set must hold. */
struct letter_filter {
    struct text reason;        /* as letter_reason_is has it; absent: any, as the next two */
    struct text budget_id;     /* its own, or that of one item */
    struct text match;         /* these bytes stand somewhere in the body */
    const struct text *ids;    /* one of them is its id, its property, or an item's; borrowed */
    size_t id_count;           /* 0: any */
    bool every_item;           /* budget and ids: a batch message is meant only if each of its items is */
    bool has_since, has_until; /* else any time. A letter that is not known to have one is not meant */
    int64_t since_us;          /* Unix time it was parked at, or later */
    int64_t until_us;          /* before it */
};

/* Whether two reasons are the same one: the broker writes `delivery_limit`, Bursar `id-conflict`, and nobody
 * remembers which. */
bool letter_reason_is(struct text reason, struct text other);

/* Decodes the letter only where the filter needs that; `arena` as letter_decode. */
bool letter_filter_accepts(const struct letter_filter *filter, struct letter *letter, struct arena *arena);

#endif
