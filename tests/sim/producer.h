/* A producer: deducts, then publishes; crashes in between, tries again, and lies where the swarm wants it. */
#ifndef BURSAR_TESTS_SIM_PRODUCER_H
#define BURSAR_TESTS_SIM_PRODUCER_H

#include "sim/ports.h"

#define OUTSTANDING_MAX 24

/* What it means to sell, or has sold and not yet published for certain. */
struct intent {
    uint32_t id, budget;
    int64_t amount;
    int64_t token; /* 0: not deducted yet, or its answer was lost */
    bool old;      /* taken by hand: there is no token */
};

struct producer {
    struct world *world;
    struct sim_stock stock;
    struct sim_publisher publisher;
    struct intent outstanding[OUTSTANDING_MAX];
    size_t outstanding_count;
};

void producer_open(struct producer *producer, struct world *world);
void producer_close(struct producer *producer);

/* Each is false where there was nothing to do. */
bool producer_sell(struct producer *producer);
bool producer_sell_old(struct producer *producer);
bool producer_publish(struct producer *producer);
bool producer_publish_again(struct producer *producer);
bool producer_publish_garbage(struct producer *producer);
bool producer_lie(struct producer *producer);
bool producer_crash(struct producer *producer);

#endif
