/* The tables and views, as numbered migrations. */
#ifndef BURSAR_SQLITE_SCHEMA_H
#define BURSAR_SQLITE_SCHEMA_H

#include "base/status.h"

#include <stdbool.h>

/* In the file's header, so that `file` and this program know whose it is: "BURS". */
#define SCHEMA_APPLICATION_ID 0x42555253

struct sqlite_ledger;

/* On a connection just made: is the file Bursar's, or empty? STATUS_CONFIG: neither. */
MUST_CHECK enum status schema_identify(struct sqlite_ledger *ledger, bool *empty, struct error *error);

/* Inside a transaction: STATUS_RETRY that names `bursar init` for an older schema, STATUS_CONFIG for a newer
 * one. */
MUST_CHECK enum status schema_check(struct sqlite_ledger *ledger, struct error *error);

/* Runs the migrations that are missing, in one transaction. */
MUST_CHECK enum status schema_migrate(struct sqlite_ledger *ledger, struct error *error);

#endif
