/* Budgets as ledger and Redis see them. */
#include "cli/budget.h"

#include "base/instant.h"
#include "base/memory.h"
#include "cli/output.h"
#include "core/limits.h"

#include <stdlib.h>

#define PAGE 500

enum status budget_rows_read(struct session *session, struct budget_row **rows, size_t *count)
{
    struct ledger_budget page[PAGE];
    struct text after = TEXT_NONE;
    *rows = NULL;
    *count = 0;
    for (size_t got = PAGE; got == PAGE;) {
        enum status status =
            ledger_budgets_list(session->ledger, after, &session->arena, page, PAGE, &got, &session->error);
        if (status != STATUS_OK) {
            free(*rows);
            *rows = NULL;
            *count = 0;
            return status;
        }
        *rows = memory_resize(*rows, *count + got, sizeof **rows);
        for (size_t i = 0; i < got; i++)
            (*rows)[(*count)++] = (struct budget_row){.budget = page[i], .left = STOCK_LEFT_NONE};
        if (got > 0) after = page[got - 1].id;
    }
    return STATUS_OK;
}

enum status budget_rows_level(struct session *session, struct budget_row *rows, size_t count)
{
    struct stock_level levels[PAGE];
    enum status worst = STATUS_OK;
    for (size_t first = 0; first < count; first += PAGE) {
        size_t size = count - first < PAGE ? count - first : PAGE;
        for (size_t i = 0; i < size; i++)
            levels[i] = (struct stock_level){.budget_id = rows[first + i].budget.id, .status = STATUS_RETRY};
        enum status status = stock_levels(session->stock, levels, size, &session->error);
        for (size_t i = 0; i < size; i++) {
            struct budget_row *row = &rows[first + i];
            row->has_level = levels[i].status == STATUS_OK;
            if (!row->has_level) {
                if (worst == STATUS_OK) worst = levels[i].status;
                continue;
            }
            row->left = levels[i].left;
            row->pending = levels[i].pending;
        }
        if (status != STATUS_OK && status != STATUS_REFUSED) return status;
    }
    return worst;
}

static json_t *integer_or_null(bool known, int64_t number)
{
    return known ? json_integer(number) : json_null();
}

static json_t *time_json(int64_t wall_us)
{
    char text[INSTANT_TEXT_SIZE];
    instant_format(wall_us, text);
    return json_string(text);
}

json_t *budget_row_json(const struct budget_row *row)
{
    const struct ledger_budget *budget = &row->budget;
    bool has_left = row->has_level && row->left != STOCK_LEFT_NONE;
    return json_pack(
        "{s:o, s:o, s:o, s:I, s:I, s:s, s:o, s:o, s:o, s:o, s:o}", "id", output_json_text(budget->id), "name",
        output_json_text(budget->name), "description", output_json_text(budget->description), "total",
        (json_int_t)budget->total, "settled", (json_int_t)budget->settled, "state",
        budget_state_name(budget->state), "ext_params", output_json_text(budget->ext_params), "created_at",
        time_json(budget->created_at_us), "updated_at", time_json(budget->updated_at_us), "left",
        integer_or_null(has_left, row->left), "pending", integer_or_null(row->has_level, row->pending));
}

const char *budget_number(struct arena *arena, bool known, int64_t number)
{
    if (!known) return "-";
    return number == TOTAL_UNLIMITED ? "unlimited" : output_number(arena, number);
}
