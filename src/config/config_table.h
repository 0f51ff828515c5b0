/* The table of configuration keys: one row a key. Everything else about a key is derived from its row. */
#ifndef BURSAR_CONFIG_CONFIG_TABLE_H
#define BURSAR_CONFIG_CONFIG_TABLE_H

#include "config/config.h"

enum config_type {
    CONFIG_STRING,  /* char *, owned; with `choices` only one of them */
    CONFIG_BOOL,    /* bool */
    CONFIG_INTEGER, /* int64_t, min to max */
    CONFIG_SECONDS, /* int64_t, min to max */
    CONFIG_CHOICE,  /* an enum: the index into `choices` */
};

struct config_key {
    const char *name; /* "section.key" */
    enum config_type type;
    size_t offset;        /* in struct config */
    const char *fallback; /* the default, as --set would write it */
    int64_t min, max;     /* of a number; of a string, its size in bytes */
    const char *unit;     /* NULL: none */
    const char *choices;  /* "a|b|c"; NULL: any */
    /* A further rule for a string, NULL: none. Returns what is wrong, without repeating the value; NULL:
     * nothing. */
    const char *(*check)(const char *value);
    bool restart;     /* a change needs a restart; otherwise a reload takes it up */
    const char *help; /* one sentence without its full stop */
};

extern const struct config_key config_keys[];
extern const size_t config_key_count;

/* NULL: no such key. */
const struct config_key *config_key_find(const char *name);

/* The key whose name is closest to `name`, where it is close enough to be a slip; else NULL. A key without
 * its section counts as close. Static storage. */
const char *config_key_suggest(const char *name);

/* True where `section` (without the dot) begins the name of a key. */
bool config_section_exists(const char *section, size_t size);

#endif
