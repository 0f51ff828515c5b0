/* The last run of reconcile, for `bursar status`. */
#ifndef BURSAR_CLI_LAST_RUN_H
#define BURSAR_CLI_LAST_RUN_H

#include "cli/output.h"
#include "port/ledger_audit.h"

/* The caller owns the object. */
json_t *last_run_json(const struct reconcile_run *run);

/* One line, in the arena: "2026-01-02T03:04:05Z by user@host: clean". */
const char *last_run_text(struct arena *arena, const struct reconcile_run *run);

#endif
