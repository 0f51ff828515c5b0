#include "cli/deduct.h"

#include "core/amount.h"
#include "core/identifier.h"
#include "core/limits.h"
#include "core/message_parser.h"

#include <inttypes.h>
#include <stdio.h>

static bool fail(struct deduct_line *line, const char *why)
{
    snprintf(line->error, sizeof line->error, "%s", why);
    return false;
}

/* A string of the object, in the arena; NULL where there is none, or null. False: it is no string. */
static bool string_of(const json_t *object, const char *key, struct arena *arena, const char **string)
{
    const json_t *value = json_object_get(object, key);
    *string = NULL;
    if (value == NULL || json_is_null(value)) return true;
    if (!json_is_string(value)) return false;
    *string = arena_copy(arena, (struct text){json_string_value(value), json_string_length(value)}).data;
    return true;
}

static bool amount_of(const json_t *object, int64_t *amount)
{
    const json_t *value = json_object_get(object, "amount");
    if (json_is_integer(value)) {
        *amount = json_integer_value(value);
        return amount_is_valid(*amount);
    }
    return json_is_string(value) &&
           amount_parse((struct text){json_string_value(value), json_string_length(value)}, amount);
}

static bool take_fields(const json_t *object, struct arena *arena, struct deduct_line *line)
{
    struct bursar_request *request = &line->request;
    if (!string_of(object, "message_id", arena, &request->message_id) ||
        (request->message_id != NULL && !message_id_is_valid(text_of(request->message_id)))) {
        return fail(line, "message_id must be 1 to 128 visible ASCII characters");
    }
    if (!string_of(object, "budget_id", arena, &request->budget_id) ||
        !budget_id_is_valid(text_of(request->budget_id))) {
        return fail(line, "budget_id must be 1 to 128 of A-Z a-z 0-9 . _ : -");
    }
    if (!amount_of(object, &request->amount)) {
        snprintf(line->error, sizeof line->error, "amount must be a whole number, 1 to %" PRId64, AMOUNT_MAX);
        return false;
    }
    if (!string_of(object, "user_id", arena, &request->user_id)) return fail(line, "user_id must be text");
    return true;
}

void deduct_line_parse(struct text text, struct arena *arena, struct deduct_line *line)
{
    json_error_t why;
    line->request = (struct bursar_request){0};
    line->error[0] = '\0';
    json_t *object = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, &why);
    if (object == NULL) {
        parser_text_mend(why.text);
        snprintf(line->error, sizeof line->error, "no JSON: %s (byte %d)", why.text, why.position);
        line->valid = false;
    } else if (!json_is_object(object)) {
        line->valid = fail(line, "must be a JSON object");
    } else {
        line->valid = take_fields(object, arena, line);
    }
    json_decref(object);
}
