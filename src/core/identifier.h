/* Which ids are allowed. Ids are compared byte by byte, so they are case-sensitive everywhere. */
#ifndef BURSAR_CORE_IDENTIFIER_H
#define BURSAR_CORE_IDENTIFIER_H

#include "base/text.h"

#include <stdbool.h>

/* 1 to BUDGET_ID_SIZE_MAX bytes of A-Z a-z 0-9 . _ : - */
bool budget_id_is_valid(struct text id);

/* 1 to MESSAGE_ID_SIZE_MAX visible ASCII characters, '!' to '~'. Credit ids follow the same rule. */
bool message_id_is_valid(struct text id);

#endif
