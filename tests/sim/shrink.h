/* From a long history that breaks a rule to a short one that breaks it too. */
#ifndef BURSAR_TESTS_SIM_SHRINK_H
#define BURSAR_TESTS_SIM_SHRINK_H

#include "sim/world.h"

/* "1-17,40" as a choice of steps by number from 1; the caller frees. Ends the program where it is none. */
bool *steps_parse(const char *list, size_t *count);

/* Leaves out steps as long as the same rule is still broken ("ddmin", Zeller and Hildebrandt, 2002), and
 * prints the command that runs what is left. `found` is what the whole history came to. */
void shrink(const struct history *history, const struct outcome *found);

#endif
