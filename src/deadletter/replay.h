/* The replay of dead letters.
 *
 *  OPENING -> READING -> JUDGING [-> FORECAST, for a dry run] -> EDITING (ask Redis) -> LOOKING BACK
 *    -> PACING -> JOURNALING -> PUBLISHING -> RECORDING -> ACKNOWLEDGING -> READING … [->
 * COUNTING] -> CLOSING
 *
 * A canary is a walk of its own, which ends with the canary's chunk: then CANARY CLOSING -> CANARY (wait for
 * the outcome) -> READING, from the front again. So nothing is held while it waits, for a broker that sends
 * ahead and is not read from gives the connection up.
 *
 * It dies after…
 *  - journaling: the ledger says that these ids may be in the queue again, which is all that it says;
 *  - publishing or recording: the letters are in both queues, and the next replay publishes them again: an id
 *    is booked once. Recorded before it is acknowledged, so that no row of v_parked stays behind. */
#ifndef BURSAR_DEADLETTER_REPLAY_H
#define BURSAR_DEADLETTER_REPLAY_H

#include "deadletter/id_set.h"
#include "deadletter/letter_edit.h"
#include "deadletter/letter_fate.h"

struct replay_options {
    struct letter_filter filter;
    int64_t limit; /* letters; 0: no limit */
    bool dry_run;
    struct text to_exchange, to_routing_key; /* absent: to where each came from */
    struct letter_edit edit;
    int64_t max_replays; /* one that was replayed so often is left */
    int64_t rate;        /* letters a second; 0: as fast as it goes */
    int64_t canary;      /* letters whose outcome is waited for first; 0: none; at most CHUNK_LETTERS_MAX */
    int64_t canary_wait_us;
    int64_t max_failures; /* per cent of what was replayed; more coming back ends it. 100: never */
    letter_told *told;    /* may be NULL */
    void *context;
};

/* A letter of the chunk on its way. */
struct replay_item {
    bool left;
    enum letter_fate fate; /* FATE_COUNT: nothing to tell */
    const char *detail;    /* in the chunk's arena, or static; may be NULL */
    struct text exchange, routing_key, body;
    struct letter_edited *edited;  /* NULL: as it is */
    const struct message *message; /* of the body */
};

/* An id of the canary, until it is known what became of it. */
struct canary_id {
    struct text message_id; /* absent: it has none, and can only come back */
    struct text budget_id;  /* absent: unreadable */
    int64_t amount;
    bool well;
};

struct replay {
    const struct dead_letter_ports *ports; /* borrowed */
    struct replay_options options;         /* its texts are borrowed */
    struct letter_walk walk;
    struct letter_chunk chunk;
    enum {
        REPLAY_OPENING,
        REPLAY_READING,
        REPLAY_JUDGING,
        REPLAY_FORECAST,
        REPLAY_EDITING,
        REPLAY_LOOKING_BACK,
        REPLAY_PACING,
        REPLAY_JOURNALING,
        REPLAY_PUBLISHING,
        REPLAY_RECORDING,
        REPLAY_ACKNOWLEDGING,
        REPLAY_CANARY_CLOSING,
        REPLAY_CANARY,
        REPLAY_COUNTING,
        REPLAY_CLOSING,
        REPLAY_OVER,
    } stage;
    struct replay_item items[CHUNK_LETTERS_MAX];
    struct publication publications[CHUNK_LETTERS_MAX];
    struct intervention *entries; /* in the chunk's arena */
    size_t entry_count;
    size_t *entry_items; /* the chunk's letter that the entry belongs to */
    /* Answers. */
    int64_t done;
    int64_t done_before;     /* of them, in walks before the present one */
    int64_t came_back;       /* of those that were replayed, parked again */
    const char *why_stopped; /* NULL: it went to the end; in `arena` or static */
    enum status status;      /* of a failure */
    struct error error;
    int64_t wait_until_us; /* monotonic */
    bool wait_listens;     /* something arriving at the consumer ends the wait too */
    /* Inside. */
    struct arena arena; /* owned: of the whole run */
    int64_t parked_sequence;
    struct id_set replayed;
    int64_t replayed_without_id, came_back_without_id;
    struct canary_id *canary_ids;
    size_t canary_count;
    int64_t canary_deadline_us;
    bool canary_over;
    bool none_went;     /* no letter of the canary's walk could go */
    int64_t next_at_us; /* when the rate allows the next chunk */
    int64_t tries;      /* of a write that failed */
    bool stop;
};

/* Connects nothing yet. The caller frees. */
void replay_begin(struct replay *replay, const struct dead_letter_ports *ports,
                  const struct replay_options *options);
void replay_free(struct replay *replay);

/* STEP_WAIT: see wait_until_us and wait_listens. STEP_FAILED: see `status` and `error`. */
enum step replay_step(struct replay *replay);

/* Ends it after the chunk that is under way: the next steps close. */
void replay_stop(struct replay *replay, const char *why);

/* Letters that the filter means. */
static inline int64_t replay_matched(const struct replay *replay)
{
    return replay->done_before + replay->walk.matched;
}

static inline int64_t replay_left(const struct replay *replay)
{
    return replay_matched(replay) - replay->done;
}

#endif
