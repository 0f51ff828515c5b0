/* Runs scripts in pipelines: commands are encoded straight into one buffer, sent in chunks, and each reply
 * goes back to its item. What the server forgot (NOSCRIPT) is loaded and repeated, and nothing else is. */
#ifndef BURSAR_REDIS_REDIS_PIPELINE_H
#define BURSAR_REDIS_REDIS_PIPELINE_H

#include "base/buffer.h"
#include "redis/redis_link.h"
#include "redis/redis_scripts.h"

#include <stdbool.h>
#include <stdint.h>

#define REDIS_SHA_SIZE 40

struct redis_pipeline {
    struct redis_link link;
    char *prefix;         /* owned; of every key */
    struct buffer output; /* reused: the commands of one chunk */
    size_t *waiting;      /* reused: indices of the items to send */
    size_t *unknown;      /* reused: of those, the ones whose script the server did not know */
    size_t capacity;      /* of both */
    char sha[REDIS_SCRIPT_COUNT][REDIS_SHA_SIZE]; /* from SCRIPT LOAD */
    bool have_sha;
};

/* One kind of work over `count` items. All three are called with `items` and an index below `count`. */
struct redis_work {
    const char *what; /* for messages: "settle.lua" */
    void *items;
    size_t count;

    /* Appends the item's command with redis_call_begin and redis_call_argument; an item that needs none
     * appends nothing and is done. Anything but STATUS_OK: the item gets this status, and nothing may be
     * appended. */
    enum status (*encode)(struct redis_pipeline *, void *items, size_t index, struct error *);
    /* Takes a reply that is no error. False: it is none that the script gives. */
    bool (*decode)(void *items, size_t index, const redisReply *reply);
    /* Says how the item stands: called more than once, the last one counts. */
    void (*mark)(void *items, size_t index, enum status status);
};

/* Appends EVALSHA with the six keys of the budget, for `arguments` calls of redis_call_argument that must
 * follow. */
void redis_call_begin(struct redis_pipeline *pipeline, enum redis_script script, struct text budget_id,
                      size_t arguments);
void redis_call_argument(struct redis_pipeline *pipeline, struct text argument);
void redis_call_number(struct redis_pipeline *pipeline, int64_t number);

/* Answers as port/stock.h says for a call: STATUS_OK when every item was answered, with the last refusal in
 * `error`. */
MUST_CHECK enum status redis_pipeline_run(struct redis_pipeline *pipeline, const struct redis_work *work,
                                          struct error *error);

/* Loads every script, connecting if need be. */
MUST_CHECK enum status redis_pipeline_load_scripts(struct redis_pipeline *pipeline, struct error *error);

/* Frees what it holds, not itself. */
void redis_pipeline_free(struct redis_pipeline *pipeline);

#endif
