/* The second half of every history: the faults stop, and then everything must come to its end within a
 * bounded number of rounds, for a system that is safe and stands still is of no use. */
#include "sim/check.h"
#include "sim/world.h"

#include <inttypes.h>
#include <string.h>

#define ROUNDS_MAX      3000
#define ROUNDS_STOP_MAX 500

int64_t world_guards(struct world *world)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < TRUTH_BUDGETS_MAX; i++) {
        char name[8];
        snprintf(name, sizeof name, "b%" PRIu32, i);
        sum += (int64_t)fake_stock_totals(world->stock, text_of(name)).guard_count;
    }
    return sum;
}

static void mend_everything(struct world *world)
{
    world->guards_left = world->late.count > 0 ? -1 : world_guards(world);
    reconciler_kill(&world->reconciler);
    replayer_kill(&world->replayer);
    world->healing = true;
    world->redis_down = world->ledger_down = world->ledger_full = false;
    world->alarm = world->broker_down = world->dlq_full = false;
    fake_broker_set_down(world->broker, false);
    fake_broker_set_full(world->broker, DEAD_LETTER_QUEUE, false);
    fake_broker_set_blocked(world->broker, false);
    /* What is gone the workers declare again: nobody else will. */
    fake_ledger_refuse(world->ledger, TEXT_NONE);
    for (size_t i = 0; i < world->swarm.processes; i++) {
        world->processes[i].caller.calls_left = 0;
        world->processes[i].caller.redis_away = world->processes[i].caller.ledger_away = false;
    }
}

static void start_everything(struct world *world)
{
    for (size_t i = 0; i < world->swarm.processes; i++) {
        struct process *process = &world->processes[i];
        if (process->running && process->stopping) continue; /* it is on its way out */
        if (!process->running) process_start(process, world);
    }
}

void world_round(struct world *world)
{
    world->events++;
    int64_t wait_us = 1000000; /* as long as the loop waits at most */
    for (size_t i = 0; i < world->swarm.processes; i++) {
        struct process *process = &world->processes[i];
        for (enum hand hand = 0; hand < HAND_COUNT && process->running; hand++)
            process_job_done(process, hand);
        if (process->running) process_turn(process, 64);
        for (enum hand hand = 0; hand < HAND_COUNT && process->running; hand++)
            process_job_run(process, hand);
        if (!process->running) continue;
        for (enum hand hand = 0; hand < HAND_COUNT; hand++) {
            if (process->done[hand]) wait_us = 100;
        }
        int64_t until_us = worker_deadline_us(process->driver.worker) - world->now_us;
        if (until_us < wait_us) wait_us = until_us < 100 ? 100 : until_us;
    }
    late_arrive(world);
    operator_go_on(&world->operator, false);
    world_pass(world, wait_us);
    check_step(world);
}

static void producers_finish(struct world *world)
{
    for (size_t i = 0; i < world->swarm.producers; i++) {
        /* Some never come back. */
        if (dice_roll(&world->dice, 3) == 0) producer_crash(&world->producers[i]);
        for (size_t tries = 0; tries < 2 * OUTSTANDING_MAX; tries++) {
            if (!producer_publish(&world->producers[i])) break;
        }
        check_step(world);
    }
}

bool world_drain(struct world *world)
{
    char what[200] = "";
    for (size_t round = 0; round < ROUNDS_MAX; round++) {
        if (world->violation.found) return false;
        start_everything(world);
        if (check_is_drained(world, what, sizeof what)) return true;
        world_round(world);
    }
    world_violate(world, "progress", "after %d rounds without faults: %s", ROUNDS_MAX, what);
    return false;
}

static void stop_everything(struct world *world)
{
    for (size_t i = 0; i < world->swarm.processes; i++) {
        if (world->processes[i].running) process_stop(&world->processes[i]);
    }
    for (size_t round = 0; round < ROUNDS_STOP_MAX && !world->violation.found; round++) {
        bool any = false;
        for (size_t i = 0; i < world->swarm.processes; i++) any = any || world->processes[i].running;
        if (!any) return;
        world_round(world);
    }
    world_violate(world, "progress", "a worker that was asked to stop did not, within %d rounds",
                  ROUNDS_STOP_MAX);
}

void world_heal(struct world *world)
{
    world->step = world->swarm.steps + 1;
    world->dice = dice_of(world->seed, world->step);
    world_trace(world, "healing");
    mend_everything(world);
    producers_finish(world);
    /* First with what refuses still refusing: it must hold up nothing else. */
    if (!world_drain(world)) return;
    for (uint32_t i = 0; i < TRUTH_BUDGETS_MAX; i++) redis_spoil(world, i, true);
    if (!world_drain(world)) return;
    if (world->swarm.handles_letters) world_handle_letters(world);
    stop_everything(world);
    if (!world->violation.found) check_end(world);
    if (!world->violation.found && world->swarm.reconciles) world_reconcile(world);
}
