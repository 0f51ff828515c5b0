/* The properties a publication goes out with. */
#ifndef BURSAR_AMQP_PROPERTIES_H
#define BURSAR_AMQP_PROPERTIES_H

#include "amqp/vendor.h"
#include "base/status.h"
#include "port/broker.h"

struct properties_limits {
    struct text user; /* the login's: the broker refuses a message whose user_id is another */
    size_t frame_max; /* bytes: the properties go out in one frame */
};

/* STATUS_REFUSED: the added headers alone do not fit in a frame. */
MUST_CHECK enum status properties_check(const struct publication *publication,
                                        const struct properties_limits *limits, struct error *error);

/* Fills *wire, which borrows from the publication and from `pool`. The publication has been checked. */
MUST_CHECK enum status properties_build(const struct publication *publication,
                                        const struct properties_limits *limits, amqp_pool_t *pool,
                                        amqp_basic_properties_t *wire, struct error *error);

/* The message id that the publication goes out with, given its properties: absent where it has none. */
struct text properties_message_id(const amqp_basic_properties_t *wire);

#endif
