/* `bursar dlq replay`. */
#include "cli/dlq.h"

#include "base/memory.h"
#include "cli/dlq_tell.h"
#include "cli/output.h"
#include "cli/report.h"
#include "deadletter/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static struct replay_options options_of(const struct dlq_request *request, struct telling *telling)
{
    return (struct replay_options){
        .filter = request->filter,
        .limit = request->limit,
        .dry_run = request->dry_run,
        .to_exchange = request->to_exchange,
        .to_routing_key = request->to_routing_key,
        .edit = {.amount = request->edit_amount, .budget_id = request->edit_budget_id},
        .max_replays = request->max_replays,
        .rate = request->rate,
        .canary = request->canary,
        .canary_wait_us = request->canary_wait * INT64_C(1000000),
        .max_failures = request->max_failures,
        .told = tell_letter,
        .context = telling,
    };
}

/* What must be run again goes before what is left. */
static int exit_of(const struct dlq_request *request, const struct replay *replay,
                   const struct telling *telling, const struct telling_end *end)
{
    if (replay->status != STATUS_OK) {
        char again[AGAIN_SIZE];
        bool begun = replay->done > 0 || replay->status == STATUS_UNKNOWN || dlq_is_interrupted();
        if (!begun)
            return report_exit(exit_status_of_ledger(replay->status, &replay->error), "dlq replay: %s",
                               replay->error.text);
        return report_exit(EXIT_STATUS_TRY_AGAIN,
                           "dlq replay: %s; %s: what was replayed is not lost and is booked once",
                           replay->error.text, tell_again(request, replay->done, again));
    }
    int exit = dlq_is_interrupted() ? tell_interrupted(request, telling, end) : EXIT_STATUS_WELL;
    if (exit != EXIT_STATUS_WELL) return exit;
    if (replay->why_stopped != NULL) report("dlq replay: stopped: %s", replay->why_stopped);
    return !request->dry_run && replay_left(replay) > 0 ? EXIT_STATUS_FOUND : EXIT_STATUS_WELL;
}

int dlq_replay(struct dlq *dlq, const struct dlq_request *request)
{
    struct progress progress = {0};
    struct telling telling;
    struct replay *replay = memory_alloc_zero(1, sizeof *replay);
    tell_begin(&telling, request->verb, request->json, request->dry_run);
    struct replay_options options = options_of(request, &telling);
    replay_begin(replay, &dlq->ports, &options);
    for (enum step step = STEP_MORE; step == STEP_MORE || step == STEP_WAIT;) {
        if (dlq_is_interrupted()) replay_stop(replay, NULL);
        step = replay_step(replay);
        if (step == STEP_WAIT) dlq_wait(dlq, replay->wait_until_us, replay->wait_listens);
        progress_show(&progress, replay->walk.read, replay->walk.total);
    }
    progress_clear();
    const struct telling_end end = {.matched = replay_matched(replay),
                                    .done = replay->done,
                                    .came_back = replay->came_back,
                                    .has_came_back = true,
                                    .why_stopped = replay->why_stopped};
    tell_end(&telling, &end);
    dlq_warn(dlq, "dlq replay", &replay->walk);
    dlq_warn_reason(request, replay_matched(replay));
    int exit = exit_of(request, replay, &telling, &end);
    replay_free(replay);
    free(replay);
    return exit;
}
