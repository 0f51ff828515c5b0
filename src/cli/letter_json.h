/* A dead letter as JSON, for people and for files. */
#ifndef BURSAR_CLI_LETTER_JSON_H
#define BURSAR_CLI_LETTER_JSON_H

#include "base/buffer.h"
#include "deadletter/letter.h"

#include <jansson.h>

/* {"message_id", "reason", "detail", "parked_at", "replays", "body", "exchange", "routing_key",
 * "properties", "headers"}; where the body is not UTF-8 also "body_base64". The letter has been decoded. */
json_t *letter_json(const struct letter *letter);

/* The same and "properties_base64", all properties as they are on the wire: enough to publish the message
 * again, byte for byte. */
json_t *letter_json_whole(const struct letter *letter);

/* What such a line holds. */
struct letter_line {
    struct text message_id, reason, detail, parked_at, exchange, routing_key; /* absent: null */
    int64_t replays;
    struct text properties; /* encoded */
    struct text body;
};

/* Reads a line of letter_json_whole; texts lie in `arena`. False: `why` says what is wrong with it. */
bool letter_line_parse(struct text line, struct arena *arena, struct letter_line *parsed, char *why,
                       size_t why_size);

/* RFC 4648, with padding. */
void base64_encode(struct text bytes, struct buffer *out);

/* Strict; false: it is none. In `arena`. */
bool base64_decode(struct text encoded, struct arena *arena, struct text *bytes);

#endif
