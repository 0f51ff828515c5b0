/* AMQP message properties as bytes: edited without decoding what is not touched. Written apart from the
 * adapter, so that the contract suite compares two readings of the protocol. */
#ifndef BURSAR_TESTS_FAKE_PROPERTIES_H
#define BURSAR_TESTS_FAKE_PROPERTIES_H

#include "base/buffer.h"
#include "port/broker.h"

/* The properties that a publication goes out with, appended to `out`. */
void fake_properties_render(const struct publication *publication, struct buffer *out);

/* The properties as a quorum queue gives them out with a message that went back `returns` times: with the
 * header x-delivery-count, the headers in the order of their names. Appended to `out`. */
void fake_properties_count_returns(struct text properties, int64_t returns, struct buffer *out);

/* The message id in encoded properties; absent where there is none or they cannot be read. */
struct text fake_properties_message_id(struct text properties);

/* A header's value, encoded (kind byte first); absent where there is none. */
struct text fake_properties_header(struct text properties, const char *name);

#endif
