/* `bursar dlq discard`. */
#include "cli/dlq.h"

#include "base/memory.h"
#include "cli/dlq_tell.h"
#include "cli/output.h"
#include "cli/report.h"
#include "deadletter/discard.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Looks first, so that the question names a number. No more than that goes, and only from as many letters as
 * the look found in the queue: what is parked while somebody thinks comes behind them. *limit is 0 where
 * there is nothing to ask about. */
static int ask(struct dlq *dlq, const struct dlq_request *request, int64_t *total, int64_t *limit)
{
    struct letter_walk walk;
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1)
        return report_exit(EXIT_STATUS_USAGE,
                           "dlq discard: throws messages away for good; look with --dry-run, then say --yes");
    int exit = dlq_look(dlq, request, &walk, NULL, NULL);
    *total = walk.total;
    *limit = walk.matched;
    letter_walk_free(&walk);
    if (exit != EXIT_STATUS_WELL) return exit;
    if (dlq_is_interrupted())
        return report_exit(EXIT_STATUS_TRY_AGAIN, "dlq discard: interrupted; nothing was discarded");
    if (*limit == 0) return EXIT_STATUS_WELL;
    char answer[16];
    fprintf(stderr, "%" PRId64 " messages of queue %s are thrown away for good. Go on? [y/N] ", *limit,
            dlq->session.config.amqp.dead_letter_queue);
    bool yes = fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
    return yes ? EXIT_STATUS_WELL : report_exit(EXIT_STATUS_FOUND, "dlq discard: nothing was discarded");
}

static int exit_of(const struct dlq_request *request, const struct discard *discard,
                   const struct telling *telling, const struct telling_end *end)
{
    if (discard->status != STATUS_OK) {
        char again[AGAIN_SIZE];
        bool begun = discard->done > 0 || discard->voided > 0 || discard->status == STATUS_UNKNOWN ||
                     dlq_is_interrupted();
        if (!begun)
            return report_exit(exit_status_of_ledger(discard->status, &discard->error), "dlq discard: %s",
                               discard->error.text);
        return report_exit(EXIT_STATUS_TRY_AGAIN, "dlq discard: %s; %s: nothing is given back twice",
                           discard->error.text, tell_again(request, discard->done, again));
    }
    if (discard->refunds_due > 0)
        report("dlq discard: %" PRId64
               " refunds were not taken by Redis: %s; the ledger owes them, and a worker goes on trying",
               discard->refunds_due, discard->error.text);
    int exit = dlq_is_interrupted() ? tell_interrupted(request, telling, end) : EXIT_STATUS_WELL;
    if (exit != EXIT_STATUS_WELL) return exit;
    return !request->dry_run && discard->walk.matched > discard->done ? EXIT_STATUS_FOUND : EXIT_STATUS_WELL;
}

static void run(struct dlq *dlq, struct discard *discard)
{
    struct progress progress = {0};
    for (enum step step = STEP_MORE; step == STEP_MORE || step == STEP_WAIT;) {
        if (dlq_is_interrupted()) discard_stop(discard);
        step = discard_step(discard);
        if (step == STEP_WAIT) dlq_wait(dlq, discard->wait_until_us, discard->wait_listens);
        progress_show(&progress, discard->walk.read, discard->walk.total);
    }
    progress_clear();
}

static int discard_nothing(const struct dlq_request *request)
{
    struct telling telling;
    const struct telling_end end = {.has_refunds = true};
    report("dlq discard: no message matches; nothing was discarded");
    tell_begin(&telling, request->verb, request->json, request->dry_run);
    tell_end(&telling, &end);
    return EXIT_STATUS_WELL;
}

int dlq_discard(struct dlq *dlq, const struct dlq_request *request)
{
    int64_t total = 0, limit = request->limit;
    bool asks = !request->dry_run && !request->yes;
    int exit = asks ? ask(dlq, request, &total, &limit) : EXIT_STATUS_WELL;
    if (exit != EXIT_STATUS_WELL) return exit;
    if (asks && limit == 0) return discard_nothing(request);
    struct telling telling;
    struct discard *discard = memory_alloc_zero(1, sizeof *discard);
    tell_begin(&telling, request->verb, request->json, request->dry_run);
    const struct discard_options options = {.filter = request->filter,
                                            .limit = limit,
                                            .total_max = total,
                                            .dry_run = request->dry_run,
                                            .told = tell_letter,
                                            .context = &telling};
    discard_begin(discard, &dlq->ports, &options);
    run(dlq, discard);
    const struct telling_end end = {.matched = discard->walk.matched,
                                    .done = discard->done,
                                    .has_refunds = true,
                                    .voided = discard->voided,
                                    .refunded = discard->refunded,
                                    .refunds_due = discard->refunds_due};
    tell_end(&telling, &end);
    dlq_warn(dlq, "dlq discard", &discard->walk);
    dlq_warn_reason(request, discard->walk.matched);
    exit = exit_of(request, discard, &telling, &end);
    discard_free(discard);
    free(discard);
    return exit;
}
