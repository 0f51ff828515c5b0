/* The queue of deductions as reconcile sees it: what waits, who consumes, what the worker holds. */
#ifndef BURSAR_CLI_QUEUE_VIEW_H
#define BURSAR_CLI_QUEUE_VIEW_H

#include "cli/session.h"
#include "reconcile/reconcile.h"

struct queue_view {
    struct publisher *publisher; /* borrowed, as the configuration */
    const struct config *config;
    bool failed; /* the broker did not answer, at least once */
};

struct queue_view queue_view_of(struct session *session);

/* For reconcile_options.look. */
MUST_CHECK enum status queue_view_look(struct queue_view *view, struct queue_look *look, struct error *error);

/* For reconcile_options.find_dead_letters. */
MUST_CHECK enum status queue_view_find_dead_letters(struct queue_view *view, const struct text *message_ids,
                                                    size_t count, bool *found, struct error *error);

#endif
