#include "deadletter/letter_edit.h"

#include "deadletter/letter_body.h"

#include <inttypes.h>

/* The field whose value is what makes the message unreadable, and its new value as JSON; NULL: none that is
 * to be mended. */
static const char *field_at_fault(const struct letter_edit *edit, enum park_reason reason,
                                  struct arena *arena, struct text *value)
{
    if (reason == PARK_INVALID_AMOUNT && text_is_present(edit->amount)) {
        *value = edit->amount;
        return "amount";
    }
    if (reason == PARK_INVALID_BUDGET_ID && text_is_present(edit->budget_id)) {
        *value = text_of(arena_format(arena, "\"" TEXT_FORMAT "\"", TEXT_ARGUMENTS(edit->budget_id)));
        return "budget_id";
    }
    return NULL;
}

void letter_edit_apply(const struct letter_edit *edit, const struct letter *letter, struct arena *arena,
                       struct letter_edited *edited)
{
    *edited = (struct letter_edited){.body = letter->body, .message = letter->message};
    struct message *message = &edited->message;
    if (message->is_batch) {
        edited->why_not =
            "a batch message is not edited; its items are parked one by one when it is replayed";
        return;
    }
    if (message->reason == PARK_NONE) {
        edited->why_not = "it can be read as it is; replay it without --edit";
        return;
    }
    while (message->reason != PARK_NONE) {
        struct text value;
        const char *key = field_at_fault(edit, message->reason, arena, &value);
        if (key == NULL || edited->change_count == LETTER_CHANGES_MAX) {
            edited->why_not =
                arena_format(arena, "%s: %s", park_reason_name(message->reason), message->detail);
            return;
        }
        edited->changes[edited->change_count++] = (struct letter_change){
            .key = key, .before = letter_body_member(edited->body, key), .after = value};
        edited->body = letter_body_replace(edited->body, key, value, arena);
        message_decode(edited->body, letter->property_id, arena, message);
    }
}

const char *letter_edit_disagrees(const struct letter_edited *edited, const struct stock_query *query,
                                  struct arena *arena)
{
    const struct deduction *deduction = &edited->message.items[0].deduction;
    if (query->state == PENDING_PENDING) {
        if (query->amount != deduction->amount)
            return arena_format(arena, "Redis deducted %" PRId64 " for this id, not %" PRId64, query->amount,
                                deduction->amount);
        if (deduction->deducted_at_us != 0 && query->deducted_at_us != deduction->deducted_at_us)
            return "Redis holds another deduction of this id, with another deducted_at";
        return NULL;
    }
    if (query->state == PENDING_UNKNOWN && deduction->deducted_at_us != 0)
        return arena_format(
            arena, "it says that it was deducted, but Redis knows nothing of it in budget " TEXT_FORMAT,
            TEXT_ARGUMENTS(deduction->budget_id));
    return NULL;
}
