/* Sums of amounts that stay in range whatever is added: a spoilt sum is then wrong by far, and never wraps
 * into one that looks right. */
#ifndef BURSAR_RECONCILE_SUM_H
#define BURSAR_RECONCILE_SUM_H

#include <stdint.h>

#define SUM_MAX (INT64_MAX / 8)

static inline void sum_add(int64_t *sum, int64_t amount)
{
    int64_t result;
    if (__builtin_add_overflow(*sum, amount, &result) || result > SUM_MAX) result = SUM_MAX;
    *sum = result;
}

#endif
