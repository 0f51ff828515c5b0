/* Rules for single values that no type expresses. Each returns what is wrong, in words that go on from "KEY:
 * ", and never repeats the value, which may hold a password; NULL: nothing is wrong. */
#ifndef BURSAR_CONFIG_CONFIG_CHECK_H
#define BURSAR_CONFIG_CONFIG_CHECK_H

const char *config_check_amqp_url(const char *value);
const char *config_check_redis_url(const char *value);
const char *config_check_ledger_url(const char *value);
const char *config_check_listen(const char *value);
const char *config_check_name(const char *value);
const char *config_check_prefix(const char *value);

#endif
