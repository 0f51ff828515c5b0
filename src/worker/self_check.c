#include "worker/self_check.h"

#include "base/instant.h"
#include "base/log.h"
#include "base/memory.h"
#include "reconcile/queue_look.h"
#include "reconcile/reconcile.h"
#include "worker/hand.h"
#include "worker/system_clock.h"

#include <stdlib.h>

#define FIRST_AFTER_MAX_US INT64_C(60000000)
#define FINDINGS_SAID_MAX  20 /* of one run */

/* After that much work it rests for as long as it took, within a bound: what it waited for a service was no
 * work. */
#define WORK_US     INT64_C(5000)
#define REST_MAX_US INT64_C(100000)

struct self_check {
    struct self_check_options options;
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t wake;
    int64_t interval_us;
    bool stop;
    bool ended;
    /* the thread's own */
    int64_t findings; /* of this run */
};

static void wait_locked(struct self_check *check, int64_t until_us)
{
    struct timespec until = {.tv_sec = until_us / MICROSECONDS_PER_SECOND,
                             .tv_nsec = until_us % MICROSECONDS_PER_SECOND * 1000};
    pthread_cond_timedwait(&check->wake, &check->mutex, &until);
}

/* Monotonic time. False: to be stopped. */
static bool pause_until(struct self_check *check, int64_t until_us)
{
    pthread_mutex_lock(&check->mutex);
    while (!check->stop && instant_monotonic_us() < until_us) wait_locked(check, until_us);
    bool go_on = !check->stop;
    pthread_mutex_unlock(&check->mutex);
    return go_on;
}

/* Until the next run is due; a new interval counts at once. False: to be stopped. */
static bool pause_for_interval(struct self_check *check, int64_t since_us, int64_t longest_us)
{
    pthread_mutex_lock(&check->mutex);
    while (!check->stop) {
        int64_t interval_us = check->interval_us < longest_us ? check->interval_us : longest_us;
        if (interval_us == 0) {
            pthread_cond_wait(&check->wake, &check->mutex);
            continue;
        }
        if (instant_monotonic_us() - since_us >= interval_us) break;
        wait_locked(check, since_us + interval_us);
    }
    bool go_on = !check->stop;
    pthread_mutex_unlock(&check->mutex);
    return go_on;
}

/* What the worker holds counts only while it is the consumer that the broker speaks of. */
static enum status look(void *context, struct queue_look *look, struct error *error)
{
    const struct self_check_options *options = &((struct self_check *)context)->options;
    enum status status =
        queue_look_at(options->publisher, options->queue, options->dead_letter_queue, look, error);
    if (status != STATUS_OK) return status;
    struct worker_view view;
    loop_observe(options->loop, &view);
    bool is_ours = look->consumers == 1 && view.link == LINK_CONSUMING;
    look->held = is_ours ? (int64_t)view.held : -1;
    return STATUS_OK;
}

static enum status find_dead_letters(void *context, const struct text *message_ids, size_t count, bool *found,
                                     struct error *error)
{
    const struct self_check_options *options = &((struct self_check *)context)->options;
    return options->find_dead_letters(options->context, message_ids, count, found, error);
}

static size_t add_number(struct log_field *fields, size_t count, const char *key, int64_t number)
{
    if (number != FINDING_NUMBER_NONE) fields[count++] = log_number(key, number);
    return count;
}

static void found(void *context, const struct finding *finding)
{
    struct self_check *check = context;
    if (finding->kind == FINDING_UNTRACKED) return; /* information: its gauge is enough */
    if (++check->findings > FINDINGS_SAID_MAX) return;
    struct log_field fields[9];
    size_t count = 0;
    fields[count++] = log_string("kind", finding_kind_name(finding->kind));
    fields[count++] = log_text("budget", finding->budget_id);
    fields[count++] = log_text("message", finding->message_id);
    fields[count++] = log_text("credit", finding->credit_id);
    count = add_number(fields, count, "expected", finding->expected);
    count = add_number(fields, count, "actual", finding->actual);
    count = add_number(fields, count, "amount", finding->amount);
    fields[count++] = log_string("money", finding_meaning_name(finding_meaning_of(finding)));
    fields[count++] = log_string("detail", finding->detail);
    log_write_each(LOG_WARN, "reconcile-found", fields, count);
}

static void say(void *context, const char *line)
{
    (void)context;
    LOG(LOG_WARN, "reconcile-notice", log_string("detail", line));
}

static void conclude(struct self_check *check, const struct reconcile_summary *summary, int64_t took_us)
{
    enum metric result = !summary->clean     ? METRIC_RECONCILE_RUNS_FOUND
                         : summary->complete ? METRIC_RECONCILE_RUNS_CLEAN
                                             : METRIC_RECONCILE_RUNS_INCOMPLETE;
    metrics_add(check->options.metrics, result, 1);
    if (check->findings > FINDINGS_SAID_MAX)
        LOG(LOG_WARN, "reconcile-found-more", log_number("findings", check->findings - FINDINGS_SAID_MAX),
            log_string("detail", "only the first ones are in the log; bursar reconcile shows them all"));
    LOG(LOG_INFO, "reconciled", log_string("clean", summary->clean ? "yes" : "no"),
        log_string("complete", summary->complete ? "yes" : "no"), log_number("budgets", summary->budgets),
        log_number("rows", summary->rows), log_number("findings", check->findings),
        log_number("unproven", summary->unproven),
        log_seconds("seconds", (double)took_us / MICROSECONDS_PER_SECOND));
}

static void fail(struct self_check *check, const struct reconcile_summary *summary, const struct error *error)
{
    if (summary->locked_out) {
        LOG(LOG_DEBUG, "reconcile-skipped", log_string("detail", error->text));
        return;
    }
    metrics_add(check->options.metrics, METRIC_RECONCILE_RUNS_FAILED, 1);
    LOG(LOG_WARN, "reconcile-failed", log_string("detail", error->text));
}

/* False: given up, because it is to be stopped. */
static bool run_to_end(struct self_check *check, struct reconcile *reconcile)
{
    const struct reconcile_summary *summary = reconcile_summary(reconcile);
    int64_t begun_us = instant_monotonic_us(), worked_us = 0;
    struct error error;
    for (;;) {
        int64_t before_us = instant_monotonic_us();
        enum reconcile_progress progress = reconcile_step(reconcile, &error);
        int64_t now_us = instant_monotonic_us();
        int64_t rest_us = 0;
        worked_us += now_us - before_us;
        if (worked_us >= WORK_US) {
            rest_us = worked_us < REST_MAX_US ? worked_us : REST_MAX_US;
            worked_us = 0;
        }
        int64_t until_us = now_us + rest_us;
        if (progress == RECONCILE_WAIT && reconcile_wait_until_us(reconcile) > until_us)
            until_us = reconcile_wait_until_us(reconcile);
        if (!pause_until(check, until_us)) return false;
        if (progress == RECONCILE_DONE) conclude(check, summary, now_us - begun_us);
        if (progress == RECONCILE_FAILED) fail(check, summary, &error);
        if (progress == RECONCILE_DONE || progress == RECONCILE_FAILED) return true;
    }
}

static bool run_once(struct self_check *check)
{
    struct reconcile_options options = {
        .ledger = check->options.ledger,
        .stock = check->options.stock,
        .clock = &system_clock,
        .actor = check->options.actor,
        .budget_id = TEXT_NONE,
        .repair = false,
        .orphan_after_us = check->options.orphan_after_us,
        .settle_orphans = check->options.settle_orphans,
        .context = check,
        .look = look,
        .find_dead_letters = find_dead_letters,
        .found = found,
        .say = say,
    };
    check->findings = 0;
    struct reconcile *reconcile = reconcile_new(&options);
    bool go_on = run_to_end(check, reconcile);
    reconcile_free(reconcile);
    check->options.end_run(check->options.context);
    return go_on;
}

static void *self_check_main(void *argument)
{
    struct self_check *check = argument;
    int64_t longest_us = FIRST_AFTER_MAX_US;
    while (pause_for_interval(check, instant_monotonic_us(), longest_us) && run_once(check))
        longest_us = INT64_MAX;
    pthread_mutex_lock(&check->mutex);
    check->ended = true;
    pthread_cond_broadcast(&check->wake);
    pthread_mutex_unlock(&check->mutex);
    return NULL;
}

struct self_check *self_check_start(const struct self_check_options *options)
{
    struct self_check *check = memory_alloc_zero(1, sizeof *check);
    check->options = *options;
    check->interval_us = options->interval_us;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&check->mutex, NULL);
    pthread_cond_init(&check->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    thread_start(&check->thread, "self-check", self_check_main, check);
    return check;
}

void self_check_set_interval(struct self_check *check, int64_t interval_us)
{
    pthread_mutex_lock(&check->mutex);
    check->interval_us = interval_us;
    pthread_cond_broadcast(&check->wake);
    pthread_mutex_unlock(&check->mutex);
}

void self_check_stop(struct self_check *check)
{
    atomic_store(check->options.cancel, true);
    pthread_mutex_lock(&check->mutex);
    check->stop = true;
    pthread_cond_broadcast(&check->wake);
    pthread_mutex_unlock(&check->mutex);
}

bool self_check_finish(struct self_check *check, int64_t patience_us)
{
    if (check == NULL) return true;
    int64_t until_us = instant_monotonic_us() + patience_us;
    pthread_mutex_lock(&check->mutex);
    while (!check->ended && instant_monotonic_us() < until_us) wait_locked(check, until_us);
    bool ended = check->ended;
    pthread_mutex_unlock(&check->mutex);
    if (!ended) return false;
    pthread_join(check->thread, NULL);
    pthread_cond_destroy(&check->wake);
    pthread_mutex_destroy(&check->mutex);
    free(check);
    return true;
}
