#include "worker/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

enum family {
    FAMILY_DEDUCTIONS,
    FAMILY_DELIVERIES,
    FAMILY_REDELIVERIES,
    FAMILY_BATCHES,
    FAMILY_COMMIT_RETRIES,
    FAMILY_REFUNDS,
    FAMILY_EXTRA_RELEASES,
    FAMILY_CREDITS_APPLIED,
    FAMILY_LATE,
    FAMILY_RECONNECTS,
    FAMILY_REDIS_TELLS_DROPPED,
    FAMILY_RECONCILE_RUNS,
    FAMILY_COMPONENT_UP,
    FAMILY_DELIVERIES_HELD,
    FAMILY_HELD_BYTES,
    FAMILY_QUEUE_MESSAGES,
    FAMILY_REFUNDS_DUE,
    FAMILY_LAST_COMMIT_TIMESTAMP,
    FAMILY_START_TIME,
    FAMILY_RECONCILE_LAST_SUCCESS,
    FAMILY_RECONCILE_FINDINGS,
    FAMILY_RECONCILE_NOT_MENDED,
    FAMILY_BATCH_SIZE,
    FAMILY_COMMIT_SECONDS,
    FAMILY_SETTLE_LAG_SECONDS,
    FAMILY_BUILD_INFO,
    FAMILY_COUNT,
};

static const struct metric_family families[FAMILY_COUNT] = {
    [FAMILY_DEDUCTIONS] = {"bursar_deductions_total", "counter",
                           "Deductions dealt with, by what became of them."},
    [FAMILY_DELIVERIES] = {"bursar_deliveries_total", "counter", "Messages received from the broker."},
    [FAMILY_REDELIVERIES] = {"bursar_redeliveries_total", "counter",
                             "Messages received that the broker had delivered before."},
    [FAMILY_BATCHES] = {"bursar_batches_total", "counter", "Batches committed to the ledger."},
    [FAMILY_COMMIT_RETRIES] = {"bursar_commit_retries_total", "counter",
                               "Commits tried again after the ledger failed or did not answer."},
    [FAMILY_REFUNDS] = {"bursar_refunds_total", "counter",
                        "Refunds of rejected or voided deductions done in Redis."},
    [FAMILY_EXTRA_RELEASES] = {"bursar_extra_releases_total", "counter",
                               "Second deductions of a settled id given back to Redis."},
    [FAMILY_CREDITS_APPLIED] = {"bursar_credits_applied_total", "counter",
                                "Credits of the ledger applied to Redis by the worker."},
    [FAMILY_LATE] = {"bursar_late_total", "counter",
                     "Messages that arrived after their deduction was voided."},
    [FAMILY_RECONNECTS] = {"bursar_reconnects_total", "counter",
                           "Connections to the broker made again after a loss."},
    [FAMILY_REDIS_TELLS_DROPPED] = {"bursar_redis_tells_dropped_total", "counter",
                                    "Settlements that Redis was not told of; they are cleared up later."},
    [FAMILY_RECONCILE_RUNS] = {"bursar_reconcile_runs_total", "counter",
                               "Reconciliations that this worker made by itself, by how they ended."},
    [FAMILY_COMPONENT_UP] = {"bursar_component_up", "gauge", "1 where the component answers, else 0."},
    [FAMILY_DELIVERIES_HELD] = {"bursar_deliveries_held", "gauge",
                                "Messages held and not acknowledged yet, while it consumes."},
    [FAMILY_HELD_BYTES] = {"bursar_held_bytes", "gauge", "Bytes of the message bodies held."},
    [FAMILY_QUEUE_MESSAGES] = {"bursar_queue_messages", "gauge",
                               "Messages ready in the queue, as the broker said last."},
    [FAMILY_REFUNDS_DUE] = {"bursar_refunds_due", "gauge", "Refunds that the ledger still owes to Redis."},
    [FAMILY_LAST_COMMIT_TIMESTAMP] = {"bursar_last_commit_timestamp_seconds", "gauge",
                                      "Unix time of the last commit."},
    [FAMILY_START_TIME] = {"bursar_start_time_seconds", "gauge", "Unix time at which the worker started."},
    [FAMILY_RECONCILE_LAST_SUCCESS] =
        {"bursar_reconcile_last_success_timestamp_seconds", "gauge",
         "Unix time at which a complete reconciliation last ended; 0: none did."},
    [FAMILY_RECONCILE_FINDINGS] = {"bursar_reconcile_findings", "gauge",
                                   "Findings of the last reconciliation, by kind, mended or not."},
    [FAMILY_RECONCILE_NOT_MENDED] = {"bursar_reconcile_findings_not_mended", "gauge",
                                     "Findings of the last reconciliation that it did not mend."},
    [FAMILY_BATCH_SIZE] = {"bursar_batch_size", "histogram", "Deductions in a committed batch."},
    [FAMILY_COMMIT_SECONDS] = {"bursar_commit_seconds", "histogram",
                               "Time that a commit to the ledger took."},
    [FAMILY_SETTLE_LAG_SECONDS] = {"bursar_settle_lag_seconds", "histogram",
                                   "Time from the deduction in Redis to its commit in the ledger."},
    [FAMILY_BUILD_INFO] = {"bursar_build_info", "gauge", "1; the label says which version runs."},
};

#define FINDING(kind) METRIC_RECONCILE_FINDINGS + FINDING_##kind

_Static_assert(FINDING_KIND_COUNT == 8, "each kind of finding has a series below");

/* Series of one family stand together. */
static const struct {
    enum family family;
    const char *label; /* NULL: none */
    double initial;    /* of a gauge */
} series[METRIC_COUNT] = {
    [METRIC_DEDUCTIONS_SETTLED] = {FAMILY_DEDUCTIONS, "outcome=\"settled\"", 0},
    [METRIC_DEDUCTIONS_DUPLICATE] = {FAMILY_DEDUCTIONS, "outcome=\"duplicate\"", 0},
    [METRIC_DEDUCTIONS_REJECTED] = {FAMILY_DEDUCTIONS, "outcome=\"rejected\"", 0},
    [METRIC_DEDUCTIONS_PARKED] = {FAMILY_DEDUCTIONS, "outcome=\"parked\"", 0},
    [METRIC_DELIVERIES] = {FAMILY_DELIVERIES, NULL, 0},
    [METRIC_REDELIVERIES] = {FAMILY_REDELIVERIES, NULL, 0},
    [METRIC_BATCHES] = {FAMILY_BATCHES, NULL, 0},
    [METRIC_COMMIT_RETRIES] = {FAMILY_COMMIT_RETRIES, NULL, 0},
    [METRIC_REFUNDS] = {FAMILY_REFUNDS, NULL, 0},
    [METRIC_EXTRA_RELEASES] = {FAMILY_EXTRA_RELEASES, NULL, 0},
    [METRIC_CREDITS_APPLIED] = {FAMILY_CREDITS_APPLIED, NULL, 0},
    [METRIC_LATE] = {FAMILY_LATE, NULL, 0},
    [METRIC_RECONNECTS] = {FAMILY_RECONNECTS, NULL, 0},
    [METRIC_REDIS_TELLS_DROPPED] = {FAMILY_REDIS_TELLS_DROPPED, NULL, 0},
    [METRIC_RECONCILE_RUNS_CLEAN] = {FAMILY_RECONCILE_RUNS, "result=\"clean\"", 0},
    [METRIC_RECONCILE_RUNS_FOUND] = {FAMILY_RECONCILE_RUNS, "result=\"found\"", 0},
    [METRIC_RECONCILE_RUNS_INCOMPLETE] = {FAMILY_RECONCILE_RUNS, "result=\"incomplete\"", 0},
    [METRIC_RECONCILE_RUNS_FAILED] = {FAMILY_RECONCILE_RUNS, "result=\"failed\"", 0},
    [METRIC_COMPONENT_UP_BROKER] = {FAMILY_COMPONENT_UP, "component=\"broker\"", 0},
    [METRIC_COMPONENT_UP_LEDGER] = {FAMILY_COMPONENT_UP, "component=\"ledger\"", 0},
    [METRIC_COMPONENT_UP_REDIS] = {FAMILY_COMPONENT_UP, "component=\"redis\"", 0},
    [METRIC_DELIVERIES_HELD] = {FAMILY_DELIVERIES_HELD, NULL, NAN},
    [METRIC_HELD_BYTES] = {FAMILY_HELD_BYTES, NULL, 0},
    [METRIC_QUEUE_MESSAGES_DEDUCTIONS] = {FAMILY_QUEUE_MESSAGES, "queue=\"deductions\"", NAN},
    [METRIC_QUEUE_MESSAGES_DEAD_LETTER] = {FAMILY_QUEUE_MESSAGES, "queue=\"dead_letter\"", NAN},
    [METRIC_REFUNDS_DUE] = {FAMILY_REFUNDS_DUE, NULL, NAN},
    [METRIC_LAST_COMMIT_TIMESTAMP] = {FAMILY_LAST_COMMIT_TIMESTAMP, NULL, NAN},
    [METRIC_START_TIME] = {FAMILY_START_TIME, NULL, NAN},
    [METRIC_RECONCILE_LAST_SUCCESS] = {FAMILY_RECONCILE_LAST_SUCCESS, NULL, NAN},
    [FINDING(LEFT_DRIFT)] = {FAMILY_RECONCILE_FINDINGS, "kind=\"left-drift\"", NAN},
    [FINDING(MISSING_KEY)] = {FAMILY_RECONCILE_FINDINGS, "kind=\"missing-key\"", NAN},
    [FINDING(UNCLEARED)] = {FAMILY_RECONCILE_FINDINGS, "kind=\"uncleared\"", NAN},
    [FINDING(REFUND_DUE)] = {FAMILY_RECONCILE_FINDINGS, "kind=\"refund-due\"", NAN},
    [FINDING(CREDIT_DUE)] = {FAMILY_RECONCILE_FINDINGS, "kind=\"credit-due\"", NAN},
    [FINDING(ORPHAN)] = {FAMILY_RECONCILE_FINDINGS, "kind=\"orphan\"", NAN},
    [FINDING(LEDGER_BEHIND)] = {FAMILY_RECONCILE_FINDINGS, "kind=\"ledger-behind\"", NAN},
    [FINDING(UNTRACKED)] = {FAMILY_RECONCILE_FINDINGS, "kind=\"untracked\"", NAN},
    [METRIC_RECONCILE_NOT_MENDED] = {FAMILY_RECONCILE_NOT_MENDED, NULL, NAN},
};

/* Upper bounds, ascending; 0 ends them, and +Inf follows. */
static const struct {
    enum family family;
    double bounds[HISTOGRAM_BUCKETS_MAX];
} histograms[HISTOGRAM_COUNT] = {
    [HISTOGRAM_BATCH_SIZE] = {FAMILY_BATCH_SIZE,
                              {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000}},
    [HISTOGRAM_COMMIT_SECONDS] = {FAMILY_COMMIT_SECONDS,
                                  {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5,
                                   10}},
    [HISTOGRAM_SETTLE_LAG_SECONDS] = {FAMILY_SETTLE_LAG_SECONDS,
                                      {0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
                                       30, 60, 300, 900, 3600}},
};

static bool is_counter(enum metric metric)
{
    return families[series[metric].family].type[0] == 'c';
}

void metrics_init(struct metrics *metrics)
{
    for (int i = 0; i < METRIC_COUNT; i++) {
        atomic_init(&metrics->counters[i], 0);
        atomic_init(&metrics->gauges[i], series[i].initial);
    }
    for (int i = 0; i < HISTOGRAM_COUNT; i++) {
        for (int b = 0; b < HISTOGRAM_BUCKETS_MAX; b++) atomic_init(&metrics->histograms[i].buckets[b], 0);
        atomic_init(&metrics->histograms[i].sum, 0);
    }
}

void metrics_add(struct metrics *metrics, enum metric metric, uint64_t amount)
{
    assert(metric < METRIC_COUNT && is_counter(metric));
    atomic_fetch_add_explicit(&metrics->counters[metric], amount, memory_order_relaxed);
}

void metrics_set(struct metrics *metrics, enum metric metric, double value)
{
    assert(metric < METRIC_COUNT && !is_counter(metric));
    atomic_store_explicit(&metrics->gauges[metric], value, memory_order_relaxed);
}

void metrics_observe(struct metrics *metrics, enum metric_histogram histogram, double value)
{
    metrics_observe_many(metrics, histogram, value, 1);
}

void metrics_observe_many(struct metrics *metrics, enum metric_histogram histogram, double value,
                          uint64_t count)
{
    assert(histogram < HISTOGRAM_COUNT);
    if (isnan(value) || count == 0) return;
    if (value < 0) value = 0;
    const double *bounds = histograms[histogram].bounds;
    size_t bucket = 0;
    while (bounds[bucket] > 0 && value > bounds[bucket]) bucket++;
    atomic_fetch_add_explicit(&metrics->histograms[histogram].buckets[bucket], count, memory_order_relaxed);
    _Atomic double *sum = &metrics->histograms[histogram].sum;
    double before = atomic_load_explicit(sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(sum, &before, before + value * (double)count,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

static void render_head(enum family family, struct buffer *page)
{
    buffer_format(page, "# HELP %s %s\n# TYPE %s %s\n", families[family].name, families[family].help,
                  families[family].name, families[family].type);
}

static void render_value(struct buffer *page, double value)
{
    if (isinf(value)) {
        buffer_append_string(page, value > 0 ? "+Inf\n" : "-Inf\n");
    } else {
        buffer_format(page, "%.15g\n", value);
    }
}

static void render_series(const struct metrics *metrics, struct buffer *page)
{
    enum family headed = FAMILY_COUNT;
    for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
        enum family family = series[metric].family;
        double gauge = atomic_load_explicit(&metrics->gauges[metric], memory_order_relaxed);
        if (!is_counter(metric) && isnan(gauge)) continue;
        if (family != headed) render_head(family, page);
        headed = family;
        buffer_append_string(page, families[family].name);
        if (series[metric].label != NULL) buffer_format(page, "{%s}", series[metric].label);
        buffer_append_string(page, " ");
        if (is_counter(metric)) {
            uint64_t counter = atomic_load_explicit(&metrics->counters[metric], memory_order_relaxed);
            buffer_format(page, "%" PRIu64 "\n", counter);
        } else {
            render_value(page, gauge);
        }
    }
}

/* The count is the sum of the buckets just read, so that the page agrees with itself while others write. */
static void render_histogram(const struct metrics *metrics, enum metric_histogram histogram,
                             struct buffer *page)
{
    const char *name = families[histograms[histogram].family].name;
    const double *bounds = histograms[histogram].bounds;
    uint64_t count = 0;
    size_t bucket = 0;
    render_head(histograms[histogram].family, page);
    for (; bounds[bucket] > 0; bucket++) {
        count += atomic_load_explicit(&metrics->histograms[histogram].buckets[bucket], memory_order_relaxed);
        buffer_format(page, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, bounds[bucket], count);
    }
    count += atomic_load_explicit(&metrics->histograms[histogram].buckets[bucket], memory_order_relaxed);
    buffer_format(page, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
    buffer_format(page, "%s_sum ", name);
    render_value(page, atomic_load_explicit(&metrics->histograms[histogram].sum, memory_order_relaxed));
    buffer_format(page, "%s_count %" PRIu64 "\n", name, count);
}

void metrics_render(const struct metrics *metrics, struct buffer *page)
{
    render_series(metrics, page);
    for (enum metric_histogram histogram = 0; histogram < HISTOGRAM_COUNT; histogram++) {
        render_histogram(metrics, histogram, page);
    }
    render_head(FAMILY_BUILD_INFO, page);
    buffer_format(page, "%s{version=\"%s\"} 1\n", families[FAMILY_BUILD_INFO].name, BURSAR_VERSION);
}

const struct metric_family *metrics_families(size_t *count)
{
    *count = FAMILY_COUNT;
    return families;
}
