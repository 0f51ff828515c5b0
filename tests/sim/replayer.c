#include "sim/replayer.h"

#include "base/memory.h"
#include "sim/check.h"
#include "sim/world.h"

#include <stdlib.h>

static void told(void *context, const struct letter *letter, enum letter_fate fate, const char *detail)
{
    struct replayer *self = context;
    self->world->letters[fate]++;
    self->letters_left += fate != FATE_REPLAYED && fate != FATE_DISCARDED;
    struct truth_place place = truth_place_of(letter->body);
    world_trace(self->world, "  letter %d.%d: %s%s%s", (int)place.message, (int)place.item,
                letter_fate_name(fate), detail == NULL ? "" : ": ", detail == NULL ? "" : detail);
}

struct letters_wish replayer_wish(struct world *world)
{
    const struct swarm *swarm = &world->swarm;
    struct dice *dice = &world->dice;
    return (struct letters_wish){
        .discards = dice_permille(dice, swarm->discard),
        .dry_run = dice_roll(dice, 12) == 0,
        .edits = swarm->edits && dice_roll(dice, 2) == 0,
        .nowhere = dice_roll(dice, 24) == 0,
        .limit = dice_roll(dice, 2) == 0 ? 0 : dice_between(dice, 1, 6),
        .max_replays = dice_between(dice, 1, swarm->replays_max),
        .rate = dice_roll(dice, 3) == 0 ? dice_between(dice, 1, 40) : 0,
        .canary = dice_roll(dice, 3) == 0 ? dice_between(dice, 1, 4) : 0,
        .canary_wait_us = dice_between(dice, 0, 60000000),
        .max_failures = dice_between(dice, 0, 100),
    };
}

static void begin_replay(struct replayer *replayer)
{
    const struct letters_wish *wish = &replayer->wish;
    struct replay_options options = {
        .limit = wish->limit,
        .dry_run = wish->dry_run,
        .max_replays = wish->max_replays,
        .rate = wish->rate,
        .canary = wish->canary,
        .canary_wait_us = wish->canary_wait_us,
        .max_failures = wish->max_failures,
        .told = told,
        .context = replayer,
    };
    if (wish->edits)
        options.edit =
            (struct letter_edit){.amount = TEXT_LITERAL(EDIT_AMOUNT), .budget_id = TEXT_LITERAL(EDIT_BUDGET)};
    if (wish->nowhere) options.to_exchange = TEXT_LITERAL(EXCHANGE);
    if (wish->nowhere) options.to_routing_key = TEXT_LITERAL("nowhere");
    replayer->replay = memory_alloc(sizeof *replayer->replay);
    replay_begin(replayer->replay, &replayer->ports, &options);
}

static void begin_discard(struct replayer *replayer)
{
    const struct discard_options options = {
        .limit = replayer->wish.limit, .dry_run = replayer->wish.dry_run, .told = told, .context = replayer};
    replayer->discard = memory_alloc(sizeof *replayer->discard);
    discard_begin(replayer->discard, &replayer->ports, &options);
}

static void end(struct replayer *replayer)
{
    replayer->running = false;
    if (replayer->replay != NULL) replay_free(replayer->replay);
    if (replayer->discard != NULL) discard_free(replayer->discard);
    free(replayer->replay);
    free(replayer->discard);
    replayer->replay = NULL;
    replayer->discard = NULL;
    consumer_close(&replayer->consumer.base);
    publisher_close(&replayer->publisher.base);
    ledger_close(&replayer->ledger.base);
    if (fake_ledger_is_locked(replayer->world->ledger, LEDGER_LOCK_DEAD_LETTERS) &&
        !fake_ledger_is_locked(replayer->world->ledger, LEDGER_LOCK_RECONCILE))
        world_violate(replayer->world, "one-run-at-a-time",
                      "the handling of dead letters is over, and its lock is not free");
}

void replayer_start(struct replayer *replayer, struct world *world, const struct letters_wish *wish)
{
    replayer->world = world;
    replayer->wish = *wish;
    replayer->caller = (struct caller){
        .world = world, .is_short = true, .looks_only = wish->dry_run, .handles_letters = true};
    replayer->running = true;
    replayer->done = false;
    replayer->wait_until_us = 0;
    replayer->steps = 0;
    replayer->letters_done = replayer->letters_left = 0;
    replayer->failure[0] = '\0';
    sim_consumer_open(&replayer->consumer, world, &replayer->caller, DEAD_LETTER_QUEUE, LETTER_WINDOW_FIRST);
    sim_publisher_open(&replayer->publisher, world, &replayer->caller);
    sim_stock_open(&replayer->stock, world, &replayer->caller);
    sim_ledger_open(&replayer->ledger, world, &replayer->caller);
    replayer->ports = (struct dead_letter_ports){
        .consumer = &replayer->consumer.base,
        .publisher = &replayer->publisher.base,
        .ledger = &replayer->ledger.base,
        .stock = &replayer->stock.base,
        .clock = &world->clock.base,
        .queue = TEXT_LITERAL(DEAD_LETTER_QUEUE),
        .actor = TEXT_LITERAL("somebody@sim"),
    };
    struct error error = {0};
    enum status status = ledger_lock(&replayer->ledger.base, LEDGER_LOCK_DEAD_LETTERS, &error);
    world_trace(world,
                "  %s of dead letters, dry %d edits %d nowhere %d limit %d replays %d rate %d canary %d: %s",
                wish->discards ? "discard" : "replay", wish->dry_run, wish->edits, wish->nowhere,
                (int)wish->limit, (int)wish->max_replays, (int)wish->rate, (int)wish->canary,
                status == STATUS_OK ? "begins" : error.text);
    check_letters_begin(world);
    if (status != STATUS_OK) {
        end(replayer);
    } else if (wish->discards) {
        begin_discard(replayer);
    } else {
        begin_replay(replayer);
    }
}

void replayer_refuse_second(struct world *world)
{
    struct error error;
    struct ledger *second = fake_ledger_open(world->ledger);
    if (ledger_lock(second, LEDGER_LOCK_DEAD_LETTERS, &error) == STATUS_OK)
        world_violate(world, "one-run-at-a-time", "a second one handles dead letters");
    ledger_close(second);
}

static enum step step_of(struct replayer *replayer)
{
    struct replay *replay = replayer->replay;
    struct discard *discard = replayer->discard;
    bool asks = replay != NULL ? replay->stage == REPLAY_EDITING : discard->stage == DISCARD_ASKING;
    if (asks) replayer->asked_us = fake_stock_now(replayer->world->stock);
    return replay != NULL ? replay_step(replay) : discard_step(discard);
}

static void wait(struct replayer *replayer)
{
    const struct discard *discard = replayer->discard;
    replayer->wait_until_us = discard == NULL ? replayer->replay->wait_until_us : discard->wait_until_us;
    replayer->wait_listens = discard == NULL ? replayer->replay->wait_listens : discard->wait_listens;
}

static void finish(struct replayer *replayer, enum step step)
{
    struct replay *replay = replayer->replay;
    const struct discard *discard = replayer->discard;
    replayer->done = step == STEP_DONE && !replayer->caller.dead;
    replayer->letters_done = discard == NULL ? replay->done : discard->done;
    if (step == STEP_FAILED)
        snprintf(replayer->failure, sizeof replayer->failure, "%.150s",
                 discard == NULL ? replay->error.text : discard->error.text);
    else if (discard == NULL && replay->why_stopped != NULL)
        snprintf(replayer->failure, sizeof replayer->failure, "%.150s", replay->why_stopped);
    world_trace(replayer->world, "  handled %lld letters: %s%s", (long long)replayer->letters_done,
                step == STEP_DONE ? "done " : "failed: ", replayer->failure);
    end(replayer);
}

bool replayer_step(struct replayer *replayer)
{
    struct world *world = replayer->world;
    if (!replayer->running) return false;
    bool waits = world->now_us < replayer->wait_until_us;
    if (waits && !(replayer->wait_listens && dice_roll(&world->dice, 2) == 0)) return true;
    replayer->wait_until_us = 0;
    replayer->stepping = true;
    enum step step = step_of(replayer);
    check_ledger(world); /* before anybody else adds to it */
    replayer->stepping = false;
    replayer->steps++;
    world->events++;
    if (step == STEP_WAIT) wait(replayer);
    if (step == STEP_DONE || step == STEP_FAILED)
        finish(replayer, step);
    else if (replayer->caller.dead)
        replayer_kill(replayer);
    return true;
}

void replayer_stop(struct replayer *replayer)
{
    if (!replayer->running) return;
    if (replayer->replay != NULL)
        replay_stop(replayer->replay, "interrupted");
    else
        discard_stop(replayer->discard);
}

void replayer_kill(struct replayer *replayer)
{
    if (!replayer->running) return;
    world_trace(replayer->world, "  the handling of dead letters is killed after %llu steps",
                (unsigned long long)replayer->steps);
    replayer->caller.dead = true;
    end(replayer);
}

bool replayer_has_refunds(const struct replayer *replayer)
{
    if (!replayer->running || replayer->discard == NULL) return false;
    switch (replayer->discard->stage) {
    case DISCARD_JOURNALING:
    case DISCARD_RELEASING:
    case DISCARD_RECORDING: return true;
    default: return false;
    }
}
