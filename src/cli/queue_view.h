/* The queue of deductions as reconcile sees it: what waits, who consumes, what the worker holds. */
#ifndef BURSAR_CLI_QUEUE_VIEW_H
#define BURSAR_CLI_QUEUE_VIEW_H

#include "cli/letter_returns.h"
#include "cli/session.h"
#include "deadletter/id_set.h"
#include "reconcile/reconcile.h"

struct queue_view {
    struct publisher *publisher; /* borrowed, as the configuration */
    const struct config *config;
    bool looks_only;           /* nothing is repaired by what it says */
    bool failed;               /* the broker did not answer, at least once */
    bool walked;               /* through the dead letters */
    struct id_set letters;     /* owned; their ids */
    int64_t letters_came_back; /* how often one of them did, at most, and has not been told yet */
};

/* `looks_only`: the run repairs nothing. The caller ends each run with queue_view_end. */
struct queue_view queue_view_of(struct session *session, bool looks_only);

/* Forgets what the run saw; the view can be used for another one. */
void queue_view_end(struct queue_view *view);

/* For reconcile_options.look. */
MUST_CHECK enum status queue_view_look(struct queue_view *view, struct queue_look *look, struct error *error);

/* For reconcile_options.find_dead_letters. A view that only looks walks through the queue once a run, for
 * each walk is a delivery of every letter, and of those a broker may allow only so many. What comes there
 * during the run is then not seen. Two ids in a million million million are taken for each other; the one
 * that is no letter is then no orphan either. */
MUST_CHECK enum status queue_view_find_dead_letters(struct queue_view *view, const struct text *message_ids,
                                                    size_t count, bool *found, struct error *error);

/* What the operator should know of the dead letters; false: nothing new. */
bool queue_view_tell(struct queue_view *view, char line[LETTER_RETURNS_SIZE]);

#endif
