/* `bursar budget show` and `list`. */
#include "cli/budget.h"

#include "base/instant.h"
#include "cli/output.h"
#include "cli/report.h"

#include <stdlib.h>

static enum exit_status levels(struct session *session, const struct budget_request *request,
                               struct budget_row *rows, size_t count)
{
    enum status status = budget_rows_level(session, rows, count);
    if (status == STATUS_OK) return EXIT_STATUS_WELL;
    report("budget %s: left and pending are not known: Redis: %s", request->verb, session->error.text);
    bool unavailable =
        status == STATUS_UNKNOWN || status == STATUS_REFUSED; /* of its keys, not of the words */
    return unavailable ? EXIT_STATUS_UNAVAILABLE : exit_status_of(status);
}

static void print_row(const struct budget_row *row)
{
    static const char *const headers[] = {"FIELD", "VALUE"};
    const struct ledger_budget *budget = &row->budget;
    char created[INSTANT_TEXT_SIZE], updated[INSTANT_TEXT_SIZE];
    instant_format(budget->created_at_us, created);
    instant_format(budget->updated_at_us, updated);
    struct table table = table_begin(headers, 2);
    struct arena *arena = &table.arena;
    const struct {
        const char *field, *value;
    } lines[] = {
        {"id", arena_copy(arena, budget->id).data},
        {"name", arena_copy(arena, budget->name).data},
        {"description", arena_copy(arena, budget->description).data},
        {"total", budget_number(arena, true, budget->total)},
        {"settled", output_number(arena, budget->settled)},
        {"state", budget_state_name(budget->state)},
        {"ext_params", arena_copy(arena, budget->ext_params).data},
        {"created_at", created},
        {"updated_at", updated},
        {"left", budget_number(arena, row->has_level && row->left != STOCK_LEFT_NONE, row->left)},
        {"pending", budget_number(arena, row->has_level, row->pending)},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        table_add(&table, (const char *[]){lines[i].field, lines[i].value});
    table_print(&table);
    table_free(&table);
}

int budget_show(struct session *session, const struct budget_request *request)
{
    struct budget_row row = {.left = STOCK_LEFT_NONE};
    bool found = false;
    struct error *error = &session->error;
    enum status status = ledger_budget_find(session->ledger, text_of(request->id), &session->arena,
                                            &row.budget, &found, error);
    if (status != STATUS_OK)
        return report_exit(exit_status_of_ledger(status, error), "budget show: %s", error->text);
    if (!found)
        return report_exit(EXIT_STATUS_DATA, "budget show: there is no budget %s; see bursar budget list",
                           request->id);
    enum exit_status exit = levels(session, request, &row, 1);
    if (request->json)
        output_json(budget_row_json(&row));
    else
        print_row(&row);
    return (int)exit;
}

static void print_rows(const struct budget_row *rows, size_t count)
{
    static const char *const headers[] = {"BUDGET", "NAME", "STATE", "TOTAL", "SETTLED", "LEFT", "PENDING"};
    struct table table = table_begin(headers, 7);
    struct arena *arena = &table.arena;
    for (size_t i = 0; i < count; i++) {
        const struct ledger_budget *budget = &rows[i].budget;
        table_add(&table, (const char *[]){
                              arena_copy(arena, budget->id).data, arena_copy(arena, budget->name).data,
                              budget_state_name(budget->state), budget_number(arena, true, budget->total),
                              output_number(arena, budget->settled),
                              budget_number(arena, rows[i].has_level && rows[i].left != STOCK_LEFT_NONE,
                                            rows[i].left),
                              budget_number(arena, rows[i].has_level, rows[i].pending)});
    }
    table_print(&table);
    table_free(&table);
}

int budget_list(struct session *session, const struct budget_request *request)
{
    struct budget_row *rows;
    size_t count;
    enum status status = budget_rows_read(session, &rows, &count);
    if (status != STATUS_OK) {
        return report_exit(exit_status_of_ledger(status, &session->error), "budget list: %s",
                           session->error.text);
    }
    enum exit_status exit = levels(session, request, rows, count);
    if (request->json) {
        json_t *list = json_array();
        for (size_t i = 0; i < count; i++) json_array_append_new(list, budget_row_json(&rows[i]));
        output_json(list);
    } else {
        print_rows(rows, count);
    }
    free(rows);
    return (int)exit;
}
