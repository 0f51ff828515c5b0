#include "sim/shrink.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 100000

bool *steps_parse(const char *list, size_t *count)
{
    bool *keep = memory_alloc_zero(STEPS_MAX, sizeof *keep);
    *count = 0;
    for (const char *at = list; *at != '\0';) {
        char *end;
        size_t first = strtoul(at, &end, 10), last = first;
        if (end != at && *end == '-') {
            at = end + 1;
            last = strtoul(at, &end, 10);
        }
        if (end == at || (*end != ',' && *end != '\0') || first < 1 || last < first || last > STEPS_MAX) {
            fprintf(stderr, "sim: '%s' is no list of steps; give one such as 1-17,40\n", list);
            exit(64);
        }
        for (size_t step = first; step <= last; step++) keep[step - 1] = true;
        if (last > *count) *count = last;
        at = *end == ',' ? end + 1 : end;
    }
    return keep;
}

static void steps_print(const bool *keep, size_t count)
{
    const char *comma = "";
    for (size_t i = 0; i < count; i++) {
        if (!keep[i]) continue;
        size_t last = i;
        while (last + 1 < count && keep[last + 1]) last++;
        if (last > i)
            printf("%s%zu-%zu", comma, i + 1, last + 1);
        else
            printf("%s%zu", comma, i + 1);
        comma = ",";
        i = last;
    }
}

static size_t kept(const bool *keep, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += keep[i];
    return sum;
}

static bool still_fails(const struct history *history, const bool *keep, size_t count,
                        const struct outcome *found)
{
    struct history shorter = *history;
    struct outcome outcome;
    shorter.keep = keep;
    shorter.keep_count = count;
    shorter.trace = NULL;
    history_run(&shorter, &outcome);
    return outcome.violation.found && strcmp(outcome.violation.rule, found->violation.rule) == 0;
}

/* Tries to leave out runs of `size` kept steps, one after the other; true: some could go. */
static bool leave_out(const struct history *history, bool *keep, size_t count, size_t size,
                      const struct outcome *found)
{
    bool *trial = memory_alloc(count * sizeof *trial);
    bool any = false;
    for (size_t first = 0; first < count;) {
        size_t left_out = 0, end = first;
        memcpy(trial, keep, count * sizeof *trial);
        for (; end < count && left_out < size; end++) {
            left_out += trial[end];
            trial[end] = false;
        }
        if (left_out > 0 && still_fails(history, trial, count, found)) {
            memcpy(keep, trial, count * sizeof *trial);
            any = true;
        }
        first = end;
    }
    free(trial);
    return any;
}

void shrink(const struct history *history, const struct outcome *found)
{
    size_t count = found->violation.step < found->steps ? found->violation.step : found->steps;
    if (history->keep != NULL && history->keep_count < count) count = history->keep_count;
    bool *keep = memory_alloc(count * sizeof *keep);
    for (size_t i = 0; i < count; i++) keep[i] = history->keep == NULL || history->keep[i];
    size_t before = kept(keep, count);
    for (size_t size = (before + 1) / 2; size > 0;) {
        bool any = leave_out(history, keep, count, size, found);
        if (!any || size > 1) size = size == 1 ? 0 : size / 2;
    }
    printf("shrunk from %zu to %zu steps:\n  sim --seed %" PRIu64 " --steps ", before, kept(keep, count),
           history->seed);
    steps_print(keep, count);
    printf(" --trace\n");
    fflush(stdout);
    free(keep);
}
