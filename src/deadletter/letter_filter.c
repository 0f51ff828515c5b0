#include "deadletter/letter_filter.h"

#include <string.h>

static bool time_accepts(const struct letter_filter *filter, int64_t parked_at_us)
{
    if (!filter->has_since && !filter->has_until) return true;
    if (parked_at_us == 0) return false;
    return (!filter->has_since || parked_at_us >= filter->since_us) &&
           (!filter->has_until || parked_at_us < filter->until_us);
}

static char dashed(char c)
{
    return c == '_' ? '-' : c;
}

bool letter_reason_is(struct text reason, struct text other)
{
    if (reason.size != other.size) return false;
    for (size_t i = 0; i < reason.size; i++)
        if (dashed(reason.data[i]) != dashed(other.data[i])) return false;
    return true;
}

static bool id_is_wanted(const struct letter_filter *filter, struct text id)
{
    for (size_t i = 0; i < filter->id_count && text_is_present(id); i++)
        if (text_equal(filter->ids[i], id)) return true;
    return false;
}

static bool item_is_wanted(const struct letter_filter *filter, const struct letter *letter, size_t index)
{
    if (filter->id_count > 0 && !id_is_wanted(filter, letter_item_id(letter, index))) return false;
    return !text_is_present(filter->budget_id) ||
           text_equal(letter->message.items[index].deduction.budget_id, filter->budget_id);
}

/* A batch message that cannot be read has no items: whose they are nobody knows. */
static bool every_item_is_wanted(const struct letter_filter *filter, const struct letter *letter)
{
    for (size_t i = 0; i < letter->message.count; i++)
        if (!item_is_wanted(filter, letter, i)) return false;
    return letter->message.count > 0;
}

static bool ids_accept(const struct letter_filter *filter, const struct letter *letter)
{
    if (id_is_wanted(filter, letter->property_id) || id_is_wanted(filter, letter->message_id)) return true;
    for (size_t i = 0; i < letter_item_count(letter); i++)
        if (id_is_wanted(filter, letter_item_id(letter, i))) return true;
    return false;
}

static bool budget_accepts(const struct letter_filter *filter, const struct letter *letter)
{
    if (text_is_present(letter->budget_id)) return text_equal(letter->budget_id, filter->budget_id);
    for (size_t i = 0; i < letter->message.count; i++)
        if (text_equal(letter->message.items[i].deduction.budget_id, filter->budget_id)) return true;
    return false;
}

bool letter_filter_accepts(const struct letter_filter *filter, struct letter *letter, struct arena *arena)
{
    if (text_is_present(filter->reason) && !letter_reason_is(filter->reason, letter->reason)) return false;
    if (!time_accepts(filter, letter->parked_at_us)) return false;
    if (text_is_present(filter->match) && filter->match.size > 0 &&
        (letter->body.size == 0 ||
         memmem(letter->body.data, letter->body.size, filter->match.data, filter->match.size) == NULL))
        return false;
    if (filter->id_count == 0 && !text_is_present(filter->budget_id)) return true;
    letter_decode(letter, arena);
    if (filter->every_item && letter->message.is_batch) return every_item_is_wanted(filter, letter);
    if (filter->id_count > 0 && !ids_accept(filter, letter)) return false;
    return !text_is_present(filter->budget_id) || budget_accepts(filter, letter);
}
