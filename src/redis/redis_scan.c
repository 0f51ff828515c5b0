/* The entries of a budget's hashes, slice by slice. */
#include "redis/redis_stock_private.h"

#include "core/amount.h"
#include "core/identifier.h"
#include "core/limits.h"
#include "redis/redis_reply.h"

#include <inttypes.h>
#include <stdio.h>

/* A hint to HSCAN: entries of one slice. With the longest ids it holds Redis for some 0.6 ms. */
#define SCAN_COUNT "500"

/* One slice of the hash, asked for from *cursor on. STATUS_OK: *reply is an array whose second element is one
 * of fields and values; the caller frees it. */
static enum status ask_slice(struct redis_pipeline *pipeline, struct text budget_id, const char *suffix,
                             uint64_t cursor, struct arena *arena, redisReply **reply, struct error *error)
{
    *reply = NULL;
    enum status status = redis_stock_check_budget(budget_id, error);
    if (status == STATUS_OK) status = redis_link_open(&pipeline->link, error);
    if (status != STATUS_OK) return status;
    const char *key =
        arena_format(arena, "%s{" TEXT_FORMAT "}%s", pipeline->prefix, TEXT_ARGUMENTS(budget_id), suffix);
    char from[24];
    snprintf(from, sizeof from, "%" PRIu64, cursor);
    struct text words[] = {TEXT_LITERAL("HSCAN"), text_of(key), text_of(from), TEXT_LITERAL("COUNT"),
                           TEXT_LITERAL(SCAN_COUNT)};
    status = redis_link_ask(&pipeline->link, words, 5, reply, error);
    if (status != STATUS_OK) return status;
    status = redis_reply_check(*reply, pipeline->link.address.name, "HSCAN", error);
    if (redis_reply_wants_reconnect(*reply)) redis_link_drop(&pipeline->link);
    if (status == STATUS_OK) return STATUS_OK;
    freeReplyObject(*reply);
    *reply = NULL;
    return status;
}

static bool parse_cursor(struct text text, uint64_t *cursor)
{
    char digits[24];
    if (text.size == 0 || text.size >= sizeof digits) return false;
    memcpy(digits, text.data, text.size);
    digits[text.size] = '\0';
    return sscanf(digits, "%" SCNu64, cursor) == 1;
}

/* How an entry is read: what is not one that a script writes is left out. */
struct entry_kind {
    const char *suffix; /* of the key */
    size_t size;        /* of an entry */
    bool (*parse)(void *entry, struct text id, struct text value);
};

/* *entries: `*count` entries of the kind, in `arena`; NULL and 0 on failure, with *cursor untouched. */
static enum status scan(struct stock *stock, const struct entry_kind *kind, struct text budget_id,
                        uint64_t *cursor, struct arena *arena, void **entries, size_t *count,
                        struct error *error)
{
    struct redis_pipeline *pipeline = &redis_stock_of(stock)->pipeline;
    redisReply *reply;
    *entries = NULL;
    *count = 0;
    enum status status = ask_slice(pipeline, budget_id, kind->suffix, *cursor, arena, &reply, error);
    if (status != STATUS_OK) return status;
    const redisReply *fields = redis_reply_element(reply, 1);
    uint64_t next;
    if (fields == NULL || fields->type != REDIS_REPLY_ARRAY ||
        !parse_cursor(redis_reply_text(redis_reply_element(reply, 0)), &next)) {
        status = redis_reply_misunderstood(pipeline->link.address.name, "HSCAN", error);
        goto out;
    }
    char *slice = arena_alloc(arena, fields->elements / 2 * kind->size);
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        struct text id = redis_reply_text(fields->element[i]);
        struct text value = redis_reply_text(fields->element[i + 1]);
        if (message_id_is_valid(id) && kind->parse(slice + *count * kind->size, arena_copy(arena, id), value))
            ++*count;
    }
    *entries = slice;
    *cursor = next;
out:
    freeReplyObject(reply);
    return status;
}

/* As deduct.lua writes it: "<amount>:<deducted_at_us>" */
static bool parse_pending(void *entry, struct text id, struct text value)
{
    struct stock_pending *pending = entry;
    const char *colon = value.size == 0 ? NULL : memchr(value.data, ':', value.size);
    if (colon == NULL) return false;
    struct text amount = {value.data, (size_t)(colon - value.data)};
    struct text time = {colon + 1, value.size - amount.size - 1};
    pending->message_id = id;
    return amount_parse(amount, &pending->amount) && amount_parse(time, &pending->deducted_at_us);
}

enum status redis_stock_pending_scan(struct stock *stock, struct text budget_id, uint64_t *cursor,
                                     struct arena *arena, struct stock_pending **entries, size_t *count,
                                     struct error *error)
{
    static const struct entry_kind kind = {":pending", sizeof(struct stock_pending), parse_pending};
    void *slice;
    enum status status = scan(stock, &kind, budget_id, cursor, arena, &slice, count, error);
    *entries = slice;
    return status;
}

/* As credit.lua writes it: "<amount>" or "unlimited" */
static bool parse_credit(void *entry, struct text id, struct text value)
{
    struct stock_credit_entry *credit = entry;
    credit->credit_id = id;
    credit->amount = TOTAL_UNLIMITED;
    return text_equal_string(value, "unlimited") || amount_parse_or_zero(value, &credit->amount);
}

enum status redis_stock_credits_scan(struct stock *stock, struct text budget_id, uint64_t *cursor,
                                     struct arena *arena, struct stock_credit_entry **entries, size_t *count,
                                     struct error *error)
{
    static const struct entry_kind kind = {":credits", sizeof(struct stock_credit_entry), parse_credit};
    void *slice;
    enum status status = scan(stock, &kind, budget_id, cursor, arena, &slice, count, error);
    *entries = slice;
    return status;
}
