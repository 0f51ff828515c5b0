/* What a command works with: the configuration, and the services that it asked for, each connected by its
 * first use. */
#ifndef BURSAR_CLI_SESSION_H
#define BURSAR_CLI_SESSION_H

#include "cli/commands.h"
#include "cli/exit_status.h"
#include "cli/wiring.h"

enum { SESSION_LEDGER = 1, SESSION_STOCK = 2, SESSION_BROKER = 4 };

struct session {
    struct config config;
    struct ledger *ledger; /* NULL where not asked for, as the next two */
    struct stock *stock;
    struct publisher *publisher;
    struct arena arena; /* for what the ledger hands out */
    struct error error; /* of the last call */
};

/* Loads the configuration and opens `services` (SESSION_…). Anything but EXIT_STATUS_WELL has been reported.
 * The caller closes in any case. */
MUST_CHECK enum exit_status session_open(struct session *session, const struct options *options,
                                         int services);

void session_close(struct session *session);

#endif
