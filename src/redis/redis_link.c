#include "redis/redis_link.h"

#include "redis/redis_reply.h"
#include "redis/redis_tls.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#define WORDS_MAX 8 /* of one command through redis_link_ask */

static enum status cannot_connect(const struct redis_link *link, const char *why, struct error *error)
{
    return error_set(error, STATUS_RETRY,
                     "cannot connect to Redis at %s: %s: is it running, and is redis.url right?",
                     link->address.name, why);
}

/* Whether the idle connection can still be used: the server may have closed it, and nothing may be waiting to
 * be read. */
static bool is_quiet(const struct redis_link *link)
{
    char byte;
    ssize_t got = recv(link->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got > 0) return link->address.tls; /* a TLS record need not carry a reply */
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

/* Whether the answer to a log-in is the same until somebody changes redis.url or the server's users. All else
 * may pass: the server is loading, has too many clients, is about to fail over. */
static bool is_for_the_operator(const redisReply *reply)
{
    static const char *const answers[] = {
        "WRONGPASS ",
        "NOAUTH ",
        "ERR AUTH ",                     /* the server has no password, and was given one */
        "ERR wrong number of arguments", /* a server of before Redis 6 was given a user */
        "ERR DB index",
        "ERR invalid DB index",
        "ERR SELECT is not allowed", /* a node of a cluster */
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        size_t size = strlen(answers[i]);
        if (reply->len >= size && memcmp(reply->str, answers[i], size) == 0) return true;
    }
    return false;
}

static enum status refused(struct redis_link *link, struct text command, const redisReply *reply,
                           struct error *error)
{
    redis_link_drop(link);
    return error_set(error, is_for_the_operator(reply) ? STATUS_CONFIG : STATUS_RETRY,
                     "cannot log in to Redis at %s: " TEXT_FORMAT ": %.*s: look at redis.url",
                     link->address.name, TEXT_ARGUMENTS(command), (int)reply->len, reply->str);
}

/* One command of the log-in. Any failure drops the link; nothing was asked for yet, so it is always safe to
 * try again. */
static enum status log_in_with(struct redis_link *link, const struct text *words, size_t count,
                               struct error *error)
{
    redisReply *reply = NULL;
    enum status status = redis_link_ask(link, words, count, &reply, error);
    if (status != STATUS_OK) return STATUS_RETRY;
    if (reply->type == REDIS_REPLY_ERROR) status = refused(link, words[0], reply, error);
    freeReplyObject(reply);
    return status;
}

static enum status log_in(struct redis_link *link, struct error *error)
{
    const struct redis_address *address = &link->address;
    if (address->password != NULL) {
        struct text words[3] = {TEXT_LITERAL("AUTH")};
        size_t count = 1;
        if (address->user != NULL) words[count++] = text_of(address->user);
        words[count++] = text_of(address->password);
        enum status status = log_in_with(link, words, count, error);
        if (status != STATUS_OK) return status;
    }
    if (address->database != 0) {
        char number[16];
        snprintf(number, sizeof number, "%d", address->database);
        struct text words[] = {TEXT_LITERAL("SELECT"), text_of(number)};
        enum status status = log_in_with(link, words, 2, error);
        if (status != STATUS_OK) return status;
    }
    struct text words[] = {TEXT_LITERAL("CLIENT"), TEXT_LITERAL("SETNAME"), TEXT_LITERAL("bursar")};
    redisReply *reply = NULL;
    enum status status = redis_link_ask(link, words, 3, &reply, error);
    if (status != STATUS_OK) return STATUS_RETRY;
    /* A name only helps people who look at CLIENT LIST: a server that refuses it is as good, unless it wants
     * a password first. */
    if (redis_reply_has_code(reply, "NOAUTH")) status = refused(link, words[0], reply, error);
    freeReplyObject(reply);
    return status;
}

static enum status link_connect(struct redis_link *link, struct error *error)
{
    const struct redis_address *address = &link->address;
    struct timeval timeout = {.tv_sec = link->timeout_ms / 1000, .tv_usec = link->timeout_ms % 1000 * 1000};
    if (address->path != NULL) {
        link->context = redisConnectUnixWithTimeout(address->path, timeout);
    } else {
        link->context = redisConnectWithTimeout(address->host, address->port, timeout);
    }
    if (link->context == NULL) return cannot_connect(link, "out of memory", error);
    if (link->context->err != 0) {
        enum status status = cannot_connect(link, link->context->errstr, error);
        redis_link_drop(link);
        return status;
    }
    if (redisSetTimeout(link->context, timeout) != REDIS_OK ||
        (address->path == NULL && redisEnableKeepAlive(link->context) != REDIS_OK)) {
        enum status status = cannot_connect(link, link->context->errstr, error);
        redis_link_drop(link);
        return status;
    }
    if (address->tls) {
        enum status status = redis_tls_start(link->context, address->host, error);
        if (status != STATUS_OK) {
            redis_link_drop(link);
            return error_wrap(error, status, "cannot speak TLS with Redis at %s", address->name);
        }
    }
    enum status status = log_in(link, error);
    if (status == STATUS_OK) link->connections++;
    return status;
}

enum status redis_link_open(struct redis_link *link, struct error *error)
{
    if (link->context != NULL && !is_quiet(link)) redis_link_drop(link);
    return link->context != NULL ? STATUS_OK : link_connect(link, error);
}

void redis_link_drop(struct redis_link *link)
{
    if (link->context != NULL) redisFree(link->context);
    link->context = NULL;
}

enum status redis_link_append(struct redis_link *link, struct text commands, struct error *error)
{
    if (redisAppendFormattedCommand(link->context, commands.data, commands.size) == REDIS_OK)
        return STATUS_OK;
    redis_link_drop(link);
    return error_set(error, STATUS_RETRY, "cannot send to Redis at %s: out of memory", link->address.name);
}

/* What was given up on is asked again on another connection: the kernel shall not go on delivering it. */
static void discard_unsent(const struct redis_link *link)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(link->context->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

enum status redis_link_read(struct redis_link *link, redisReply **reply, struct error *error)
{
    void *answer = NULL;
    *reply = NULL;
    if (redisGetReply(link->context, &answer) == REDIS_OK && answer != NULL) {
        *reply = answer;
        return STATUS_OK;
    }
    bool timed_out = link->context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
    enum status status =
        timed_out
            ? error_set(error, STATUS_UNKNOWN,
                        "Redis at %s did not answer within %lld ms: is it overloaded or hung?",
                        link->address.name, (long long)link->timeout_ms)
            : error_set(error, STATUS_UNKNOWN, "lost the connection to Redis at %s before it answered: %s",
                        link->address.name, link->context->errstr);
    if (timed_out) discard_unsent(link);
    redis_link_drop(link);
    return status;
}

enum status redis_link_ask(struct redis_link *link, const struct text *words, size_t count,
                           redisReply **reply, struct error *error)
{
    const char *data[WORDS_MAX];
    size_t sizes[WORDS_MAX];
    if (count > WORDS_MAX) return error_set(error, STATUS_INTERNAL, "a command of %zu words", count);
    for (size_t i = 0; i < count; i++) {
        data[i] = words[i].data;
        sizes[i] = words[i].size;
    }
    *reply = NULL;
    if (redisAppendCommandArgv(link->context, (int)count, data, sizes) != REDIS_OK) {
        redis_link_drop(link);
        return error_set(error, STATUS_RETRY, "cannot send to Redis at %s: out of memory",
                         link->address.name);
    }
    return redis_link_read(link, reply, error);
}

void redis_link_free(struct redis_link *link)
{
    redis_link_drop(link);
    redis_address_free(&link->address);
}
