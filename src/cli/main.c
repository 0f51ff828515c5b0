/* bursar: finds the subcommand and calls it. */
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    command_function *function;
    const char *summary;
} commands[] = {
    {"init", command_init, "create the ledger's schema and the broker's queues, load the scripts into Redis"},
    {"check", command_check, "read the configuration and try each connection"},
    {"run", command_run, "the worker: settle deductions, in the foreground"},
    {"budget", command_budget, "create, top up, list, show, close, reopen and delete budgets"},
    {"deduct", command_deduct, "deduct from a budget and publish, as a producer does"},
    {"reconcile", command_reconcile, "compare Redis with the ledger while traffic runs, and mend"},
    {"dlq", command_dlq, "look at parked messages, replay, discard, save and restore them"},
    {"status", command_status, "one look at queue, worker, ledger, Redis and budgets"},
};

static void print_help(void)
{
    output_text(TEXT_LITERAL(
        "usage: bursar COMMAND [OPTION]...\n"
        "\n"
        "Settles what producers deducted from budgets in Redis: books each deduction once, refunds what "
        "cannot be booked.\n"
        "\n"
        "Commands:\n"));
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        output_format("  %-9s  %s\n", commands[i].name, commands[i].summary);
    output_text(TEXT_LITERAL(
        "\n"
        "Options that every command takes:\n"
        "  -c, --config FILE   the configuration; else $BURSAR_CONFIG, else /etc/bursar/bursar.conf\n"
        "  --set KEY=VALUE     set one key, over file and environment; may be repeated\n"
        "  --json              answer in JSON\n"
        "  -h, --help          help; bursar COMMAND --help for one command\n"
        "  --version           the version\n"
        "\n"
        "Environment: BURSAR_AMQP_URL, BURSAR_REDIS_URL, BURSAR_LEDGER_URL, or the same with _FILE for a "
        "file that holds the URL.\n"
        "\n"
        "Exit status: 0 well; 1 it found something (drift not mended, a deduction refused, messages left in "
        "a "
        "replay); 64 usage; 65 bad\n"
        "input data; 69 a service is unavailable; 70 internal error; 75 try again later; 78 "
        "configuration.\n"));
}

/* A descriptor that was closed by the caller would be given to the first file or socket that is opened, and
 * be written into. What stands in for it cannot be written to, so that the loss is noticed. */
static void occupy_standard_descriptors(void)
{
    for (int descriptor = 0; descriptor <= 2; descriptor++) {
        if (fcntl(descriptor, F_GETFD) != -1 || errno != EBADF) continue;
        if (open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY) != descriptor)
            _exit(EXIT_STATUS_INTERNAL);
    }
}

static int run_command(struct command_context *context, int argc, char **argv)
{
    options_begin(true);
    if (options_next(&context->options, "", argc, argv, NULL) == OPTIONS_BAD) return EXIT_STATUS_USAGE;
    if (context->options.version) {
        output_text(TEXT_LITERAL("bursar " BURSAR_VERSION "\n"));
        return EXIT_STATUS_WELL;
    }
    if (optind == argc) {
        if (!context->options.help)
            return report_exit(EXIT_STATUS_USAGE, "no command was given; see bursar --help");
        print_help();
        return EXIT_STATUS_WELL;
    }
    const char *name = argv[optind];
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].function(context, argc - optind, argv + optind);
    }
    return report_exit(EXIT_STATUS_USAGE, "%s: there is no such command; see bursar --help", name);
}

int main(int argc, char **argv)
{
    occupy_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    struct command_context context = {0};
    int status = run_command(&context, argc, argv);
    options_free(&context.options);
    return output_finish(status);
}
