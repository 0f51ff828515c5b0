#include "cli/arguments.h"
#include "cli/deduct.h"
#include "cli/report.h"
#include "cli/session.h"
#include "core/limits.h"

#include <signal.h>

static const char help[] =
    "usage: bursar deduct ID N [--message-id ID] [--user TEXT]\n"
    "       bursar deduct --from FILE\n"
    "\n"
    "Deducts N from the budget in Redis, then publishes the deduction and waits for the broker's confirm: "
    "what a producer does.\n"
    "Without a broker nothing is deducted. The same message id again deducts nothing more; it is published "
    "again while it is\n"
    "not booked, so an uncertain deduction is repeated with the same id.\n"
    "\n"
    "  --message-id ID     1 to 128 visible ASCII characters; without it a new UUIDv7, which is printed\n"
    "  --user TEXT         kept with the booking; at most 128 characters\n"
    "  --from FILE         JSON lines {\"message_id\"?, \"budget_id\", \"amount\", \"user_id\"?}; - is "
    "standard input. One line out for\n"
    "                      each line in, in the same order; a bad line is named by its number, and the rest "
    "goes on. Lines\n"
    "                      without a message_id get a new one each time: such a file is not safe to run "
    "again\n"
    "  -c, --config FILE   --set KEY=VALUE   --json   -h, --help   --version\n"
    "\n"
    "Status: deducted, repeat, insufficient, not-initialised, conflict (this id had another amount), "
    "refunded (this id was given\n"
    "back), closed, invalid. With --from also unavailable (not deducted: a service is away, or this budget's "
    "keys in Redis are broken)\n"
    "and unknown (repeat it).\n"
    "\n"
    "Examples:\n"
    "  bursar deduct camp:42 3 --message-id order-4711 --user u7\n"
    "  bursar deduct --from orders.jsonl --json > answers.jsonl\n"
    "\n"
    "Exit status: 0 deducted, or a repeat; 1 refused; 64 usage, a bad id or amount; 65 --from: a bad line; "
    "69 a service is\n"
    "unavailable; 70 internal error; 75 deducted and not confirmed, repeat with the same id; 78 "
    "configuration. With --from, the\n"
    "first of 75, 78, 69, 65, 1 that any line calls for; 75 too where it stopped at a line, because of a "
    "signal or of answers that\n"
    "cannot be written.\n";

enum { OPTION_MESSAGE_ID = OPTION_OWN, OPTION_USER, OPTION_FROM };

static const struct option own[] = {
    {"message-id", required_argument, NULL, OPTION_MESSAGE_ID},
    {"user", required_argument, NULL, OPTION_USER},
    {"from", required_argument, NULL, OPTION_FROM},
    {0},
};

struct deduct_arguments {
    const char *message_id, *user, *from;
};

static bool take(void *target, int option, const char *value)
{
    struct deduct_arguments *arguments = target;
    switch (option) {
    case OPTION_MESSAGE_ID: arguments->message_id = value; break;
    case OPTION_USER: arguments->user = value; break;
    case OPTION_FROM: arguments->from = value; break;
    }
    return true;
}

static const struct command_usage usage = {.name = "deduct", .help = help, .own = own, .take = take};

static struct bursar_producer *interrupted;

static void on_signal(int number)
{
    (void)number;
    bursar_producer_cancel(interrupted);
}

/* Ctrl-C ends waiting, not the process: what was deducted and not confirmed is still told. */
static void watch_signals(struct bursar_producer *producer)
{
    interrupted = producer;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static struct bursar_producer_options producer_options(const struct config *config)
{
    return (struct bursar_producer_options){
        .amqp_url = config->amqp.url,
        .redis_url = config->redis.url,
        .exchange = config->amqp.exchange,
        .routing_key = config->amqp.routing_key,
        .queue = config->amqp.queue,
        .redis_prefix = config->redis.prefix,
        .connection_name = "bursar deduct",
        .connect_timeout_ms = (int)config->amqp.connect_timeout * 1000,
        .confirm_timeout_ms = (int)config->amqp.confirm_timeout * 1000,
        .redis_timeout_ms = (int)config->redis.timeout * 1000,
    };
}

static int deduct_one(struct bursar_producer *producer, const struct bursar_request *request, bool json)
{
    struct bursar_result result;
    enum bursar_code code = bursar_producer_deduct(producer, request, 1, &result);
    if (result.status == BURSAR_UNAVAILABLE) {
        return report_exit(exit_status_worse(deduct_exit_of(&result), deduct_exit_of_code(code)),
                           "deduct: nothing was deducted: %s", result.error);
    }
    if (json) {
        output_json(deduct_result_json(request, &result));
    } else {
        struct table table = deduct_table_begin();
        deduct_table_add(&table, request, &result);
        table_print(&table);
        table_free(&table);
    }
    if (result.unconfirmed) {
        report("deduct: %s, but not confirmed: %s; repeat it with --message-id '%s'",
               result.status == BURSAR_UNKNOWN ? "perhaps deducted" : "deducted", result.error,
               result.message_id);
    }
    return (int)deduct_exit_of(&result);
}

static bool request_check(const struct deduct_arguments *arguments, char **words,
                          struct bursar_request *request)
{
    *request = (struct bursar_request){
        .budget_id = words[0], .message_id = arguments->message_id, .user_id = arguments->user};
    if (!argument_budget_id("deduct", words[0]) || !argument_amount("deduct", words[1], &request->amount))
        return false;
    if (arguments->message_id != NULL && !argument_message_id("deduct", "message id", arguments->message_id))
        return false;
    return arguments->user == NULL ||
           argument_characters("deduct", "--user", arguments->user, USER_ID_CHARACTERS_MAX);
}

int command_deduct(struct command_context *context, int argc, char **argv)
{
    struct deduct_arguments arguments = {0};
    struct bursar_request request;
    enum arguments_next next = arguments_read(&usage, &context->options, argc, argv, &arguments);
    if (next != ARGUMENTS_READ) return next == ARGUMENTS_DONE ? EXIT_STATUS_WELL : EXIT_STATUS_USAGE;
    int words = argc - optind;
    if (arguments.from == NULL) {
        if (!arguments_count("deduct", words, 2, 2) || !request_check(&arguments, argv + optind, &request))
            return EXIT_STATUS_USAGE;
    } else if (words > 0 || arguments.message_id != NULL || arguments.user != NULL) {
        return report_exit(
            EXIT_STATUS_USAGE,
            "deduct: --from takes no id, amount, --message-id or --user; they stand in the file");
    }

    struct session session;
    int exit = (int)session_open(&session, &context->options, 0);
    if (exit == EXIT_STATUS_WELL) {
        struct bursar_producer_options options = producer_options(&session.config);
        struct bursar_producer *producer;
        char error[BURSAR_ERROR_SIZE];
        if (bursar_producer_open(&options, &producer, error) != BURSAR_OK) {
            exit = report_exit(EXIT_STATUS_CONFIGURATION, "deduct: %s", error);
        } else {
            watch_signals(producer);
            exit = arguments.from == NULL ? deduct_one(producer, &request, context->options.json)
                                          : deduct_from(producer, arguments.from, context->options.json);
            signal(SIGINT, SIG_DFL);
            signal(SIGTERM, SIG_DFL);
        }
        bursar_producer_close(producer);
    }
    session_close(&session);
    return exit;
}
