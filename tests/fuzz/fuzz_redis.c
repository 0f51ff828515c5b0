/* What Redis answers. The first byte of the input chooses what is asked, the rest is what comes back, as the
 * protocol has it.
 *
 *   d deduct   s settle   r release   u release without token   f forget guards   c credit   q query
 *   l levels   t state   p pending entries   A audit   m amend   C credits   I server
 *   i ping   L load the scripts   a log in
 *
 * A capital S before it: the scripts are not loaded yet. */
#include "core/limits.h"
#include "fuzz/target.h"
#include "redis/redis_stock.h"
#include "redis/redis_stock_private.h"

/* For the log-in, which is private to it. */
#include "redis/redis_link.c"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define ITEMS         3
#define ELEMENTS_LONG 5 /* digits of an array's length */

static const struct text budgets[ITEMS] = {{"camp:1", 6}, {"camp:2", 6}, {"camp:1", 6}};
static const struct text ids[ITEMS] = {{"m-1", 3}, {"m-2", 3}, {"m-3", 3}};

static void hold_item(enum status call, enum status item)
{
    HOLDS(item == STATUS_OK || item == STATUS_RETRY || item == STATUS_UNKNOWN || item == STATUS_REFUSED);
    if (call == STATUS_OK) HOLDS(item == STATUS_OK || item == STATUS_REFUSED);
}

/* A time or a token that was told is one that can be booked. */
static void hold_time(int64_t time_us)
{
    HOLDS(time_us == 0 || target_is_amount(time_us));
}

static enum status ask_deduct(struct stock *stock, struct error *error)
{
    struct stock_deduct items[ITEMS];
    for (size_t i = 0; i < ITEMS; i++)
        items[i] = (struct stock_deduct){.budget_id = budgets[i], .message_id = ids[i], .amount = 3};
    enum status status = stock_deduct(stock, items, ITEMS, error);
    for (size_t i = 0; i < ITEMS; i++) {
        hold_item(status, items[i].status);
        hold_time(items[i].deducted_at_us);
        HOLDS(items[i].result <= DEDUCT_DONE && items[i].result >= DEDUCT_CLOSED &&
              (int)items[i].result != -1);
        if (items[i].result == DEDUCT_DONE || items[i].result == DEDUCT_REPEAT)
            HOLDS(items[i].status == STATUS_OK && items[i].deducted_at_us > 0);
        if (items[i].status != STATUS_OK)
            HOLDS(items[i].result == DEDUCT_INVALID && items[i].left == STOCK_LEFT_NONE);
    }
    return status;
}

static enum status ask_settle(struct stock *stock, struct error *error)
{
    struct stock_settlement items[ITEMS];
    for (size_t i = 0; i < ITEMS; i++)
        items[i] =
            (struct stock_settlement){.budget_id = budgets[i], .message_id = ids[i], .deducted_at_us = 17};
    int64_t cleared = -1;
    enum status status = stock_settle(stock, items, ITEMS, &cleared, error);
    HOLDS(cleared >= 0 && cleared <= ITEMS);
    return status;
}

static enum status ask_release(struct stock *stock, int64_t token, struct error *error)
{
    struct stock_release items[ITEMS];
    for (size_t i = 0; i < ITEMS; i++)
        items[i] = (struct stock_release){
            .budget_id = budgets[i], .message_id = ids[i], .deducted_at_us = token, .amount = 3};
    enum status status = stock_release(stock, items, ITEMS, error);
    for (size_t i = 0; i < ITEMS; i++) {
        hold_item(status, items[i].status);
        if (items[i].status != STATUS_OK) HOLDS(!items[i].released && items[i].left == STOCK_LEFT_NONE);
    }
    return status;
}

static enum status ask_forget(struct stock *stock, struct error *error)
{
    struct stock_release items[ITEMS];
    for (size_t i = 0; i < ITEMS; i++)
        items[i] = (struct stock_release){.budget_id = budgets[i], .message_id = ids[i], .amount = 3};
    return stock_forget_guards(stock, items, ITEMS, error);
}

static enum status ask_credit(struct stock *stock, struct error *error)
{
    struct stock_credit items[ITEMS];
    for (size_t i = 0; i < ITEMS; i++)
        items[i] = (struct stock_credit){.budget_id = budgets[i], .credit_id = ids[i], .amount = 3};
    enum status status = stock_credit(stock, items, ITEMS, error);
    for (size_t i = 0; i < ITEMS; i++) {
        hold_item(status, items[i].status);
        if (items[i].status != STATUS_OK) HOLDS(!items[i].applied && items[i].left == STOCK_LEFT_NONE);
    }
    return status;
}

static enum status ask_query(struct stock *stock, struct error *error)
{
    struct stock_query items[ITEMS];
    for (size_t i = 0; i < ITEMS; i++)
        items[i] = (struct stock_query){.budget_id = budgets[i], .message_id = ids[i]};
    enum status status = stock_query(stock, items, ITEMS, error);
    for (size_t i = 0; i < ITEMS; i++) {
        hold_item(status, items[i].status);
        hold_time(items[i].deducted_at_us);
        hold_time(items[i].amount); /* the same range */
        if (items[i].status != STATUS_OK) HOLDS(items[i].state == PENDING_UNKNOWN);
        if (items[i].state == PENDING_UNKNOWN) HOLDS(items[i].amount == 0 && items[i].deducted_at_us == 0);
        if (items[i].state == PENDING_PENDING) HOLDS(items[i].amount > 0 && items[i].deducted_at_us > 0);
    }
    return status;
}

static enum status ask_levels(struct stock *stock, struct error *error)
{
    struct stock_level items[ITEMS];
    for (size_t i = 0; i < ITEMS; i++) items[i] = (struct stock_level){.budget_id = budgets[i]};
    enum status status = stock_levels(stock, items, ITEMS, error);
    for (size_t i = 0; i < ITEMS; i++) {
        hold_item(status, items[i].status);
        if (items[i].status != STATUS_OK) HOLDS(items[i].left == STOCK_LEFT_NONE && items[i].pending == 0);
    }
    return status;
}

static enum status ask_state(struct stock *stock, struct error *error)
{
    int64_t now_us = 0;
    enum status status = stock_state_set(stock, budgets[0], BUDGET_CLOSED, &now_us, error);
    HOLDS((status == STATUS_OK) == (now_us > 0));
    hold_time(now_us);
    return status;
}

static enum status ask_pending(struct stock *stock, struct error *error)
{
    struct arena arena = {0};
    struct stock_pending *entries = NULL;
    size_t count = 0;
    uint64_t cursor = 0;
    enum status status = stock_pending_scan(stock, budgets[0], &cursor, &arena, &entries, &count, error);
    HOLDS(status == STATUS_OK || (entries == NULL && count == 0 && cursor == 0));
    for (size_t i = 0; i < count; i++) {
        HOLDS(target_is_message_id(entries[i].message_id));
        HOLDS(target_is_amount(entries[i].amount) && target_is_amount(entries[i].deducted_at_us));
    }
    arena_free(&arena);
    return status;
}

/* A number of a budget. */
static bool is_total(int64_t number)
{
    return number == 0 || target_is_amount(number);
}

static bool is_left(int64_t left)
{
    return left == STOCK_LEFT_NONE || left == TOTAL_UNLIMITED || is_total(left);
}

static enum status ask_audit(struct stock *stock, struct error *error)
{
    struct stock_audit items[ITEMS];
    for (size_t i = 0; i < ITEMS; i++) items[i] = (struct stock_audit){.budget_id = budgets[i]};
    enum status status = stock_audit(stock, items, ITEMS, error);
    for (size_t i = 0; i < ITEMS; i++) {
        const struct stock_audit *item = &items[i];
        hold_item(status, item->status);
        HOLDS(is_left(item->left) && is_total(item->credited) && is_total(item->deducted));
        HOLDS(is_total(item->settled) && is_total(item->released) && is_total(item->amended));
        HOLDS(item->state >= BUDGET_ACTIVE && item->state <= BUDGET_DELETED);
        HOLDS(item->pendings >= 0 && item->credits >= 0);
        HOLDS(item->status == STATUS_OK ? target_is_amount(item->now_us) : item->now_us == 0);
        if (item->status != STATUS_OK) HOLDS(item->left == STOCK_LEFT_NONE && !item->has_meta);
    }
    return status;
}

static enum status ask_amend(struct stock *stock, struct error *error)
{
    static const struct stock_credit_entry credits[] = {{{"c-1", 3}, 3}, {{"c-2", 3}, 0}};
    struct stock_amendment items[ITEMS];
    for (size_t i = 0; i < ITEMS; i++) {
        items[i] = (struct stock_amendment){.budget_id = budgets[i], .id = 5, .left = -3, .credited = 3};
        if (i != 1) continue;
        items[i].restore = STOCK_RESTORE_LIMITED;
        items[i].credits = credits;
        items[i].credit_count = sizeof credits / sizeof credits[0];
    }
    enum status status = stock_amend(stock, items, ITEMS, error);
    for (size_t i = 0; i < ITEMS; i++) {
        hold_item(status, items[i].status);
        HOLDS(is_left(items[i].left_after));
        if (items[i].status != STATUS_OK) HOLDS(!items[i].applied && items[i].left_after == STOCK_LEFT_NONE);
    }
    return status;
}

static enum status ask_credits(struct stock *stock, struct error *error)
{
    struct arena arena = {0};
    struct stock_credit_entry *entries = NULL;
    size_t count = 0;
    uint64_t cursor = 0;
    enum status status = stock_credits_scan(stock, budgets[0], &cursor, &arena, &entries, &count, error);
    HOLDS(status == STATUS_OK || (entries == NULL && count == 0 && cursor == 0));
    for (size_t i = 0; i < count; i++) {
        HOLDS(target_is_message_id(entries[i].credit_id));
        HOLDS(entries[i].amount == TOTAL_UNLIMITED || is_total(entries[i].amount));
    }
    arena_free(&arena);
    return status;
}

static enum status ask_server(struct stock *stock, struct error *error)
{
    char server[STOCK_SERVER_SIZE_MAX];
    memset(server, 'x', sizeof server);
    enum status status = stock_server(stock, server, error);
    HOLDS(memchr(server, '\0', sizeof server) != NULL);
    HOLDS(server[0] == '\0' || (status == STATUS_OK && target_is_message_id(text_of(server))));
    return status;
}

static enum status ask(struct redis_stock *redis, char what, struct error *error)
{
    struct stock *stock = &redis->stock;
    switch (what) {
    case 'd': return ask_deduct(stock, error);
    case 's': return ask_settle(stock, error);
    case 'r': return ask_release(stock, 17, error);
    case 'u': return ask_release(stock, 0, error);
    case 'f': return ask_forget(stock, error);
    case 'c': return ask_credit(stock, error);
    case 'q': return ask_query(stock, error);
    case 'l': return ask_levels(stock, error);
    case 't': return ask_state(stock, error);
    case 'p': return ask_pending(stock, error);
    case 'A': return ask_audit(stock, error);
    case 'm': return ask_amend(stock, error);
    case 'C': return ask_credits(stock, error);
    case 'I': return ask_server(stock, error);
    case 'L': return stock_load_scripts(stock, error);
    case 'a': return log_in(&redis->pipeline.link, error);
    default: return stock_ping(stock, error);
    }
}

/* An array of millions of elements takes as much memory as the server wishes, in the library: not for here.
 */
static bool asks_for_memory(struct text reply)
{
    size_t digits = 0;
    for (size_t i = 0; i < reply.size; i++) {
        char c = reply.data[i];
        digits = c == '*' ? 1 : c == '\n' || digits == 0 ? 0 : digits + 1;
        if (digits > ELEMENTS_LONG + 1) return true;
    }
    return false;
}

/* An open link whose answers are there, and on which nothing more will come: as if the time was up at once.
 */
static redisContext *context_with(struct text reply, int *other_end)
{
    int pair[2];
    HOLDS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
    redisContext *context = redisConnectFd(pair[0]);
    HOLDS(context != NULL && redisReaderFeed(context->reader, reply.data, reply.size) == REDIS_OK);
    *other_end = pair[1];
    return context;
}

static void run(char what, bool loaded, struct text reply)
{
    static const struct redis_stock_options options = {
        .url = "unix://user:secret@/dev/null/redis", .done_window_s = 600, .timeout_ms = 1000};
    struct stock *stock = NULL;
    struct error error = {""};
    HOLDS(redis_stock_open(&options, &stock, &error) == STATUS_OK);
    struct redis_stock *redis = redis_stock_of(stock);
    memset(redis->pipeline.sha, 'a', sizeof redis->pipeline.sha);
    redis->pipeline.have_sha = loaded;
    redis->pipeline.link.address.database = 4;
    int other_end;
    redis->pipeline.link.context = context_with(reply, &other_end);
    error.text[0] = '\0';
    enum status status = ask(redis, what, &error);
    HOLDS(status != STATUS_INTERNAL);
    if (status != STATUS_OK) hold_error_line(error.text);
    HOLDS(strstr(error.text, "secret") == NULL || memmem(reply.data, reply.size, "secret", 6) != NULL);
    stock_close(stock);
    close(other_end);
}

int LLVMFuzzerInitialize(int *argument_count, char ***arguments)
{
    (void)argument_count;
    (void)arguments;
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool loaded = size == 0 || data[0] != 'S';
    size_t first = loaded ? 0 : 1;
    if (size <= first) return 0;
    size_t begin = first + 1 < size && data[first + 1] == '\n' ? first + 2 : first + 1;
    struct text reply = {(const char *)data + begin, size - begin};
    if (!asks_for_memory(reply)) run((char)data[first], loaded, reply);
    return 0;
}
