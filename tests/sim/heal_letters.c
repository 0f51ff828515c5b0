/* Replay and discard when all is drained and nothing fails any more: they come to their end, what they leave
 * they name, and afterwards everything drains again. */
#include "sim/check.h"
#include "sim/world.h"

#include <inttypes.h>

#define ROUNDS_MAX 4000

static bool run(struct world *world, const struct letters_wish *wish)
{
    struct replayer *replayer = &world->replayer;
    replayer_start(replayer, world, wish);
    for (size_t round = 0; round < ROUNDS_MAX && replayer->running && !world->violation.found; round++) {
        replayer_step(replayer);
        if (replayer->running && world->now_us < replayer->wait_until_us) world_round(world);
    }
    if (!world->violation.found && !replayer->done)
        world_violate(world, "letters-come-to-an-end", "nothing is in its way, and the %s is not done: %s",
                      wish->discards ? "discard" : "replay", replayer->failure);
    check_step(world);
    return !world->violation.found && world_drain(world);
}

/* Nothing but a discard's own refusal keeps a letter. */
static void check_rest(struct world *world)
{
    const struct truth *truth = &world->truth;
    size_t ready = fake_broker_ready(world->broker, DEAD_LETTER_QUEUE);
    if ((int64_t)ready != world->replayer.letters_left)
        world_violate(world, "letters-come-to-an-end",
                      "all was discarded but %" PRId64 " letters, and %zu are left",
                      world->replayer.letters_left, ready);
    if (ready > 0 && !truth->ledger_lost && !truth->redis_lost)
        world_violate(world, "letters-come-to-an-end", "%zu letters cannot be discarded", ready);
}

void world_handle_letters(struct world *world)
{
    if (fake_broker_ready(world->broker, DEAD_LETTER_QUEUE) == 0) return;
    fake_broker_declare(world->broker); /* where a queue was deleted while no worker was there */
    struct letters_wish wish = replayer_wish(world);
    wish.discards = wish.dry_run = false;
    world_trace(world, "replaying what is set aside");
    if (!run(world, &wish) || world->swarm.discard == 0) return;
    world_trace(world, "discarding the rest");
    wish = (struct letters_wish){.discards = true};
    if (run(world, &wish)) check_rest(world);
}
