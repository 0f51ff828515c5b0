#include "core/amount.h"

#include "core/limits.h"

bool amount_is_valid(int64_t amount)
{
    return amount >= 1 && amount <= AMOUNT_MAX;
}

bool amount_parse(struct text text, int64_t *amount)
{
    if (text.size < 1 || text.size > 16 || text.data[0] == '0') return false;
    int64_t value = 0; /* 16 digits cannot overflow it */
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        value = value * 10 + (text.data[i] - '0');
    }
    if (!amount_is_valid(value)) return false;
    *amount = value;
    return true;
}

bool amount_parse_or_zero(struct text text, int64_t *amount)
{
    if (text_equal_string(text, "0")) {
        *amount = 0;
        return true;
    }
    return amount_parse(text, amount);
}
