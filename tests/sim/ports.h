/* The ports as one process sees them: in front of each fake a piece of wire that fails as the swarm wants,
 * and that leads nowhere once the process is dead. */
#ifndef BURSAR_TESTS_SIM_PORTS_H
#define BURSAR_TESTS_SIM_PORTS_H

#include "port/broker.h"
#include "port/ledger_audit.h"
#include "port/stock.h"

struct world;
struct process;

struct sim_consumer {
    struct consumer base; /* first, as below */
    struct consumer *real;
    struct process *process;
};

struct sim_publisher {
    struct publisher base;
    struct publisher *real;
    struct process *process; /* NULL: a producer's, which never dies within a call */
};

struct sim_stock {
    struct stock base;
    struct world *world;
    struct process *process; /* NULL: a producer's or operator's */
    uint64_t connections;
};

struct sim_ledger {
    struct ledger base;
    struct ledger *real;
    struct world *world;
    struct process *process; /* NULL: an operator's */
};

/* Each is closed by its owner; the fakes stay. */
void sim_consumer_open(struct sim_consumer *consumer, struct world *world, struct process *process,
                       size_t prefetch);
void sim_publisher_open(struct sim_publisher *publisher, struct world *world, struct process *process);
void sim_stock_open(struct sim_stock *stock, struct world *world, struct process *process);
void sim_ledger_open(struct sim_ledger *ledger, struct world *world, struct process *process);

#endif
