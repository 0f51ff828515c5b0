#include "sim/operator.h"

#include "sim/world.h"

#include <inttypes.h>

void operator_open(struct operator* operator, struct world * world)
{
    *operator=(struct operator){.world = world};
    sim_stock_open(&operator->stock, world, NULL);
    sim_ledger_open(&operator->ledger, world, NULL);
}

void operator_close(struct operator* operator)
{
    ledger_close(&operator->ledger.base);
}

static void begin(struct operator* operator, uint32_t budget)
{
    snprintf(operator->budget_id, sizeof operator->budget_id, "b%" PRIu32, budget);
}

static void name_credit(struct operator* operator, uint32_t budget)
{
    snprintf(operator->credit_id, sizeof operator->credit_id, "c%" PRIu32 "-%" PRIu32,
             budget, operator->next_credit++);
}

void operator_create(struct operator* operator, uint32_t budget, int64_t total)
{
    struct error error;
    begin(operator, budget);
    name_credit(operator, budget);
    struct ledger_budget row = {.id = text_of(operator->budget_id), .total = total};
    operator->amount = total;
    enum status status =
        ledger_budget_create(&operator->ledger.base, &row, text_of(operator->credit_id), &error);
    if (status == STATUS_OK) operator->stage = OPERATOR_CREDIT_REDIS;
}

void operator_credit(struct operator* operator, uint32_t budget, int64_t amount)
{
    struct error error;
    bool applied = false;
    begin(operator, budget);
    name_credit(operator, budget);
    operator->amount = amount;
    enum status status = ledger_budget_credit(&operator->ledger.base, text_of(operator->budget_id),
                                              text_of(operator->credit_id), amount, &applied, &error);
    if (status == STATUS_OK && !applied) operator->stage = OPERATOR_CREDIT_REDIS;
}

/* What a command finds before it begins: a deleted budget stays deleted. */
static bool may_change(struct operator* operator, enum budget_state state)
{
    struct arena arena = {0};
    struct ledger_budget budget;
    struct error error;
    bool found = false;
    enum status status = ledger_budget_find(&operator->ledger.base, text_of(operator->budget_id), &arena,
                                            &budget, &found, &error);
    bool may = status == STATUS_OK && found && (budget.state != BUDGET_DELETED || state == BUDGET_DELETED);
    arena_free(&arena);
    return may;
}

void operator_state(struct operator* operator, uint32_t budget, enum budget_state state)
{
    struct error error;
    begin(operator, budget);
    operator->state = state;
    if (!may_change(operator, state)) return;
    if (state == BUDGET_ACTIVE) {
        if (stock_ping(&operator->stock.base, &error) != STATUS_OK) return;
        enum status status = ledger_budget_state_set(&operator->ledger.base, text_of(operator->budget_id),
                                                     BUDGET_ACTIVE, 0, &error);
        if (status == STATUS_OK) operator->stage = OPERATOR_REOPEN_REDIS;
        return;
    }
    enum status status = stock_state_set(&operator->stock.base, text_of(operator->budget_id), state,
                                         &operator->closed_at_us, &error);
    if (status == STATUS_OK) operator->stage = OPERATOR_SHUT_LEDGER;
}

static enum operator_stage next_stage(struct operator* operator)
{
    struct error error;
    struct text budget_id = text_of(operator->budget_id), credit_id = text_of(operator->credit_id);
    struct ledger *ledger = &operator->ledger.base;
    struct stock *stock = &operator->stock.base;
    struct stock_credit credit = {
        .budget_id = budget_id, .credit_id = credit_id, .amount = operator->amount };
    enum status status = STATUS_OK;
    int64_t now_us;
    switch (operator->stage) {
    case OPERATOR_CREDIT_REDIS:
        status = stock_credit(stock, &credit, 1, &error);
        return status == STATUS_OK && credit.status == STATUS_OK ? OPERATOR_CREDIT_MARK : OPERATOR_IDLE;
    case OPERATOR_CREDIT_MARK: status = ledger_credit_mark(ledger, budget_id, credit_id, &error); break;
    case OPERATOR_SHUT_LEDGER:
        status = ledger_budget_state_set(ledger, budget_id, operator->state, operator->closed_at_us, &error);
        break;
    case OPERATOR_REOPEN_REDIS:
        status = stock_state_set(stock, budget_id, BUDGET_ACTIVE, &now_us, &error);
        break;
    case OPERATOR_IDLE: break;
    }
    (void)status; /* as the commands do: what is not noted the worker notes, what is not shut is shut again */
    return OPERATOR_IDLE;
}

bool operator_go_on(struct operator* operator, bool dies)
{
    if (operator->stage == OPERATOR_IDLE) return false;
    operator->stage = dies ? OPERATOR_IDLE : next_stage(operator);
    return true;
}
