/* What the command's exit status says: the numbers of sysexits.h, as far as they are promised. */
#ifndef BURSAR_CLI_EXIT_STATUS_H
#define BURSAR_CLI_EXIT_STATUS_H

#include "base/status.h"

enum exit_status {
    EXIT_STATUS_WELL = 0,
    EXIT_STATUS_FOUND = 1,          /* it found something: a deduction refused */
    EXIT_STATUS_USAGE = 64,         /* the command line; a bad id or amount on it, too */
    EXIT_STATUS_DATA = 65,          /* input data: an unknown or existing budget, a bad line */
    EXIT_STATUS_UNAVAILABLE = 69,   /* a service is unavailable */
    EXIT_STATUS_INTERNAL = 70,      /* a bug, or an exhausted machine */
    EXIT_STATUS_TRY_AGAIN = 75,     /* not finished; safe to repeat */
    EXIT_STATUS_CONFIGURATION = 78, /* configuration, or a service that was set up otherwise */
};

/* For a call that failed before anything was changed. */
enum exit_status exit_status_of(enum status status);

/* The same for a ledger, whose missing or older schema is the operator's to mend. */
enum exit_status exit_status_of_ledger(enum status status, const struct error *error);

/* The one to exit with when two things went wrong: what must be repeated goes before what must be mended, and
 * that before what was refused. */
enum exit_status exit_status_worse(enum exit_status a, enum exit_status b);

#endif
