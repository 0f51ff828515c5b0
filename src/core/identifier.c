#include "core/identifier.h"

#include "core/limits.h"

static bool budget_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == ':' || c == '-';
}

bool budget_id_is_valid(struct text id)
{
    if (id.size < 1 || id.size > BUDGET_ID_SIZE_MAX) return false;
    for (size_t i = 0; i < id.size; i++) {
        if (!budget_character(id.data[i])) return false;
    }
    return true;
}

bool message_id_is_valid(struct text id)
{
    if (id.size < 1 || id.size > MESSAGE_ID_SIZE_MAX) return false;
    for (size_t i = 0; i < id.size; i++) {
        if (id.data[i] < '!' || id.data[i] > '~') return false;
    }
    return true;
}
