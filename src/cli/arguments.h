/* What a command line says, checked. Each reports what is wrong and returns false. */
#ifndef BURSAR_CLI_ARGUMENTS_H
#define BURSAR_CLI_ARGUMENTS_H

#include "cli/options.h"

#include <stdint.h>

/* What reading a command line came to. */
enum arguments_next {
    ARGUMENTS_READ, /* go on: the words are argv[optind] and on */
    ARGUMENTS_DONE, /* --help or --version was asked for and answered */
    ARGUMENTS_BAD,  /* reported */
};

/* What a command says of itself. */
struct command_usage {
    const char *name; /* "budget" */
    const char *help; /* the whole text of --help */
    const struct option *own;
    const int *repeated; /* those of them that may be given more than once; ends with 0; NULL: none */
    /* Called for each own option. False: it reported that the value is wrong. */
    bool (*take)(void *target, int option, const char *value);
};

enum arguments_next arguments_read(const struct command_usage *usage, struct options *options, int argc,
                                   char **argv, void *target);

/* Reports that there must be `least` to `most` words behind the command's name, where there are not. */
bool arguments_count(const char *command, int count, int least, int most);

bool argument_budget_id(const char *command, const char *word);
bool argument_message_id(const char *command, const char *what, const char *word);
bool argument_amount(const char *command, const char *word, int64_t *amount);

/* UTF-8 of at most `characters_max` code points. */
bool argument_characters(const char *command, const char *option, const char *word, size_t characters_max);

/* UTF-8 of at most `size_max` bytes. */
bool argument_text(const char *command, const char *option, const char *word, size_t size_max);

#endif
