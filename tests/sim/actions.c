/* What each action does. */
#include "sim/check.h"
#include "sim/world.h"

#include <inttypes.h>

static struct process *some_process(struct world *world)
{
    return &world->processes[dice_roll(&world->dice, world->swarm.processes)];
}

static struct process *any_process(struct world *world)
{
    struct process *process = some_process(world);
    return process->running ? process : NULL;
}

/* Half of the outages are one process's own. */
static bool one_of_all(struct world *world)
{
    return dice_roll(&world->dice, 2) == 0;
}

static struct producer *any_producer(struct world *world)
{
    return &world->producers[dice_roll(&world->dice, world->swarm.producers)];
}

static uint32_t any_budget(struct world *world)
{
    return (uint32_t)dice_roll(&world->dice, world->swarm.budgets);
}

static void act_on_process(struct world *world, enum action action)
{
    struct process *process = any_process(world);
    if (process == NULL) return;
    size_t first = dice_roll(&world->dice, HAND_COUNT);
    bool did = false;
    switch (action) {
    case ACTION_TURN: process_turn(process, 1 + dice_roll(&world->dice, 64)); break;
    case ACTION_JOB_RUN:
        for (size_t i = 0; i < HAND_COUNT && !did; i++)
            did = process_job_run(process, (enum hand)((first + i) % HAND_COUNT));
        break;
    case ACTION_JOB_DONE:
        for (size_t i = 0; i < HAND_COUNT && !did; i++)
            did = process_job_done(process, (enum hand)((first + i) % HAND_COUNT));
        break;
    case ACTION_KILL: process_kill(process); break;
    case ACTION_KILL_INSIDE: process->caller.calls_left = 1 + (unsigned)dice_roll(&world->dice, 6); break;
    case ACTION_STOP: process_stop(process); break;
    case ACTION_RELOAD: process_reload(process); break;
    default: break;
    }
}

static void act_of_producer(struct world *world, enum action action)
{
    struct producer *producer = any_producer(world);
    switch (action) {
    case ACTION_SELL: producer_sell(producer); break;
    case ACTION_PUBLISH: producer_publish(producer); break;
    case ACTION_PUBLISH_AGAIN: producer_publish_again(producer); break;
    case ACTION_GARBAGE: producer_publish_garbage(producer); break;
    case ACTION_LIE: producer_lie(producer); break;
    case ACTION_SELL_OLD: producer_sell_old(producer); break;
    case ACTION_PRODUCER_CRASH: producer_crash(producer); break;
    default: break;
    }
}

static void void_one(struct world *world)
{
    struct truth *truth = &world->truth;
    if (truth->sale_count == 0 || world->ledger_down || world->ledger_full) return;
    uint32_t near = (uint32_t)dice_roll(&world->dice, truth->sale_count < 16 ? truth->sale_count : 16);
    const struct truth_sale *sale = &truth->sales[truth->sale_count - 1 - near];
    if (sale->state != SALE_PENDING || truth->ids[sale->id].row != TRUTH_NONE) return;
    char id[16], budget[8];
    snprintf(id, sizeof id, "i%" PRIu32, sale->id);
    snprintf(budget, sizeof budget, "b%" PRIu32, sale->budget);
    truth->ids[sale->id].voided = true;
    (void)fake_ledger_void(world->ledger, text_of(id), text_of(budget), sale->amount, sale->token);
}

static void act_of_operator(struct world *world, enum action action)
{
    struct operator* operator= & world->operator;
    if (action == ACTION_VOID) {
        void_one(world);
        return;
    }
    static const enum budget_state states[] = {BUDGET_CLOSED, BUDGET_CLOSED, BUDGET_ACTIVE, BUDGET_ACTIVE,
                                               BUDGET_DELETED};
    if (action == ACTION_OPERATOR) {
        operator_go_on(operator, dice_permille(&world->dice, 50));
    } else if (operator->stage != OPERATOR_IDLE) {
        return;
    } else if (action == ACTION_CREDIT) {
        world->upsets++; /* what a lost key is rebuilt from has changed */
        operator_credit(operator, any_budget(world), dice_between(&world->dice, 1, world->swarm.total_max));
    } else {
        operator_state(operator, any_budget(world), states[dice_roll(&world->dice, 5)]);
    }
}

static void act_on_broker(struct world *world, enum action action)
{
    struct fake_broker *broker = world->broker;
    switch (action) {
    case ACTION_CUT:
        if (dice_roll(&world->dice, 2) == 0) fake_broker_drop_consumers(broker);
        if (dice_roll(&world->dice, 2) == 0) fake_broker_drop_publishers(broker);
        break;
    case ACTION_CANCEL: fake_broker_cancel_consumers(broker, QUEUE); break;
    case ACTION_ALARM: fake_broker_set_blocked(broker, world->alarm = !world->alarm); break;
    case ACTION_BROKER_DOWN: fake_broker_set_down(broker, world->broker_down = !world->broker_down); break;
    case ACTION_DLQ_FULL:
        fake_broker_set_full(broker, DEAD_LETTER_QUEUE, world->dlq_full = !world->dlq_full);
        break;
    case ACTION_DLQ_DELETE: fake_broker_delete_queue(broker, DEAD_LETTER_QUEUE); break;
    case ACTION_QUEUE_DELETE:
        world->truth.queue_lost = true;
        fake_broker_delete_queue(broker, QUEUE);
        break;
    default: break;
    }
}

static void tampered_with(struct world *world, uint32_t budget)
{
    world->truth.budgets[budget].tampered = true;
    world->upsets++;
}

static void redis_failover(struct world *world)
{
    if (world->replica == NULL) return;
    fake_stock_snapshot_restore(world->stock, world->replica);
    check_redis_anew(world);
    late_free(&world->late); /* they were on their way to the other one */
    for (size_t i = 0; i < PROCESSES_MAX; i++) world->processes[i].caller.redis_broken = true;
}

static void redis_raise(struct world *world)
{
    char budget[8];
    uint32_t number = any_budget(world);
    snprintf(budget, sizeof budget, "b%" PRIu32, number);
    struct fake_stock_totals totals = fake_stock_totals(world->stock, text_of(budget));
    if (!totals.has_left || totals.left < 0) return;
    int64_t more = dice_between(&world->dice, 1, world->swarm.total_max);
    tampered_with(world, number);
    fake_stock_set_left(world->stock, text_of(budget), totals.left + more);
    world->truth.budgets[number].by_hand -= more;
}

/* As a hand that writes nonsense; the next time, and when all is mended, the nonsense is taken back. */
void redis_spoil(struct world *world, uint32_t number, bool only_mend)
{
    static const int64_t far = INT64_C(1000000000000);
    char budget[8];
    snprintf(budget, sizeof budget, "b%" PRIu32, number);
    struct fake_stock_totals totals = fake_stock_totals(world->stock, text_of(budget));
    if (!totals.has_left || totals.left == TOTAL_UNLIMITED) return;
    bool spoilt = totals.left < TOTAL_UNLIMITED;
    if (only_mend && !spoilt) return;
    int64_t more = spoilt ? far : -far;
    tampered_with(world, number);
    fake_stock_set_left(world->stock, text_of(budget), totals.left + more);
    world->truth.budgets[number].by_hand -= more;
}

static void act_on_redis(struct world *world, enum action action)
{
    char budget[8];
    uint32_t number;
    switch (action) {
    case ACTION_REDIS_DOWN: {
        bool *away = one_of_all(world) ? &some_process(world)->caller.redis_away : &world->redis_down;
        *away = !*away;
        break;
    }
    case ACTION_REDIS_SAVE:
        fake_stock_snapshot_free(world->replica);
        world->replica = fake_stock_snapshot_take(world->stock);
        break;
    case ACTION_REDIS_FAILOVER: redis_failover(world); break;
    case ACTION_REDIS_LOSE_KEY:
        number = any_budget(world);
        snprintf(budget, sizeof budget, "b%" PRIu32, number);
        fake_stock_lose_left(world->stock, text_of(budget));
        tampered_with(world, number);
        break;
    case ACTION_REDIS_RAISE: redis_raise(world); break;
    case ACTION_REDIS_SPOIL: redis_spoil(world, any_budget(world), false); break;
    case ACTION_REDIS_CLOCK:
        world->redis_us = dice_between(&world->dice, -5000000, 5000000);
        world->upsets++;
        world_pass(world, 0);
        break;
    default: break;
    }
}

static void act_on_ledger(struct world *world, enum action action)
{
    char id[16];
    switch (action) {
    case ACTION_LEDGER_DOWN: {
        bool *away = one_of_all(world) ? &some_process(world)->caller.ledger_away : &world->ledger_down;
        *away = !*away;
        break;
    }
    case ACTION_LEDGER_FULL: world->ledger_full = !world->ledger_full; break;
    case ACTION_LEDGER_REFUSE:
        if (world->truth.id_count == 0) break;
        /* Most often one that is on its way now. */
        uint32_t near =
            (uint32_t)dice_roll(&world->dice, world->truth.id_count < 8 ? world->truth.id_count : 8);
        uint32_t index = (uint32_t)world->truth.id_count - 1 - near;
        snprintf(id, sizeof id, "i%" PRIu32, index);
        world->truth.ids[index].refusable = true;
        fake_ledger_refuse(world->ledger, text_of(id));
        break;
    case ACTION_LEDGER_SAVE:
        fake_ledger_snapshot_free(world->backup);
        world->backup = fake_ledger_snapshot_take(world->ledger);
        break;
    case ACTION_LEDGER_RESTORE:
        if (world->backup == NULL) break;
        fake_ledger_snapshot_restore(world->ledger, world->backup);
        check_ledger_anew(world);
        break;
    default: break;
    }
}

static void start(struct world *world)
{
    struct process *process = &world->processes[dice_roll(&world->dice, world->swarm.processes)];
    if (!process->running) process_start(process, world);
}

/* To the next thing that a worker waits for. */
static void pass(struct world *world)
{
    int64_t most_us = dice_between(&world->dice, 1000, 5000000);
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        const struct process *process = &world->processes[i];
        if (!process->running) continue;
        int64_t wait_us = worker_deadline_us(process->driver.worker) - world->now_us;
        if (wait_us < most_us) most_us = wait_us < 0 ? 0 : wait_us;
    }
    const struct reconciler *reconciler = &world->reconciler;
    int64_t wait_us = reconciler->wait_until_us - world->now_us;
    if (reconciler->running && wait_us > 0 && wait_us < most_us) most_us = wait_us;
    wait_us = world->replayer.wait_until_us - world->now_us;
    if (world->replayer.running && wait_us > 0 && wait_us < most_us) most_us = wait_us;
    world_pass(world, most_us);
}

/* But not while somebody has a refund in hand: for a worker that stands still for longer than two done
 * windows between reading a refund without token and making it, nothing is promised. */
static void pass_long(struct world *world)
{
    if (replayer_has_refunds(&world->replayer)) return;
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        const struct process *process = &world->processes[i];
        if (process->running && process->given[HAND_STOCK] != NULL &&
            process->kinds[HAND_STOCK] == JOB_DEBTS_PAY)
            return;
    }
    world_pass(world, dice_between(&world->dice, 30, 1800) * 1000000);
}

static void start_reconcile(struct world *world)
{
    const struct swarm *swarm = &world->swarm;
    struct reconciler_wish wish = {
        .repair = swarm->repairs && dice_roll(&world->dice, 3) > 0,
        .settle_orphans = swarm->orphans_settle,
        .repair_max = swarm->repair_max,
        .orphan_after_us = swarm->orphan_after_us,
    };
    if (!world->reconciler.running) reconciler_start(&world->reconciler, world, &wish);
}

static void act_of_reconcile(struct world *world, enum action action)
{
    struct reconciler *reconciler = &world->reconciler;
    size_t steps = 1 + dice_roll(&world->dice, world->swarm.reconcile_burst);
    switch (action) {
    case ACTION_RECONCILE: start_reconcile(world); break;
    case ACTION_RECONCILE_STEP:
        for (; steps > 0 && reconciler_step(reconciler); steps--) continue;
        break;
    case ACTION_RECONCILE_KILL: reconciler_kill(reconciler); break;
    case ACTION_RECONCILE_KILL_INSIDE:
        if (reconciler->running) reconciler->caller.calls_left = 1 + (unsigned)dice_roll(&world->dice, 12);
        break;
    default: break;
    }
}

static void act_on_letters(struct world *world, enum action action)
{
    struct replayer *replayer = &world->replayer;
    size_t steps = 1 + dice_roll(&world->dice, world->swarm.letters_burst);
    switch (action) {
    case ACTION_LETTERS: {
        struct letters_wish wish = replayer_wish(world);
        /* An empty queue is soon told, and not worth many runs. */
        bool is_worth_it =
            fake_broker_ready(world->broker, DEAD_LETTER_QUEUE) > 0 || dice_roll(&world->dice, 8) == 0;
        if (replayer->running)
            replayer_refuse_second(world);
        else if (is_worth_it)
            replayer_start(replayer, world, &wish);
        break;
    }
    case ACTION_LETTERS_STEP:
        for (; steps > 0 && replayer_step(replayer); steps--) continue;
        break;
    case ACTION_LETTERS_STOP: replayer_stop(replayer); break;
    case ACTION_LETTERS_KILL: replayer_kill(replayer); break;
    case ACTION_LETTERS_KILL_INSIDE:
        if (replayer->running) replayer->caller.calls_left = 1 + (unsigned)dice_roll(&world->dice, 12);
        break;
    default: break;
    }
}

void world_act(struct world *world, enum action action)
{
    switch (action) {
    case ACTION_PASS: pass(world); break;
    case ACTION_PASS_LONG: pass_long(world); break;
    case ACTION_LATE: late_arrive(world); break;
    case ACTION_START: start(world); break;
    case ACTION_TAMPER: world_tamper(world); break;
    default:
        if (action >= ACTION_LETTERS) {
            act_on_letters(world, action);
        } else if (action >= ACTION_RECONCILE) {
            act_of_reconcile(world, action);
        } else if (action >= ACTION_LEDGER_DOWN) {
            act_on_ledger(world, action);
        } else if (action >= ACTION_REDIS_DOWN) {
            act_on_redis(world, action);
        } else if (action >= ACTION_CUT) {
            act_on_broker(world, action);
        } else if (action >= ACTION_CREDIT && action <= ACTION_OPERATOR) {
            act_of_operator(world, action);
        } else if (action >= ACTION_SELL && action <= ACTION_PRODUCER_CRASH) {
            act_of_producer(world, action);
        } else {
            act_on_process(world, action);
        }
    }
}
