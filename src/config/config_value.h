/* One value of one key: parsed, checked, stored, compared. */
#ifndef BURSAR_CONFIG_CONFIG_VALUE_H
#define BURSAR_CONFIG_CONFIG_VALUE_H

#include "config/config_table.h"

/* A value as it was written, by type; nothing is converted on the way. */
struct config_value {
    enum { CONFIG_WRITTEN_STRING, CONFIG_WRITTEN_BOOL, CONFIG_WRITTEN_NUMBER, CONFIG_WRITTEN_OTHER } written;
    const char *string; /* borrowed */
    bool boolean;
    int64_t number;
};

/* Stores a value. STATUS_CONFIG: wrong type, out of range, not one of the choices; the text begins with the
 * key's name, says what is expected, and holds no password. */
MUST_CHECK enum status config_value_store(struct config *config, const struct config_key *key,
                                          struct config_value value, struct error *error);

/* The same from text (--set, the environment), which is read as the key's type wants it. */
MUST_CHECK enum status config_value_parse(struct config *config, const struct config_key *key,
                                          const char *text, struct error *error);

bool config_value_equal(const struct config *a, const struct config *b, const struct config_key *key);

/* "text", "true or false", "a whole number of seconds, 1 to 60", "one of a, b, c" into `text`. */
#define CONFIG_EXPECTED_SIZE 160
void config_value_expected(const struct config_key *key, char text[CONFIG_EXPECTED_SIZE]);

#endif
