#include "redis/redis_reply.h"

#include "core/amount.h"

struct error_code {
    const char *code;
    bool reconnect;
    const char *advice;
};

/* Errors that say nothing about the item: the same call may work later. Every other code is permanent. */
static const struct error_code passing_errors[] = {
    {"LOADING", false, "it is still reading its data; wait"},
    {"READONLY", true, "it is a replica; redis.url must name the master"},
    {"MASTERDOWN", true, "it is a replica without its master; redis.url must name the master"},
    {"NOREPLICAS", false, "it has too few replicas (min-replicas-to-write)"},
    {"CLUSTERDOWN", true, "the cluster is down"},
    {"TRYAGAIN", false, "the cluster is moving these keys; wait"},
    {"MISCONF", false, "it cannot write to its disk; look at its log"},
    {"BUSY", false, "a script of another client is running too long; SCRIPT KILL ends it"},
    {"OOM", false, "it is full; raise its maxmemory"},
    {"MOVED", true, "it is one node of a cluster; redis.url must name the node that holds this budget"},
    {"ASK", true, "the cluster is moving these keys; wait"},
    {"NOAUTH", true, "it wants a password; put it into redis.url"},
    {"WRONGPASS", true, "user or password in redis.url are wrong"},
    {"NOPERM", true, "this user may not do that; give it the right with ACL SETUSER"},
    {"ERR The user executing the script", true,
     "give it the right with ACL SETUSER"}, /* NOPERM inside a script */
    {"NOSCRIPT", false, "somebody keeps emptying its script cache (SCRIPT FLUSH)"},
    {"UNKILLABLE", false, "a script of another client is running too long"},
};

static bool has_code(const redisReply *reply, const char *code)
{
    size_t length = strlen(code);
    return reply->type == REDIS_REPLY_ERROR && reply->len >= length &&
           memcmp(reply->str, code, length) == 0 && (reply->len == length || reply->str[length] == ' ');
}

static const struct error_code *passing_error(const redisReply *reply)
{
    for (size_t i = 0; i < sizeof passing_errors / sizeof passing_errors[0]; i++) {
        if (has_code(reply, passing_errors[i].code)) return &passing_errors[i];
    }
    return NULL;
}

bool redis_reply_has_code(const redisReply *reply, const char *code)
{
    return has_code(reply, code);
}

bool redis_reply_wants_reconnect(const redisReply *reply)
{
    const struct error_code *passing = passing_error(reply);
    return passing != NULL && passing->reconnect;
}

enum status redis_reply_check(const redisReply *reply, const char *server, const char *what,
                              struct error *error)
{
    if (reply->type != REDIS_REPLY_ERROR) return STATUS_OK;
    const struct error_code *passing = passing_error(reply);
    if (passing != NULL) {
        return error_set(error, STATUS_RETRY, "Redis at %s cannot run %s now: %.*s: %s", server, what,
                         (int)reply->len, reply->str, passing->advice);
    }
    const char *advice =
        has_code(reply, "WRONGTYPE") ? ": a key of this budget was made by something else; remove it" : "";
    return error_set(error, STATUS_REFUSED, "Redis at %s refused %s: %.*s%s", server, what, (int)reply->len,
                     reply->str, advice);
}

enum status redis_reply_misunderstood(const char *server, const char *what, struct error *error)
{
    return error_set(
        error, STATUS_REFUSED,
        "Redis at %s gave an answer to %s that is none of its answers: is it a Redis 7 or later?", server,
        what);
}

const redisReply *redis_reply_element(const redisReply *reply, size_t index)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || index >= reply->elements) return NULL;
    return reply->element[index];
}

struct text redis_reply_text(const redisReply *reply)
{
    if (reply == NULL || (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS))
        return TEXT_NONE;
    return (struct text){reply->str, reply->len};
}

bool redis_reply_integer(const redisReply *reply, int64_t *value)
{
    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER) return false;
    *value = reply->integer;
    return true;
}

bool redis_reply_decimal(const redisReply *reply, int64_t absent, int64_t *value)
{
    struct text text = redis_reply_text(reply);
    if (!text_is_present(text)) return false;
    if (text.size == 0) {
        *value = absent;
        return true;
    }
    bool negative = text.data[0] == '-';
    size_t first = negative ? 1 : 0;
    if (text.size == first || text.size - first > 18) return false; /* 18 digits cannot overflow */
    int64_t number = 0;
    for (size_t i = first; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        number = number * 10 + (text.data[i] - '0');
    }
    *value = negative ? -number : number;
    return true;
}

bool redis_reply_amount(const redisReply *reply, int64_t *value)
{
    struct text text = redis_reply_text(reply);
    if (text_is_present(text) && text.size == 0) {
        *value = 0;
        return true;
    }
    return text_is_present(text) && amount_parse(text, value);
}
