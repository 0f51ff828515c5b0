/* One way through the dead-letter queue, from its front to the last message that was there at the start.
 *
 * Everything is held unacknowledged until the walk is closed, and then goes back in its order; only what the
 * walker acknowledges is gone. What is parked meanwhile comes behind the end. */
#ifndef BURSAR_DEADLETTER_LETTER_WALK_H
#define BURSAR_DEADLETTER_LETTER_WALK_H

#include "deadletter/letter_filter.h"
#include "deadletter/ports.h"

/* Deliveries under way at a time: at first, and at most. What the broker sends ahead takes its memory. */
#define LETTER_WINDOW_FIRST 1000
#define LETTER_WINDOW_MAX   65535

enum walk_event {
    WALK_MORE,   /* nothing to show yet: call again */
    WALK_LETTER, /* *letter matches; it borrows until the next step */
    WALK_WAIT,   /* nothing arrived: call again at wait_until_us or when the consumer has something */
    WALK_END,    /* there are no more */
    WALK_FAILED, /* see `status` and the error */
};

struct letter_walk {
    const struct dead_letter_ports *ports; /* borrowed */
    struct letter_filter filter;           /* its texts are borrowed */
    int64_t limit;                         /* matching letters; 0: no limit */
    int64_t total_max;                     /* looks at so many at most; 0: at all; negative: at none */
    enum { WALK_OPENING, WALK_READING, WALK_ENDED, WALK_RETURNING, WALK_CLOSED } stage;
    enum status status;  /* of a failure */
    int64_t total;       /* letters at the start */
    int64_t read;        /* of them */
    int64_t matched;     /* of them */
    int64_t held;        /* of the read ones, unacknowledged */
    bool silent;         /* it ended because no more came, though there should be more */
    int64_t others;      /* consumers that were there before: they may hold some */
    int64_t returns_max; /* how often a letter came back to its queue, at most */
    size_t window, window_held;
    uint64_t window_after; /* the window begins behind this tag */
    uint64_t last_tag;
    bool last_is_fresh;    /* the last one read had never been given back */
    int64_t deadline_us;   /* monotonic */
    int64_t wait_until_us; /* monotonic */
    struct arena scratch;  /* owned; of one letter */
};

/* Connects nothing yet. The caller frees. */
void letter_walk_begin(struct letter_walk *walk, const struct dead_letter_ports *ports,
                       const struct letter_filter *filter, int64_t limit);
void letter_walk_free(struct letter_walk *walk);

/* Looks at a bounded number of letters. */
enum walk_event letter_walk_step(struct letter_walk *walk, struct letter *letter, struct error *error);

/* Acknowledges letters of this walk, each once. Asynchronous: STATUS_OK means sent. */
MUST_CHECK enum status letter_walk_acknowledge(struct letter_walk *walk, const uint64_t *tags, size_t count,
                                               struct error *error);

/* Gives the rest back and waits, within reason, until the queue has it again, so that who looks next finds
 * all. STEP_MORE, STEP_WAIT or STEP_DONE; after a failure it only disconnects. */
enum step letter_walk_close_step(struct letter_walk *walk);

#endif
