#include "cli/run_self_check.h"

#include "base/instant.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

/* What tells its runs from those of the same user's cron. */
#define ACTOR_SUFFIX " (bursar run)"

static void name_actor(char actor[ACTOR_SIZE])
{
    actor_name(actor);
    size_t size = strlen(actor), room = ACTOR_SIZE - sizeof ACTOR_SUFFIX;
    snprintf(actor + (size < room ? size : room), sizeof ACTOR_SUFFIX, ACTOR_SUFFIX);
}

enum status run_self_check_open(struct run_self_check *self, const struct config *config, struct error *error)
{
    name_actor(self->actor);
    enum status status = wiring_ledger(config, WIRING_TOOL, &self->ledger, error);
    if (status == STATUS_OK) status = wiring_stock(config, &self->stock, error);
    if (status == STATUS_OK)
        status = wiring_publisher(config, "bursar run: self-check", &self->cancel, &self->publisher, error);
    self->queue = (struct queue_view){.publisher = self->publisher, .config = config, .looks_only = true};
    return status;
}

static enum status find_dead_letters(void *context, const struct text *message_ids, size_t count, bool *found,
                                     struct error *error)
{
    struct run_self_check *self = context;
    char line[LETTER_RETURNS_SIZE];
    enum status status = queue_view_find_dead_letters(&self->queue, message_ids, count, found, error);
    if (queue_view_tell(&self->queue, line)) LOG(LOG_WARN, "reconcile-notice", log_string("detail", line));
    return status;
}

static void end_run(void *context)
{
    struct run_self_check *self = context;
    queue_view_end(&self->queue);
}

void run_self_check_start(struct run_self_check *self, const struct config *config, struct loop *loop,
                          struct metrics *metrics)
{
    struct self_check_options options = {
        .ledger = self->ledger,
        .stock = self->stock,
        .publisher = self->publisher,
        .metrics = metrics,
        .loop = loop,
        .cancel = &self->cancel,
        .queue = text_of(config->amqp.queue),
        .dead_letter_queue = text_of(config->amqp.dead_letter_queue),
        .actor = text_of(self->actor),
        .orphan_after_us = config->reconcile.orphan_after * MICROSECONDS_PER_SECOND,
        .settle_orphans = strcmp(config->reconcile.orphans, "settle") == 0,
        .interval_us = config->reconcile.interval * MICROSECONDS_PER_SECOND,
        .context = self,
        .end_run = end_run,
        .find_dead_letters = find_dead_letters,
    };
    self->check = self_check_start(&options);
}

void run_self_check_reload(struct run_self_check *self, const struct config *config)
{
    self_check_set_interval(self->check, config->reconcile.interval * MICROSECONDS_PER_SECOND);
}

void run_self_check_stop(struct run_self_check *self)
{
    self_check_stop(self->check);
}

bool run_self_check_finish(struct run_self_check *self, int64_t patience_us)
{
    if (!self_check_finish(self->check, patience_us)) return false;
    self->check = NULL;
    return true;
}

void run_self_check_close(struct run_self_check *self)
{
    publisher_close(self->publisher);
    stock_close(self->stock);
    ledger_close(self->ledger);
    self->publisher = NULL;
    self->stock = NULL;
    self->ledger = NULL;
}
