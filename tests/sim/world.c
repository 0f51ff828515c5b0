#include "sim/world.h"

#include "sim/check.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static int64_t clock_monotonic(const struct clock *clock)
{
    return ((const struct world_clock *)clock)->world->now_us;
}

int64_t world_wall_us(const struct world *world)
{
    return world->now_us + world->wall_us;
}

static int64_t clock_wall(const struct clock *clock)
{
    return world_wall_us(((const struct world_clock *)clock)->world);
}

void world_pass(struct world *world, int64_t microseconds)
{
    world->now_us += microseconds;
    fake_ledger_clock_set(world->ledger, world_wall_us(world));
    fake_stock_set_now(world->stock, world_wall_us(world) + world->redis_us);
}

bool world_chance(struct world *world, enum chance chance)
{
    if (world->healing || !dice_permille(&world->dice, world->swarm.chances[chance])) return false;
    world->faults[chance]++;
    world_trace(world, "  fault %d", (int)chance);
    return true;
}

void world_trace(const struct world *world, const char *format, ...)
{
    if (world->trace == NULL) return;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(world->trace, format, arguments);
    va_end(arguments);
    fputc('\n', world->trace);
}

void world_violate(struct world *world, const char *rule, const char *format, ...)
{
    struct violation *violation = &world->violation;
    if (violation->found) return;
    violation->found = true;
    violation->step = world->step;
    snprintf(violation->rule, sizeof violation->rule, "%s", rule);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(violation->text, sizeof violation->text, format, arguments);
    va_end(arguments);
    world_trace(world, "VIOLATION %s: %s", violation->rule, violation->text);
}

static bool broker_fault(void *context, enum fake_broker_point point)
{
    static const enum chance chances[] = {
        [FAKE_BROKER_CONNECT] = CHANCE_CONNECT,         [FAKE_BROKER_NEXT] = CHANCE_NEXT,
        [FAKE_BROKER_ACKNOWLEDGE] = CHANCE_ACKNOWLEDGE, [FAKE_BROKER_PUBLISH] = CHANCE_PUBLISH,
        [FAKE_BROKER_PUBLISH_CONFIRM] = CHANCE_CONFIRM,
    };
    struct world *world = context;
    if (world->replayer.stepping) return caller_chance(&world->replayer.caller, world, chances[point]);
    return world_chance(world, chances[point]);
}

static void make_systems(struct world *world)
{
    const struct fake_topology topology = {.exchange = EXCHANGE,
                                           .queue = QUEUE,
                                           .routing_key = ROUTING_KEY,
                                           .dead_letter_exchange = DEAD_LETTER_EXCHANGE,
                                           .dead_letter_queue = DEAD_LETTER_QUEUE,
                                           .delivery_limit = world->swarm.delivery_limit};
    struct error error;
    world->broker = fake_broker_new(&topology);
    world->stock = fake_stock_new(world->swarm.done_window_s);
    world->ledger = fake_ledger_store_new();
    world->clock = (struct world_clock){{clock_monotonic, clock_wall}, world};
    world->now_us = 1000000;
    world->wall_us = INT64_C(1700000000000000);
    world_pass(world, 0);
    fake_broker_declare(world->broker);
    fake_broker_set_fault(world->broker, broker_fault, world);
    fake_broker_set_observer(world->broker, check_broker, world);
    fake_stock_set_observer(world->stock, check_stock, world);
    operator_open(&world->operator, world);
    world->healing = true; /* the set-up does not fail */
    if (ledger_initialise(&world->operator.ledger.base, &error) != STATUS_OK) abort();
    for (size_t i = 0; i < world->swarm.producers; i++) producer_open(&world->producers[i], world);
}

static void make_budgets(struct world *world)
{
    for (uint32_t i = 0; i < world->swarm.budgets; i++) {
        bool unlimited = dice_permille(&world->dice, world->swarm.unlimited);
        int64_t total = unlimited ? TOTAL_UNLIMITED : dice_between(&world->dice, 0, world->swarm.total_max);
        operator_create(&world->operator, i, total);
        while (operator_go_on(&world->operator, false)) continue;
    }
    world->healing = false;
}

static void world_begin(struct world *world, const struct history *history)
{
    *world = (struct world){.seed = history->seed, .trace = history->trace};
    world->swarm = swarm_draw(history->seed);
    world->dice = dice_of(history->seed, 0);
    make_systems(world);
    make_budgets(world);
    process_start(&world->processes[0], world);
    check_step(world);
}

static void world_end(struct world *world)
{
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        if (world->processes[i].running) process_kill(&world->processes[i]);
    }
    reconciler_kill(&world->reconciler);
    replayer_kill(&world->replayer);
    for (size_t i = 0; i < world->swarm.producers; i++) producer_close(&world->producers[i]);
    operator_close(&world->operator);
    late_free(&world->late);
    fake_broker_set_observer(world->broker, NULL, NULL);
    fake_broker_free(world->broker);
    fake_stock_snapshot_free(world->replica);
    fake_stock_free(world->stock);
    fake_ledger_snapshot_free(world->backup);
    fake_ledger_store_free(world->ledger);
    truth_free(&world->truth);
}

static enum action draw_action(struct world *world)
{
    unsigned sum = 0;
    for (enum action action = 0; action < ACTION_COUNT; action++) sum += world->swarm.weights[action];
    size_t roll = dice_roll(&world->dice, sum);
    enum action action = 0;
    for (; roll >= world->swarm.weights[action]; action++) roll -= world->swarm.weights[action];
    return action;
}

static void run_steps(struct world *world, const struct history *history)
{
    for (size_t step = 1; step <= world->swarm.steps && !world->violation.found; step++) {
        if (history->keep != NULL && (step > history->keep_count || !history->keep[step - 1])) continue;
        world->step = step;
        world->dice = dice_of(world->seed, step);
        /* Often nothing passes, for what happens at one instant is a case of its own. */
        if (dice_roll(&world->dice, 4) > 0)
            world_pass(world, dice_between(&world->dice, 0, world->swarm.pause_max_us));
        enum action action = draw_action(world);
        world_trace(world, "%zu %lld %s", step, (long long)world->now_us, action_name(action));
        world->actions[action]++;
        world->events++;
        world_act(world, action);
        check_step(world);
    }
}

/* An assertion of the core's is a broken rule like any other. */
static sigjmp_buf aborted;
static struct world *running;

static void on_abort(int number)
{
    (void)number;
    if (running == NULL) return;
    world_violate(running, "assertion", "an assertion failed; it is on standard error");
    siglongjmp(aborted, 1);
}

static void catch_aborts(struct world *world)
{
    static bool installed;
    running = world;
    if (installed) return;
    installed = true;
    struct sigaction action = {.sa_handler = on_abort, .sa_flags = SA_NODEFER};
    sigaction(SIGABRT, &action, NULL);
}

static void outcome_take(const struct world *world, struct outcome *outcome)
{
    *outcome = (struct outcome){.violation = world->violation,
                                .steps = world->swarm.steps,
                                .events = world->events,
                                .sales = world->truth.sale_count,
                                .messages = world->truth.message_count,
                                .rows = world->truth.row_count,
                                .parked = world->truth.parked_rows_seen};
    memcpy(outcome->actions, world->actions, sizeof outcome->actions);
    memcpy(outcome->faults, world->faults, sizeof outcome->faults);
    memcpy(outcome->runs, world->runs, sizeof outcome->runs);
    memcpy(outcome->found, world->found, sizeof outcome->found);
    memcpy(outcome->mended, world->mended, sizeof outcome->mended);
    memcpy(outcome->letters, world->letters, sizeof outcome->letters);
}

void history_run(const struct history *history, struct outcome *outcome)
{
    static struct world world; /* outlives the jump */
    catch_aborts(&world);
    if (sigsetjmp(aborted, 0) != 0) {
        outcome_take(&world, outcome); /* what it held is left where it is: nothing of it can be trusted */
        running = NULL;
        return;
    }
    world_begin(&world, history);
    run_steps(&world, history);
    if (!world.violation.found) world_heal(&world);
    outcome_take(&world, outcome);
    running = NULL;
    world_end(&world);
}
