#include "faults/session.h"

#include "core/limits.h"

#include <assert.h>

enum { ITEMS = 24, TOKEN_OF_CLOSING = 1000 };

struct step {
    const char *name;
    enum status (*run)(struct session *, int argument);
    int argument;
};

static enum status initialise(struct session *session, int argument)
{
    (void)argument;
    return ledger_initialise(session->ledger, &session->error);
}

static enum status ping(struct session *session, int argument)
{
    (void)argument;
    return ledger_ping(session->ledger, &session->error);
}

static enum status create(struct session *session, int argument)
{
    static const struct ledger_budget budgets[] = {
        {.id = {"a", 1}, .total = 1000, .name = {"A", 1}, .ext_params = {"{\"colour\": \"red\"}", 17}},
        {.id = {"b", 1}, .total = TOTAL_UNLIMITED, .description = {"without a limit", 15}},
        {.id = {"small", 5}, .total = 6},
    };
    enum status status =
        ledger_budget_create(session->ledger, &budgets[argument], TEXT_LITERAL("first"), &session->error);
    if (status != STATUS_REFUSED) return status;
    /* SQLite's json_valid() says no where it has no memory to look. */
    if (strstr(session->error.text, "json_valid") != NULL) return STATUS_RETRY;
    return session->repeating ? STATUS_OK : status;
}

static enum status credit(struct session *session, int argument)
{
    bool applied;
    enum status status = ledger_budget_credit(session->ledger, TEXT_LITERAL("small"), TEXT_LITERAL("second"),
                                              argument, &applied, &session->error);
    if (status == STATUS_OK) buffer_format(&session->answer, "applied %d", applied);
    return status;
}

static enum status credit_mark(struct session *session, int argument)
{
    (void)argument;
    return ledger_credit_mark(session->ledger, TEXT_LITERAL("a"), TEXT_LITERAL("first"), &session->error);
}

static enum status set_state(struct session *session, int argument)
{
    enum budget_state state = (enum budget_state)argument;
    return ledger_budget_state_set(session->ledger, TEXT_LITERAL("small"), state,
                                   state == BUDGET_ACTIVE ? 0 : TOKEN_OF_CLOSING, &session->error);
}

static void batch_add(struct session *session, int round, int number, const char *budget, int64_t amount)
{
    struct arena *arena = &session->batch.arena;
    struct deduction deduction = {
        .message_id = text_of(arena_format(arena, "%02d-%040d-%02d", number, 0, round)),
        .budget_id = text_of(budget),
        .amount = amount,
        .deducted_at_us = number % 5 == 0 ? 0 : TOKEN_OF_CLOSING - 12 + number,
        .user_id = number % 3 == 0 ? TEXT_LITERAL("u7") : TEXT_NONE,
        .meta = number % 4 == 0 ? TEXT_LITERAL("{\"shop\": 3}") : TEXT_NONE,
    };
    batch_append(&session->batch, &deduction, NULL, TEXT_NONE);
}

/* New deductions in random order of ids; some over the total or for no budget; an id twice; from the second
 * round on also ids of the round before, one of them with another amount. */
static enum status settle(struct session *session, int round)
{
    static const char *const budgets[] = {"a", "b", "small", "a", "nobody", "b"};
    static const char letters[] = {'-', 'S', 'R', 'D', 'C', '!'};
    struct batch *batch = &session->batch;
    batch_reset(batch);
    for (int i = 0; i < ITEMS; i++) {
        int number = i * 17 % ITEMS;
        batch_add(session, round, number, budgets[number % 6], 1 + number % 3);
    }
    batch_add(session, round, 3, budgets[3], 1);
    if (round > 0) {
        for (int number = 0; number < 6; number++)
            batch_add(session, round - 1, number, budgets[number], 1 + number % 3 + (number == 5 ? 1 : 0));
    }
    enum status status = ledger_settle(session->ledger, batch, 0, batch->count, &session->error);
    for (size_t i = 0; i < batch->count && status == STATUS_OK; i++)
        buffer_format(&session->answer, "%c", letters[batch->items[i].verdict]);
    return status;
}

static enum status park(struct session *session, int argument)
{
    struct parked_row rows[] = {
        {.message_id = TEXT_LITERAL("p1"), .reason = PARK_INVALID_AMOUNT, .detail = TEXT_LITERAL("-1")},
        {.reason = PARK_MALFORMED, .detail = TEXT_LITERAL("no JSON")},
        {.message_id = TEXT_LITERAL("p3"), .reason = PARK_TOO_LARGE},
    };
    return ledger_record_parked(session->ledger, rows, (size_t)argument, &session->error);
}

static enum status debts_fetch(struct session *session, int argument)
{
    struct debt_list *debts = &session->debts;
    (void)argument;
    debts->cursor = (struct debt_cursor){0};
    arena_reset(&debts->arena);
    enum status status = ledger_debts_fetch(session->ledger, &debts->cursor, &debts->arena, debts->items,
                                            DEBTS_MAX, &debts->count, &session->error);
    for (size_t i = 0; i < debts->count && status == STATUS_OK; i++) {
        struct debt *debt = &debts->items[i];
        debt->paid = i % 4 != 3;
        buffer_format(&session->answer, "%d " TEXT_FORMAT " " TEXT_FORMAT " %lld %lld\n", debt->kind,
                      TEXT_ARGUMENTS(debt->budget_id), TEXT_ARGUMENTS(debt->id), (long long)debt->amount,
                      (long long)debt->deducted_at_us);
    }
    return status;
}

static enum status debts_mark(struct session *session, int argument)
{
    (void)argument;
    return ledger_debts_mark(session->ledger, session->debts.items, session->debts.count, &session->error);
}

static void answer_budget(struct session *session, const struct ledger_budget *budget)
{
    buffer_format(&session->answer,
                  TEXT_FORMAT " " TEXT_FORMAT " " TEXT_FORMAT " " TEXT_FORMAT " %lld %lld %d\n",
                  TEXT_ARGUMENTS(budget->id), TEXT_ARGUMENTS(budget->name),
                  TEXT_ARGUMENTS(budget->description), TEXT_ARGUMENTS(budget->ext_params),
                  (long long)budget->total, (long long)budget->settled, budget->state);
}

static enum status budget_find(struct session *session, int argument)
{
    struct ledger_budget budget;
    bool found;
    (void)argument;
    enum status status = ledger_budget_find(session->ledger, TEXT_LITERAL("a"), &session->arena, &budget,
                                            &found, &session->error);
    if (status == STATUS_OK && found) answer_budget(session, &budget);
    return status;
}

static enum status budgets_list(struct session *session, int argument)
{
    struct ledger_budget budgets[4];
    size_t count;
    (void)argument;
    enum status status =
        ledger_budgets_list(session->ledger, TEXT_NONE, &session->arena, budgets, 4, &count, &session->error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) answer_budget(session, &budgets[i]);
    return status;
}

static enum status deductions_find(struct session *session, int argument)
{
    struct ledger_deduction rows[ITEMS];
    struct text ids[ITEMS];
    for (int i = 0; i < ITEMS; i++)
        ids[i] = text_of(arena_format(&session->arena, "%02d-%040d-%02d", i * 2, 0, argument));
    enum status status =
        ledger_deductions_find(session->ledger, ids, ITEMS, &session->arena, rows, &session->error);
    for (int i = 0; i < ITEMS && status == STATUS_OK; i++) {
        if (!rows[i].found) continue;
        buffer_format(&session->answer, "%d " TEXT_FORMAT " %lld %lld %d %d %d\n", i,
                      TEXT_ARGUMENTS(rows[i].budget_id), (long long)rows[i].amount,
                      (long long)rows[i].deducted_at_us, rows[i].state, rows[i].reason, rows[i].refund);
    }
    return status;
}

static enum status stats(struct session *session, int argument)
{
    struct ledger_stats found;
    (void)argument;
    enum status status = ledger_stats(session->ledger, &found, &session->error);
    /* Not the count of the parked: see session_content. */
    if (status == STATUS_OK)
        buffer_format(&session->answer, "%lld %lld %lld", (long long)found.budgets,
                      (long long)found.refunds_due, (long long)found.credits_due);
    return status;
}

/* Which moves the whole write-ahead log into the file. */
static enum status reopen(struct session *session, int argument)
{
    (void)argument;
    session_reopen(session);
    return STATUS_OK;
}

static const struct step steps[] = {
    {"initialise", initialise, 0},
    {"create a", create, 0},
    {"create b", create, 1},
    {"create small", create, 2},
    {"mark a credit", credit_mark, 0},
    {"settle", settle, 0},
    {"settle with known ids", settle, 1},
    {"credit", credit, 3},
    {"park", park, 3},
    {"settle", settle, 2},
    {"fetch debts", debts_fetch, 0},
    {"mark debts", debts_mark, 0},
    {"reopen", reopen, 0},
    {"ping", ping, 0},
    {"settle after reopening", settle, 3},
    {"close a budget", set_state, BUDGET_CLOSED},
    {"settle in a closed budget", settle, 4},
    {"find a budget", budget_find, 0},
    {"list budgets", budgets_list, 0},
    {"find deductions", deductions_find, 2},
    {"count", stats, 0},
    {"delete a budget", set_state, BUDGET_DELETED},
    {"settle in a deleted budget", settle, 5},
    {"fetch the debts left", debts_fetch, 0},
    {"mark the debts left", debts_mark, 0},
    {"settle at last", settle, 6},
};

_Static_assert(sizeof steps / sizeof steps[0] <= SESSION_STEPS_MAX, "more steps than a script holds");

size_t session_steps(void)
{
    return sizeof steps / sizeof steps[0];
}

const char *session_step_name(size_t step)
{
    assert(step < session_steps());
    return steps[step].name;
}

enum status session_step(struct session *session, size_t step)
{
    assert(step < session_steps());
    buffer_clear(&session->answer);
    arena_reset(&session->arena);
    return steps[step].run(session, steps[step].argument);
}

/* Settled or rejected in the try whose answer was lost, and so a duplicate now. */
static bool verdicts_are_right(const char *got, const char *wanted)
{
    if (strlen(got) != strlen(wanted)) return false;
    for (size_t i = 0; got[i] != '\0'; i++) {
        bool own = wanted[i] == 'S' || wanted[i] == 'R';
        if (got[i] != (own ? 'D' : wanted[i])) return false;
    }
    return true;
}

bool session_answer_is_right(const struct session *session, const struct script *script, size_t step)
{
    const char *got = session->answer.size == 0 ? "" : session->answer.data;
    if (strcmp(got, script->answers[step]) == 0) return true;
    return session->repeating && steps[step].run == settle && verdicts_are_right(got, script->answers[step]);
}
