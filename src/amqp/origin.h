/* Where a dead letter comes from, read out of its headers. */
#ifndef BURSAR_AMQP_ORIGIN_H
#define BURSAR_AMQP_ORIGIN_H

#include "port/broker.h"

/* Never fails: what is not there or cannot be read is left out. Texts borrow `properties`, encoded as in a
 * delivery. */
void amqp_letter_origin(struct text properties, struct letter_origin *origin);

#endif
