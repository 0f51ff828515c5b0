/* An operator at the command line: creates, tops up, closes, reopens and deletes budgets, in the order of
 * calls that the commands make, and may die between any two of them. */
#ifndef BURSAR_TESTS_SIM_OPERATOR_H
#define BURSAR_TESTS_SIM_OPERATOR_H

#include "core/deduction.h"
#include "sim/ports.h"

struct world;

struct operator
{
    struct world *world;
    struct sim_stock stock;
    struct sim_ledger ledger;
    enum operator_stage {
        OPERATOR_IDLE,
        OPERATOR_CREDIT_REDIS, /* booked: give it to Redis */
        OPERATOR_CREDIT_MARK,  /* Redis has it: note that */
        OPERATOR_SHUT_LEDGER,  /* shut in Redis: then in the ledger */
        OPERATOR_REOPEN_REDIS, /* open in the ledger: then in Redis */
    } stage;
    char budget_id[8], credit_id[16];
    int64_t amount, closed_at_us;
    enum budget_state state;
    uint32_t next_credit;
};

void operator_open(struct operator* operator, struct world * world);
void operator_close(struct operator* operator);

/* Begins a command; the operator is idle. */
void operator_create(struct operator* operator, uint32_t budget, int64_t total);
void operator_credit(struct operator* operator, uint32_t budget, int64_t amount);
void operator_state(struct operator* operator, uint32_t budget, enum budget_state state);

/* Takes the next step of the command, or dies instead; false: there is none. */
bool operator_go_on(struct operator* operator, bool dies);

#endif
