/* Runs histories, and says what became of them. */
#include "core/message.h"
#include "sim/shrink.h"
#include "sim/world.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: sim [--seed S | --fresh] [--histories N] [--seconds T] [--trace] [--steps LIST] [--shrink] "
    "[--first-failure] [--table]\n"
    "\n"
    "Runs N histories (default 1), with the seeds S, S+1, ... (default 1), or as many as T seconds allow. "
    "The same seed\n"
    "gives the same history, to the byte of its trace. Ends with one line: N passed, M failed.\n"
    "\n"
    "  --fresh       a seed from the clock\n"
    "  --trace       say on standard output what happens in each step\n"
    "  --steps LIST  only these steps happen, such as 1-17,40,52-60\n"
    "  --shrink      find a shorter history of the seed that breaks the same rule\n"
    "  --first-failure  run no further than the first history that fails\n"
    "  --table       how often each thing happened, over all histories\n";

struct options {
    uint64_t seed, histories;
    double seconds;
    const char *steps;
    bool trace, shrink, first_failure, table;
};

static uint64_t number_of(const char *text)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);
    if (*text != '\0' && *end == '\0') return number;
    fprintf(stderr, "sim: '%s' is no number\n%s", text, usage);
    exit(64);
}

static struct options options_read(int count, char **arguments)
{
    static const struct option known[] = {
        {"seed", required_argument, NULL, 's'},
        {"fresh", no_argument, NULL, 'r'},
        {"histories", required_argument, NULL, 'n'},
        {"seconds", required_argument, NULL, 't'},
        {"trace", no_argument, NULL, 'v'},
        {"steps", required_argument, NULL, 'k'},
        {"shrink", no_argument, NULL, 'm'},
        {"first-failure", no_argument, NULL, 'f'},
        {"table", no_argument, NULL, 'a'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct options options = {.seed = 1, .histories = 1};
    for (int option; (option = getopt_long(count, arguments, "", known, NULL)) != -1;) {
        switch (option) {
        case 's': options.seed = number_of(optarg); break;
        case 'r': options.seed = (uint64_t)(time(NULL)) * 1000000; break;
        case 'n': options.histories = number_of(optarg); break;
        case 't':
            options.seconds = (double)number_of(optarg);
            options.histories = UINT64_MAX;
            break;
        case 'v': options.trace = true; break;
        case 'k': options.steps = optarg; break;
        case 'm': options.shrink = true; break;
        case 'a': options.table = true; break;
        case 'f': options.first_failure = true; break;
        case 'h': fputs(usage, stdout); exit(0);
        default: fputs(usage, stderr); exit(64);
        }
    }
    return options;
}

struct sums {
    uint64_t passed, failed, events, sales, messages, rows, parked;
    uint64_t actions[ACTION_COUNT], faults[CHANCE_COUNT];
    uint64_t runs[2];
    uint64_t found[2][FINDING_KIND_COUNT], mended[2][FINDING_KIND_COUNT];
    uint64_t letters[FATE_COUNT];
};

static void sums_add(struct sums *sums, const struct outcome *outcome)
{
    sums->passed += !outcome->violation.found;
    sums->failed += outcome->violation.found;
    sums->events += outcome->events;
    sums->sales += outcome->sales;
    sums->messages += outcome->messages;
    sums->rows += outcome->rows;
    sums->parked += outcome->parked;
    for (size_t i = 0; i < ACTION_COUNT; i++) sums->actions[i] += outcome->actions[i];
    for (size_t i = 0; i < CHANCE_COUNT; i++) sums->faults[i] += outcome->faults[i];
    for (size_t i = 0; i < FATE_COUNT; i++) sums->letters[i] += outcome->letters[i];
    for (size_t i = 0; i < 2; i++) {
        sums->runs[i] += outcome->runs[i];
        for (size_t kind = 0; kind < FINDING_KIND_COUNT; kind++) {
            sums->found[i][kind] += outcome->found[i][kind];
            sums->mended[i][kind] += outcome->mended[i][kind];
        }
    }
}

static void say_failure(uint64_t seed, const struct outcome *outcome, const char *steps)
{
    printf("FAILED: seed %" PRIu64 ", step %zu of %zu: %s: %s\n  sim --seed %" PRIu64 "%s%s --trace\n", seed,
           outcome->violation.step, outcome->steps, outcome->violation.rule, outcome->violation.text, seed,
           steps == NULL ? "" : " --steps ", steps == NULL ? "" : steps);
    fflush(stdout);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void table_print(const struct sums *sums)
{
    for (size_t i = 0; i < ACTION_COUNT; i++)
        printf("%-16s %12" PRIu64 "\n", action_name((enum action)i), sums->actions[i]);
    for (size_t i = 0; i < CHANCE_COUNT; i++)
        printf("%-24s %12" PRIu64 "\n", chance_name((enum chance)i), sums->faults[i]);
    for (size_t i = 0; i < FATE_COUNT; i++)
        printf("letters-%-24s %12" PRIu64 "\n", letter_fate_name((enum letter_fate)i), sums->letters[i]);
    static const char *const when[] = {"under-way", "at-the-end"};
    for (size_t i = 0; i < 2; i++) {
        printf("reconciles-%-18s %12" PRIu64 "\n", when[i], sums->runs[i]);
        for (size_t kind = 0; kind < FINDING_KIND_COUNT; kind++) {
            const char *name = finding_kind_name((enum finding_kind)kind);
            printf("found-%s-%-*s %12" PRIu64 "\n", when[i], 20, name, sums->found[i][kind]);
            printf("mended-%s-%-*s %12" PRIu64 "\n", when[i], 19, name, sums->mended[i][kind]);
        }
    }
}

int main(int count, char **arguments)
{
    struct options options = options_read(count, arguments);
    message_decoder_install();
    struct history history = {.trace = options.trace ? stdout : NULL};
    struct sums sums = {0};
    struct outcome outcome;
    double begun = seconds_now(), taken = 0;
    for (uint64_t i = 0; i < options.histories && (options.seconds <= 0 || taken < options.seconds); i++) {
        history.seed = options.seed + i;
        bool *keep = options.steps == NULL ? NULL : steps_parse(options.steps, &history.keep_count);
        history.keep = keep;
        history_run(&history, &outcome);
        sums_add(&sums, &outcome);
        if (outcome.violation.found) say_failure(history.seed, &outcome, options.steps);
        if (outcome.violation.found && options.shrink) shrink(&history, &outcome);
        free(keep);
        if (outcome.violation.found && options.first_failure) options.histories = i;
        taken = seconds_now() - begun;
    }
    if (options.table) table_print(&sums);
    printf("%" PRIu64 " events, %" PRIu64 " deductions, %" PRIu64 " messages, %" PRIu64 " rows, %" PRIu64
           " parked; %.0f histories and %.0f events a second\n",
           sums.events, sums.sales, sums.messages, sums.rows, sums.parked,
           (double)(sums.passed + sums.failed) / taken, (double)sums.events / taken);
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", sums.passed, sums.failed);
    return sums.failed == 0 ? 0 : 1;
}
