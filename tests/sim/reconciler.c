#include "sim/reconciler.h"

#include "base/memory.h"
#include "reconcile/queue_look.h"
#include "sim/check.h"
#include "sim/world.h"

#include <stdlib.h>
#include <string.h>

/* What a worker says it holds is as old as this at most: it reads what it is given within half a second, or
 * does not answer. That is what reconcile counts on. */
#define HELD_KNOWN_FOR_US 500000

/* What the one worker that consumes says it holds, as `bursar reconcile` asks it. */
static int64_t held_by(struct world *world)
{
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        struct process *process = &world->processes[i];
        if (!process->running || process->caller.dead) continue;
        struct worker_view view;
        worker_observe(process->driver.worker, &view);
        bool fresh = world->now_us - process->read_all_at_us < HELD_KNOWN_FOR_US;
        if (view.link == LINK_CONSUMING) return fresh ? (int64_t)view.held : -1;
    }
    return -1;
}

static enum status look(void *context, struct queue_look *look, struct error *error)
{
    struct reconciler *self = context;
    struct world *world = self->world;
    struct publisher *publisher = &self->publisher.base;
    enum status status = publisher_connect(publisher, error);
    if (status == STATUS_OK)
        status = queue_look_at(publisher, TEXT_LITERAL(QUEUE), TEXT_LITERAL(DEAD_LETTER_QUEUE), look, error);
    if (status != STATUS_OK) return status;
    bool tells = look->consumers == 1 && (world->healing || dice_roll(&world->dice, 4) > 0);
    look->held = tells ? held_by(world) : -1;
    world_trace(world, "  looks: ready %d consumers %d held %d", (int)look->ready, (int)look->consumers,
                (int)look->held);
    return STATUS_OK;
}

/* Whether a body that lies in the dead-letter queue speaks of the id. */
static bool speaks_of(struct truth *truth, const struct delivery *delivery, uint32_t id)
{
    struct truth_place place;
    size_t count;
    if (!truth_holds(truth, delivery->body, &place)) return false;
    const struct truth_item *items = truth_items(truth, place, &count);
    for (size_t i = 0; i < count; i++)
        if (items[i].id == id) return true;
    return truth->messages[place.message].property_id == id;
}

bool reconciler_is_dead_letter(struct world *world, uint32_t id)
{
    struct delivery delivery;
    for (size_t i = 0; fake_broker_peek(world->broker, DEAD_LETTER_QUEUE, i, &delivery); i++) {
        if (speaks_of(&world->truth, &delivery, id)) return true;
    }
    return false;
}

static void see_letters(struct reconciler *self)
{
    const struct truth *truth = &self->world->truth;
    free(self->letters);
    self->letter_ids = truth->id_count;
    self->letters = memory_alloc_zero(self->letter_ids + 1, sizeof *self->letters);
    for (uint32_t id = 0; id < self->letter_ids; id++)
        self->letters[id] = reconciler_is_dead_letter(self->world, id);
    self->walked = true;
}

static bool saw_letter(const struct reconciler *self, uint32_t id)
{
    return id < self->letter_ids && self->letters[id];
}

bool reconciler_cannot_see_letter(const struct reconciler *reconciler, uint32_t id)
{
    return !reconciler->options.repair && reconciler->walked && !saw_letter(reconciler, id);
}

static enum status find_dead_letters(void *context, const struct text *ids, size_t count, bool *found,
                                     struct error *error)
{
    struct reconciler *self = context;
    bool again = self->options.repair || !self->walked;
    enum status status = again ? publisher_connect(&self->publisher.base, error) : STATUS_OK;
    if (status != STATUS_OK) return status;
    if (again && fake_broker_unacknowledged(self->world->broker, DEAD_LETTER_QUEUE) > 0)
        return error_set(error, STATUS_RETRY, "another reader holds letters");
    if (again) see_letters(self);
    for (size_t i = 0; i < count; i++) found[i] = saw_letter(self, truth_number(ids[i], 'i'));
    return STATUS_OK;
}

static void found_one(void *context, const struct finding *finding)
{
    struct reconciler *self = context;
    struct found found = {.kind = finding->kind,
                          .budget = truth_number(finding->budget_id, 'b'),
                          .id = TRUTH_NONE,
                          .expected = finding->expected,
                          .actual = finding->actual,
                          .amount = finding->amount,
                          .mended = finding->mended};
    if (text_is_present(finding->message_id)) found.id = truth_number(finding->message_id, 'i');
    if (text_is_present(finding->credit_id))
        snprintf(found.credit_id, sizeof found.credit_id, TEXT_FORMAT, TEXT_ARGUMENTS(finding->credit_id));
    world_trace(self->world, "  finds %s b%u i%d %s expected %lld actual %lld amount %lld%s: %s",
                finding_kind_name(found.kind), found.budget, (int)found.id, found.credit_id,
                (long long)found.expected, (long long)found.actual, (long long)found.amount,
                found.mended ? ", mended" : "", finding->detail == NULL ? "" : finding->detail);
    if (self->found_count < FOUND_MAX) self->found[self->found_count++] = found;
    self->world->found[self->world->healing][found.kind]++;
    self->world->mended[self->world->healing][found.kind] += found.mended;
    check_finding(self->world, &found);
}

static void say(void *context, const char *line)
{
    world_trace(((const struct reconciler *)context)->world, "  says %s", line);
}

void reconciler_start(struct reconciler *reconciler, struct world *world, const struct reconciler_wish *wish)
{
    reconciler->world = world;
    reconciler->caller = (struct caller){.world = world, .is_short = true, .looks_only = !wish->repair};
    reconciler->running = true;
    reconciler->done = false;
    reconciler->found_count = 0;
    reconciler->walked = false;
    reconciler->wait_until_us = 0;
    reconciler->steps = 0;
    sim_stock_open(&reconciler->stock, world, &reconciler->caller);
    sim_ledger_open(&reconciler->ledger, world, &reconciler->caller);
    sim_publisher_open(&reconciler->publisher, world, &reconciler->caller);
    reconciler->options = (struct reconcile_options){
        .ledger = &reconciler->ledger.base,
        .stock = &reconciler->stock.base,
        .clock = &world->clock.base,
        .actor = TEXT_LITERAL("night@sim"),
        .repair = wish->repair,
        .repair_max = wish->repair_max,
        .orphan_after_us = wish->orphan_after_us,
        .settle_orphans = wish->settle_orphans,
        .context = reconciler,
        .look = look,
        .find_dead_letters = find_dead_letters,
        .found = found_one,
        .say = say,
    };
    world_trace(world, "  reconciles, repair %d settle %d max %lld orphans after %lld", wish->repair,
                wish->settle_orphans, (long long)wish->repair_max, (long long)wish->orphan_after_us);
    reconciler->engine = reconcile_new(&reconciler->options);
    check_run_begins(world);
}

static void end(struct reconciler *reconciler)
{
    reconciler->running = false;
    reconcile_free(reconciler->engine);
    reconciler->engine = NULL;
    free(reconciler->letters);
    reconciler->letters = NULL;
    reconciler->letter_ids = 0;
    ledger_close(&reconciler->ledger.base);
    publisher_close(&reconciler->publisher.base);
    if (fake_ledger_is_locked(reconciler->world->ledger, LEDGER_LOCK_RECONCILE))
        world_violate(reconciler->world, "one-run-at-a-time", "the run is over, and its lock is not free");
}

bool reconciler_step(struct reconciler *reconciler)
{
    struct world *world = reconciler->world;
    struct error error = {0};
    if (!reconciler->running) return false;
    if (world->now_us < reconciler->wait_until_us) return true;
    reconciler->wait_until_us = 0;
    reconciler->stepping = true;
    enum reconcile_progress progress = reconcile_step(reconciler->engine, &error);
    check_ledger(world); /* before anybody else adds to it */
    reconciler->stepping = false;
    reconciler->steps++;
    world->events++;
    if (progress == RECONCILE_WAIT) reconciler->wait_until_us = reconcile_wait_until_us(reconciler->engine);
    if (progress == RECONCILE_MORE || progress == RECONCILE_WAIT) {
        if (reconciler->caller.dead) reconciler_kill(reconciler);
        return true;
    }
    reconciler->summary = *reconcile_summary(reconciler->engine);
    reconciler->done = progress == RECONCILE_DONE && !reconciler->caller.dead;
    world_trace(world, "  reconciled: %s%s", progress == RECONCILE_DONE ? "done" : "failed: ",
                progress == RECONCILE_DONE ? "" : error.text);
    end(reconciler);
    world->runs[world->healing] += reconciler->done;
    if (reconciler->done) check_run_ended(world);
    return true;
}

void reconciler_kill(struct reconciler *reconciler)
{
    if (!reconciler->running) return;
    world_trace(reconciler->world, "  the reconcile is killed after %llu steps",
                (unsigned long long)reconciler->steps);
    reconciler->caller.dead = true;
    end(reconciler);
}
