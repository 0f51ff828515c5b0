/* From the configuration to the ports: the one place that knows which adapter stands behind which key. None
 * of these connects. */
#ifndef BURSAR_CLI_WIRING_H
#define BURSAR_CLI_WIRING_H

#include "amqp/amqp_broker.h"
#include "config/config.h"
#include "port/broker.h"
#include "port/ledger.h"
#include "port/stock.h"

enum wiring_role {
    WIRING_WORKER, /* the one that settles */
    WIRING_TOOL,   /* any other command */
};

/* STATUS_CONFIG: the key and what is wrong with it; a ledger that this build does not have. The caller closes
 * what was opened. */
MUST_CHECK enum status wiring_ledger(const struct config *config, enum wiring_role role,
                                     struct ledger **ledger, struct error *error);
MUST_CHECK enum status wiring_stock(const struct config *config, struct stock **stock, struct error *error);

/* After a worker's ledger answered STATUS_CONFIG: whether that is because another worker settles into it, and
 * not because it is set up wrongly. A tool takes no lock, so it finds nothing wrong then. Asks the ledger. */
bool wiring_ledger_is_taken(const struct config *config);

/* The options of a consumer or a publisher; they borrow the configuration. `cancel` may be NULL. */
struct amqp_options wiring_amqp_options(const struct config *config, const char *connection_name,
                                        const atomic_bool *cancel);

MUST_CHECK enum status wiring_publisher(const struct config *config, const char *connection_name,
                                        const atomic_bool *cancel, struct publisher **publisher,
                                        struct error *error);
MUST_CHECK enum status wiring_consumer(const struct config *config, const char *connection_name,
                                       const atomic_bool *cancel, struct consumer **consumer,
                                       struct error *error);

#endif
