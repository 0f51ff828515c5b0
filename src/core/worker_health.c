#include "core/worker_state.h"

#include <assert.h>

void health_fail(struct worker *worker, struct health *health, const char *event, const struct error *error)
{
    assert(error != NULL);
    int64_t pause = backoff_next_us(&health->backoff, worker->settings.retry_max_us, &worker->random);
    health->retry_at_us = worker->now_us + pause;
    health->up = false;
    worker_note(worker, LOG_WARN, event, "retry_in_ms", pause / 1000, "%s", error->text);
}

void health_succeed(struct worker *worker, struct health *health, const char *event)
{
    backoff_reset(&health->backoff);
    health->retry_at_us = worker->now_us;
    if (!health->up) worker_note(worker, LOG_INFO, event, NULL, 0, "%s", "");
    health->up = true;
}
