/* What only the real stock meets when it is audited and amended: rights that are missing, a server in
 * trouble, entries that no script wrote. */
#include "contract/stock_world.h"
#include "port/stock_audit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static struct stock *open_as(struct world *world, const char *login)
{
    struct redis_stock_options options = world_options();
    options.url = arena_format(&world->arena, "redis://%s127.0.0.1:%d", login, world->redis->tcp.port);
    struct stock *stock = NULL;
    world_check(world, redis_stock_open(&options, &stock, &world->error));
    return stock;
}

static void assert_text_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) fail_msg("'%s' does not say '%s'", text, part);
}

static void test_the_run_id_is_told_only_to_whom_info_is_allowed(void **state)
{
    struct world *world = *state;
    char told[STOCK_SERVER_SIZE_MAX], hidden[STOCK_SERVER_SIZE_MAX];
    world_check(world, stock_server(world->stock, told, &world->error));
    redisReply *reply = redisCommand(world->redis, "INFO server");
    assert_non_null(reply);
    const char *line = strstr(reply->str, "run_id:");
    assert_true(line != NULL && strlen(told) == 40 && strncmp(line + 7, told, 40) == 0);
    freeReplyObject(reply);

    world_redis(world, "ACL SETUSER bob on >secret ~* +@all -info");
    struct stock *bob = open_as(world, "bob:secret@");
    world_check(world, stock_ping(bob, &world->error));
    memset(hidden, 'x', sizeof hidden);
    world_check(world, stock_server(bob, hidden, &world->error));
    assert_string_equal(hidden, "");
    world_check(world, stock_ping(bob, &world->error));
    assert_int_equal(stock_connections(bob), 1); /* an answer like any other */
    stock_close(bob);
    world_redis(world, "ACL DELUSER bob");
    bob = open_as(world, "bob:secret@");
    memset(hidden, 'x', sizeof hidden);
    assert_int_equal(stock_server(bob, hidden, &world->error), STATUS_CONFIG);
    assert_string_equal(hidden, "");
    stock_close(bob);
}

/* A server that answers the log-in and then, to whatever it is asked, this. */
struct talker {
    int listener;
    const char *reply;
};

static void *talk(void *context)
{
    const struct talker *talker = context;
    char bytes[512];
    int connection = accept(talker->listener, NULL, NULL);
    const char *replies[] = {"+OK\r\n", talker->reply};
    for (size_t i = 0; i < 2; i++) {
        if (recv(connection, bytes, sizeof bytes, 0) <= 0) break;
        if (send(connection, replies[i], strlen(replies[i]), MSG_NOSIGNAL) < 0) break;
    }
    close(connection);
    return NULL;
}

static void test_what_tells_no_run_id_and_what_is_no_answer(void **state)
{
    static const struct {
        const char *reply;
        enum status status;
        const char *server;
    } rows[] = {
        {"$12\r\nrun_id:abc\r\n\r\n", STATUS_OK, "abc"},
        {"$25\r\n# Server\r\nrun_id:abc\r\nx:1\r\n", STATUS_OK, "abc"},
        {"$10\r\nrun_id:abc\r\n", STATUS_OK, "abc"},
        {"$17\r\nmaster_run_id:abc\r\n", STATUS_OK, ""},
        {"$10\r\n# Server\r\n\r\n", STATUS_OK, ""},
        {"$0\r\n\r\n", STATUS_OK, ""},
        {"-ERR unknown command 'INFO', with args beginning with: 'server' \r\n", STATUS_OK, ""},
        {"-NOPERM this user has no permissions to run the 'info' command\r\n", STATUS_OK, ""},
        {"-LOADING Redis is loading the dataset in memory\r\n", STATUS_RETRY, ""},
        {"-ERR something else\r\n", STATUS_REFUSED, ""},
        {"$11\r\nrun_id:a\tbc\r\n", STATUS_REFUSED, ""},
        {":5\r\n", STATUS_REFUSED, ""},
        {"", STATUS_RETRY, ""},
    };
    struct world *world = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    struct redis_stock_options options = world_options();
    options.url = arena_format(&world->arena, "redis://127.0.0.1:%d", (int)ntohs(address.sin_port));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct talker talker = {listener, rows[i].reply};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, talk, &talker), 0);
        struct stock *stock = NULL;
        char server[STOCK_SERVER_SIZE_MAX] = "untouched";
        world_check(world, redis_stock_open(&options, &stock, &world->error));
        enum status status = stock_server(stock, server, &world->error);
        stock_close(stock);
        pthread_join(thread, NULL);
        if (status != rows[i].status || strcmp(server, rows[i].server) != 0)
            fail_msg("row %zu: %s, '%s'", i, status_name(status), server);
    }
    close(listener);
}

static void test_what_credit_never_wrote_is_left_out(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "good", 5);
    world_credit(world, "b", "nothing", 0);
    const char *const values[] = {"x", "", "-1", "05", "5 ", "1.0", "9007199254740992", "Unlimited"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        world_redis(world, "HSET budget:{b}:credits bad%lld %s", (long long)i, values[i]);
    world_redis(world, "HSET budget:{b}:credits %s 5", "two words");
    uint64_t cursor = 0;
    struct stock_credit_entry *entries = NULL;
    size_t count = 0;
    world_check(world, stock_credits_scan(world->stock, TEXT_LITERAL("b"), &cursor, &world->arena, &entries,
                                          &count, &world->error));
    assert_int_equal(cursor, 0);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(entries[i].amount, text_equal_string(entries[i].credit_id, "good") ? 5 : 0);
    world_corrupt(world, "c");
    assert_int_equal(stock_credits_scan(world->stock, TEXT_LITERAL("c"), &cursor, &world->arena, &entries,
                                        &count, &world->error),
                     STATUS_REFUSED);
    assert_text_has(world->error.text, "WRONGTYPE");
}

static void test_a_refusal_says_what_is_wrong(void **state)
{
    struct world *world = *state;
    world_credit(world, "b", "c", 10);
    world_redis(world, "HSET budget:{b}:meta settled 1.5");
    struct stock_audit audit = {.budget_id = TEXT_LITERAL("b"), .left = 7};
    world_check(world, stock_audit(world->stock, &audit, 1, &world->error));
    assert_int_equal(audit.status, STATUS_REFUSED);
    assert_int_equal(audit.left, STOCK_LEFT_NONE);
    assert_text_has(world->error.text, "`settled`");
    struct stock_amendment amendments[] = {
        {.budget_id = TEXT_LITERAL("b"), .id = 1, .left = 1},
        {.budget_id = TEXT_LITERAL("d"), .id = 1, .credited = 1},
    };
    world_check(world, stock_amend(world->stock, amendments, 2, &world->error));
    assert_int_equal(amendments[0].status, STATUS_REFUSED);
    assert_text_has(world->error.text, "`settled`");
    assert_true(amendments[1].applied); /* the trouble of one does not stop the others */
    world_expect_level(world, "d", STOCK_LEFT_NONE, 0);
}

static void test_a_server_in_trouble_is_asked_again(void **state)
{
    struct world *world = *state;
    static const struct stock_credit_entry credits[] = {{{"c1", 2}, 5}};
    struct stock_amendment items[] = {
        {.budget_id = TEXT_LITERAL("b"), .id = 4, .left = 1, .credited = 1},
        {.budget_id = TEXT_LITERAL("lost"),
         .id = 4,
         .credited = 5,
         .restore = STOCK_RESTORE_LIMITED,
         .credits = credits,
         .credit_count = 1},
    };
    struct stock_audit audit = {.budget_id = TEXT_LITERAL("b")};
    world_credit(world, "b", "c", 10);
    world_redis(world, "SCRIPT FLUSH");
    world_check(world, stock_audit(world->stock, &audit, 1, &world->error));
    assert_int_equal(audit.left, 10);
    world_redis(world, "CONFIG SET maxmemory 1");
    assert_int_equal(stock_amend(world->stock, items, 2, &world->error), STATUS_RETRY);
    assert_text_has(world->error.text, "OOM");
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(items[i].status, STATUS_RETRY);
        assert_false(items[i].applied);
    }
    world_check(world, stock_audit(world->stock, &audit, 1, &world->error));
    assert_int_equal(audit.amended, 0);
    world_redis(world, "CONFIG SET maxmemory 0");
    world_redis(world, "REPLICAOF 127.0.0.1 1");
    assert_int_equal(stock_amend(world->stock, items, 2, &world->error), STATUS_RETRY);
    assert_text_has(world->error.text, "READONLY");
    world_check(world, stock_audit(world->stock, &audit, 1, &world->error)); /* reading goes on */
    world_redis(world, "REPLICAOF NO ONE");
    world_redis(world, "SCRIPT FLUSH");
    world_check(world, stock_amend(world->stock, items, 2, &world->error));
    assert_true(items[0].applied && items[1].applied);
    assert_int_equal(items[0].left_after, 11);
    assert_int_equal(items[1].left_after, 5);
    redisReply *reply = redisCommand(world->redis, "HGET budget:{lost}:credits c1");
    assert_true(reply != NULL && reply->type == REDIS_REPLY_STRING && strcmp(reply->str, "5") == 0);
    freeReplyObject(reply);
}

static void test_nobody_listens(void **state)
{
    struct world *world = *state;
    struct redis_stock_options options = world_options();
    options.url = "redis://127.0.0.1:1";
    struct stock *stock = NULL;
    world_check(world, redis_stock_open(&options, &stock, &world->error));
    char server[STOCK_SERVER_SIZE_MAX];
    struct stock_audit audit = {.budget_id = TEXT_LITERAL("b")};
    struct stock_amendment amendment = {.budget_id = TEXT_LITERAL("b"), .id = 1};
    assert_int_equal(stock_server(stock, server, &world->error), STATUS_RETRY);
    assert_string_equal(server, "");
    assert_int_equal(stock_audit(stock, &audit, 1, &world->error), STATUS_RETRY);
    assert_int_equal(audit.status, STATUS_RETRY);
    assert_int_equal(audit.left, STOCK_LEFT_NONE);
    assert_int_equal(stock_amend(stock, &amendment, 1, &world->error), STATUS_RETRY);
    assert_int_equal(amendment.status, STATUS_RETRY);
    stock_close(stock);
}

#define ON_REDIS(test) cmocka_unit_test_setup_teardown(test, world_setup_redis, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_REDIS(test_the_run_id_is_told_only_to_whom_info_is_allowed),
        ON_REDIS(test_what_tells_no_run_id_and_what_is_no_answer),
        ON_REDIS(test_what_credit_never_wrote_is_left_out),
        ON_REDIS(test_a_refusal_says_what_is_wrong),
        ON_REDIS(test_a_server_in_trouble_is_asked_again),
        ON_REDIS(test_nobody_listens),
    };
    return cmocka_run_group_tests_name("auditing and amending the stock on Redis", tests, NULL, NULL);
}
