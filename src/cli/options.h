/* The options that every command takes, before or after its own words: -c FILE, --set KEY=VALUE, --json,
 * --help, --version. */
#ifndef BURSAR_CLI_OPTIONS_H
#define BURSAR_CLI_OPTIONS_H

#include "config/config.h"

#include <getopt.h>
#include <stdbool.h>

struct options {
    const char *config_file; /* NULL: not given */
    const char **sets;       /* the array is owned, the texts are the command line's */
    size_t set_count;
    bool json, help, version;
};

enum { OPTIONS_END = -1, OPTIONS_BAD = -2 };

/* The values of a command's own options begin here. */
#define OPTION_OWN 256
/* A command has at most so many of its own. */
#define OPTIONS_OWN_MAX 16

/* Begins with argv[1]. With `stop_at_word` the first word that is no option ends them, and optind is its
 * index; otherwise options may stand between words, and at the end the words are argv[optind] and on. Not
 * thread-safe, as getopt is not. */
void options_begin(bool stop_at_word);

/* The next of the command's own options (its `val`; optarg is its argument), OPTIONS_END, or OPTIONS_BAD,
 * which has been reported. Common ones are kept in *options on the way. `own` ends with a row of zeros and
 * may be NULL. `command` is for messages: "budget". */
int options_next(struct options *options, const char *command, int argc, char **argv,
                 const struct option *own);

/* Keeps the value of an option that may be given once: of two, nobody can know which one was meant. `kept` is
 * NULL at first. False: it was given before, which has been reported. `option` goes without its dashes. */
bool options_once(const char *command, const char *option, const char **kept, const char *value);

struct config_source options_config_source(const struct options *options);

void options_free(struct options *options);

#endif
