/* What Redis answered: errors sorted into the four ways a port answers, and values. */
#ifndef BURSAR_REDIS_REDIS_REPLY_H
#define BURSAR_REDIS_REDIS_REPLY_H

#include "base/status.h"
#include "base/text.h"

#include <hiredis/hiredis.h>

#include <stdbool.h>
#include <stdint.h>

/* Whether it is an error reply with this code, as "NOSCRIPT". */
bool redis_reply_has_code(const redisReply *reply, const char *code);

/* Whether it is an error reply after which another connection may do better: the server is a replica now, or
 * moved. */
bool redis_reply_wants_reconnect(const redisReply *reply);

/* STATUS_OK for anything but an error reply. STATUS_RETRY: the server cannot now (loading, read-only, full,
 * no access…); STATUS_REFUSED: it will not. `server` is its name and `what` the command, for the text. */
MUST_CHECK enum status redis_reply_check(const redisReply *reply, const char *server, const char *what,
                                         struct error *error);

/* STATUS_REFUSED with a text for a reply of a shape that the command never gives. */
enum status redis_reply_misunderstood(const char *server, const char *what, struct error *error);

/* Element `index` of an array; NULL where there is none. */
const redisReply *redis_reply_element(const redisReply *reply, size_t index);

/* A string (or status) reply; absent for anything else, or NULL. Borrows the reply. */
struct text redis_reply_text(const redisReply *reply);

/* An integer reply. False for anything else, or NULL; *value is then untouched. */
bool redis_reply_integer(const redisReply *reply, int64_t *value);

/* A decimal in a string reply; an empty string gives `absent`. False for anything else; *value is then
 * untouched. */
bool redis_reply_decimal(const redisReply *reply, int64_t absent, int64_t *value);

/* An amount or a time, 1 to AMOUNT_MAX, in a string reply; an empty string gives 0. False for anything else;
 * *value is then untouched. */
bool redis_reply_amount(const redisReply *reply, int64_t *value);

#endif
