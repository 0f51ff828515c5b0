/* The subcommands: one function each, and the table that main looks them up in. */
#ifndef BURSAR_CLI_COMMANDS_H
#define BURSAR_CLI_COMMANDS_H

#include "cli/options.h"

/* What main hands to a command: the common options that stood before its name. The command adds those behind
 * it. */
struct command_context {
    struct options options;
};

/* argv[0] is the command's name, what follows is everything behind it. Returns the exit status
 * (exit_status.h). main flushes stdout and notices when it could not be written. */
typedef int command_function(struct command_context *context, int argc, char **argv);

command_function command_init;
command_function command_check;
command_function command_run;
command_function command_budget;
command_function command_deduct;
command_function command_reconcile;
command_function command_dlq;
command_function command_status;

#endif
