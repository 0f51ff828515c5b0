#include "cli/deduct.h"

enum exit_status deduct_exit_of(const struct bursar_result *result)
{
    if (result->unconfirmed) return EXIT_STATUS_TRY_AGAIN;
    switch (result->status) {
    case BURSAR_DEDUCTED:
    case BURSAR_REPEAT:
    case BURSAR_UNKNOWN: return EXIT_STATUS_WELL; /* the whole call's status says why */
    case BURSAR_UNAVAILABLE: return EXIT_STATUS_UNAVAILABLE;
    case BURSAR_INSUFFICIENT:
    case BURSAR_NOT_INITIALISED:
    case BURSAR_CONFLICT:
    case BURSAR_INVALID:
    case BURSAR_REFUNDED:
    case BURSAR_CLOSED: return EXIT_STATUS_FOUND;
    }
    return EXIT_STATUS_INTERNAL;
}

enum exit_status deduct_exit_of_code(enum bursar_code code)
{
    switch (code) {
    case BURSAR_OK: return EXIT_STATUS_WELL;
    case BURSAR_AWAY: return EXIT_STATUS_UNAVAILABLE;
    case BURSAR_UNCONFIRMED: return EXIT_STATUS_TRY_AGAIN;
    case BURSAR_BAD_SETUP: return EXIT_STATUS_CONFIGURATION;
    }
    return EXIT_STATUS_INTERNAL;
}

json_t *deduct_result_json(const struct bursar_request *request, const struct bursar_result *result)
{
    return json_pack("{s:s, s:s, s:I, s:s, s:o, s:o, s:b, s:o*}", "message_id", result->message_id,
                     "budget_id", request->budget_id, "amount", (json_int_t)request->amount, "status",
                     bursar_status_name(result->status), "left",
                     result->has_left ? json_integer(result->left) : json_null(), "deducted_at",
                     result->deducted_at_us != 0 ? json_integer(result->deducted_at_us) : json_null(),
                     "published", (int)result->published, "error",
                     result->error[0] == '\0' ? NULL : output_json_text(text_of(result->error)));
}

struct table deduct_table_begin(void)
{
    static const char *const headers[] = {"MESSAGE", "BUDGET",      "AMOUNT",   "STATUS",
                                          "LEFT",    "DEDUCTED_AT", "PUBLISHED"};
    return table_begin(headers, sizeof headers / sizeof headers[0]);
}

void deduct_table_add(struct table *table, const struct bursar_request *request,
                      const struct bursar_result *result)
{
    struct arena *arena = &table->arena;
    table_add(table, (const char *[]){
                         result->message_id, request->budget_id, output_number(arena, request->amount),
                         bursar_status_name(result->status),
                         result->has_left ? output_number(arena, result->left) : NULL,
                         result->deducted_at_us != 0 ? output_number(arena, result->deducted_at_us) : NULL,
                         result->published ? "yes" : "no"});
}

void deduct_table_add_invalid(struct table *table)
{
    table_add(table,
              (const char *[]){NULL, NULL, NULL, bursar_status_name(BURSAR_INVALID), NULL, NULL, "no"});
}
