/* The journal of interventions, for whoever writes it within a transaction of its own. */
#ifndef BURSAR_SQLITE_JOURNAL_H
#define BURSAR_SQLITE_JOURNAL_H

#include "port/ledger_audit.h"

struct sqlite_ledger;

/* Inside a write transaction: the sequence that the next entry gets. */
MUST_CHECK enum status journal_next(struct sqlite_ledger *ledger, int64_t now_us, int64_t *sequence,
                                    struct error *error);

/* Inside a write transaction: adds the entry under its sequence. STATUS_REFUSED: its content. */
MUST_CHECK enum status journal_append(struct sqlite_ledger *ledger, const struct intervention *entry,
                                      int64_t now_us, struct error *error);

#endif
