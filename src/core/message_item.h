/* The rules of one deduction, applied to a JSON value. */
#ifndef BURSAR_CORE_MESSAGE_ITEM_H
#define BURSAR_CORE_MESSAGE_ITEM_H

#include "base/arena.h"
#include "core/message.h"

#include <jansson.h>

/* Fills *item from `value`, which the parser read from `source`; `property_id` is absent for an item of a
 * batch message. The first rule that is broken gives the reason, in this order: malformed, the ids, the
 * budget id, the amount, too-large. Texts are copied to `arena`; `source` is borrowed. */
void message_item_read(json_t *value, struct text source, struct text property_id, struct arena *arena,
                       struct message_item *item);

/* The message id in `value`, valid or not; absent where `value` is NULL, no object, or has no string there.
 * Borrows `value`. */
struct text message_item_id(const json_t *value);

/* Up to `size_max` bytes of `raw` in printable ASCII, the rest as "...". In the arena. */
const char *message_show(struct arena *arena, struct text raw, size_t size_max);

#endif
