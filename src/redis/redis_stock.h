/* The stock in Redis: port/stock.h by the scripts in scripts/redis/, over hiredis. */
#ifndef BURSAR_REDIS_REDIS_STOCK_H
#define BURSAR_REDIS_REDIS_STOCK_H

#include "base/status.h"
#include "port/stock.h"

#include <stdint.h>

#define DONE_WINDOW_S_MAX INT64_C(31536000) /* a year; the scripts refuse more */

struct redis_stock_options {
    const char *url;       /* as redis/redis_url.h says */
    const char *prefix;    /* of every key; NULL: "budget:". Visible ASCII without braces, at most 64 bytes */
    int64_t done_window_s; /* 1 to DONE_WINDOW_S_MAX */
    int64_t timeout_ms;    /* 1 to 600000: to connect, and for each reply */
};

/* Checks the options and connects at the first call. STATUS_CONFIG: the text names what is wrong, never a
 * password. The options are copied. The caller closes with stock_close. The process must ignore SIGPIPE. */
MUST_CHECK enum status redis_stock_open(const struct redis_stock_options *options, struct stock **stock,
                                        struct error *error);

#endif
