#include "cli/arguments.h"
#include "cli/budget.h"
#include "cli/report.h"

#include <string.h>

static const char help[] =
    "usage: bursar budget create ID --total N|unlimited [--name TEXT] [--description TEXT] [--ext JSON]\n"
    "       bursar budget add ID N [--credit-id ID]\n"
    "       bursar budget list\n"
    "       bursar budget show|close|reopen|delete ID\n"
    "\n"
    "  create   books the budget and its first credit in the ledger, and initialises it in Redis\n"
    "  add      tops up, once per credit id; without one a new id is made, and printed\n"
    "  list     all budgets: what the ledger has settled, what is left and pending in Redis\n"
    "  show     one budget\n"
    "  close    sells no more; what was deducted before still settles\n"
    "  reopen   sells again\n"
    "  delete   books nothing more, for ever; what is under way is refunded. Nothing is asked\n"
    "\n"
    "  --total N           0 or more, in the budget's smallest unit; or unlimited\n"
    "  --name TEXT         at most 256 bytes\n"
    "  --description TEXT  at most 4096 bytes\n"
    "  --ext JSON          an object of your own, at most 16384 bytes\n"
    "  --credit-id ID      1 to 128 visible ASCII characters: give the same to every try of the same top-up\n"
    "  -c, --config FILE   --set KEY=VALUE   --json   -h, --help   --version\n"
    "\n"
    "Examples:\n"
    "  bursar budget create camp:42 --total 10000 --name 'Spring' --ext '{\"owner\": \"marketing\"}'\n"
    "  bursar budget add camp:42 500 --credit-id order-4711\n"
    "  bursar budget show camp:42 --json\n"
    "\n"
    "Exit status: 0 done; 64 usage, a bad id or amount; 65 an unknown or existing budget, or one that cannot "
    "take this; 69 a service\n"
    "is unavailable, nothing was changed (show and list: printed what is known); 70 internal error; 75 not "
    "finished: the line on\n"
    "standard error says who finishes it; 78 configuration.\n";

enum {
    OPTION_TOTAL = OPTION_OWN,
    OPTION_NAME,
    OPTION_DESCRIPTION,
    OPTION_EXT,
    OPTION_CREDIT_ID,
};

static const struct option own[] = {
    {"total", required_argument, NULL, OPTION_TOTAL},
    {"name", required_argument, NULL, OPTION_NAME},
    {"description", required_argument, NULL, OPTION_DESCRIPTION},
    {"ext", required_argument, NULL, OPTION_EXT},
    {"credit-id", required_argument, NULL, OPTION_CREDIT_ID},
    {0},
};

static const struct {
    const char *name;
    int words; /* behind the verb */
    int (*function)(struct session *, const struct budget_request *);
} verbs[] = {
    {"create", 1, budget_create}, {"add", 2, budget_add},     {"list", 0, budget_list},
    {"show", 1, budget_show},     {"close", 1, budget_close}, {"reopen", 1, budget_reopen},
    {"delete", 1, budget_delete},
};

#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static bool take(void *target, int option, const char *value)
{
    struct budget_request *request = target;
    switch (option) {
    case OPTION_TOTAL: request->total = value; break;
    case OPTION_NAME: request->name = value; break;
    case OPTION_DESCRIPTION: request->description = value; break;
    case OPTION_EXT: request->ext = value; break;
    case OPTION_CREDIT_ID: request->credit_id = value; break;
    }
    return true;
}

static const struct command_usage usage = {.name = "budget", .help = help, .own = own, .take = take};

/* An option that does nothing for this verb is a misunderstanding, and worth an error. */
static bool options_belong(const struct budget_request *request)
{
    bool creates = strcmp(request->verb, "create") == 0, adds = strcmp(request->verb, "add") == 0;
    const char *stranger = NULL;
    if (!creates && request->total != NULL) stranger = "--total";
    if (!creates && request->name != NULL) stranger = "--name";
    if (!creates && request->description != NULL) stranger = "--description";
    if (!creates && request->ext != NULL) stranger = "--ext";
    if (!adds && request->credit_id != NULL) stranger = "--credit-id";
    if (stranger != NULL)
        report("budget %s: does not take %s; see bursar budget --help", request->verb, stranger);
    return stranger == NULL;
}

int command_budget(struct command_context *context, int argc, char **argv)
{
    struct budget_request request = {0};
    enum arguments_next next = arguments_read(&usage, &context->options, argc, argv, &request);
    if (next != ARGUMENTS_READ) return next == ARGUMENTS_DONE ? EXIT_STATUS_WELL : EXIT_STATUS_USAGE;
    if (optind == argc)
        return report_exit(EXIT_STATUS_USAGE, "budget: says nothing to do; see bursar budget --help");
    request.verb = argv[optind];
    request.json = context->options.json;
    int words = argc - optind - 1;
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verbs[i].name, request.verb) != 0) continue;
        char command[32] = "budget ";
        strncat(command, request.verb, sizeof command - sizeof "budget ");
        if (!options_belong(&request) || !arguments_count(command, words, verbs[i].words, verbs[i].words))
            return EXIT_STATUS_USAGE;
        if (words > 0) request.id = argv[optind + 1];
        if (words > 1) request.number = argv[optind + 2];
        if (words > 0 && !argument_budget_id(command, request.id)) return EXIT_STATUS_USAGE;
        struct session session;
        int exit = (int)session_open(&session, &context->options, SESSION_LEDGER | SESSION_STOCK);
        if (exit == EXIT_STATUS_WELL) exit = verbs[i].function(&session, &request);
        session_close(&session);
        return exit;
    }
    return report_exit(EXIT_STATUS_USAGE, "budget: '%.100s' is nothing it can do; see bursar budget --help",
                       request.verb);
}
