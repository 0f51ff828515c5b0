#include "sim/message_body.h"

#include <inttypes.h>

void message_body_item(struct buffer *body, uint32_t message, uint32_t item, const struct truth_item *what,
                       bool with_id)
{
    buffer_format(body,
                  "{\"n\":\"#%" PRIu32 ".%" PRIu32 "\",\"budget_id\":\"b%" PRIu32 "\",\"amount\":%" PRId64,
                  message, item, what->budget, what->amount);
    if (with_id) buffer_format(body, ",\"message_id\":\"i%" PRIu32 "\"", what->id);
    if (what->token != 0) buffer_format(body, ",\"deducted_at\":%" PRId64, what->token);
    buffer_append_string(body, "}");
}

enum park_reason message_body_bad(struct buffer *body, struct dice *dice, uint32_t message, uint32_t item,
                                  uint32_t id, uint32_t *readable)
{
    static const struct {
        const char *rest; /* behind mark and id */
        enum park_reason reason;
        bool has_id;
    } bad[] = {
        {",\"budget_id\":\"b0\",\"amount\":1.5}", PARK_INVALID_AMOUNT, true},
        {",\"budget_id\":\"b0\",\"amount\":0}", PARK_INVALID_AMOUNT, true},
        {",\"budget_id\":\"b0\"}", PARK_INVALID_AMOUNT, true},
        {",\"amount\":1}", PARK_INVALID_BUDGET_ID, true},
        {",\"budget_id\":\"b 0\",\"amount\":1}", PARK_INVALID_BUDGET_ID, true},
        {",\"budget_id\":\"b0\",\"amount\":1,\"user_id\":5}", PARK_MALFORMED, true},
        {",\"budget_id\":\"b0\",\"amount\":1}", PARK_MISSING_ID, false},
        {",\"message_id\":\"i 1\",\"budget_id\":\"b0\",\"amount\":1}", PARK_INVALID_ID, false},
    };
    size_t choice = dice_roll(dice, sizeof bad / sizeof *bad);
    buffer_format(body, "{\"n\":\"#%" PRIu32 ".%" PRIu32 "\"", message, item);
    if (bad[choice].has_id) buffer_format(body, ",\"message_id\":\"i%" PRIu32 "\"", id);
    buffer_append_string(body, bad[choice].rest);
    *readable = bad[choice].has_id ? id : TRUTH_NONE;
    return bad[choice].reason;
}

enum park_reason message_body_ruin(struct buffer *body, struct dice *dice, uint32_t message,
                                   const struct truth_item *what)
{
    size_t form = dice_roll(dice, 4);
    buffer_format(body, "{\"n\":\"#%" PRIu32 ".0\",\"message_id\":\"i%" PRIu32 "\"", message, what->id);
    if (form == 0) buffer_format(body, ",\"amount\":%" PRId64, what->amount);
    if (form > 0) buffer_format(body, ",\"budget_id\":\"b%" PRIu32 "\"", what->budget);
    if (form == 1) buffer_append_string(body, ",\"amount\":\"many\"");
    if (form == 2) buffer_format(body, ",\"amount\":-%" PRId64, what->amount);
    if (what->token != 0) buffer_format(body, ",\"deducted_at\":%" PRId64, what->token);
    buffer_append_string(body, "}");
    return form == 0 ? PARK_INVALID_BUDGET_ID : PARK_INVALID_AMOUNT;
}

void message_body_garbage(struct buffer *body, struct dice *dice, uint32_t message)
{
    static const struct {
        const char *before, *behind; /* the mark */
    } forms[] = {
        {"", " is no document"},
        {"{\"n\":\"", "\",\"message_id\":\"i0\",\"budget_id\":\"b0\",\"amount\":1,\"amount\":2}"},
        {"[{\"n\":\"", "\"}"},
        {"\"", "\""},
        {"[] ", ""},
    };
    size_t form = dice_roll(dice, sizeof forms / sizeof *forms);
    buffer_format(body, "%s#%" PRIu32 "%s", forms[form].before, message, forms[form].behind);
}
