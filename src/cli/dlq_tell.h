/* What a replay or a discard says of its letters and at its end.
 *
 * As JSON one document: {"letters": [{"message_id", "reason", "fate", "detail"}], "matched", "done", "left",
 * "dry_run", …}, written as it goes. `letters` has what was left, and in a dry run all. */
#ifndef BURSAR_CLI_DLQ_TELL_H
#define BURSAR_CLI_DLQ_TELL_H

#include "cli/dlq.h"
#include "deadletter/letter_fate.h"

struct telling {
    const char *verb;
    bool json, dry_run;
    int64_t letters; /* told so far */
    int64_t counts[FATE_COUNT];
};

struct telling_end {
    int64_t matched, done;
    bool has_came_back, has_refunds;
    int64_t came_back;
    int64_t voided, refunded, refunds_due;
    const char *why_stopped; /* NULL: it went to the end */
};

void tell_begin(struct telling *telling, const char *verb, bool json, bool dry_run);

/* A letter_told; `context` is the telling. */
void tell_letter(void *context, const struct letter *letter, enum letter_fate fate, const char *detail);

void tell_end(struct telling *telling, const struct telling_end *end);

/* "run it again", and what to say otherwise for it to mean the rest of the same letters: the same limit would
 * take others for those that are done, and a time that is so long ago is another one by then. */
#define AGAIN_SIZE 160
const char *tell_again(const struct dlq_request *request, int64_t done, char text[AGAIN_SIZE]);

/* What a signal left, where it left something: reported, and the exit status. EXIT_STATUS_WELL: each letter
 * that matches was dealt with, so that the signal came too late to matter. */
int tell_interrupted(const struct dlq_request *request, const struct telling *telling,
                     const struct telling_end *end);

#endif
