#include "cli/arguments.h"
#include "cli/dlq.h"

#include "core/message.h"

#include <string.h>

static const struct {
    const char *name;
    int services;
    bool changes; /* one such command runs at a time */
    int (*function)(struct dlq *dlq, const struct dlq_request *request);
} verbs[] = {
    {"list", 0, false, dlq_list},
    {"show", 0, false, dlq_show},
    {"replay", SESSION_LEDGER | SESSION_STOCK, true, dlq_replay},
    {"discard", SESSION_LEDGER | SESSION_STOCK, true, dlq_discard},
    {"export", 0, false, dlq_export},
    {"import", SESSION_LEDGER, true, dlq_import},
};

static int run(struct dlq *dlq, const struct dlq_request *request)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].name, request->verb) != 0) continue;
        char command[32] = "dlq ";
        strncat(command, request->verb, sizeof command - sizeof "dlq ");
        enum exit_status exit =
            verbs[i].changes && !request->dry_run ? dlq_lock(dlq, command) : EXIT_STATUS_WELL;
        return exit == EXIT_STATUS_WELL ? verbs[i].function(dlq, request) : (int)exit;
    }
    return EXIT_STATUS_INTERNAL;
}

static int services_of(const struct dlq_request *request)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, request->verb) == 0) return verbs[i].services;
    return 0;
}

int command_dlq(struct command_context *context, int argc, char **argv)
{
    struct dlq_request request;
    struct dlq dlq;
    enum arguments_next next = dlq_request_read(&context->options, argc, argv, &request);
    int exit = next == ARGUMENTS_DONE ? EXIT_STATUS_WELL : EXIT_STATUS_USAGE;
    if (next == ARGUMENTS_READ) {
        message_decoder_install();
        exit = (int)dlq_open(&dlq, &context->options, services_of(&request));
        if (exit == EXIT_STATUS_WELL) exit = run(&dlq, &request);
        dlq_close(&dlq);
    }
    dlq_request_free(&request);
    return exit;
}
