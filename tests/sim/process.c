#include "sim/process.h"

#include "core/worker_state.h"
#include "sim/check.h"
#include "sim/world.h"

#include <assert.h>
#include <string.h>

static void give_job(void *context, enum hand hand, struct job *job)
{
    struct process *process = context;
    assert(process->given[hand] == NULL && !process->done[hand] && "a hand does one job at a time");
    process->given[hand] = job;
    process->kinds[hand] = job->kind;
}

static void say(void *context, const struct note *note)
{
    const struct process *process = context;
    world_trace(process->world, "  says %s %lld %s", note->event, (long long)note->number, note->detail);
}

void process_start(struct process *process, struct world *world)
{
    assert(!process->running);
    *process = (struct process){.world = world, .caller.world = world, .running = true};
    metrics_init(&process->metrics);
    sim_consumer_open(&process->consumer, world, &process->caller, QUEUE, world->swarm.settings.prefetch);
    sim_publisher_open(&process->publisher, world, &process->caller);
    sim_stock_open(&process->stock, world, &process->caller);
    sim_ledger_open(&process->ledger, world, &process->caller);
    process->context = (struct job_context){
        .ledger = &process->ledger.base,
        .stock = &process->stock.base,
        .publisher = &process->publisher.base,
        .dead_letter_exchange = TEXT_LITERAL(DEAD_LETTER_EXCHANGE),
        .dead_letter_queue = TEXT_LITERAL(DEAD_LETTER_QUEUE),
        .queue = TEXT_LITERAL(QUEUE),
        .routing_key = TEXT_LITERAL(ROUTING_KEY),
        .clock = &world->clock.base,
        .metrics = &process->metrics,
    };
    struct driver_options options = {
        .consumer = &process->consumer.base,
        .clock = &world->clock.base,
        .metrics = &process->metrics,
        .give_job = give_job,
        .say = say,
        .context = process,
    };
    driver_begin(&process->driver, &options, &world->swarm.settings);
}

/* Ends it for good; the broker takes back what its connections hold. */
static void process_end(struct process *process)
{
    process->running = false;
    process->caller.dead = false;
    consumer_close(&process->consumer.base);
    publisher_close(&process->publisher.base);
    ledger_close(&process->ledger.base);
    driver_finish(&process->driver);
    job_context_free(&process->context);
}

void process_kill(struct process *process)
{
    world_trace(process->world, "  killed");
    process_end(process);
}

void process_stop(struct process *process)
{
    if (process->stopping) return;
    process->stopping = true;
    process->stop_at_us = process->world->now_us;
    driver_step(&process->driver, (struct event){.kind = EVENT_STOP});
}

void process_reload(struct process *process)
{
    struct worker_settings settings = process->world->swarm.settings;
    settings.batch_max = 1 + dice_roll(&process->world->dice, 2 * settings.batch_max);
    settings.retry_max_us = dice_between(&process->world->dice, 1, 30) * 1000000;
    driver_step(&process->driver, (struct event){.kind = EVENT_SETTINGS, .settings = &settings});
}

/* Nothing may grow beyond what the settings allow: one message more than the memory, one batch of confirmed
 * parks more than the window. */
static void check_bounds(const struct process *process)
{
    struct worker_view view;
    worker_observe(process->driver.worker, &view);
    const struct worker_settings *settings = &process->world->swarm.settings;
    if (view.held > settings->prefetch)
        world_violate(process->world, "bounded-memory", "%zu deliveries held, prefetch is %zu", view.held,
                      settings->prefetch);
    if (view.held_bytes > settings->memory_max + 8192)
        world_violate(process->world, "bounded-memory", "%zu bytes held, memory_max is %zu", view.held_bytes,
                      settings->memory_max);
    if (view.parks > 2 * 6 * settings->prefetch + 256)
        world_violate(process->world, "bounded-memory", "%zu parks wait, prefetch is %zu", view.parks,
                      settings->prefetch);
}

/* The watchdog barks when a commit hangs, and at nothing else. */
static void check_watchdog(struct process *process, const struct worker_view *view)
{
    struct world *world = process->world;
    bool hangs = process->given[HAND_LEDGER] != NULL && process->kinds[HAND_LEDGER] == JOB_SETTLE &&
                 view->link == LINK_CONSUMING && view->ledger_up && !view->stopping &&
                 view->connects == process->hung_connects;
    process->hung_connects = view->connects; /* a new connection is progress */
    if (!hangs)
        process->hung_since_us = 0;
    else if (process->hung_since_us == 0)
        process->hung_since_us = world->now_us;
    else if (world->now_us - process->hung_since_us > world->swarm.settings.stall_after_us && !view->stalled)
        world_violate(world, "watchdog", "a commit hangs and /livez says that all is well");
}

bool process_turn(struct process *process, size_t deliveries)
{
    struct driver *driver = &process->driver;
    struct worker_view before, view;
    worker_observe(driver->worker, &before);
    driver_step(driver, (struct event){.kind = EVENT_CLOCK});
    driver_read(driver, deliveries);
    if (!driver_may_read(driver) && driver->connected) driver_keep_alive(driver);
    driver_effects(driver);
    worker_observe(driver->worker, &view);
    process->world->events += 1 + view.deliveries - before.deliveries;
    if (view.held >= fake_consumer_held(process->consumer.real))
        process->read_all_at_us = process->world->now_us;
    check_bounds(process);
    bool in_time =
        process->world->now_us < process->stop_at_us + process->world->swarm.settings.drain_timeout_us;
    if (driver->stopped && in_time && view.held > 0)
        world_violate(process->world, "drained-when-stopped",
                      "it stopped before its time with %zu deliveries held", view.held);
    if (!driver->stopped && process->stopping &&
        process->world->now_us >= process->stop_at_us + process->world->swarm.settings.drain_timeout_us)
        world_violate(process->world, "drain-in-time", "it was to stop and did not in its time");
    if (!driver->stopped && !process->caller.dead &&
        worker_deadline_us(driver->worker) <= process->world->now_us)
        world_violate(process->world, "no-spin", "everything is done and it wants to be woken at once");
    check_watchdog(process, &view);
    if (process->caller.dead || driver->stopped) process_end(process);
    return true;
}

bool process_job_run(struct process *process, enum hand hand)
{
    struct job *job = process->given[hand];
    if (job == NULL) return false;
    /* A publisher waits out an alarm; now and then its patience is up before. */
    bool waits = hand == HAND_PUBLISHER && job->kind == JOB_PARK && process->world->alarm;
    if (waits && dice_roll(&process->world->dice, 8) > 0) return false;
    job_run(&process->context, job);
    check_ledger(process->world); /* before a budget changes under the new rows */
    if (hand == HAND_LEDGER) {
        process->settled = job->status == STATUS_OK;
        process->hung_since_us = 0;
    }
    process->given[hand] = NULL;
    process->done[hand] = true;
    process->world->events++;
    world_trace(process->world, "  job %d: %s%s%s", (int)job->kind, status_name(job->status),
                job->status == STATUS_OK ? "" : ": ", job->status == STATUS_OK ? "" : job->error.text);
    if (process->caller.dead) process_end(process);
    return true;
}

bool process_job_done(struct process *process, enum hand hand)
{
    if (!process->done[hand]) return false;
    process->done[hand] = false;
    bool booked = process->kinds[hand] == JOB_SETTLE && process->driver.worker != NULL && process->settled;
    driver_job_done(&process->driver, hand);
    struct worker_view view;
    worker_observe(process->driver.worker, &view);
    if (hand == HAND_LEDGER && booked && view.stalled)
        world_violate(process->world, "watchdog", "it has just booked and says that it is stuck");
    process->world->events++;
    return true;
}

bool process_is_idle(const struct process *process)
{
    if (!process->running) return true;
    struct worker_view view;
    worker_observe(process->driver.worker, &view);
    if (view.held > 0 || view.parks > 0) return false;
    /* Of a connection that was lost nothing is held any more; what it brought may still wait to be booked. */
    const struct worker *worker = process->driver.worker;
    if (worker->filling->count > 0 || worker->committing != NULL || worker->tells_count > 0) return false;
    if (!view.ledger_up || !view.stock_up) return false; /* something may wait for it */
    for (enum hand hand = 0; hand < HAND_COUNT; hand++) {
        if (process->given[hand] == NULL && !process->done[hand]) continue;
        switch (process->kinds[hand]) {
        case JOB_LEDGER_PING:
        case JOB_LEDGER_STATS:
        case JOB_DEBTS_FETCH:
        case JOB_STOCK_PING:
        case JOB_DEPTH: break;
        default: return false;
        }
    }
    return true;
}
