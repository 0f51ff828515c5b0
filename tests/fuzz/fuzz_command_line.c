/* The command line: each line of the input is a word of it. Every command runs, on services in memory. What
 * it refuses it says in one line, and has changed nothing; what it takes is what the contract allows. */
#include "base/buffer.h"
#include "cli/worker_probe.h"
#include "config/config_file.h"
#include "core/limits.h"
#include "fuzz/quiet.h"
#include "fuzz/target.h"
#include "fuzz/world.h"

/* The program itself, but for its end. */
#define main bursar_main
int bursar_main(int argc, char **argv);
#include "cli/main.c"
#undef main
#include "cli/deduct.h"

#include <jansson.h>
#include <sys/signalfd.h>

#define WORDS_MAX 64

/* What the commands would reach outside with. */

enum status config_file_read(struct config *config, const char *path, bool optional, struct error *error)
{
    (void)config;
    if (strcmp(path, "missing") != 0) return STATUS_OK;
    return optional ? STATUS_OK : error_set(error, STATUS_CONFIG, "cannot read the configuration %s", path);
}

int deduct_from(struct bursar_producer *producer, const char *path, bool json)
{
    HOLDS(producer != NULL && path != NULL);
    if (json) puts("{}");
    return EXIT_STATUS_WELL;
}

struct worker_look worker_probe(const char *listen)
{
    HOLDS(listen[0] != '\0');
    return (struct worker_look){.state = WORKER_AWAY};
}

const char *worker_state_name(enum worker_state state)
{
    return state == WORKER_AWAY ? "away" : "?";
}

int signalfd(int descriptor, const sigset_t *signals, int flags)
{
    (void)signals;
    (void)flags;
    return descriptor;
}

/* One run of the program, and what came of it. */
struct outcome {
    int exit;
    bool json;
    struct quiet quiet;
};

static struct outcome run(int argc, char **argv)
{
    struct outcome outcome;
    struct command_context context = {0};
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    quiet_capture(&outcome.quiet);
    outcome.exit = run_command(&context, argc, argv);
    outcome.json = context.options.json;
    options_free(&context.options);
    quiet_release(&outcome.quiet);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    return outcome;
}

static void hold_exit(const struct outcome *outcome)
{
    switch (outcome->exit) {
    case EXIT_STATUS_WELL:
    case EXIT_STATUS_FOUND:
    case EXIT_STATUS_USAGE:
    case EXIT_STATUS_DATA:
    case EXIT_STATUS_UNAVAILABLE:
    case EXIT_STATUS_TRY_AGAIN:
    case EXIT_STATUS_CONFIGURATION: return;
    default: HOLDS(outcome->exit == EXIT_STATUS_WELL); /* an internal error */
    }
}

/* Lines that begin with the program's name, of text. */
static void hold_errors(struct text errors)
{
    static const char prefix[] = "bursar: ";
    while (errors.size > 0) {
        HOLDS(errors.data[errors.size - 1] == '\n');
        struct text line = take_line(&errors);
        HOLDS(line.size > sizeof prefix - 1 && memcmp(line.data, prefix, sizeof prefix - 1) == 0);
        for (size_t i = 0; i < line.size; i++)
            HOLDS((unsigned char)line.data[i] >= ' ' && line.data[i] != 0x7f);
    }
}

/* JSON where it was asked for, lines of text where not. */
static void hold_output(const struct outcome *outcome)
{
    struct text output = {outcome->quiet.output, outcome->quiet.output_size};
    for (size_t i = 0; i < output.size; i++)
        HOLDS((unsigned char)output.data[i] >= ' ' || output.data[i] == '\n' || output.data[i] == '\t');
    if (!outcome->json || output.size == 0 || output.data[0] == 'u' || output.data[0] == 'b')
        return; /* help, version */
    json_t *document = json_loadb(output.data, output.size, JSON_REJECT_DUPLICATES, NULL);
    HOLDS(document != NULL);
    json_decref(document);
}

static void hold_budget(const struct ledger_budget *budget)
{
    HOLDS(target_is_budget_id(budget->id));
    HOLDS(budget->total == TOTAL_UNLIMITED || (budget->total >= 0 && budget->total <= AMOUNT_MAX));
    HOLDS(budget->name.size <= 256 && budget->description.size <= 4096 && budget->ext_params.size <= 16384);
    if (!text_is_present(budget->ext_params)) return;
    json_t *document =
        json_loadb(budget->ext_params.data, budget->ext_params.size, JSON_REJECT_DUPLICATES, NULL);
    HOLDS(json_is_object(document));
    json_decref(document);
}

static bool is_utf8(struct text text)
{
    json_t *string = json_stringn(text.size == 0 ? "" : text.data, text.size);
    json_decref(string);
    return string != NULL;
}

/* The ledger and the stock agree, and what was refused is as it was. */
static void hold_world(const struct outcome *outcome)
{
    size_t count = fake_ledger_budget_count(world.store);
    HOLDS(count == 1 || count == 2);
    for (size_t i = 0; i < count; i++) {
        const struct ledger_budget *budget = &fake_ledger_budget(world.store, i)->budget;
        hold_budget(budget);
        HOLDS(is_utf8(budget->name) && is_utf8(budget->description));
        struct fake_stock_totals totals = fake_stock_totals(world.stock, budget->id);
        HOLDS(budget->total == TOTAL_UNLIMITED || totals.credited == budget->total);
        HOLDS(budget->total == TOTAL_UNLIMITED ||
              totals.left == totals.credited - totals.deducted + totals.released);
    }
    world_hold_queue();
    if (outcome->exit == EXIT_STATUS_WELL || outcome->exit == EXIT_STATUS_FOUND) return;
    HOLDS(outcome->quiet.errors.size > 0 || outcome->quiet.output_size > 0);
    if (outcome->exit != EXIT_STATUS_USAGE && outcome->exit != EXIT_STATUS_CONFIGURATION) return;
    struct fake_stock_totals totals = fake_stock_totals(world.stock, TEXT_LITERAL(WORLD_BUDGET));
    HOLDS(count == 1 && totals.credited == 100 && totals.deducted == 0);
    HOLDS(fake_ledger_budget(world.store, 0)->budget.state == BUDGET_ACTIVE);
    HOLDS(fake_broker_ready(world.broker, WORLD_QUEUE) == 0);
}

/* The words, each a line; the program's name first. Returns how many. */
static int split(char *text, size_t size, char **words)
{
    int count = 0;
    static char name[] = "bursar";
    words[count++] = name;
    for (char *at = text, *end; at < text + size && count < WORDS_MAX; at = end + 1) {
        end = memchr(at, '\n', (size_t)(text + size - at));
        if (end == NULL) end = text + size;
        *end = '\0';
        words[count++] = at;
    }
    words[count] = NULL;
    return count;
}

int LLVMFuzzerInitialize(int *argument_count, char ***arguments)
{
    (void)argument_count;
    (void)arguments;
    message_decoder_install();
    unsetenv("BURSAR_CONFIG");
    unsetenv("BURSAR_AMQP_URL");
    unsetenv("BURSAR_REDIS_URL");
    unsetenv("BURSAR_LEDGER_URL");
    quiet_begin();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer text = {0};
    char *words[WORDS_MAX + 1];
    buffer_append(&text, (struct text){(const char *)data, size});
    world_begin();
    struct outcome outcome = run(split(text.data, size, words), words);
    hold_exit(&outcome);
    hold_errors((struct text){outcome.quiet.errors.data, outcome.quiet.errors.size});
    hold_output(&outcome);
    hold_world(&outcome);
    quiet_free(&outcome.quiet);
    world_end();
    buffer_free(&text);
    return 0;
}
