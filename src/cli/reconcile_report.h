/* What `bursar reconcile` shows: the findings, kept until the run has ended, and its progress. */
#ifndef BURSAR_CLI_RECONCILE_REPORT_H
#define BURSAR_CLI_RECONCILE_REPORT_H

#include "cli/output.h"
#include "reconcile/reconcile.h"

/* More are counted, and mended, and left out of the list. */
#define RECONCILE_FINDINGS_MAX 100000

struct reconcile_report {
    bool settle_orphans;
    struct finding *findings; /* owned; texts in the arena */
    size_t count, capacity;
    int64_t left_out, unmended;
    struct arena arena;
    int64_t shown_at_us; /* monotonic: of the last line of progress */
};

/* For reconcile_options.found: keeps a copy. `context` is the report. */
void reconcile_report_found(void *context, const struct finding *finding);

/* A line of progress on stderr, where that is a terminal, now and then. */
void reconcile_report_progress(struct reconcile_report *report, const struct reconcile_summary *summary);

/* Takes the line away. */
void reconcile_report_progress_end(const struct reconcile_report *report);

/* The findings and what the run came to, on stdout. */
void reconcile_report_print(const struct reconcile_report *report, const struct reconcile_summary *summary,
                            bool json);

void reconcile_report_free(struct reconcile_report *report);

#endif
