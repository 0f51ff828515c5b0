/* The text of a configuration file, for what libconfig does not tell: numbers that it cuts, names that it
 * does not repeat. */
#ifndef BURSAR_CONFIG_CONFIG_SOURCE_H
#define BURSAR_CONFIG_CONFIG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Line `number` (from 1) of the file at `path`, into `line`; empty where it cannot be read. */
void config_source_line(const char *path, unsigned number, char *line, size_t size);

/* The number that the setting `name`, whose name stands on line `number`, is given in the file at `path`; one
 * beyond 64 bits is read as the nearest limit. False: there is none. */
bool config_source_number(const char *path, unsigned number, const char *name, int64_t *value);

#endif
