/* The ports as one process sees them: in front of each fake a piece of wire that fails as the swarm wants,
 * and that leads nowhere once the process is dead. */
#ifndef BURSAR_TESTS_SIM_PORTS_H
#define BURSAR_TESTS_SIM_PORTS_H

#include "port/broker.h"
#include "port/ledger_audit.h"
#include "port/stock.h"
#include "sim/swarm.h"

struct world;

/* Who calls, and what stands between it and the systems: each call that leaves it asks here first. */
struct caller {
    struct world *world;
    bool dead;           /* it was killed in the middle of something: no call of it reaches anything */
    unsigned calls_left; /* until it dies so; 0: it does not */
    bool redis_away, ledger_away; /* out of its reach, and not out of the others' */
    bool redis_broken;            /* its connection to Redis is gone, and it does not know yet */
    bool is_short;                /* a run of a hundred calls, of which each may end it: few of them fail */
    bool looks_only;              /* a reconcile, or a replay, that may not change anything */
    bool handles_letters;         /* a replay or a discard: what it publishes is looked at */
};

enum call_fate {
    CALL_GOES,
    CALL_IS_LAST, /* it goes, and nobody hears the answer */
    CALL_IS_DEAD,
};
enum call_fate caller_ask(struct caller *caller);

/* world_chance for one call of the caller's (NULL: a producer's or an operator's). */
bool caller_chance(const struct caller *caller, struct world *world, enum chance chance);

struct sim_consumer {
    struct consumer base; /* first, as below */
    struct consumer *real;
    struct caller *caller;
};

struct sim_publisher {
    struct publisher base;
    struct publisher *real;
    struct caller *caller; /* NULL: a producer's, which never dies within a call */
};

struct sim_stock {
    struct stock base;
    struct world *world;
    struct caller *caller; /* NULL: a producer's or operator's */
    uint64_t connections;
};

struct sim_ledger {
    struct ledger base;
    struct ledger *real;
    struct world *world;
    struct caller *caller; /* NULL: an operator's */
};

/* Each is closed by its owner; the fakes stay. */
void sim_consumer_open(struct sim_consumer *consumer, struct world *world, struct caller *caller,
                       const char *queue, size_t prefetch);
void sim_publisher_open(struct sim_publisher *publisher, struct world *world, struct caller *caller);
void sim_stock_open(struct sim_stock *stock, struct world *world, struct caller *caller);
void sim_ledger_open(struct sim_ledger *ledger, struct world *world, struct caller *caller);

#endif
