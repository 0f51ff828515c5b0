/* The configuration: one table of keys (config_table.c) is the source of defaults, ranges, units and help;
 * etc/bursar.conf and docs/configuration.md are held against it by a test. */
#ifndef BURSAR_CONFIG_CONFIG_H
#define BURSAR_CONFIG_CONFIG_H

#include "base/status.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config {
    struct {
        char *url; /* one URL, or several separated by commas: hosts of one cluster, tried in turn */
        bool declare;
        char *exchange, *queue, *routing_key, *dead_letter_exchange, *dead_letter_queue;
        int64_t delivery_limit;
        int64_t heartbeat;       /* seconds */
        int64_t connect_timeout; /* seconds */
        int64_t confirm_timeout; /* seconds */
    } amqp;
    struct {
        char *url;
        char *prefix;
        int64_t done_window; /* seconds */
        int64_t timeout;     /* seconds, connect and each reply */
    } redis;
    struct {
        char *url;
        int64_t busy_timeout; /* seconds */
    } ledger;
    struct {
        char *listen; /* HOST:PORT or "off" */
    } http;
    struct {
        int64_t prefetch;      /* deliveries held unacknowledged */
        int64_t batch_max;     /* deductions in one ledger transaction */
        int64_t memory_max;    /* MiB of message bodies held */
        int64_t drain_timeout; /* seconds */
        int64_t retry_max;     /* seconds: the longest pause between two tries */
        int64_t stall_after;   /* seconds without progress until /livez fails */
    } worker;
    struct {
        int64_t orphan_after; /* seconds */
        char *orphans;        /* "refund" or "settle" */
        int64_t interval;     /* seconds; 0: off */
    } reconcile;
    struct {
        enum log_level level;
        enum log_format format;
    } log;
};

/* One `KEY=VALUE` of --set, in the order given. */
struct config_source {
    const char *
        file; /* -c FILE; NULL: $BURSAR_CONFIG, else /etc/bursar/bursar.conf where it exists, else defaults */
    const char *const *sets; /* borrowed */
    size_t set_count;
};

/* Defaults, then the file, then the environment (BURSAR_AMQP_URL, BURSAR_REDIS_URL, BURSAR_LEDGER_URL, each
 * also as …_FILE), then --set. STATUS_CONFIG: an unknown key, a wrong type, a value out of range, an
 * unreadable file: the text names file, line and key, or the variable, or the --set. On any error *config is
 * untouched. The caller frees with config_free. */
MUST_CHECK enum status config_load(const struct config_source *source, struct config *config,
                                   struct error *error);

void config_free(struct config *config);

struct config_change {
    const char *key; /* "section.key"; static storage */
    bool restart;    /* only a restart takes it up; otherwise a reload does */
};

/* The next key that differs, in the order of the table; *cursor is 0 before the first. False: there is none
 * left. */
bool config_change_next(const struct config *running, const struct config *loaded, size_t *cursor,
                        struct config_change *change);

/* A URL with its password replaced by "***", for logs and tables. The caller frees. */
char *config_url_redact(const char *url);

#endif
