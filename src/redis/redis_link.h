/* One connection to Redis: made when needed, and thrown away after any doubt, for a late reply would be read
 * as the answer to the next command. One thread at a time. SIGPIPE must be ignored by the process. */
#ifndef BURSAR_REDIS_REDIS_LINK_H
#define BURSAR_REDIS_REDIS_LINK_H

#include "base/status.h"
#include "base/text.h"
#include "redis/redis_url.h"

#include <hiredis/hiredis.h>

#include <stdint.h>

struct redis_link {
    struct redis_address address; /* owned */
    int64_t timeout_ms;           /* to connect, and for each reply */
    redisContext *context;        /* owned; NULL: not connected */
    uint64_t connections;         /* made so far */
};

/* Makes sure of a connection that is logged in and has no reply waiting. STATUS_RETRY: could not connect or
 * log in. STATUS_CONFIG: the server does not know this user, password or database. */
MUST_CHECK enum status redis_link_open(struct redis_link *link, struct error *error);

/* Throws the connection away; the next redis_link_open makes a new one. */
void redis_link_drop(struct redis_link *link);

/* Queues commands in the wire format, to be sent by the next read. */
MUST_CHECK enum status redis_link_append(struct redis_link *link, struct text commands, struct error *error);

/* Sends what is queued and reads one reply, which the caller frees with freeReplyObject. STATUS_UNKNOWN: the
 * connection broke or timed out, and was dropped; *reply is NULL. */
MUST_CHECK enum status redis_link_read(struct redis_link *link, redisReply **reply, struct error *error);

/* Sends one command and reads its reply, on an open link. As redis_link_read. */
MUST_CHECK enum status redis_link_ask(struct redis_link *link, const struct text *words, size_t count,
                                      redisReply **reply, struct error *error);

/* Frees what it holds, not itself. */
void redis_link_free(struct redis_link *link);

#endif
