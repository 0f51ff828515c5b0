#include "cli/dlq.h"

#include "base/instant.h"
#include "cli/actor.h"
#include "cli/letter_returns.h"
#include "cli/output.h"
#include "cli/report.h"
#include "core/message.h"
#include "worker/system_clock.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_bool interrupted;

static void on_signal(int number)
{
    (void)number;
    atomic_store_explicit(&interrupted, true, memory_order_relaxed);
}

bool dlq_is_interrupted(void)
{
    return atomic_load_explicit(&interrupted, memory_order_relaxed);
}

static enum status open_broker(struct dlq *dlq)
{
    const struct config *config = &dlq->session.config;
    struct error *error = &dlq->session.error;
    struct amqp_options options = wiring_amqp_options(config, "bursar dlq", &interrupted);
    options.consume_queue = config->amqp.dead_letter_queue;
    options.prefetch = LETTER_WINDOW_FIRST;
    options.declare = false; /* who looks changes nothing */
    enum status status = amqp_consumer_open(&options, &dlq->consumer, error);
    if (status == STATUS_OK) status = amqp_publisher_open(&options, &dlq->publisher, error);
    return status == STATUS_OK ? STATUS_OK : error_wrap(error, status, "amqp.url");
}

enum exit_status dlq_open(struct dlq *dlq, const struct options *options, int services)
{
    *dlq = (struct dlq){0};
    enum exit_status exit = session_open(&dlq->session, options, services);
    if (exit != EXIT_STATUS_WELL) return exit;
    enum status status = open_broker(dlq);
    if (status != STATUS_OK) {
        report("%s", dlq->session.error.text);
        return exit_status_of(status);
    }
    actor_name(dlq->actor);
    dlq->ports = (struct dead_letter_ports){
        .consumer = dlq->consumer,
        .publisher = dlq->publisher,
        .ledger = dlq->session.ledger,
        .stock = dlq->session.stock,
        .clock = &system_clock,
        .queue = text_of(dlq->session.config.amqp.dead_letter_queue),
        .actor = text_of(dlq->actor),
    };
    /* The first one ends it in good order, which may take seconds; the second one at once. */
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return EXIT_STATUS_WELL;
}

void dlq_close(struct dlq *dlq)
{
    consumer_close(dlq->consumer);
    publisher_close(dlq->publisher);
    session_close(&dlq->session);
}

enum exit_status dlq_lock(struct dlq *dlq, const char *command)
{
    struct error *error = &dlq->session.error;
    enum status status = ledger_lock(dlq->session.ledger, LEDGER_LOCK_DEAD_LETTERS, error);
    if (status == STATUS_OK) return EXIT_STATUS_WELL;
    enum exit_status exit =
        status == STATUS_REFUSED ? EXIT_STATUS_TRY_AGAIN : exit_status_of_ledger(status, error);
    report("%s: %s", command, error->text);
    return exit;
}

void dlq_wait(const struct dlq *dlq, int64_t until_us, bool listens)
{
    int64_t pause_us = until_us - instant_monotonic_us();
    if (pause_us <= 0) return;
    struct pollfd poller = {.fd = listens ? consumer_descriptor(dlq->consumer) : -1, .events = POLLIN};
    (void)poll(&poller, 1, (int)((pause_us + 999) / 1000));
}

int dlq_look(struct dlq *dlq, const struct dlq_request *request, struct letter_walk *walk,
             dlq_show_letter *show, void *context)
{
    struct progress progress = {0};
    struct letter letter;
    struct error *error = &dlq->session.error;
    enum walk_event event = WALK_MORE;
    letter_walk_begin(walk, &dlq->ports, &request->filter, request->limit);
    while (event != WALK_END && event != WALK_FAILED && !dlq_is_interrupted()) {
        event = letter_walk_step(walk, &letter, error);
        if (event == WALK_WAIT) dlq_wait(dlq, walk->wait_until_us, true);
        if (event == WALK_LETTER && show != NULL && !show(context, &letter)) break;
        progress_show(&progress, walk->read, walk->total);
    }
    progress_clear();
    for (enum step step = STEP_MORE; step != STEP_DONE;) {
        step = letter_walk_close_step(walk);
        if (step == STEP_WAIT) dlq_wait(dlq, walk->wait_until_us, true);
    }
    char command[32];
    snprintf(command, sizeof command, "dlq %s", request->verb);
    if (event != WALK_END && dlq_is_interrupted())
        return report_exit(EXIT_STATUS_TRY_AGAIN,
                           "%s: interrupted after %" PRId64 " of %" PRId64 " messages; run it again", command,
                           walk->read, walk->total);
    if (event == WALK_FAILED)
        return report_exit(exit_status_of(walk->status), "%s: %s", command, error->text);
    dlq_warn(dlq, command, walk);
    if (show != NULL) dlq_warn_reason(request, walk->matched); /* else the command itself comes after it */
    return EXIT_STATUS_WELL;
}

static bool reason_is_known(struct text reason, struct buffer *known)
{
    static const char *const others[] = {"delivery_limit", "expired", "maxlen", "rejected", "unknown"};
    bool found = false;
    for (int i = PARK_NONE + 1; i <= PARK_UNPROCESSABLE; i++) {
        found = found || letter_reason_is(reason, text_of(park_reason_name((enum park_reason)i)));
        buffer_format(known, "%s, ", park_reason_name((enum park_reason)i));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        found = found || letter_reason_is(reason, text_of(others[i]));
        buffer_format(known, "%s%s", i == 0 ? "" : ", ", others[i]);
    }
    return found;
}

void dlq_warn_reason(const struct dlq_request *request, int64_t matched)
{
    struct text reason = request->filter.reason;
    struct buffer known = {0};
    if (matched == 0 && text_is_present(reason) && !reason_is_known(reason, &known))
        report("dlq %s: nothing matches, and '%.100s' is none of the usual reasons: %s", request->verb,
               reason.data, known.data);
    buffer_free(&known);
}

void dlq_warn(const struct dlq *dlq, const char *command, const struct letter_walk *walk)
{
    const char *queue = dlq->session.config.amqp.dead_letter_queue;
    if (walk->silent)
        report("%s: queue %s: %" PRId64 " of %" PRId64
               " messages did not come: another consumer holds them, or they expired; run it again",
               command, queue, walk->total - walk->read, walk->total);
    else if (walk->others > 0)
        report("%s: queue %s: %" PRId64 " other consumer(s) read it: what they hold is not seen here",
               command, queue, walk->others);
    char line[LETTER_RETURNS_SIZE];
    if (letter_returns_tell(queue, walk->returns_max, line)) report("%s: %s", command, line);
}
