#include "cli/arguments.h"
#include "cli/components.h"

#include <stdlib.h>
#include <unistd.h>

static const char help[] = "usage: bursar check [OPTION]...\n"
                           "\n"
                           "Reads the configuration, then tries the ledger, the broker with its exchanges "
                           "and queues, and Redis. Creates nothing: what\n"
                           "is missing is bursar init's to create. URLs are shown without their passwords.\n"
                           "\n"
                           "  -c, --config FILE   --set KEY=VALUE   --json   -h, --help   --version\n"
                           "\n"
                           "Examples:\n"
                           "  bursar check\n"
                           "  bursar check -c ./bursar.conf --set redis.url=redis://other/0\n"
                           "\n"
                           "Exit status: 0 all is well; 64 usage; 69 a service is unavailable; 70 internal "
                           "error; 78 configuration: a mistake in it, a\n"
                           "schema or a queue that is missing, a queue with other arguments.\n";

static const struct command_usage usage = {.name = "check", .help = help};

static const char *configuration_file(const struct options *options)
{
    static const char by_default[] = "/etc/bursar/bursar.conf";
    if (options->config_file != NULL) return options->config_file;
    const char *variable = getenv("BURSAR_CONFIG");
    if (variable != NULL && variable[0] != '\0') return variable;
    return access(by_default, R_OK) == 0 ? by_default : "defaults";
}

/* A passive look finds what is missing, a declaration finds other arguments. The second is only safe after
 * the first: it must not create anything. */
static enum status check_broker(struct session *session)
{
    struct error *error = &session->error;
    struct config passive = session->config;
    passive.amqp.declare = false;
    struct publisher *publisher = NULL;
    enum status status = wiring_publisher(&passive, "bursar command", NULL, &publisher, error);
    if (status == STATUS_OK) status = publisher_initialise(publisher, error);
    if (status == STATUS_OK && session->config.amqp.declare)
        status = publisher_initialise(session->publisher, error);
    publisher_close(publisher);
    return status;
}

int command_check(struct command_context *context, int argc, char **argv)
{
    enum arguments_next next = arguments_read(&usage, &context->options, argc, argv, NULL);
    if (next != ARGUMENTS_READ) return next == ARGUMENTS_DONE ? EXIT_STATUS_WELL : EXIT_STATUS_USAGE;
    if (!arguments_count("check", argc - optind, 0, 0)) return EXIT_STATUS_USAGE;

    struct session session;
    int exit =
        (int)session_open(&session, &context->options, SESSION_LEDGER | SESSION_STOCK | SESSION_BROKER);
    if (exit == EXIT_STATUS_WELL) {
        struct components components = {0};
        const struct config *config = &session.config;
        struct error *error = &session.error;
        components_add(&components, "configuration", configuration_file(&context->options), STATUS_OK, error,
                       "every key is known and in range");
        components_add(&components, "ledger", config->ledger.url, ledger_ping(session.ledger, error), error,
                       "schema is of this version");
        components_add(&components, "broker", config->amqp.url, check_broker(&session), error,
                       "exchanges and queues are there");
        components_add(&components, "redis", config->redis.url, stock_ping(session.stock, error), error,
                       "answers");
        exit = components_print(&components, "check", context->options.json);
        components_free(&components);
    }
    session_close(&session);
    return exit;
}
