/* The configuration file: libconfig's syntax, sections of keys. */
#ifndef BURSAR_CONFIG_CONFIG_FILE_H
#define BURSAR_CONFIG_CONFIG_FILE_H

#include "config/config.h"

/* Stores what the file says over what is there. With `optional` a file that does not exist is no error.
 * STATUS_CONFIG: the text names file, line and key. */
MUST_CHECK enum status config_file_read(struct config *config, const char *path, bool optional,
                                        struct error *error);

#endif
