#include "producer/producer_state.h"

#include "base/memory.h"
#include "core/amount.h"
#include "core/identifier.h"
#include "core/limits.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(BURSAR_AMOUNT_MAX == AMOUNT_MAX, "the public limit is the core's");
_Static_assert(BURSAR_MESSAGE_ID_SIZE == MESSAGE_ID_SIZE_MAX + 1, "the public limit is the core's");

void producer_result_explain(struct bursar_result *result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result->error, sizeof result->error, format, arguments);
    va_end(arguments);
}

/* Code points of valid UTF-8; SIZE_MAX for anything else. */
static size_t characters_of(const char *text)
{
    json_t *string = json_string(text);
    if (string == NULL) return SIZE_MAX;
    json_decref(string);
    size_t count = 0;
    for (const char *c = text; *c != '\0'; c++) count += ((unsigned char)*c & 0xc0) != 0x80;
    return count;
}

bool producer_request_check(const struct bursar_request *request, struct bursar_result *result)
{
    *result = (struct bursar_result){.status = BURSAR_INVALID};
    if (request->message_id == NULL) {
        _Static_assert(BURSAR_UUID_SIZE <= BURSAR_MESSAGE_ID_SIZE, "a UUID fits");
        bursar_message_id_generate(result->message_id);
    } else if (message_id_is_valid(text_of(request->message_id))) {
        snprintf(result->message_id, sizeof result->message_id, "%s", request->message_id);
    } else {
        producer_result_explain(result, "message_id must be 1 to %d visible ASCII characters",
                                MESSAGE_ID_SIZE_MAX);
        return false;
    }
    if (!budget_id_is_valid(text_of(request->budget_id))) {
        producer_result_explain(result, "budget_id must be 1 to %d of A-Z a-z 0-9 . _ : -",
                                BUDGET_ID_SIZE_MAX);
    } else if (!amount_is_valid(request->amount)) {
        producer_result_explain(result, "amount must be a whole number, 1 to %lld", (long long)AMOUNT_MAX);
    } else if (request->user_id != NULL && characters_of(request->user_id) > USER_ID_CHARACTERS_MAX) {
        producer_result_explain(result, "user_id must be UTF-8 of at most %d characters",
                                USER_ID_CHARACTERS_MAX);
    } else {
        result->status = BURSAR_UNAVAILABLE;
        return true;
    }
    return false;
}

struct text producer_body_render(const struct bursar_request *request, const struct bursar_result *result,
                                 struct arena *arena)
{
    json_t *object = json_pack("{s:s, s:s, s:I, s:I, s:s*}", "message_id", result->message_id, "budget_id",
                               request->budget_id, "amount", (json_int_t)request->amount, "deducted_at",
                               (json_int_t)result->deducted_at_us, "user_id", request->user_id);
    char *body = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
    json_decref(object);
    struct text text = arena_copy(arena, text_of(body));
    free(body);
    return text;
}
