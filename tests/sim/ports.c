#include "sim/ports.h"

#include "sim/check.h"
#include "sim/world.h"

static enum status dead(struct error *error)
{
    return error_set(error, STATUS_RETRY, "the process is dead");
}

enum call_fate caller_ask(struct caller *caller)
{
    if (caller->dead) return CALL_IS_DEAD;
    if (caller->calls_left == 0 || --caller->calls_left > 0) return CALL_GOES;
    caller->dead = true;
    return dice_roll(&caller->world->dice, 2) == 0 ? CALL_IS_LAST : CALL_IS_DEAD;
}

bool caller_chance(const struct caller *caller, struct world *world, enum chance chance)
{
    if (caller != NULL && caller->is_short && world->swarm.chances[chance] > 0 &&
        dice_roll(&world->dice, 16) > 0)
        return false;
    return world_chance(world, chance);
}

static enum call_fate fate_of(struct caller *caller)
{
    return caller == NULL ? CALL_GOES : caller_ask(caller);
}

/* The consumer. Its faults are the broker's own (world_broker_faults). */

static struct sim_consumer *consumer_of(struct consumer *base)
{
    return (struct sim_consumer *)base;
}

static const struct sim_consumer *const_consumer_of(const struct consumer *base)
{
    return (const struct sim_consumer *)base;
}

static enum status sim_connect(struct consumer *base, struct error *error)
{
    struct sim_consumer *self = consumer_of(base);
    return fate_of(self->caller) == CALL_IS_DEAD ? dead(error) : consumer_connect(self->real, error);
}

static enum status sim_start(struct consumer *base, struct error *error)
{
    struct sim_consumer *self = consumer_of(base);
    return fate_of(self->caller) == CALL_IS_DEAD ? dead(error) : consumer_start(self->real, error);
}

static enum status sim_next(struct consumer *base, enum consumer_event *event, struct delivery *delivery,
                            struct error *error)
{
    struct sim_consumer *self = consumer_of(base);
    return self->caller->dead ? dead(error) : consumer_next(self->real, event, delivery, error);
}

static enum status sim_acknowledge(struct consumer *base, uint64_t tag, bool multiple, struct error *error)
{
    struct sim_consumer *self = consumer_of(base);
    if (fate_of(self->caller) == CALL_IS_DEAD) return dead(error);
    return consumer_acknowledge(self->real, tag, multiple, error);
}

static enum status sim_stop(struct consumer *base, struct error *error)
{
    struct sim_consumer *self = consumer_of(base);
    return fate_of(self->caller) == CALL_IS_DEAD ? dead(error) : consumer_stop(self->real, error);
}

static int sim_descriptor(const struct consumer *base)
{
    return consumer_descriptor(const_consumer_of(base)->real);
}

static enum status sim_keep_alive(struct consumer *base, struct error *error)
{
    struct sim_consumer *self = consumer_of(base);
    return self->caller->dead ? dead(error) : consumer_keep_alive(self->real, error);
}

static void sim_disconnect(struct consumer *base)
{
    struct sim_consumer *self = consumer_of(base);
    if (!self->caller->dead) consumer_disconnect(self->real);
}

static enum status sim_widen(struct consumer *base, size_t more, struct error *error)
{
    struct sim_consumer *self = consumer_of(base);
    return fate_of(self->caller) == CALL_IS_DEAD ? dead(error) : consumer_widen(self->real, more, error);
}

static void sim_origin(const struct consumer *base, struct text properties, struct letter_origin *origin)
{
    consumer_origin(((const struct sim_consumer *)base)->real, properties, origin);
}

static void sim_consumer_close(struct consumer *base)
{
    consumer_close(consumer_of(base)->real);
}

void sim_consumer_open(struct sim_consumer *consumer, struct world *world, struct caller *caller,
                       const char *queue, size_t prefetch)
{
    static const struct consumer_ops ops = {
        .connect = sim_connect,
        .start = sim_start,
        .next = sim_next,
        .acknowledge = sim_acknowledge,
        .stop = sim_stop,
        .widen = sim_widen,
        .origin = sim_origin,
        .descriptor = sim_descriptor,
        .keep_alive = sim_keep_alive,
        .disconnect = sim_disconnect,
        .close = sim_consumer_close,
    };
    *consumer = (struct sim_consumer){
        .base.ops = &ops, .real = fake_consumer_open(world->broker, queue, prefetch), .caller = caller};
}

/* The publisher. */

static struct sim_publisher *publisher_of(struct publisher *base)
{
    return (struct sim_publisher *)base;
}

static enum status sim_publisher_connect(struct publisher *base, struct error *error)
{
    struct sim_publisher *self = publisher_of(base);
    return fate_of(self->caller) == CALL_IS_DEAD ? dead(error) : publisher_connect(self->real, error);
}

static enum status sim_publish(struct publisher *base, struct publication *publications, size_t count,
                               struct error *error)
{
    struct sim_publisher *self = publisher_of(base);
    if (fate_of(self->caller) == CALL_IS_DEAD) {
        for (size_t i = 0; i < count; i++) publications[i].outcome = PUBLICATION_NONE;
        return dead(error);
    }
    bool watched = self->caller != NULL && self->caller->handles_letters;
    if (watched) check_letters_go(self->caller->world, publications, count);
    enum status status = publisher_publish(self->real, publications, count, error);
    if (watched) check_letters_gone(self->caller->world, publications, count);
    return status;
}

static enum status sim_depth(struct publisher *base, struct text queue, int64_t *messages, int64_t *consumers,
                             struct error *error)
{
    struct sim_publisher *self = publisher_of(base);
    if (fate_of(self->caller) == CALL_IS_DEAD) return dead(error);
    return publisher_depth(self->real, queue, messages, consumers, error);
}

static enum status sim_is_empty(struct publisher *base, struct text queue, bool *empty, struct error *error)
{
    struct sim_publisher *self = publisher_of(base);
    if (fate_of(self->caller) == CALL_IS_DEAD) return dead(error);
    return publisher_is_empty(self->real, queue, empty, error);
}

static enum status sim_initialise(struct publisher *base, struct error *error)
{
    struct sim_publisher *self = publisher_of(base);
    return fate_of(self->caller) == CALL_IS_DEAD ? dead(error) : publisher_initialise(self->real, error);
}

static void sim_publisher_close(struct publisher *base)
{
    publisher_close(publisher_of(base)->real);
}

void sim_publisher_open(struct sim_publisher *publisher, struct world *world, struct caller *caller)
{
    static const struct publisher_ops ops = {
        .connect = sim_publisher_connect,
        .publish = sim_publish,
        .depth = sim_depth,
        .is_empty = sim_is_empty,
        .initialise = sim_initialise,
        .close = sim_publisher_close,
    };
    *publisher = (struct sim_publisher){
        .base.ops = &ops, .real = fake_publisher_open(world->broker), .caller = caller};
}
