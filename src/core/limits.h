/* Every limit of the public contract, each with its name. */
#ifndef BURSAR_CORE_LIMITS_H
#define BURSAR_CORE_LIMITS_H

#include <stdint.h>

#define AMOUNT_MAX                                                                                           \
    INT64_C(9007199254740991) /* 2^53 - 1: what a Lua number, a JSON number and Redis all hold exactly */
#define TOTAL_UNLIMITED INT64_C(-1)

#define BUDGET_ID_SIZE_MAX     128  /* bytes; A-Z a-z 0-9 . _ : - */
#define MESSAGE_ID_SIZE_MAX    128  /* bytes; visible ASCII; credit ids too */
#define USER_ID_CHARACTERS_MAX 128  /* code points */
#define META_SIZE_MAX          4096 /* bytes of JSON text */

#define DEDUCTION_BODY_SIZE_MAX                                                                              \
    (64 * 1024) /* bytes: one deduction, alone or as an item of a batch message                              \
                 */
#define BATCH_BODY_SIZE_MAX (4 * 1024 * 1024) /* bytes: a batch message */
#define BATCH_ITEMS_MAX     10000             /* deductions in one batch message */

#endif
