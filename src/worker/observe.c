#include "worker/observe.h"

#include "base/instant.h"

#include <math.h>

void observe_settlement(struct metrics *metrics, const struct batch *batch, size_t first, size_t count,
                        int64_t commit_us, int64_t committed_at_us)
{
    uint64_t settled = 0, rejected = 0, duplicate = 0;
    for (size_t i = first; i < first + count; i++) {
        const struct batch_item *item = &batch->items[i];
        settled += item->verdict == VERDICT_SETTLED;
        rejected += item->verdict == VERDICT_REJECTED;
        duplicate += item->verdict == VERDICT_DUPLICATE;
        if (item->verdict != VERDICT_SETTLED || item->deduction.deducted_at_us == 0) continue;
        double lag = (double)(committed_at_us - item->deduction.deducted_at_us) / MICROSECONDS_PER_SECOND;
        metrics_observe(metrics, HISTOGRAM_SETTLE_LAG_SECONDS, lag);
    }
    metrics_add(metrics, METRIC_DEDUCTIONS_SETTLED, settled);
    metrics_add(metrics, METRIC_DEDUCTIONS_REJECTED, rejected);
    metrics_add(metrics, METRIC_DEDUCTIONS_DUPLICATE, duplicate);
    metrics_add(metrics, METRIC_BATCHES, 1);
    metrics_observe(metrics, HISTOGRAM_BATCH_SIZE, (double)count);
    metrics_observe(metrics, HISTOGRAM_COMMIT_SECONDS, (double)commit_us / MICROSECONDS_PER_SECOND);
    metrics_set(metrics, METRIC_LAST_COMMIT_TIMESTAMP, (double)committed_at_us / MICROSECONDS_PER_SECOND);
}

void observe_parked(struct metrics *metrics, size_t count)
{
    metrics_add(metrics, METRIC_DEDUCTIONS_PARKED, count);
}

void observe_reconcile_run(struct metrics *metrics, const struct reconcile_run *run)
{
    metrics_set(metrics, METRIC_RECONCILE_LAST_SUCCESS,
                (double)run->complete_at_us / MICROSECONDS_PER_SECOND);
    for (int kind = 0; kind < FINDING_KIND_COUNT; kind++)
        metrics_set(metrics, METRIC_RECONCILE_FINDINGS + (enum metric)kind, (double)run->found[kind]);
    metrics_set(metrics, METRIC_RECONCILE_NOT_MENDED, (double)reconcile_run_not_mended(run));
}

static double known(int64_t value)
{
    return value < 0 ? NAN : (double)value;
}

/* While the worker does not consume the broker may count a consumer of it all the same, whose connection is
 * lost and which holds messages: that the worker has none in its hands then tells nothing. */
static double held(const struct worker_view *view)
{
    return view->link == LINK_CONSUMING ? (double)view->held : NAN;
}

void observe_view(struct metrics *metrics, const struct worker_view *before, const struct worker_view *view)
{
    metrics_add(metrics, METRIC_DELIVERIES, view->deliveries - before->deliveries);
    metrics_add(metrics, METRIC_REFUNDS, view->refunds - before->refunds);
    metrics_add(metrics, METRIC_CREDITS_APPLIED, view->credits - before->credits);
    metrics_add(metrics, METRIC_EXTRA_RELEASES, view->extras - before->extras);
    metrics_add(metrics, METRIC_LATE, view->late - before->late);
    metrics_add(metrics, METRIC_RECONNECTS, view->connects - before->connects);
    metrics_add(metrics, METRIC_COMMIT_RETRIES, view->commit_retries - before->commit_retries);
    metrics_add(metrics, METRIC_REDIS_TELLS_DROPPED, view->tells_dropped - before->tells_dropped);
    metrics_set(metrics, METRIC_COMPONENT_UP_BROKER, view->broker_up);
    metrics_set(metrics, METRIC_COMPONENT_UP_LEDGER, view->ledger_up);
    metrics_set(metrics, METRIC_COMPONENT_UP_REDIS, view->stock_up);
    metrics_set(metrics, METRIC_DELIVERIES_HELD, held(view));
    metrics_set(metrics, METRIC_HELD_BYTES, (double)view->held_bytes);
    metrics_set(metrics, METRIC_QUEUE_MESSAGES_DEDUCTIONS, known(view->queue_ready));
    metrics_set(metrics, METRIC_QUEUE_MESSAGES_DEAD_LETTER, known(view->dead_lettered));
    metrics_set(metrics, METRIC_REFUNDS_DUE, known(view->refunds_due));
}
