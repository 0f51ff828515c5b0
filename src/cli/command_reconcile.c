#include "cli/actor.h"
#include "cli/arguments.h"
#include "cli/queue_view.h"
#include "cli/reconcile_report.h"
#include "cli/report.h"
#include "cli/session.h"

#include "base/instant.h"
#include "core/amount.h"
#include "core/limits.h"
#include "core/message.h"
#include "worker/system_clock.h"

#include <poll.h>
#include <string.h>

static const char help[] =
    "usage: bursar reconcile [--budget ID] [--repair] [--max-repair N] [OPTION]...\n"
    "\n"
    "Compares Redis with the ledger, while traffic runs, and says what differs, what that means for money, "
    "and "
    "what a repair does.\n"
    "Without --repair nothing is changed. One run at a time: a second one exits with 75.\n"
    "\n"
    "  --budget ID      looks at this budget alone\n"
    "  --repair         mends what can be mended; each repair is in the ledger's view v_intervention\n"
    "  --max-repair N   repairs change no budget's stock by more than N units in all\n"
    "  -c, --config FILE   --set KEY=VALUE   --json   -h, --help   --version\n"
    "\n"
    "Findings:\n"
    "  left-drift      Redis holds more or less than it should      missing-key    Redis lost the budget\n"
    "  uncleared       booked, and still pending                    refund-due     rejected or voided, not "
    "given "
    "back\n"
    "  credit-due      a top-up that Redis does not have            orphan         deducted, booked nowhere, "
    "its "
    "message gone\n"
    "  ledger-behind   Redis saw more booked than the ledger has    untracked      for information: no "
    "token\n"
    "\n"
    "Examples:\n"
    "  bursar reconcile --json | jq '.findings[] | select(.mended | not)'\n"
    "  bursar reconcile --repair --max-repair 100\n"
    "\n"
    "Exit status: 0 nothing found, or all of it mended; 1 something is not mended; 64 usage; 65 an unknown "
    "budget; 69 a service is\n"
    "unavailable, or a budget's keys hold what no script wrote; 70 internal error; 75 another run holds the "
    "lock, or a budget never stood still: try again "
    "later; 78 configuration.\n";

enum { OPTION_BUDGET = OPTION_OWN, OPTION_REPAIR, OPTION_MAX_REPAIR };

static const struct option own[] = {
    {"budget", required_argument, NULL, OPTION_BUDGET},
    {"repair", no_argument, NULL, OPTION_REPAIR},
    {"max-repair", required_argument, NULL, OPTION_MAX_REPAIR},
    {0},
};

struct request {
    const char *budget_id; /* NULL: all */
    bool repair, has_max;
    int64_t max;
};

static bool take(void *target, int option, const char *value)
{
    struct request *request = target;
    switch (option) {
    case OPTION_BUDGET: request->budget_id = value; return argument_budget_id("reconcile", value);
    case OPTION_REPAIR: request->repair = true; return true;
    case OPTION_MAX_REPAIR:
        request->has_max = amount_parse_or_zero(text_of(value), &request->max);
        if (!request->has_max)
            report("reconcile: --max-repair '%.40s' is no whole number from 0 to %lld", value,
                   (long long)AMOUNT_MAX);
        return request->has_max;
    }
    return true;
}

static const struct command_usage usage = {.name = "reconcile", .help = help, .own = own, .take = take};

static void say(void *context, const char *line)
{
    reconcile_report_progress_end(context);
    report("reconcile: %s", line);
}

/* What the callbacks of a run share: the report comes first, so that it is their context too. */
struct run {
    struct reconcile_report report;
    struct queue_view queue;
};

static enum status look(void *context, struct queue_look *look, struct error *error)
{
    return queue_view_look(&((struct run *)context)->queue, look, error);
}

static enum status find_dead_letters(void *context, const struct text *ids, size_t count, bool *found,
                                     struct error *error)
{
    return queue_view_find_dead_letters(&((struct run *)context)->queue, ids, count, found, error);
}

static void wait_until(int64_t until_us)
{
    int64_t left_us = until_us - instant_monotonic_us();
    if (left_us > 0) poll(NULL, 0, (int)(left_us / 1000) + 1);
}

static enum exit_status exit_of(const struct run *run, const struct reconcile_summary *summary)
{
    if (run->report.unmended > 0) return EXIT_STATUS_FOUND;
    if (run->queue.failed || summary->refused > 0) return EXIT_STATUS_UNAVAILABLE;
    return summary->complete ? EXIT_STATUS_WELL : EXIT_STATUS_TRY_AGAIN;
}

static enum exit_status failed(const struct reconcile_summary *summary, const struct error *error)
{
    enum exit_status exit = summary->locked_out       ? EXIT_STATUS_TRY_AGAIN
                            : summary->unknown_budget ? EXIT_STATUS_DATA
                                                      : exit_status_of_ledger(summary->status, error);
    return (enum exit_status)report_exit(exit, "reconcile: %s", error->text);
}

static enum exit_status run_to_end(struct run *run, struct reconcile *reconcile, bool json)
{
    struct error error;
    const struct reconcile_summary *summary = reconcile_summary(reconcile);
    for (;;) {
        enum reconcile_progress progress = reconcile_step(reconcile, &error);
        reconcile_report_progress(&run->report, summary);
        if (progress == RECONCILE_WAIT) wait_until(reconcile_wait_until_us(reconcile));
        if (progress == RECONCILE_DONE || progress == RECONCILE_FAILED) {
            reconcile_report_progress_end(&run->report);
            if (progress == RECONCILE_DONE || run->report.count > 0)
                reconcile_report_print(&run->report, summary, json);
            return progress == RECONCILE_DONE ? exit_of(run, summary) : failed(summary, &error);
        }
    }
}

int command_reconcile(struct command_context *context, int argc, char **argv)
{
    struct request request = {0};
    enum arguments_next next = arguments_read(&usage, &context->options, argc, argv, &request);
    if (next != ARGUMENTS_READ) return next == ARGUMENTS_DONE ? EXIT_STATUS_WELL : EXIT_STATUS_USAGE;
    if (!arguments_count("reconcile", argc - optind, 0, 0)) return EXIT_STATUS_USAGE;
    if (request.has_max && !request.repair)
        return report_exit(EXIT_STATUS_USAGE,
                           "reconcile: --max-repair says how much --repair may change: give both");

    struct session session;
    enum exit_status exit =
        session_open(&session, &context->options, SESSION_LEDGER | SESSION_STOCK | SESSION_BROKER);
    if (exit == EXIT_STATUS_WELL) {
        message_decoder_install(); /* dead letters are read for their ids */
        struct run run = {.queue = queue_view_of(&session, !request.repair)};
        char actor[ACTOR_SIZE];
        actor_name(actor);
        struct reconcile_options options = {
            .ledger = session.ledger,
            .stock = session.stock,
            .clock = &system_clock,
            .actor = text_of(actor),
            .budget_id = text_of(request.budget_id),
            .repair = request.repair,
            .repair_max = request.has_max ? request.max : INT64_MAX,
            .orphan_after_us = session.config.reconcile.orphan_after * MICROSECONDS_PER_SECOND,
            .settle_orphans = strcmp(session.config.reconcile.orphans, "settle") == 0,
            .context = &run,
            .look = look,
            .find_dead_letters = find_dead_letters,
            .found = reconcile_report_found,
            .say = say,
        };
        run.report.settle_orphans = options.settle_orphans;
        struct reconcile *reconcile = reconcile_new(&options);
        exit = run_to_end(&run, reconcile, context->options.json);
        char line[LETTER_RETURNS_SIZE];
        if (queue_view_tell(&run.queue, line)) say(&run, line);
        reconcile_free(reconcile);
        queue_view_end(&run.queue);
        reconcile_report_free(&run.report);
    }
    session_close(&session);
    return (int)exit;
}
