/* Bursar's producer library: deducts from budgets in Redis and publishes what was deducted to RabbitMQ,
 * safely in this order.
 *
 *     struct bursar_producer_options options = {.amqp_url = "amqp://…", .redis_url = "redis://…"};
 *     struct bursar_producer *producer;
 *     char error[BURSAR_ERROR_SIZE];
 *     if (bursar_producer_open(&options, &producer, error) != BURSAR_OK) …
 *     struct bursar_request request = {.message_id = "order-4711", .budget_id = "camp:42", .amount = 3};
 *     struct bursar_result result;
 *     if (bursar_producer_deduct(producer, &request, 1, &result) == BURSAR_OK && result.status ==
 * BURSAR_DEDUCTED) … bursar_producer_close(producer);
 *
 * The message id is what makes a repetition harmless: give the same id to every try of the same deduction,
 * also after a crash. An id that was deducted and not confirmed must be tried again (`unconfirmed`), or its
 * amount stays taken until the operator reconciles.
 *
 * Threads: a producer belongs to one thread at a time; different producers are independent. SIGPIPE should be
 * ignored by the process. The thread needs a stack of 8 MiB (the default of a Linux main thread). No call
 * waits longer than its timeouts add up to, also while the broker is short of memory or disk: what was
 * deducted is then `unconfirmed`. bursar_producer_cancel() ends a wait early.
 */
#ifndef BURSAR_PRODUCER_H
#define BURSAR_PRODUCER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BURSAR_AMOUNT_MAX      INT64_C(9007199254740991) /* 2^53 - 1 */
#define BURSAR_MESSAGE_ID_SIZE 129                       /* bytes, with the NUL */
#define BURSAR_ERROR_SIZE      512                       /* bytes, with the NUL */

/* What is NULL or 0 takes the default that stands behind it. Strings are copied. */
struct bursar_producer_options {
    const char *amqp_url;  /* amqp://guest:guest@127.0.0.1:5672/%2f; several hosts of one cluster separated by
                              commas */
    const char *redis_url; /* redis://127.0.0.1:6379/0 */
    const char *exchange;  /* bursar */
    const char *routing_key;     /* deduction */
    const char *queue;           /* bursar.deductions: must exist before the first deduction */
    const char *redis_prefix;    /* budget: */
    const char *connection_name; /* bursar-producer: what the broker's management shows */
    int connect_timeout_ms;      /* 5000: to one host of the broker */
    int confirm_timeout_ms;      /* 30000: the longest silence of the broker while confirms are awaited */
    int redis_timeout_ms;        /* 2000: for a connection, and for each reply */
};

/* What a call answers. */
enum bursar_code {
    BURSAR_OK = 0, /* every request has its answer, and every deduction is confirmed */
    BURSAR_AWAY =
        1, /* a service is away; those of BURSAR_UNAVAILABLE were not deducted and can be tried again */
    BURSAR_UNCONFIRMED =
        2, /* at least one was, or may be, deducted without a confirm: try again with the same ids */
    BURSAR_BAD_SETUP =
        3, /* an option, a permission or a missing queue; nothing that was not tried before was deducted */
};

/* What became of one deduction. The numbers down to -7 are those of the script in Redis. */
enum bursar_status {
    BURSAR_DEDUCTED = 1,
    BURSAR_REPEAT = 0,           /* this id was deducted before with the same amount; nothing changed */
    BURSAR_INSUFFICIENT = -2,    /* not enough left */
    BURSAR_NOT_INITIALISED = -3, /* no such budget in Redis */
    BURSAR_CONFLICT = -4,        /* this id was used with another amount */
    BURSAR_INVALID = -5,         /* the request itself is wrong; `error` says how */
    BURSAR_REFUNDED = -6,        /* this id was deducted and given back; it cannot be used again */
    BURSAR_CLOSED = -7,          /* the budget is closed or deleted */
    BURSAR_UNAVAILABLE = -100,   /* not deducted: a service is away (the call says so), or Redis refuses this
                                    budget, whose keys something else has spoilt; `error` says which */
    BURSAR_UNKNOWN = -101,       /* sent to Redis, and the answer was lost: try again with the same id */
};

struct bursar_request {
    const char *message_id; /* 1 to 128 visible ASCII characters; NULL: a new UUIDv7, which
                               `result.message_id` tells */
    const char *budget_id;  /* 1 to 128 of A-Z a-z 0-9 . _ : - */
    int64_t amount;         /* 1 to BURSAR_AMOUNT_MAX, in the budget's smallest unit */
    const char *user_id;    /* UTF-8, at most 128 characters; NULL: none */
};

struct bursar_result {
    enum bursar_status status;
    bool published; /* by this call, and confirmed: a repeat of what is booked already is not published again
                     */
    bool unconfirmed; /* deducted, or perhaps deducted, and not known to be in the queue: try again with the
                         same id */
    bool has_left;    /* `left` is known */
    int64_t left;     /* what the budget has left; -1: unlimited */
    int64_t deducted_at_us; /* Redis's time of the deduction, Unix time in microseconds; 0: not known */
    char message_id[BURSAR_MESSAGE_ID_SIZE];
    char error[BURSAR_ERROR_SIZE]; /* one line, empty where nothing went wrong */
};

struct bursar_producer;

/* Checks the options; connects with the first deduction. `error` has BURSAR_ERROR_SIZE bytes and may be NULL.
 * BURSAR_BAD_SETUP: an option is wrong, *producer is NULL. No text ever holds a password. The caller frees
 * with bursar_producer_close. */
enum bursar_code bursar_producer_open(const struct bursar_producer_options *options,
                                      struct bursar_producer **producer, char *error);

/* Deducts `count` requests in Redis, pipelined, then publishes what was deducted and waits for the confirms.
 * The broker is reached before anything is deducted. results[i] belongs to requests[i] and is always filled.
 * The same id twice among the requests is a repeat like any other. Connections that were lost are made anew;
 * what is safe to repeat is tried twice. */
enum bursar_code bursar_producer_deduct(struct bursar_producer *producer,
                                        const struct bursar_request *requests, size_t count,
                                        struct bursar_result *results);

/* Why the last call did not answer BURSAR_OK: one line, valid until the next call. */
const char *bursar_producer_error(const struct bursar_producer *producer);

/* Makes the running and every later call end early: what is deducted by then and not confirmed is
 * `unconfirmed`. May be called from any thread and from a signal handler. */
void bursar_producer_cancel(struct bursar_producer *producer);

/* Disconnects and frees it; NULL is fine. */
void bursar_producer_close(struct bursar_producer *producer);

/* "deducted", "repeat", "insufficient", "not-initialised", "conflict", "invalid", "refunded", "closed",
 * "unavailable", "unknown"; "?" for anything else. Static storage. */
const char *bursar_status_name(enum bursar_status status);

/* A new UUIDv7 (RFC 9562) as text, with its NUL. Each is greater than every one before it in this process.
 * Any thread. */
#define BURSAR_UUID_SIZE 37
void bursar_message_id_generate(char text[BURSAR_UUID_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
