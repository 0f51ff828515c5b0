#include "cli/arguments.h"
#include "cli/components.h"

static const char help[] =
    "usage: bursar init [OPTION]...\n"
    "\n"
    "Creates the ledger's schema (or brings it up to date), declares the exchanges and queues on the broker, "
    "and loads the\n"
    "scripts into Redis. Each is reported, also when another one fails. Safe to repeat.\n"
    "With amqp.declare = false nothing is declared: it is only checked that everything is there.\n"
    "\n"
    "  -c, --config FILE   --set KEY=VALUE   --json   -h, --help   --version\n"
    "\n"
    "Examples:\n"
    "  bursar init\n"
    "  BURSAR_LEDGER_URL=sqlite:/srv/bursar/ledger.db bursar init --json\n"
    "\n"
    "Exit status: 0 all is ready; 64 usage; 69 a service is unavailable; 70 internal error; 78 "
    "configuration, such as a queue that\n"
    "exists with other arguments.\n";

static const struct command_usage usage = {.name = "init", .help = help};

int command_init(struct command_context *context, int argc, char **argv)
{
    enum arguments_next next = arguments_read(&usage, &context->options, argc, argv, NULL);
    if (next != ARGUMENTS_READ) return next == ARGUMENTS_DONE ? EXIT_STATUS_WELL : EXIT_STATUS_USAGE;
    if (!arguments_count("init", argc - optind, 0, 0)) return EXIT_STATUS_USAGE;

    struct session session;
    int exit =
        (int)session_open(&session, &context->options, SESSION_LEDGER | SESSION_STOCK | SESSION_BROKER);
    if (exit == EXIT_STATUS_WELL) {
        struct components components = {0};
        const struct config *config = &session.config;
        struct error *error = &session.error;
        components_add(&components, "ledger", config->ledger.url, ledger_initialise(session.ledger, error),
                       error, "schema is ready");
        components_add(&components, "broker", config->amqp.url,
                       publisher_initialise(session.publisher, error), error,
                       config->amqp.declare ? "exchanges and queues are ready"
                                            : "exchanges and queues are there; nothing was declared");
        components_add(&components, "redis", config->redis.url, stock_load_scripts(session.stock, error),
                       error, "scripts are loaded");
        exit = components_print(&components, "init", context->options.json);
        components_free(&components);
    }
    session_close(&session);
    return exit;
}
