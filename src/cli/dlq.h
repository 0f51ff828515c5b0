/* The parts of `bursar dlq`. */
#ifndef BURSAR_CLI_DLQ_H
#define BURSAR_CLI_DLQ_H

#include "cli/actor.h"
#include "cli/arguments.h"
#include "cli/session.h"
#include "deadletter/letter_walk.h"

#include <jansson.h>

/* What the command line asks for. */
struct dlq_request {
    const char *verb; /* "replay" */
    const char *path; /* of export and import */
    bool json, dry_run, yes;
    struct letter_filter filter;
    struct text *ids;                        /* owned; the filter's */
    int64_t limit;                           /* 0: none */
    struct text to_exchange, to_routing_key; /* absent: where each came from */
    int64_t rate;                            /* a second; 0: as fast as it goes */
    int64_t canary;                          /* messages; 0: none */
    int64_t canary_wait;                     /* seconds */
    int64_t max_replays, max_failures;
    struct text edit_amount, edit_budget_id; /* absent: not edited */
};

/* The services of the commands, and the signals that stop them. */
struct dlq {
    struct session session;
    struct consumer *consumer;
    struct publisher *publisher;
    struct dead_letter_ports ports;
    char actor[ACTOR_SIZE];
};

/* Opens what the command needs besides the broker (SESSION_…). Anything but EXIT_STATUS_WELL has been
 * reported. The caller closes in any case. SIGINT and SIGTERM are told by dlq_is_interrupted from here on. */
MUST_CHECK enum exit_status dlq_open(struct dlq *dlq, const struct options *options, int services);
void dlq_close(struct dlq *dlq);

bool dlq_is_interrupted(void);

/* Takes the lock of the commands that change something. Reported; EXIT_STATUS_TRY_AGAIN: another one runs. */
MUST_CHECK enum exit_status dlq_lock(struct dlq *dlq, const char *command);

/* Waits until the monotonic time or until a signal arrives; with `listens` also until the broker sends
 * something. */
void dlq_wait(const struct dlq *dlq, int64_t until_us, bool listens);

/* Shows each letter that matches, and leaves all where they are. `show` may be NULL; false from it ends the
 * walk. Returns the exit status, with what went wrong reported; *walk may be looked at afterwards. */
typedef bool dlq_show_letter(void *context, struct letter *letter);
int dlq_look(struct dlq *dlq, const struct dlq_request *request, struct letter_walk *walk,
             dlq_show_letter *show, void *context);

/* Says on stderr what the operator should know of the queue. */
void dlq_warn(const struct dlq *dlq, const char *command, const struct letter_walk *walk);

/* Says so where nothing matched because of a reason that neither Bursar nor the broker gives: it may be
 * mistyped. Letters of other tools may have it all the same. */
void dlq_warn_reason(const struct dlq_request *request, int64_t matched);

/* A line of progress on stderr, where that is a terminal; some times a second. `total` 0: not known. */
struct progress {
    int64_t begun_us, shown_us;
};
void progress_show(struct progress *progress, int64_t count, int64_t total);

/* Takes the line away, before something else is printed. */
void progress_clear(void);

/* Each returns the exit status, with what went wrong reported. */
int dlq_list(struct dlq *dlq, const struct dlq_request *request);
int dlq_show(struct dlq *dlq, const struct dlq_request *request);
int dlq_replay(struct dlq *dlq, const struct dlq_request *request);
int dlq_discard(struct dlq *dlq, const struct dlq_request *request);
int dlq_export(struct dlq *dlq, const struct dlq_request *request);
int dlq_import(struct dlq *dlq, const struct dlq_request *request);

/* Reads the options and words behind `dlq`. */
enum arguments_next dlq_request_read(struct options *options, int argc, char **argv,
                                     struct dlq_request *request);
void dlq_request_free(struct dlq_request *request);

#endif
