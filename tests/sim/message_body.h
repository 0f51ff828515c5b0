/* Bodies of messages, good and bad. Each carries a mark, "#<message>.<item>", by which every copy of it is
 * known again wherever it lies (truth_place_of). */
#ifndef BURSAR_TESTS_SIM_MESSAGE_BODY_H
#define BURSAR_TESTS_SIM_MESSAGE_BODY_H

#include "base/buffer.h"
#include "sim/dice.h"
#include "sim/truth.h"

/* One deduction's JSON object, with or without its id. */
void message_body_item(struct buffer *body, uint32_t message, uint32_t item, const struct truth_item *what,
                       bool with_id);

/* A message, or an item, that must be parked: the reason, and in *id the id that can be read in it
 * (TRUTH_NONE: none). `id` is used where the text holds a good id. */
enum park_reason message_body_bad(struct buffer *body, struct dice *dice, uint32_t message, uint32_t item,
                                  uint32_t id, uint32_t *readable);

/* A deduction's object whose amount, or budget, was lost: the reason for which it is parked. */
enum park_reason message_body_ruin(struct buffer *body, struct dice *dice, uint32_t message,
                                   const struct truth_item *what);

/* A text that is no document at all. */
void message_body_garbage(struct buffer *body, struct dice *dice, uint32_t message);

#endif
