/* What the worker tells Prometheus. One table (metrics.c) names every series with its type and help; the page
 * is rendered from it.
 *
 * Any thread may write while any other renders. */
#ifndef BURSAR_WORKER_METRICS_H
#define BURSAR_WORKER_METRICS_H

#include "base/buffer.h"
#include "core/finding.h"

#include <stdatomic.h>
#include <stdint.h>

/* One series each. Counters take metrics_add, gauges metrics_set. */
enum metric {
    /* counters */
    METRIC_DEDUCTIONS_SETTLED,
    METRIC_DEDUCTIONS_DUPLICATE,
    METRIC_DEDUCTIONS_REJECTED,
    METRIC_DEDUCTIONS_PARKED,
    METRIC_DELIVERIES,
    METRIC_REDELIVERIES,
    METRIC_BATCHES,
    METRIC_COMMIT_RETRIES,
    METRIC_REFUNDS,
    METRIC_EXTRA_RELEASES,
    METRIC_CREDITS_APPLIED,
    METRIC_LATE,
    METRIC_RECONNECTS,
    METRIC_REDIS_TELLS_DROPPED,
    METRIC_RECONCILE_RUNS_CLEAN,
    METRIC_RECONCILE_RUNS_FOUND,
    METRIC_RECONCILE_RUNS_INCOMPLETE,
    METRIC_RECONCILE_RUNS_FAILED,
    /* gauges; queues, refunds due, times and what a reconciliation found are absent from the page until they
     * are set */
    METRIC_COMPONENT_UP_BROKER,
    METRIC_COMPONENT_UP_LEDGER,
    METRIC_COMPONENT_UP_REDIS,
    METRIC_DELIVERIES_HELD,
    METRIC_HELD_BYTES,
    METRIC_QUEUE_MESSAGES_DEDUCTIONS,
    METRIC_QUEUE_MESSAGES_DEAD_LETTER,
    METRIC_REFUNDS_DUE,
    METRIC_LAST_COMMIT_TIMESTAMP,
    METRIC_START_TIME,
    METRIC_RECONCILE_LAST_SUCCESS,
    METRIC_RECONCILE_FINDINGS, /* the first of FINDING_KIND_COUNT, in the order of enum finding_kind */
    METRIC_RECONCILE_FINDINGS_LAST = METRIC_RECONCILE_FINDINGS + FINDING_KIND_COUNT - 1,
    METRIC_RECONCILE_NOT_MENDED,
    METRIC_COUNT,
};

enum metric_histogram {
    HISTOGRAM_BATCH_SIZE,         /* deductions */
    HISTOGRAM_COMMIT_SECONDS,     /* from the beginning of the transaction to the answer to COMMIT */
    HISTOGRAM_SETTLE_LAG_SECONDS, /* from the deduction in Redis to the commit */
    HISTOGRAM_COUNT,
};

#define HISTOGRAM_BUCKETS_MAX 20 /* the last one, +Inf, included */

struct metrics {
    _Atomic uint64_t counters[METRIC_COUNT];
    _Atomic double gauges[METRIC_COUNT]; /* NaN: not known */
    struct {
        _Atomic uint64_t buckets[HISTOGRAM_BUCKETS_MAX]; /* not cumulative */
        _Atomic double sum;
    } histograms[HISTOGRAM_COUNT];
};

/* Before the first use, and before any other thread has it. */
void metrics_init(struct metrics *metrics);

/* Adds to a counter. */
void metrics_add(struct metrics *metrics, enum metric metric, uint64_t amount);

/* Sets a gauge; NaN: not known any more, which takes it off the page. */
void metrics_set(struct metrics *metrics, enum metric metric, double value);

/* Counts one observation, or `count` of the same value. Seconds below 0 (two clocks disagree) count as 0; NaN
 * is not counted. */
void metrics_observe(struct metrics *metrics, enum metric_histogram histogram, double value);
void metrics_observe_many(struct metrics *metrics, enum metric_histogram histogram, double value,
                          uint64_t count);

/* Appends the page, in the text format 0.0.4. */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
void metrics_render(const struct metrics *metrics, struct buffer *page);

/* For documentation and its test: the name, type ("counter", "gauge", "histogram") and help of every family,
 * in the order of the page. *count receives how many. Static storage. */
struct metric_family {
    const char *name;
    const char *type;
    const char *help;
};
const struct metric_family *metrics_families(size_t *count);

#endif
