/* What only the real stock meets: connections, a server in trouble, scripts forgotten, bad configuration. */
#include "contract/stock_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static struct stock *open_stock(struct world *world, const char *url, int64_t timeout_ms)
{
    struct redis_stock_options options = world_options();
    options.url = url;
    options.timeout_ms = timeout_ms;
    struct stock *stock = NULL;
    world_check(world, redis_stock_open(&options, &stock, &world->error));
    return stock;
}

/* "redis://<login>127.0.0.1:<port><rest>" */
static const char *url_with(struct world *world, const char *login, const char *rest)
{
    return arena_format(&world->arena, "redis://%s127.0.0.1:%d%s", login, world->redis->tcp.port, rest);
}

static void assert_text_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) fail_msg("'%s' does not say '%s'", text, part);
}

static enum status try_deduct(struct world *world, struct stock *stock, struct stock_deduct *item)
{
    *item =
        (struct stock_deduct){.budget_id = TEXT_LITERAL("b"), .message_id = TEXT_LITERAL("new"), .amount = 1};
    return stock_deduct(stock, item, 1, &world->error);
}

static void test_scripts_forgotten_between_calls(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c", 10);
    int64_t token = world_take(world, "b", "m", 1);
    world_redis(world, "SCRIPT FLUSH");
    assert_int_equal(world_settle(world, "b", "m", token), 1);
    world_redis(world, "SCRIPT FLUSH");
    world_expect_level(world, "b", 9, 0);
}

static void *flush_scripts(void *context)
{
    redisContext *redis = context;
    for (int i = 0; i < 20; i++) {
        usleep(3000);
        freeReplyObject(redisCommand(redis, "SCRIPT FLUSH"));
    }
    return NULL;
}

static void test_scripts_forgotten_in_the_middle_of_a_pipeline(void **state)
{
    enum { COUNT = 20000 };
    struct world *world = *state;
    world_credit(world, "b", "c", COUNT);
    struct stock_deduct *items = memory_alloc_zero(COUNT, sizeof *items);
    for (size_t i = 0; i < COUNT; i++) {
        items[i] = (struct stock_deduct){.budget_id = TEXT_LITERAL("b"),
                                         .message_id = text_of(arena_format(&world->arena, "m%zu", i)),
                                         .amount = 1};
    }
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, flush_scripts, world->redis), 0);
    enum status status = stock_deduct(world->stock, items, COUNT, &world->error);
    assert_true(status == STATUS_OK || status == STATUS_RETRY); /* retry: forgotten again and again */
    pthread_join(thread, NULL);
    size_t done = 0;
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(items[i].status == STATUS_OK ||
                    (status == STATUS_RETRY && items[i].status == STATUS_RETRY));
        if (items[i].status != STATUS_OK) continue;
        assert_int_equal(items[i].result, DEDUCT_DONE); /* a repeat would mean that it was sent twice */
        done++;
    }
    world_expect_level(world, "b", (int64_t)(COUNT - done), (int64_t)done);
    free(items);
}

static void test_a_connection_closed_while_idle_is_made_again(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c", 10);
    for (int i = 0; i < 3; i++) {
        world_redis(world, "CLIENT KILL TYPE normal SKIPME yes");
        world_expect_level(world, "b", 10, 0);
    }
}

static void test_a_late_answer_is_never_taken_for_another(void **state)
{
    struct world *world = *state;
    struct stock *hasty = open_stock(world, world_options().url, 100);
    world_credit(world, "b", "c", 10);
    world_check(world, stock_ping(hasty, &world->error));
    world_check(world, stock_load_scripts(hasty, &world->error));
    world_redis(world, "CLIENT PAUSE 400 ALL");
    struct stock_deduct item;
    assert_int_equal(try_deduct(world, hasty, &item), STATUS_UNKNOWN);
    assert_int_equal(item.status, STATUS_UNKNOWN);
    assert_text_has(world->error.text, "did not answer within 100 ms");
    assert_text_has(world->error.text, "127.0.0.1:");
    /* Connects while Redis still sleeps, so the log-in is what times out: nothing was asked for. */
    assert_int_equal(try_deduct(world, hasty, &item), STATUS_RETRY);
    usleep(400000);
    struct stock_level level = {.budget_id = TEXT_LITERAL("other")};
    world_check(world, stock_levels(hasty, &level, 1, &world->error));
    assert_int_equal(level.left, STOCK_LEFT_NONE);
    world_check(world, try_deduct(world, hasty, &item));
    assert_true(item.result == DEDUCT_REPEAT || item.result == DEDUCT_DONE);
    world_expect_level(world, "b", 9, 1);
    stock_close(hasty);
}

static void test_a_full_server_is_asked_again_and_still_settles(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c", 10);
    int64_t settled = world_take(world, "b", "m", 1);
    int64_t refunded = world_take(world, "b", "n", 1);
    world_set_left(world, "old", 5);
    world_redis(world, "CONFIG SET maxmemory 1");
    struct stock_deduct item;
    assert_int_equal(try_deduct(world, world->stock, &item), STATUS_RETRY);
    assert_int_equal(item.status, STATUS_RETRY);
    assert_text_has(world->error.text, "OOM");
    assert_text_has(world->error.text, "maxmemory");
    struct stock_release releases[] = {
        {.budget_id = TEXT_LITERAL("old"), .message_id = TEXT_LITERAL("x"), .amount = 1},
        {.budget_id = TEXT_LITERAL("b"), .message_id = TEXT_LITERAL("n"), .deducted_at_us = refunded},
    };
    assert_int_equal(stock_release(world->stock, releases, 2, &world->error), STATUS_RETRY);
    assert_int_equal(releases[0].status, STATUS_RETRY);
    assert_int_equal(releases[1].status, STATUS_OK); /* the trouble of one does not stop the others */
    assert_true(releases[1].released);
    assert_int_equal(world_settle(world, "b", "m", settled), 1);
    world_redis(world, "CONFIG SET maxmemory 0");
    world_expect_level(world, "b", 9, 0);
    world_expect_level(world, "old", 5, 0);
    world_check(world, try_deduct(world, world->stock, &item));
    assert_int_equal(item.result, DEDUCT_DONE);
}

static void test_a_replica_is_no_place_to_write(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c", 10);
    world_redis(world, "REPLICAOF 127.0.0.1 1");
    struct stock_deduct item;
    assert_int_equal(try_deduct(world, world->stock, &item), STATUS_RETRY);
    assert_text_has(world->error.text, "READONLY");
    world_redis(world, "CONFIG SET replica-serve-stale-data no");
    assert_int_equal(try_deduct(world, world->stock, &item), STATUS_RETRY);
    assert_text_has(world->error.text, "MASTERDOWN");
    world_redis(world, "CONFIG SET replica-serve-stale-data yes");
    world_redis(world, "REPLICAOF NO ONE");
    world_check(world, try_deduct(world, world->stock, &item));
    assert_int_equal(item.result, DEDUCT_DONE);
}

static void test_logging_in(void **state)
{
    struct world *world = *state;
    struct stock_deduct item;
    world_credit(world, "b", "c", 10);
    world_redis(world, "ACL SETUSER ann on >p@ss/%%w%%3a:rd ~* +@all");
    world_redis(world, "CONFIG SET requirepass s3cret");
    struct stock *stranger = open_stock(world, url_with(world, "", ""), TIMEOUT_MS);
    assert_int_equal(try_deduct(world, stranger, &item), STATUS_CONFIG);
    assert_text_has(world->error.text, "NOAUTH");
    assert_int_equal(item.status, STATUS_RETRY);
    assert_int_equal(stock_ping(stranger, &world->error), STATUS_CONFIG);
    assert_int_equal(stock_load_scripts(stranger, &world->error), STATUS_CONFIG);
    struct stock *wrong = open_stock(world, url_with(world, ":wr0ng@", ""), TIMEOUT_MS);
    assert_int_equal(try_deduct(world, wrong, &item), STATUS_CONFIG);
    assert_text_has(world->error.text, "WRONGPASS");
    assert_null(strstr(world->error.text, "wr0ng"));
    struct stock *nobody = open_stock(world, url_with(world, "nobody:s3cret@", ""), TIMEOUT_MS);
    assert_int_equal(stock_ping(nobody, &world->error), STATUS_CONFIG);
    assert_text_has(world->error.text, "WRONGPASS");
    struct stock *owner = open_stock(world, url_with(world, ":s3cret@", "/0"), TIMEOUT_MS);
    world_check(world, stock_ping(owner, &world->error));
    struct stock *ann = open_stock(world, url_with(world, "ann:p%40ss%2F%25w%253a%3Ard@", ""), TIMEOUT_MS);
    world_check(world, try_deduct(world, ann, &item));
    assert_int_equal(item.result, DEDUCT_DONE);
    world_redis(world, "ACL SETUSER ann -hset");
    item.message_id = TEXT_LITERAL("another");
    assert_int_equal(stock_deduct(ann, &item, 1, &world->error), STATUS_RETRY);
    assert_text_has(world->error.text, "ACL SETUSER");
    world_redis(world, "ACL SETUSER ann +hset -evalsha");
    assert_int_equal(stock_deduct(ann, &item, 1, &world->error), STATUS_RETRY);
    assert_text_has(world->error.text, "NOPERM");
    world_redis(world, "CONFIG SET requirepass %s", "");
    world_redis(world, "ACL DELUSER ann");
    world_check(world, stock_ping(stranger, &world->error)); /* what was mended is found by the next call */
    assert_int_equal(stock_ping(wrong, &world->error), STATUS_CONFIG);
    assert_text_has(world->error.text, "without any password configured");
    stock_close(stranger);
    stock_close(wrong);
    stock_close(nobody);
    stock_close(owner);
    stock_close(ann);
}

static void test_database_and_prefix_keep_worlds_apart(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c", 10);
    struct stock *elsewhere = open_stock(world, url_with(world, "", "/3"), TIMEOUT_MS);
    struct redis_stock_options options = world_options();
    options.prefix = "shop.";
    struct stock *renamed = NULL;
    world_check(world, redis_stock_open(&options, &renamed, &world->error));
    struct stock *stocks[] = {elsewhere, renamed};
    for (size_t i = 0; i < 2; i++) {
        struct stock_deduct item;
        world_check(world, try_deduct(world, stocks[i], &item));
        assert_int_equal(item.result, DEDUCT_NOT_INITIALISED);
    }
    struct stock_credit credit = {
        .budget_id = TEXT_LITERAL("b"), .credit_id = TEXT_LITERAL("c"), .amount = 7};
    world_check(world, stock_credit(renamed, &credit, 1, &world->error));
    assert_true(credit.applied);
    redisReply *reply = redisCommand(world->redis, "GET shop.{b}");
    assert_true(reply != NULL && reply->type == REDIS_REPLY_STRING && strcmp(reply->str, "7") == 0);
    freeReplyObject(reply);
    struct stock *nowhere = open_stock(world, url_with(world, "", "/999"), TIMEOUT_MS);
    assert_int_equal(stock_ping(nowhere, &world->error), STATUS_CONFIG);
    assert_text_has(world->error.text, "SELECT");
    stock_close(nowhere);
    stock_close(elsewhere);
    stock_close(renamed);
}

static void test_too_many_clients_may_pass(void **state)
{
    struct world *world = *state;
    struct stock *open = open_stock(world, url_with(world, "", ""), TIMEOUT_MS);
    struct stock *login = open_stock(world, url_with(world, ":any@", ""), TIMEOUT_MS);
    world_redis(world, "CLIENT KILL TYPE normal SKIPME yes");
    world_redis(world, "CONFIG SET maxclients 1");
    assert_int_equal(stock_ping(open, &world->error), STATUS_RETRY);
    assert_int_equal(stock_ping(login, &world->error), STATUS_RETRY);
    world_redis(world, "CONFIG SET maxclients 10000");
    world_check(world, stock_ping(open, &world->error));
    stock_close(open);
    stock_close(login);
}

static void test_nobody_listens(void **state)
{
    struct world *world = *state;
    struct stock *stock = open_stock(world, "redis://127.0.0.1:1", 1000);
    struct stock_deduct item;
    assert_int_equal(try_deduct(world, stock, &item), STATUS_RETRY);
    assert_int_equal(item.status, STATUS_RETRY);
    assert_text_has(world->error.text, "127.0.0.1:1");
    assert_text_has(world->error.text, "refused");
    stock_close(stock);
    stock = open_stock(world, "unix:///nowhere/at%20all", 1000);
    assert_int_equal(stock_ping(stock, &world->error), STATUS_RETRY);
    assert_text_has(world->error.text, "/nowhere/at all");
    stock_close(stock);
}

static void test_urls_are_checked_and_never_repeated(void **state)
{
    static const struct {
        const char *url, *says;
    } wrong[] = {
        {"", "empty"},
        {"127.0.0.1:6379", "scheme"},
        {"http://host", "scheme"},
        {"redis://", "host is missing"},
        {"redis://:6379", "host is missing"},
        {"redis://host:0", "port"},
        {"redis://host:65536", "port"},
        {"redis://host:", "port"},
        {"redis://host:63a", "port"},
        {"redis://host/x", "database"},
        {"redis://host/-1", "database"},
        {"redis://host/0/1", "database"},
        {"redis://host?db=1", "'?'"},
        {"redis://[::1", "bracket"},
        {"redis://[::1]6379", "IPv6"},
        {"redis://hunter2@host", "no password"},
        {"redis://ann:@host", "password is empty"},
        {"redis://ann:hunter2%@host", "percent-escape"},
        {"redis://ann:hunter2%zz@host", "percent-escape"},
        {"redis://ann:hunter2%00@host", "percent-escape"},
        {"redis://ann:hunter2/x@host", "redis.url"},
        {"unix://host/path", "three slashes"},
        {"unix://", "path"},
    };
    struct error error;
    struct redis_stock_options options = {.done_window_s = 600, .timeout_ms = 1000};
    struct stock *stock = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        options.url = wrong[i].url;
        if (redis_stock_open(&options, &stock, &error) != STATUS_CONFIG)
            fail_msg("'%s' is taken", wrong[i].url);
        assert_text_has(error.text, wrong[i].says);
        assert_null(strstr(error.text, "hunter2"));
    }
    static const char *const right[] = {
        "redis://host",    "redis://host/",          "redis://[::1]:7000/15",    "redis://:p%3Ass@h:1/0",
        "redis://u:p@h@x", "unix:///run/redis.sock", "unix://:p@/run/redis.sock"};
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        options.url = right[i];
        if (redis_stock_open(&options, &stock, &error) != STATUS_OK)
            fail_msg("'%s': %s", right[i], error.text);
        stock_close(stock);
    }
}

static void test_options_are_checked(void **state)
{
    struct error error;
    struct stock *stock = NULL;
    (void)state;
    static const struct redis_stock_options wrong[] = {
        {.url = "redis://h", .done_window_s = 0, .timeout_ms = 1},
        {.url = "redis://h", .done_window_s = DONE_WINDOW_S_MAX + 1, .timeout_ms = 1},
        {.url = "redis://h", .done_window_s = 1, .timeout_ms = 0},
        {.url = "redis://h", .done_window_s = 1, .timeout_ms = INT64_MAX},
        {.url = "redis://h", .done_window_s = 1, .timeout_ms = 1, .prefix = "a{b"},
        {.url = "redis://h", .done_window_s = 1, .timeout_ms = 1, .prefix = "a b"},
    };
    static const char *const says[] = {"done_window", "done_window", "timeout",
                                       "timeout",     "prefix",      "prefix"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(redis_stock_open(&wrong[i], &stock, &error), STATUS_CONFIG);
        assert_text_has(error.text, says[i]);
    }
}

static void test_what_was_given_up_on_is_not_delivered_later(void **state)
{
    struct world *world = *state;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    const char *url = arena_format(&world->arena, "redis://127.0.0.1:%d", (int)ntohs(address.sin_port));
    struct stock *stock = open_stock(world, url, 50);
    assert_int_equal(stock_ping(stock, &world->error), STATUS_RETRY);
    int server = accept(listener, NULL, NULL);
    assert_true(server >= 0);
    char bytes[256];
    ssize_t got;
    do got = recv(server, bytes, sizeof bytes, 0);
    while (got > 0);
    assert_int_equal(got, -1); /* reset: with an orderly end the kernel delivers all it has, however late */
    assert_int_equal(errno, ECONNRESET);
    close(server);
    close(listener);
    stock_close(stock);
}

#define ON_REDIS(test) cmocka_unit_test_setup_teardown(test, world_setup_redis, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_REDIS(test_scripts_forgotten_between_calls),
        ON_REDIS(test_scripts_forgotten_in_the_middle_of_a_pipeline),
        ON_REDIS(test_a_connection_closed_while_idle_is_made_again),
        ON_REDIS(test_a_late_answer_is_never_taken_for_another),
        ON_REDIS(test_a_full_server_is_asked_again_and_still_settles),
        ON_REDIS(test_a_replica_is_no_place_to_write),
        ON_REDIS(test_logging_in),
        ON_REDIS(test_database_and_prefix_keep_worlds_apart),
        ON_REDIS(test_too_many_clients_may_pass),
        ON_REDIS(test_nobody_listens),
        ON_REDIS(test_urls_are_checked_and_never_repeated),
        ON_REDIS(test_options_are_checked),
        ON_REDIS(test_what_was_given_up_on_is_not_delivered_later),
    };
    return cmocka_run_group_tests_name("the stock on Redis", tests, NULL, NULL);
}
