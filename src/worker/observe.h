/* From what the worker did to its metrics. */
#ifndef BURSAR_WORKER_OBSERVE_H
#define BURSAR_WORKER_OBSERVE_H

#include "core/batch.h"
#include "core/worker.h"
#include "port/ledger_audit.h"
#include "worker/metrics.h"

/* A range that was committed: outcomes, size, time of the commit, lag of each deduction. On the ledger's
 * thread. */
void observe_settlement(struct metrics *metrics, const struct batch *batch, size_t first, size_t count,
                        int64_t commit_us, int64_t committed_at_us);

/* Messages or items that were parked, confirmed and recorded. On the ledger's thread. */
void observe_parked(struct metrics *metrics, size_t count);

/* The run of reconcile that the ledger remembers last, whoever made it. On the ledger's thread. */
void observe_reconcile_run(struct metrics *metrics, const struct reconcile_run *run);

/* The rest, from the latest view. `before` is the view observed last, zero at first. On the loop's thread. */
void observe_view(struct metrics *metrics, const struct worker_view *before, const struct worker_view *view);

#endif
