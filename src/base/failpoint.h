/* Failpoints: places where a test makes the process die, between two steps that a crash could separate.
 *
 *   BURSAR_FAILPOINT=after-commit      die (SIGKILL) the first time `after-commit` is reached
 *   BURSAR_FAILPOINT=after-commit:3    the third time
 *
 * Compiled in only with BURSAR_FAILPOINTS; in a normal build the macro is nothing. */
#ifndef BURSAR_BASE_FAILPOINT_H
#define BURSAR_BASE_FAILPOINT_H

#ifdef BURSAR_FAILPOINTS
void failpoint_reach(const char *name);
#define FAILPOINT(name) failpoint_reach(name)
#else
#define FAILPOINT(name) ((void)0)
#endif

#endif
