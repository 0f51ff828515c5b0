/* The parts of `bursar budget`. */
#ifndef BURSAR_CLI_BUDGET_H
#define BURSAR_CLI_BUDGET_H

#include "cli/session.h"

#include <jansson.h>
#include <stdint.h>

/* What the command line asks for; NULL: not said. */
struct budget_request {
    const char *verb; /* "create" */
    const char *id;
    const char *number; /* the second word of `add` */
    const char *total, *name, *description, *ext, *credit_id;
    bool json;
};

/* Each returns the exit status, with what went wrong reported. */
int budget_create(struct session *session, const struct budget_request *request);
int budget_add(struct session *session, const struct budget_request *request);
int budget_close(struct session *session, const struct budget_request *request);
int budget_reopen(struct session *session, const struct budget_request *request);
int budget_delete(struct session *session, const struct budget_request *request);
int budget_show(struct session *session, const struct budget_request *request);
int budget_list(struct session *session, const struct budget_request *request);

/* A budget as ledger and Redis see it. */
struct budget_row {
    struct ledger_budget budget; /* texts lie in the session's arena */
    bool has_level;              /* Redis answered */
    int64_t left;                /* STOCK_LEFT_NONE: no stock key */
    int64_t pending;
};

/* All budgets, in byte order of their ids; *rows is the caller's to free. Not STATUS_OK: see the session's
 * error, *rows is NULL. */
MUST_CHECK enum status budget_rows_read(struct session *session, struct budget_row **rows, size_t *count);

/* Asks Redis for the levels. Rows that it does not answer for stay without; see the session's error. */
MUST_CHECK enum status budget_rows_level(struct session *session, struct budget_row *rows, size_t count);

/* The columns of v_budget as they are (ext_params is JSON text), and left and pending, which are null where
 * unknown. */
json_t *budget_row_json(const struct budget_row *row);

/* "unlimited", "-" for unknown, or digits; in the arena. */
const char *budget_number(struct arena *arena, bool known, int64_t number);

#endif
