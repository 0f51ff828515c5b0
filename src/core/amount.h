/* Amounts and tokens: canonical decimal integers, 1 to AMOUNT_MAX, in the budget's smallest unit. */
#ifndef BURSAR_CORE_AMOUNT_H
#define BURSAR_CORE_AMOUNT_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

/* True for 1 to AMOUNT_MAX. */
bool amount_is_valid(int64_t amount);

/* Parses digits only: no sign, no leading zero, no fraction, no space; 1 to AMOUNT_MAX. `*amount` is
 * untouched on false. */
bool amount_parse(struct text text, int64_t *amount);

/* As amount_parse, and "0" too: a credit or a total may be nothing. */
bool amount_parse_or_zero(struct text text, int64_t *amount);

#endif
