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

/* The next entry of a table's content, its value encoded (kind byte first); moves *rest. False at the end. */
bool fake_table_next(struct text *rest, struct text *name, struct text *value);

/* A table's content in a value of that kind; absent for any other kind. */
struct text fake_table_content(struct text value);

/* An array's next element, encoded; absent at the end. Moves *rest, an array's content. */
struct text fake_array_next(struct text *rest);

/* How the broker itself gave a message up. */
struct fake_death {
    const char *reason, *queue;
    struct text exchange, routing_key; /* it had been published to */
};

/* The properties with the death in the headers x-death and x-first-death-…, as a quorum queue writes them,
 * but without a time. Appended to `out`. Properties that cannot be read stay as they are. */
void fake_properties_add_death(const struct fake_death *death, struct text properties, struct buffer *out);

/* The properties with encoded entries added to their headers, the entry `replaced` taken out. Appended to
 * `out`. Properties that cannot be read stay as they are. */
void fake_properties_put_headers(struct text properties, const char *replaced, struct text entries,
                                 struct buffer *out);

/* What a dead letter's headers say of its past. */
void fake_properties_origin(struct text properties, struct letter_origin *origin);

#endif
