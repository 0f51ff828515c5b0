/* Which message ids were seen: eight bytes each, so that a million cost little. */
#ifndef BURSAR_DEADLETTER_ID_SET_H
#define BURSAR_DEADLETTER_ID_SET_H

#include "base/text.h"

#include <stdint.h>

struct id_set {
    uint64_t *slots; /* owned; 0: free */
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

void id_set_add(struct id_set *set, struct text id);

/* Two ids in a million million million are taken for each other: good for counting, and where that only
 * leaves something as it is; not for money. */
bool id_set_has(const struct id_set *set, struct text id);

void id_set_free(struct id_set *set);

#endif
