/* The warning that letters were looked at often. */
#ifndef BURSAR_CLI_LETTER_RETURNS_H
#define BURSAR_CLI_LETTER_RETURNS_H

#include <stdbool.h>
#include <stdint.h>

#define LETTER_RETURNS_SIZE 512

/* What the operator of `queue` should know where a letter came back to it `returns_max` times, in one line.
 * False: not often enough to say anything. */
bool letter_returns_tell(const char *queue, int64_t returns_max, char line[LETTER_RETURNS_SIZE]);

#endif
