/* The parts of `bursar deduct`. */
#ifndef BURSAR_CLI_DEDUCT_H
#define BURSAR_CLI_DEDUCT_H

#include "bursar/producer.h"

#include "base/arena.h"
#include "base/text.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "config/config.h"

#include <jansson.h>

/* One line of `--from`. */
struct deduct_line {
    int64_t number; /* from 1 */
    bool valid;
    char error[BURSAR_ERROR_SIZE]; /* why it is not */
    struct bursar_request request; /* texts lie in the arena */
};

/* Reads {"message_id"?, "budget_id", "amount", "user_id"?}. */
void deduct_line_parse(struct text text, struct arena *arena, struct deduct_line *line);

/* {"message_id", "budget_id", "amount", "status", "left", "deducted_at", "published"}, and "error" where
 * there is one. */
json_t *deduct_result_json(const struct bursar_request *request, const struct bursar_result *result);

/* A table of the same columns; its rows. */
struct table deduct_table_begin(void);
void deduct_table_add(struct table *table, const struct bursar_request *request,
                      const struct bursar_result *result);
void deduct_table_add_invalid(struct table *table);

/* What one result means for the exit status, but for what the whole call says. */
enum exit_status deduct_exit_of(const struct bursar_result *result);

/* What the whole call says. */
enum exit_status deduct_exit_of_code(enum bursar_code code);

/* `bursar deduct --from PATH` ("-": standard input) on an open producer. Returns the exit status. */
int deduct_from(struct bursar_producer *producer, const char *path, bool json);

#endif
