/* What goes to stderr: errors and warnings, each one line that begins with "bursar: ". */
#ifndef BURSAR_CLI_REPORT_H
#define BURSAR_CLI_REPORT_H

#include "cli/exit_status.h"

/* What failed, on what, why, what to do. Control characters of foreign text are shown as '?', so that it
 * stays one line. */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, and returns `status` as main's exit status. */
int report_exit(enum exit_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
