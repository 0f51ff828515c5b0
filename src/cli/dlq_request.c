/* The command line of `bursar dlq`. */
#include "cli/arguments.h"
#include "cli/dlq.h"
#include "cli/report.h"

#include "base/instant.h"
#include "base/memory.h"
#include "core/identifier.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: bursar dlq list [FILTER]...\n"
    "       bursar dlq show [FILTER]...\n"
    "       bursar dlq replay [FILTER]... [--dry-run] [--to EXCHANGE:KEY] [--edit KEY=VALUE]... [--rate N]\n"
    "                         [--canary N] [--canary-wait N] [--max-replays N] [--max-failures PERCENT]\n"
    "       bursar dlq discard [FILTER]... [--dry-run] [--yes]\n"
    "       bursar dlq export FILE [FILTER]...\n"
    "       bursar dlq import FILE [--to EXCHANGE:KEY] [--rate N]\n"
    "\n"
    "Looks at what is in the dead-letter queue, and handles it. Every command works on what is there when it "
    "begins; what is\n"
    "parked meanwhile is not touched. list, show and export leave every message where it is, in its order.\n"
    "\n"
    "Filters; all that are given must hold:\n"
    "  --reason REASON      malformed, missing-id, invalid-id, invalid-budget-id, invalid-amount, too-large, "
    "id-conflict,\n"
    "                       unprocessable; the broker's own delivery_limit, expired, maxlen, rejected; "
    "unknown\n"
    "  --budget ID          of this budget; a batch message: one of its items is (discard: every one)\n"
    "  --id ID              with this message id; a batch message in the same way; may be repeated\n"
    "  --since, --until T   parked at or after, before: 2026-01-02T03:04:05Z, or 90s, 15m, 2h, 3d ago\n"
    "  --match TEXT         the body has this text\n"
    "  --limit N            at most N messages\n"
    "\n"
    "replay publishes each message again to where it came from, and takes it out of the dead-letter queue "
    "once the broker has\n"
    "confirmed that. The ledger books an id once, so a replay that was cut off is simply run again.\n"
    "  --dry-run            changes nothing; says of each message what would become of it now\n"
    "  --to EXCHANGE:KEY    publish there, wherever it came from\n"
    "  --edit KEY=VALUE     put another value in: amount=N or budget_id=ID, in messages that cannot be read "
    "because of it\n"
    "  --rate N             at most N messages a second; the canary goes at once all the same\n"
    "  --canary N           replay N, wait for what becomes of them, and go on only if all went well\n"
    "  --canary-wait N      seconds to wait for that; 60 without\n"
    "  --max-replays N      leave what was replayed N times already; 3 without\n"
    "  --max-failures P     stop when more than P per cent, and at least 20 messages, came back; 50 without. "
    "For fewer use --canary\n"
    "\n"
    "discard throws messages away for good. A deduction that is booked nowhere is voided in the ledger, so "
    "that no copy of it can be\n"
    "booked later, and given back to its budget. Asks first on a terminal; elsewhere it wants --yes. A batch "
    "message goes as a whole, so\n"
    "--budget and --id mean it only where they hold for every item: give all of its ids, or find it by "
    "--match, --reason or time.\n"
    "\n"
    "export writes JSON lines that hold everything (FILE, or - for standard output); import publishes them "
    "again, into the\n"
    "dead-letter queue or --to elsewhere. Nothing is lost when either is cut off; an import that is run "
    "again may publish twice, which\n"
    "the ledger sorts out.\n"
    "\n"
    "  -c, --config FILE   --set KEY=VALUE   --json   -h, --help   --version\n"
    "\n"
    "Examples:\n"
    "  bursar dlq list\n"
    "  bursar dlq show --reason invalid-amount --limit 5 --json | jq .body\n"
    "  bursar dlq replay --reason unprocessable --canary 10 --rate 500\n"
    "  bursar dlq replay --id order-4711 --edit amount=3\n"
    "  bursar dlq discard --reason malformed --since 2h --dry-run\n"
    "\n"
    "Exit status: 0; 1 messages are left; 64 usage; 65 a bad line in an import, or FILE cannot be read or "
    "written; "
    "69 a service is\n"
    "unavailable; 70 internal error, or standard output cannot be written; 75 another dlq command runs, or "
    "it "
    "was cut off: run it again;\n"
    "78 configuration.\n";

enum {
    OPTION_REASON = OPTION_OWN,
    OPTION_BUDGET,
    OPTION_ID,
    OPTION_SINCE,
    OPTION_UNTIL,
    OPTION_MATCH,
    OPTION_LIMIT,
    OPTION_DRY_RUN,
    OPTION_YES,
    OPTION_TO,
    OPTION_EDIT,
    OPTION_RATE,
    OPTION_CANARY,
    OPTION_CANARY_WAIT,
    OPTION_MAX_REPLAYS,
    OPTION_MAX_FAILURES,
};

static const struct option own[] = {
    {"reason", required_argument, NULL, OPTION_REASON},
    {"budget", required_argument, NULL, OPTION_BUDGET},
    {"id", required_argument, NULL, OPTION_ID},
    {"since", required_argument, NULL, OPTION_SINCE},
    {"until", required_argument, NULL, OPTION_UNTIL},
    {"match", required_argument, NULL, OPTION_MATCH},
    {"limit", required_argument, NULL, OPTION_LIMIT},
    {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
    {"yes", no_argument, NULL, OPTION_YES},
    {"to", required_argument, NULL, OPTION_TO},
    {"edit", required_argument, NULL, OPTION_EDIT},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"canary", required_argument, NULL, OPTION_CANARY},
    {"canary-wait", required_argument, NULL, OPTION_CANARY_WAIT},
    {"max-replays", required_argument, NULL, OPTION_MAX_REPLAYS},
    {"max-failures", required_argument, NULL, OPTION_MAX_FAILURES},
    {0},
};

/* Who takes which option. */
enum { LIST = 1, SHOW = 2, REPLAY = 4, DISCARD = 8, EXPORT = 16, IMPORT = 32 };
enum { FILTERS = LIST | SHOW | REPLAY | DISCARD | EXPORT };

static const struct {
    const char *name;
    int verb;
    int words;
} verbs[] = {
    {"list", LIST, 0},       {"show", SHOW, 0},     {"replay", REPLAY, 0},
    {"discard", DISCARD, 0}, {"export", EXPORT, 1}, {"import", IMPORT, 1},
};

static const int takers[] = {
    [OPTION_REASON - OPTION_OWN] = FILTERS,       [OPTION_BUDGET - OPTION_OWN] = FILTERS,
    [OPTION_ID - OPTION_OWN] = FILTERS,           [OPTION_SINCE - OPTION_OWN] = FILTERS,
    [OPTION_UNTIL - OPTION_OWN] = FILTERS,        [OPTION_MATCH - OPTION_OWN] = FILTERS,
    [OPTION_LIMIT - OPTION_OWN] = FILTERS,        [OPTION_DRY_RUN - OPTION_OWN] = REPLAY | DISCARD,
    [OPTION_YES - OPTION_OWN] = REPLAY | DISCARD, [OPTION_TO - OPTION_OWN] = REPLAY | IMPORT,
    [OPTION_EDIT - OPTION_OWN] = REPLAY,          [OPTION_RATE - OPTION_OWN] = REPLAY | IMPORT,
    [OPTION_CANARY - OPTION_OWN] = REPLAY,        [OPTION_CANARY_WAIT - OPTION_OWN] = REPLAY,
    [OPTION_MAX_REPLAYS - OPTION_OWN] = REPLAY,   [OPTION_MAX_FAILURES - OPTION_OWN] = REPLAY,
};

struct reading {
    struct dlq_request *request;
    bool given[sizeof takers / sizeof takers[0]];
};

/* A whole number of `least` to `most`. */
static bool take_number(const char *option, const char *word, int64_t least, int64_t most, int64_t *number)
{
    char *end;
    long long value = strtoll(word, &end, 10);
    if (word[0] >= '0' && word[0] <= '9' && *end == '\0' && strlen(word) <= 18 && value >= least &&
        value <= most) {
        *number = value;
        return true;
    }
    report("dlq: %s '%.100s': use a whole number, %" PRId64 " to %" PRId64, option, word, least, most);
    return false;
}

/* Seconds that 1s, 1m, 1h, 1d stand for; 0: no such unit. */
static int64_t unit_seconds(char unit)
{
    switch (unit) {
    case 's': return 1;
    case 'm': return 60;
    case 'h': return 3600;
    case 'd': return 86400;
    default: return 0;
    }
}

static bool take_instant(const char *option, const char *word, int64_t *at_us)
{
    if (instant_parse(text_of(word), at_us)) return true;
    char *end;
    long long count = strtoll(word, &end, 10);
    bool is_age = word[0] >= '0' && word[0] <= '9' && end - word <= 9 && end[0] != '\0' && end[1] == '\0';
    int64_t unit = is_age ? unit_seconds(end[0]) : 0;
    if (unit == 0) {
        report("dlq: %s '%.100s' is no time; use 2026-01-02T03:04:05Z, or 90s, 15m, 2h, 3d for so long ago",
               option, word);
        return false;
    }
    int64_t now_us = instant_wall_us();
    bool is_before_all = count * unit > now_us / MICROSECONDS_PER_SECOND;
    *at_us = is_before_all ? 0 : now_us - count * unit * MICROSECONDS_PER_SECOND;
    return true;
}

/* An empty text stands in every body: it would look like a filter and be none. */
static bool take_match(struct dlq_request *request, const char *word)
{
    request->filter.match = text_of(word);
    if (word[0] != '\0') return true;
    report("dlq: --match is empty; leave it out, or give a text that stands in the body");
    return false;
}

static bool take_id(struct dlq_request *request, const char *word)
{
    if (word[0] == '\0') {
        report("dlq: --id is empty; leave it out, or give a message id");
        return false;
    }
    request->ids = memory_resize(request->ids, request->filter.id_count + 1, sizeof *request->ids);
    request->ids[request->filter.id_count++] = text_of(word);
    request->filter.ids = request->ids;
    return true;
}

static bool take_route(struct dlq_request *request, const char *word)
{
    const char *colon = strchr(word, ':');
    if (colon == NULL || colon[1] == '\0' || colon - word > 255 || strlen(colon + 1) > 255) {
        report("dlq: --to '%.100s': use EXCHANGE:KEY, each at most 255 bytes; an empty exchange is the "
               "broker's default one, where the key is a queue's name",
               word);
        return false;
    }
    request->to_exchange = (struct text){word, (size_t)(colon - word)};
    request->to_routing_key = text_of(colon + 1);
    return true;
}

static bool edit_once(const char *option, struct text *kept, const char *value)
{
    const char *before = kept->data; /* of the command line, as the value is */
    if (!options_once("dlq", option, &before, value)) return false;
    *kept = text_of(value);
    return true;
}

static bool take_edit(struct dlq_request *request, const char *word)
{
    const char *value = strchr(word, '=');
    int64_t amount;
    if (value != NULL && strncmp(word, "amount=", 7) == 0) {
        return edit_once("edit amount", &request->edit_amount, value + 1) &&
               argument_amount("dlq: --edit amount", value + 1, &amount);
    }
    if (value != NULL && strncmp(word, "budget_id=", 10) == 0) {
        return edit_once("edit budget_id", &request->edit_budget_id, value + 1) &&
               argument_budget_id("dlq: --edit budget_id", value + 1);
    }
    report("dlq: --edit '%.100s': use amount=N or budget_id=ID; nothing else can be mended", word);
    return false;
}

static bool take(void *target, int option, const char *value)
{
    struct reading *reading = target;
    struct dlq_request *request = reading->request;
    reading->given[option - OPTION_OWN] = true;
    switch (option) {
    case OPTION_REASON: request->filter.reason = text_of(value); return true;
    case OPTION_BUDGET:
        request->filter.budget_id = text_of(value);
        return argument_budget_id("dlq: --budget", value);
    case OPTION_ID: return take_id(request, value);
    case OPTION_SINCE:
        request->filter.has_since = true;
        return take_instant("--since", value, &request->filter.since_us);
    case OPTION_UNTIL:
        request->filter.has_until = true;
        return take_instant("--until", value, &request->filter.until_us);
    case OPTION_MATCH: return take_match(request, value);
    case OPTION_LIMIT: return take_number("--limit", value, 1, INT64_MAX, &request->limit);
    case OPTION_DRY_RUN: request->dry_run = true; return true;
    case OPTION_YES: request->yes = true; return true;
    case OPTION_TO: return take_route(request, value);
    case OPTION_EDIT: return take_edit(request, value);
    case OPTION_RATE: return take_number("--rate", value, 1, 1000000, &request->rate);
    case OPTION_CANARY: return take_number("--canary", value, 1, 1000, &request->canary);
    case OPTION_CANARY_WAIT: return take_number("--canary-wait", value, 1, 86400, &request->canary_wait);
    case OPTION_MAX_REPLAYS: return take_number("--max-replays", value, 1, 1000000, &request->max_replays);
    case OPTION_MAX_FAILURES: return take_number("--max-failures", value, 0, 100, &request->max_failures);
    default: return true;
    }
}

/* An option that does nothing for this verb is a misunderstanding, and worth an error. */
static bool options_belong(const struct reading *reading, const char *name, int verb)
{
    for (size_t i = 0; i < sizeof takers / sizeof takers[0]; i++) {
        if (!reading->given[i] || (takers[i] & verb) != 0) continue;
        report("dlq %s: does not take --%s; see bursar dlq --help", name, own[i].name);
        return false;
    }
    return true;
}

static bool path_is_named(const char *command, const char *path)
{
    if (path == NULL || path[0] != '\0') return true;
    report("%s: FILE is empty; name a file, or - for standard input and output", command);
    return false;
}

/* Whoever waits for a canary must not replay everything without one. */
static bool canary_is_whole(const struct reading *reading)
{
    if (!reading->given[OPTION_CANARY_WAIT - OPTION_OWN] || reading->request->canary > 0) return true;
    report("dlq replay: --canary-wait says how long a canary is waited for; give --canary N too");
    return false;
}

enum arguments_next dlq_request_read(struct options *options, int argc, char **argv,
                                     struct dlq_request *request)
{
    static const int repeated[] = {OPTION_ID, OPTION_EDIT, 0};
    static const struct command_usage usage = {
        .name = "dlq", .help = help, .own = own, .repeated = repeated, .take = take};
    *request = (struct dlq_request){.canary_wait = 60, .max_replays = 3, .max_failures = 50};
    struct reading reading = {.request = request};
    enum arguments_next next = arguments_read(&usage, options, argc, argv, &reading);
    if (next != ARGUMENTS_READ) return next;
    request->json = options->json;
    if (optind == argc) {
        report("dlq: says nothing to do; see bursar dlq --help");
        return ARGUMENTS_BAD;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].name, argv[optind]) != 0) continue;
        char command[32];
        snprintf(command, sizeof command, "dlq %s", verbs[i].name);
        request->verb = verbs[i].name;
        if (!options_belong(&reading, request->verb, verbs[i].verb) || !canary_is_whole(&reading) ||
            !arguments_count(command, argc - optind - 1, verbs[i].words, verbs[i].words))
            return ARGUMENTS_BAD;
        request->filter.every_item = verbs[i].verb == DISCARD; /* the others' items would go with it */
        request->path = verbs[i].words > 0 ? argv[optind + 1] : NULL;
        return path_is_named(command, request->path) ? ARGUMENTS_READ : ARGUMENTS_BAD;
    }
    report("dlq: '%.100s' is nothing it can do; see bursar dlq --help", argv[optind]);
    return ARGUMENTS_BAD;
}

void dlq_request_free(struct dlq_request *request)
{
    free(request->ids);
}
