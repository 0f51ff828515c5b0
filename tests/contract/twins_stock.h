/* The fake stock and Redis side by side: what to ask of both, and what their keys hold. */
#ifndef BURSAR_TESTS_TWINS_STOCK_H
#define BURSAR_TESTS_TWINS_STOCK_H

#include "contract/stock_world.h"
#include "contract/twins.h"
#include "port/stock_audit.h"

enum { BUDGETS = 4, BAD_BUDGETS = 4, IDS = 60, BAD_IDS = 5, CREDITS = 30, ITEMS_MAX = 2600 };

#define WINDOW_US (DONE_WINDOW_S * MICROSECONDS_PER_SECOND)
#define LONG_ID   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *const budget_ids[BUDGETS + BAD_BUDGETS] = {"a", "camp:42", "-_.:Z9", LONG_ID LONG_ID,
                                                              "",  "no good", "{a}",    LONG_ID LONG_ID "x"};
static const char *const bad_ids[BAD_IDS] = {"", "two words", "tab\t", "caf\xc3\xa9", LONG_ID LONG_ID "x"};
static char ids[IDS + BAD_IDS][132];

/* What was deducted last, so that calls can hit it. */
struct known {
    int64_t amount, token, token_before;
};

struct pair {
    struct twins twins;
    struct world *fake, *real;
    int64_t now_us;
    bool corrupt[BUDGETS];
    size_t
        focus; /* for so many operations all is about one budget, three ids, and totals that are just full */
    size_t focus_budget, focus_id;
    int64_t amendment; /* the newest id so far */
    struct known known[BUDGETS][IDS];
    struct twins_lines fake_lines, real_lines;
};

/* Beyond the budgets and ids that are valid, for some. */
static inline size_t pick(struct twins *twins, size_t good, size_t bad)
{
    return roll(twins, 60) == 0 ? good + roll(twins, bad) : roll(twins, good);
}

static inline size_t pick_count(struct twins *twins)
{
    size_t kind = roll(twins, 1000);
    return kind < 550   ? 1
           : kind < 900 ? 2 + roll(twins, 6)
           : kind < 996 ? 8 + roll(twins, 40)
                        : 500 + roll(twins, ITEMS_MAX - 500);
}

static inline size_t pick_budget(struct pair *pair)
{
    return pair->focus > 0 ? pair->focus_budget : pick(&pair->twins, BUDGETS, BAD_BUDGETS);
}

static inline size_t pick_id(struct pair *pair)
{
    return pair->focus > 0 ? pair->focus_id + roll(&pair->twins, 3) : pick(&pair->twins, IDS, BAD_IDS);
}

static inline int64_t pick_amount(struct pair *pair)
{
    static const int64_t edges[] = {0,
                                    1,
                                    -1,
                                    AMOUNT_MAX,
                                    AMOUNT_MAX - 1,
                                    AMOUNT_MAX + 1,
                                    INT64_C(1) << 52,
                                    INT64_MAX,
                                    -2,
                                    AMOUNT_MAX - 20,
                                    INT64_MIN,
                                    AMOUNT_MAX / 3};
    if (pair->focus > 0 && chance(&pair->twins, 60)) {
        struct text budget = text_of(budget_ids[pair->focus_budget]);
        return AMOUNT_MAX - fake_stock_totals(pair->fake->fake, budget).deducted;
    }
    return chance(&pair->twins, 88) ? 1 + (int64_t)roll(&pair->twins, 9)
                                    : edges[roll(&pair->twins, sizeof edges / sizeof edges[0])];
}

static inline const struct known *known_of(const struct pair *pair, size_t budget, size_t id)
{
    static const struct known none;
    return budget < BUDGETS && id < IDS ? &pair->known[budget][id] : &none;
}

static inline int64_t pick_token(struct pair *pair, size_t budget, size_t id)
{
    static const int64_t edges[] = {1, AMOUNT_MAX, AMOUNT_MAX + 1, -1, INT64_MIN, INT64_MAX};
    const struct known *known = known_of(pair, budget, id);
    if (chance(&pair->twins, 93)) return known->token != 0 ? known->token : pair->now_us;
    if (chance(&pair->twins, 50)) return known->token_before != 0 ? known->token_before : 7;
    return edges[roll(&pair->twins, sizeof edges / sizeof edges[0])];
}

/* Cuts the adapter's connection now and then: it has to ask again, and nothing was done. */
static inline bool cut(struct pair *pair)
{
    if (roll(&pair->twins, 300) != 0) return false;
    twins_note(&pair->twins, "cut, ");
    world_redis(pair->real, "CLIENT KILL TYPE normal SKIPME yes");
    return true;
}

#define BOTH_ANSWER(pair, fake_call, real_call)                                                              \
    do {                                                                                                     \
        bool was_cut = cut(pair);                                                                            \
        enum status fake_status = (fake_call);                                                               \
        enum status real_status = (real_call);                                                               \
        if (was_cut && (real_status == STATUS_RETRY || real_status == STATUS_UNKNOWN))                       \
            real_status = (real_call);                                                                       \
        if (fake_status != real_status)                                                                      \
            twins_fail(&(pair)->twins, "the fake answers %s, the real one %s: %s", status_name(fake_status), \
                       status_name(real_status), (pair)->real->error.text);                                  \
    } while (false)

#define SAME(field) twins_same(&pair->twins, #field, i, (int64_t)one[i].field, (int64_t)two[i].field)

static inline struct stock_release pick_release(struct pair *pair)
{
    static const enum release_outcome outcomes[] = {RELEASE_REJECTED, RELEASE_VOIDED, RELEASE_EXTRA};
    size_t budget = pick_budget(pair), id = pick_id(pair);
    const struct known *known = known_of(pair, budget, id);
    bool own = known->amount != 0 && chance(&pair->twins, 60);
    struct stock_release item = {.budget_id = text_of(budget_ids[budget]),
                                 .message_id = text_of(ids[id]),
                                 .deducted_at_us =
                                     chance(&pair->twins, 60) ? pick_token(pair, budget, id) : 0,
                                 .amount = own ? known->amount : pick_amount(pair),
                                 .outcome = outcomes[roll(&pair->twins, 3)]};
    twins_note(&pair->twins, " %zu/%zu@%" PRId64 ":%" PRId64 " %s", budget, id, item.deducted_at_us,
               item.amount, release_outcome_name(item.outcome));
    return item;
}

static inline int64_t pick_credit_amount(struct pair *pair)
{
    static const int64_t amounts[] = {
        0, 1, 10, 100, 100, -1, 100, AMOUNT_MAX, AMOUNT_MAX + 1, AMOUNT_MAX / 2, -2, 1000};
    return amounts[roll(&pair->twins, sizeof amounts / sizeof amounts[0])];
}

static inline size_t pick_credit_id(struct pair *pair)
{
    return roll(&pair->twins, 60) == 0 ? IDS + roll(&pair->twins, BAD_IDS) : roll(&pair->twins, CREDITS);
}

/* A difference of one number of a budget: mostly none, or one that brings it to an edge. */
static inline int64_t pick_difference(struct pair *pair, int64_t number)
{
    static const int64_t edges[] = {AMOUNT_MAX, -AMOUNT_MAX, AMOUNT_MAX + 1, -AMOUNT_MAX - 1,
                                    INT64_MAX,  INT64_MIN,   AMOUNT_MAX / 2};
    size_t kind = roll(&pair->twins, 100);
    if (kind < 60) return 0;
    if (kind < 85) return (int64_t)roll(&pair->twins, 21) - 10;
    if (kind < 91) return -number - (int64_t)roll(&pair->twins, 2);
    if (kind < 97) return AMOUNT_MAX - number + (int64_t)roll(&pair->twins, 2);
    return edges[roll(&pair->twins, sizeof edges / sizeof edges[0])];
}

enum { AMENDED_CREDITS_MAX = 12 };

static inline struct stock_amendment pick_amendment(struct pair *pair, struct stock_credit_entry *credits)
{
    static const enum stock_restore restores[] = {STOCK_RESTORE_LIMITED, STOCK_RESTORE_LIMITED,
                                                  STOCK_RESTORE_UNLIMITED};
    static const enum budget_state states[] = {BUDGET_ACTIVE, BUDGET_ACTIVE, BUDGET_CLOSED, BUDGET_DELETED};
    size_t budget = pick_budget(pair);
    struct text id = text_of(budget_ids[budget]);
    struct fake_stock_totals totals = fake_stock_totals(pair->fake->fake, id);
    bool restore = totals.has_left ? roll(&pair->twins, 20) == 0 : chance(&pair->twins, 70);
    struct stock_amendment item = {.budget_id = id,
                                   .id = ++pair->amendment,
                                   .left = pick_difference(pair, totals.left),
                                   .credited = pick_difference(pair, totals.credited),
                                   .deducted = pick_difference(pair, totals.deducted),
                                   .settled = pick_difference(pair, totals.settled),
                                   .released = pick_difference(pair, totals.released),
                                   .state = states[roll(&pair->twins, 4)],
                                   .credits = credits,
                                   .credit_count = roll(&pair->twins, AMENDED_CREDITS_MAX)};
    if (restore) item.restore = restores[roll(&pair->twins, 3)];
    if (!restore) item.credit_count = chance(&pair->twins, 20) ? 1 + roll(&pair->twins, 2) : 0;
    bool without_number = restore ? item.restore == STOCK_RESTORE_UNLIMITED : totals.left == TOTAL_UNLIMITED;
    if (chance(&pair->twins, 15)) item.id -= (int64_t)roll(&pair->twins, 5); /* an older one, or 0 */
    bool fitting = chance(&pair->twins, 80);
    for (size_t i = 0; i < item.credit_count; i++) {
        credits[i] =
            (struct stock_credit_entry){text_of(ids[pick_credit_id(pair)]), pick_credit_amount(pair)};
        if (fitting && (credits[i].amount < 0 || credits[i].amount > AMOUNT_MAX)) credits[i].amount = 100;
        if (fitting && without_number) credits[i].amount = TOTAL_UNLIMITED;
    }
    twins_note(&pair->twins,
               " %zu#%" PRId64 " l%" PRId64 " c%" PRId64 " d%" PRId64 " s%" PRId64 " r%" PRId64
               " restore %d, %zu",
               budget, item.id, item.left, item.credited, item.deducted, item.settled, item.released,
               (int)item.restore, item.credit_count);
    return item;
}

enum { CONTENT_KEYS = FAKE_STOCK_CREDITS + 1 };

static const char *const content_suffixes[CONTENT_KEYS] = {"",        ":pending", ":done:0",
                                                           ":done:1", ":meta",    ":credits"};

static inline void content_line(void *context, enum fake_stock_key key, struct text field, const char *value)
{
    twins_line(context, "key '%s' field '" TEXT_FORMAT "' = %s", content_suffixes[key], TEXT_ARGUMENTS(field),
               value);
}

static inline void content_of_fake(const struct fake_stock *fake, const char *budget,
                                   struct twins_lines *lines)
{
    fake_stock_visit(fake, text_of(budget), content_line, lines);
}

/* What says nothing: a total of 0, and that a budget is active. */
static inline bool content_is_silent(enum fake_stock_key key, const char *field, const char *value)
{
    if (key != FAKE_STOCK_META) return false;
    if (strcmp(field, "state") == 0) return strcmp(value, "active") == 0;
    bool total =
        strcmp(field, "deducted") == 0 || strcmp(field, "settled") == 0 || strcmp(field, "released") == 0;
    return total && strcmp(value, "0") == 0;
}

static inline void content_of_redis(redisContext *redis, const char *budget, struct twins_lines *lines)
{
    for (int key = 0; key < CONTENT_KEYS; key++) {
        redisReply *reply =
            redisCommand(redis, "%s budget:{%s}%s", key == FAKE_STOCK_LEFT ? "GET" : "HGETALL", budget,
                         content_suffixes[key]);
        assert_non_null(reply);
        assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
        if (reply->type == REDIS_REPLY_STRING)
            content_line(lines, FAKE_STOCK_LEFT, TEXT_LITERAL(""), reply->str);
        for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i += 2) {
            const char *field = reply->element[i]->str, *value = reply->element[i + 1]->str;
            if (!content_is_silent((enum fake_stock_key)key, field, value))
                content_line(lines, (enum fake_stock_key)key, text_of(field), value);
        }
        freeReplyObject(reply);
    }
}

/* A number in a budget's meta; 0: there is none. */
static inline int64_t content_number(redisContext *redis, const char *budget, const char *field)
{
    redisReply *reply = redisCommand(redis, "HGET budget:{%s}:meta %s", budget, field);
    assert_non_null(reply);
    int64_t number = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;
    freeReplyObject(reply);
    return number;
}

#endif
