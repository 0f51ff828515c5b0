/* The environment's part of the configuration. */
#ifndef BURSAR_CONFIG_CONFIG_ENVIRONMENT_H
#define BURSAR_CONFIG_CONFIG_ENVIRONMENT_H

#include "config/config.h"

/* Stores BURSAR_AMQP_URL, BURSAR_REDIS_URL and BURSAR_LEDGER_URL, or what the file holds that …_FILE names,
 * over what is there. A variable that is set to nothing counts as not set. STATUS_CONFIG: the text names the
 * variable; both forms at once are an error. */
MUST_CHECK enum status config_environment_read(struct config *config, struct error *error);

#endif
