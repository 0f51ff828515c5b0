/* What reconciling asks of Redis: all numbers of a budget at one instant, and changes of them. */
#include "redis/redis_stock_private.h"

#include "core/amount.h"
#include "core/identifier.h"
#include "core/limits.h"
#include "redis/redis_reply.h"

#include <inttypes.h>

static enum status audit_encode(struct redis_pipeline *pipeline, void *items, size_t index,
                                struct error *error)
{
    const struct stock_audit *item = &((struct stock_audit *)items)[index];
    enum status status = redis_stock_check_budget(item->budget_id, error);
    if (status != STATUS_OK) return status;
    redis_call_begin(pipeline, REDIS_SCRIPT_AUDIT, item->budget_id, 0);
    return STATUS_OK;
}

/* Element `index`, as a number from 0 to AMOUNT_MAX. */
static bool take_number(const redisReply *reply, size_t index, int64_t *number)
{
    struct text text = redis_reply_text(redis_reply_element(reply, index));
    return text_is_present(text) && amount_parse_or_zero(text, number);
}

/* The same for a stock, which may be missing or unlimited. */
static bool take_left(const redisReply *reply, size_t index, int64_t *left)
{
    return redis_reply_decimal(redis_reply_element(reply, index), STOCK_LEFT_NONE, left) &&
           (*left == STOCK_LEFT_NONE || (*left >= TOTAL_UNLIMITED && *left <= AMOUNT_MAX));
}

static bool take_state(const redisReply *reply, size_t index, enum budget_state *state)
{
    struct text name = redis_reply_text(redis_reply_element(reply, index));
    for (int s = BUDGET_ACTIVE; s <= BUDGET_DELETED; s++) {
        *state = (enum budget_state)s;
        if (text_is_present(name) && text_equal_string(name, budget_state_name(*state))) return true;
    }
    return false;
}

static bool take_count(const redisReply *reply, size_t index, int64_t *count)
{
    return redis_reply_integer(redis_reply_element(reply, index), count) && *count >= 0;
}

static bool audit_decode(void *items, size_t index, const redisReply *reply)
{
    struct stock_audit *item = &((struct stock_audit *)items)[index];
    int64_t has_meta;
    bool is_answer = take_left(reply, 0, &item->left) && take_count(reply, 1, &has_meta) &&
                     take_number(reply, 2, &item->credited) && take_number(reply, 3, &item->deducted) &&
                     take_number(reply, 4, &item->settled) && take_number(reply, 5, &item->released) &&
                     take_state(reply, 6, &item->state) && take_count(reply, 7, &item->pendings) &&
                     take_count(reply, 8, &item->credits) && take_number(reply, 9, &item->now_us) &&
                     item->now_us > 0 && take_number(reply, 10, &item->amended);
    if (is_answer) item->has_meta = has_meta > 0;
    return is_answer;
}

static void audit_mark(void *items, size_t index, enum status status)
{
    struct stock_audit *item = &((struct stock_audit *)items)[index];
    item->status = status;
    if (status == STATUS_OK) return;
    *item = (struct stock_audit){.budget_id = item->budget_id, .status = status, .left = STOCK_LEFT_NONE};
}

enum status redis_stock_audit(struct stock *stock, struct stock_audit *items, size_t count,
                              struct error *error)
{
    struct redis_work work = {
        .what = "audit.lua",
        .items = items,
        .count = count,
        .encode = audit_encode,
        .decode = audit_decode,
        .mark = audit_mark,
    };
    return redis_pipeline_run(&redis_stock_of(stock)->pipeline, &work, error);
}

static bool is_difference(int64_t number)
{
    return number >= -AMOUNT_MAX && number <= AMOUNT_MAX;
}

/* STATUS_REFUSED for what amend.lua would refuse of the item itself. */
static enum status check_amendment(const struct stock_amendment *item, struct error *error)
{
    enum status status = redis_stock_check_budget(item->budget_id, error);
    if (status != STATUS_OK) return status;
    if (!amount_is_valid(item->id) || !is_difference(item->left) || !is_difference(item->credited) ||
        !is_difference(item->deducted) || !is_difference(item->settled) || !is_difference(item->released)) {
        return error_set(error, STATUS_REFUSED,
                         "a number of amendment %" PRId64 " of " TEXT_FORMAT " is out of range", item->id,
                         TEXT_ARGUMENTS(item->budget_id));
    }
    for (size_t i = 0; i < item->credit_count; i++) {
        int64_t amount = item->credits[i].amount;
        status = redis_stock_check_ids(item->budget_id, item->credits[i].credit_id, error);
        if (status != STATUS_OK) return status;
        bool fits = amount == TOTAL_UNLIMITED ? item->restore != STOCK_RESTORE_LIMITED
                                              : item->restore != STOCK_RESTORE_UNLIMITED &&
                                                    (amount == 0 || amount_is_valid(amount));
        if (!fits) {
            return error_set(error, STATUS_REFUSED,
                             "the amount of credit " TEXT_FORMAT " of " TEXT_FORMAT
                             " does not fit the budget",
                             TEXT_ARGUMENTS(item->credits[i].credit_id), TEXT_ARGUMENTS(item->budget_id));
        }
    }
    return STATUS_OK;
}

static enum status amend_encode(struct redis_pipeline *pipeline, void *items, size_t index,
                                struct error *error)
{
    static const struct text restores[] = {[STOCK_RESTORE_NONE] = {"none", 4},
                                           [STOCK_RESTORE_LIMITED] = {"limited", 7},
                                           [STOCK_RESTORE_UNLIMITED] = {"unlimited", 9}};
    const struct stock_amendment *item = &((struct stock_amendment *)items)[index];
    enum status status = check_amendment(item, error);
    if (status != STATUS_OK) return status;
    bool restores_key = item->restore != STOCK_RESTORE_NONE;
    redis_call_begin(pipeline, REDIS_SCRIPT_AMEND, item->budget_id,
                     (restores_key ? 8 : 7) + 2 * item->credit_count);
    redis_call_number(pipeline, item->id);
    redis_call_number(pipeline, item->left);
    redis_call_number(pipeline, item->credited);
    redis_call_number(pipeline, item->deducted);
    redis_call_number(pipeline, item->settled);
    redis_call_number(pipeline, item->released);
    redis_call_argument(pipeline, restores[item->restore]);
    if (restores_key) redis_call_argument(pipeline, text_of(budget_state_name(item->state)));
    for (size_t i = 0; i < item->credit_count; i++) {
        redis_call_argument(pipeline, item->credits[i].credit_id);
        if (item->credits[i].amount == TOTAL_UNLIMITED) {
            redis_call_argument(pipeline, TEXT_LITERAL("unlimited"));
        } else {
            redis_call_number(pipeline, item->credits[i].amount);
        }
    }
    return STATUS_OK;
}

static bool amend_decode(void *items, size_t index, const redisReply *reply)
{
    struct stock_amendment *item = &((struct stock_amendment *)items)[index];
    int64_t applied;
    if (!take_count(reply, 0, &applied) || !take_left(reply, 1, &item->left_after)) return false;
    item->applied = applied == 1;
    return true;
}

static void amend_mark(void *items, size_t index, enum status status)
{
    struct stock_amendment *item = &((struct stock_amendment *)items)[index];
    item->status = status;
    if (status == STATUS_OK) return;
    item->applied = false;
    item->left_after = STOCK_LEFT_NONE;
}

enum status redis_stock_amend(struct stock *stock, struct stock_amendment *items, size_t count,
                              struct error *error)
{
    struct redis_work work = {
        .what = "amend.lua",
        .items = items,
        .count = count,
        .encode = amend_encode,
        .decode = amend_decode,
        .mark = amend_mark,
    };
    return redis_pipeline_run(&redis_stock_of(stock)->pipeline, &work, error);
}

/* The value of a line "run_id:…"; absent where there is none. */
static struct text find_run_id(struct text information)
{
    static const char name[] = "run_id:";
    const char *line = information.size == 0 ? NULL : information.data;
    const char *end = line == NULL ? NULL : line + information.size;
    while (line != NULL && line < end) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        const char *stop = next == NULL ? end : next;
        while (stop > line && (stop[-1] == '\r' || stop[-1] == ' ')) stop--;
        if ((size_t)(stop - line) >= sizeof name - 1 && memcmp(line, name, sizeof name - 1) == 0)
            return (struct text){line + sizeof name - 1, (size_t)(stop - line) - (sizeof name - 1)};
        line = next == NULL ? NULL : next + 1;
    }
    return TEXT_NONE;
}

/* It may be that this user has no right to ask, or that the command was renamed away: that is Redis's way of
 * not telling, and no failure. */
static bool is_not_told(const redisReply *reply)
{
    return redis_reply_has_code(reply, "NOPERM") || redis_reply_has_code(reply, "ERR unknown command");
}

enum status redis_stock_server(struct stock *stock, char server[STOCK_SERVER_SIZE_MAX], struct error *error)
{
    struct redis_link *link = &redis_stock_of(stock)->pipeline.link;
    server[0] = '\0';
    enum status status = redis_link_open(link, error);
    if (status != STATUS_OK) return status;
    struct text words[] = {TEXT_LITERAL("INFO"), TEXT_LITERAL("server")};
    redisReply *reply = NULL;
    status = redis_link_ask(link, words, 2, &reply, error);
    if (status != STATUS_OK) return STATUS_RETRY; /* a question that got lost did nothing */
    if (is_not_told(reply)) goto out;
    status = redis_reply_check(reply, link->address.name, "INFO", error);
    if (redis_reply_wants_reconnect(reply)) redis_link_drop(link);
    if (status != STATUS_OK) goto out;
    struct text run_id = find_run_id(redis_reply_text(reply));
    if (reply->type != REDIS_REPLY_STRING || run_id.size >= STOCK_SERVER_SIZE_MAX ||
        (run_id.size > 0 && !message_id_is_valid(run_id))) {
        status = redis_reply_misunderstood(link->address.name, "INFO", error);
        goto out;
    }
    memcpy(server, text_bytes(run_id), run_id.size);
    server[run_id.size] = '\0';
out:
    freeReplyObject(reply);
    return status;
}
