#include "config/config_table.h"

#include "config/config_check.h"

#include <string.h>

/* log.level and log.format are stored as the index of their word. */
_Static_assert(LOG_DEBUG == 0 && LOG_INFO == 1 && LOG_WARN == 2 && LOG_ERROR == 3,
               "the words of log.level follow the enum");
_Static_assert(LOG_LOGFMT == 0 && LOG_JSON == 1, "the words of log.format follow the enum");
_Static_assert(sizeof(enum log_level) == sizeof(int) && sizeof(enum log_format) == sizeof(int),
               "a choice is stored as an int");

#define AT(field)                 .offset = offsetof(struct config, field)
#define TEXT(min_, max_, check_)  .type = CONFIG_STRING, .min = (min_), .max = (max_), .check = (check_)
#define FLAG                      .type = CONFIG_BOOL
#define SECONDS(min_, max_)       .type = CONFIG_SECONDS, .min = (min_), .max = (max_), .unit = "seconds"
#define NUMBER(min_, max_, unit_) .type = CONFIG_INTEGER, .min = (min_), .max = (max_), .unit = (unit_)
#define RESTART                   .restart = true

#define URL_SIZE_MAX     4096
#define SHORT_STRING_MAX 255 /* AMQP 0-9-1: a short string has one byte of length */

const struct config_key config_keys[] = {
    {"amqp.url", AT(amqp.url), .fallback = "amqp://guest:guest@127.0.0.1:5672/%2f",
     TEXT(1, URL_SIZE_MAX, config_check_amqp_url), RESTART,
     .help = "the broker; several URLs separated by commas are the hosts of one cluster"},
    {"amqp.declare", AT(amqp.declare), .fallback = "true", FLAG, RESTART,
     .help = "declare exchanges and queues; false: only check that they are there"},
    {"amqp.exchange", AT(amqp.exchange), .fallback = "bursar", TEXT(1, SHORT_STRING_MAX, config_check_name),
     RESTART, .help = "the exchange that producers publish to"},
    {"amqp.queue", AT(amqp.queue), .fallback = "bursar.deductions",
     TEXT(1, SHORT_STRING_MAX, config_check_name), RESTART, .help = "the queue of deductions to be settled"},
    {"amqp.routing_key", AT(amqp.routing_key), .fallback = "deduction",
     TEXT(1, SHORT_STRING_MAX, config_check_name), RESTART,
     .help = "the key that binds both queues to their exchanges"},
    {"amqp.dead_letter_exchange", AT(amqp.dead_letter_exchange), .fallback = "bursar.dlx",
     TEXT(1, SHORT_STRING_MAX, config_check_name), RESTART,
     .help = "the exchange that parked messages are published to"},
    {"amqp.dead_letter_queue", AT(amqp.dead_letter_queue), .fallback = "bursar.deductions.dlq",
     TEXT(1, SHORT_STRING_MAX, config_check_name), RESTART, .help = "the queue of parked messages"},
    {"amqp.delivery_limit", AT(amqp.delivery_limit), .fallback = "50", NUMBER(1, 1000000, "deliveries"),
     RESTART,
     .help = "how often the broker delivers a message before it dead-letters it; an argument of the queue"},
    {"amqp.heartbeat", AT(amqp.heartbeat), .fallback = "30", SECONDS(1, 3600), RESTART,
     .help = "a connection that is silent for twice as long counts as lost"},
    {"amqp.connect_timeout", AT(amqp.connect_timeout), .fallback = "5", SECONDS(1, 300), RESTART,
     .help = "the longest wait for a connection to one host of the broker"},
    {"amqp.confirm_timeout", AT(amqp.confirm_timeout), .fallback = "30", SECONDS(1, 3600), RESTART,
     .help = "the longest wait for publisher confirms"},
    {"redis.url", AT(redis.url), .fallback = "redis://127.0.0.1:6379/0",
     TEXT(1, URL_SIZE_MAX, config_check_redis_url), RESTART, .help = "the Redis that holds the stock"},
    {"redis.prefix", AT(redis.prefix), .fallback = "budget:", TEXT(0, 64, config_check_prefix), RESTART,
     .help = "what the keys of every budget begin with"},
    {"redis.done_window", AT(redis.done_window), .fallback = "600", SECONDS(1, 604800), RESTART,
     .help = "how long Redis remembers finished deductions, at least"},
    {"redis.timeout", AT(redis.timeout), .fallback = "2", SECONDS(1, 60), RESTART,
     .help = "the longest wait for a connection, and for each reply"},
    {"ledger.url", AT(ledger.url), .fallback = "sqlite:/var/lib/bursar/ledger.db",
     TEXT(1, URL_SIZE_MAX, config_check_ledger_url), RESTART,
     .help = "the ledger: sqlite:PATH or mysql://user:password@host:3306/database"},
    {"ledger.busy_timeout", AT(ledger.busy_timeout), .fallback = "5", SECONDS(0, 300), RESTART,
     .help = "the longest wait for a ledger that another process has locked"},
    {"http.listen", AT(http.listen), .fallback = "127.0.0.1:9464", TEXT(1, 300, config_check_listen), RESTART,
     .help = "HOST:PORT of /livez, /readyz and /metrics, or off"},
    {"worker.prefetch", AT(worker.prefetch), .fallback = "10000", NUMBER(1, 65535, "deliveries"), RESTART,
     .help =
         "how many deliveries the worker holds unacknowledged; below worker.batch_max batches stay small"},
    {"worker.batch_max", AT(worker.batch_max), .fallback = "5000", NUMBER(1, 50000, "deductions"),
     .help = "the most deductions in one transaction of the ledger"},
    {"worker.memory_max", AT(worker.memory_max), .fallback = "256", NUMBER(8, 1048576, "MiB"), RESTART,
     .help = "the most memory for messages held; beyond it the worker stops reading"},
    {"worker.drain_timeout", AT(worker.drain_timeout), .fallback = "25", SECONDS(1, 3600),
     .help = "how long a worker that was told to stop may take to finish what it holds"},
    {"worker.retry_max", AT(worker.retry_max), .fallback = "30", SECONDS(1, 3600),
     .help = "the longest pause between two tries to reach a service"},
    {"worker.stall_after", AT(worker.stall_after), .fallback = "120", SECONDS(1, 86400),
     .help = "how long the worker may go without progress before /livez fails"},
    {"reconcile.orphan_after", AT(reconcile.orphan_after), .fallback = "3600", SECONDS(0, 31536000), RESTART,
     .help = "how old a deduction that is booked nowhere must be to count as an orphan"},
    {"reconcile.orphans", AT(reconcile.orphans), .fallback = "refund", TEXT(1, 16, NULL),
     .choices = "refund|settle", RESTART,
     .help = "what becomes of an orphan: its amount goes back to the stock, or it is booked"},
    {"reconcile.interval", AT(reconcile.interval), .fallback = "0", SECONDS(0, 31536000),
     .help =
         "how long after a reconciliation the worker makes the next by itself, without repairs; 0: never"},
    {"log.level", AT(log.level), .fallback = "info", .type = CONFIG_CHOICE,
     .choices = "debug|info|warn|error", .help = "the least important lines that are logged"},
    {"log.format", AT(log.format), .fallback = "logfmt", .type = CONFIG_CHOICE, .choices = "logfmt|json",
     .help = "how a line of the log is written"},
};

const size_t config_key_count = sizeof config_keys / sizeof config_keys[0];

const struct config_key *config_key_find(const char *name)
{
    for (size_t i = 0; i < config_key_count; i++) {
        if (strcmp(config_keys[i].name, name) == 0) return &config_keys[i];
    }
    return NULL;
}

bool config_section_exists(const char *section, size_t size)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const char *name = config_keys[i].name;
        if (strncmp(name, section, size) == 0 && name[size] == '.') return true;
    }
    return false;
}

#define NAME_SIZE_MAX 63

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance of two names of at most NAME_SIZE_MAX bytes. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_SIZE_MAX + 1];
    size_t width = strlen(b);
    for (size_t j = 0; j <= width; j++) row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < width; j++) {
            size_t above = row[j + 1];
            row[j + 1] = smallest(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
            diagonal = above;
        }
    }
    return row[width];
}

const char *config_key_suggest(const char *name)
{
    if (strlen(name) > NAME_SIZE_MAX) return NULL;
    size_t allowed = strlen(name) < 12 ? 2 : 3;
    const char *closest = NULL;
    for (size_t i = 0; i < config_key_count; i++) {
        const char *candidate = config_keys[i].name;
        const char *key = strchr(candidate, '.') + 1;
        size_t far = strcmp(name, key) == 0 ? 0 : distance(name, candidate);
        if (far <= allowed) {
            allowed = far == 0 ? 0 : far - 1;
            closest = candidate;
            if (far == 0) break;
        }
    }
    return closest;
}
