/* `bursar budget close`, `reopen` and `delete`. */
#include "cli/budget.h"

#include "base/failpoint.h"
#include "cli/output.h"
#include "cli/report.h"

static enum exit_status find(struct session *session, const struct budget_request *request,
                             struct ledger_budget *budget)
{
    bool found = false;
    struct error *error = &session->error;
    enum status status =
        ledger_budget_find(session->ledger, text_of(request->id), &session->arena, budget, &found, error);
    if (status != STATUS_OK) {
        report("budget %s: %s", request->verb, error->text);
        return exit_status_of_ledger(status, error);
    }
    if (found) return EXIT_STATUS_WELL;
    report("budget %s: there is no budget %s; see bursar budget list", request->verb, request->id);
    return EXIT_STATUS_DATA;
}

static int print_state(const struct budget_request *request, enum budget_state state)
{
    if (request->json) {
        output_json(json_pack("{s:s, s:s}", "id", request->id, "state", budget_state_name(state)));
        return EXIT_STATUS_WELL;
    }
    static const char *const headers[] = {"BUDGET", "STATE"};
    struct table table = table_begin(headers, 2);
    table_add(&table, (const char *[]){request->id, budget_state_name(state)});
    table_print(&table);
    table_free(&table);
    return EXIT_STATUS_WELL;
}

static enum exit_status redis_set(struct session *session, const struct budget_request *request,
                                  enum budget_state state, int64_t *now_us)
{
    enum status status =
        stock_state_set(session->stock, text_of(request->id), state, now_us, &session->error);
    if (status == STATUS_OK) return EXIT_STATUS_WELL;
    report("budget %s: Redis: %s", request->verb, session->error.text);
    return exit_status_of(status);
}

/* Redis first: its time of the closing is what the ledger compares tokens with, and nothing more is sold once
 * the ledger begins to reject. */
static int shut(struct session *session, const struct budget_request *request, enum budget_state state)
{
    int64_t now_us = 0;
    enum exit_status exit = redis_set(session, request, state, &now_us);
    if (exit != EXIT_STATUS_WELL) return (int)exit;
    FAILPOINT("close-redis");
    enum status status =
        ledger_budget_state_set(session->ledger, text_of(request->id), state, now_us, &session->error);
    if (status == STATUS_OK) return print_state(request, state);
    return report_exit(EXIT_STATUS_TRY_AGAIN,
                       "budget %s: done in Redis, not in the ledger: %s; run the same again", request->verb,
                       session->error.text);
}

int budget_close(struct session *session, const struct budget_request *request)
{
    struct ledger_budget budget;
    enum exit_status exit = find(session, request, &budget);
    if (exit != EXIT_STATUS_WELL) return (int)exit;
    if (budget.state == BUDGET_DELETED) {
        return report_exit(EXIT_STATUS_DATA, "budget close: %s is deleted, which is more than closed",
                           request->id);
    }
    return shut(session, request, BUDGET_CLOSED);
}

int budget_delete(struct session *session, const struct budget_request *request)
{
    struct ledger_budget budget;
    enum exit_status exit = find(session, request, &budget);
    return exit == EXIT_STATUS_WELL ? shut(session, request, BUDGET_DELETED) : (int)exit;
}

/* The ledger first: what Redis sells must find it open. */
int budget_reopen(struct session *session, const struct budget_request *request)
{
    struct ledger_budget budget;
    struct error *error = &session->error;
    enum exit_status exit = find(session, request, &budget);
    if (exit != EXIT_STATUS_WELL) return (int)exit;
    if (budget.state == BUDGET_DELETED) {
        return report_exit(EXIT_STATUS_DATA, "budget reopen: %s is deleted, and stays so; create another",
                           request->id);
    }
    enum status status = stock_ping(session->stock, error);
    if (status != STATUS_OK)
        return report_exit(exit_status_of(status), "budget reopen: Redis: %s; nothing was changed",
                           error->text);
    status = ledger_budget_state_set(session->ledger, text_of(request->id), BUDGET_ACTIVE, 0, error);
    if (status != STATUS_OK)
        return report_exit(exit_status_of_ledger(status, error), "budget reopen: %s", error->text);
    FAILPOINT("reopen-ledger");
    int64_t now_us = 0;
    status = stock_state_set(session->stock, text_of(request->id), BUDGET_ACTIVE, &now_us, error);
    if (status == STATUS_OK) return print_state(request, BUDGET_ACTIVE);
    return report_exit(EXIT_STATUS_TRY_AGAIN,
                       "budget reopen: done in the ledger, not in Redis: %s; run the same again",
                       error->text);
}
