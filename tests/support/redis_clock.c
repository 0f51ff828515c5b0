/* A Redis module: TIME answers what CLOCK.SET said last, to clients and to scripts alike, so that a test can
 * hold the scripts to any time without waiting for it. Before the first CLOCK.SET it answers 0.
 *
 * Debian ships no header for modules; what is used here is declared as Redis 7 documents it. */
#include <stddef.h>
#include <stdio.h>
#include <strings.h>

struct context;
struct string;
struct filter;

enum { MODULE_OK = 0, MODULE_ERROR = 1, API_VERSION = 1 };

typedef int command(struct context *, struct string **words, int count);

static void (*set_attributes)(struct context *, const char *name, int version, int api_version);
static int (*create_command)(struct context *, const char *name, command *, const char *flags, int first_key,
                             int last_key, int key_step);
static void *(*register_filter)(struct context *, void (*)(struct filter *), int flags);
static const struct string *(*filter_word)(struct filter *, int position);
static int (*filter_replace)(struct filter *, int position, struct string *word);
static struct string *(*create_string)(struct context *, const char *data, size_t size);
static const char *(*string_data)(const struct string *, size_t *size);
static int (*string_number)(const struct string *, long long *number);
static int (*reply_array)(struct context *, long count);
static int (*reply_string)(struct context *, const char *data, size_t size);
static int (*reply_simple)(struct context *, const char *text);
static int (*reply_error)(struct context *, const char *text);

static long long now_us;

static int reply_digits(struct context *context, const char *format, long long number)
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, format, number);
    return reply_string(context, digits, (size_t)size);
}

static int clock_time(struct context *context, struct string **words, int count)
{
    (void)words;
    if (count != 1) return reply_error(context, "ERR expected no argument");
    reply_array(context, 2);
    reply_digits(context, "%lld", now_us / 1000000);
    return reply_digits(context, "%lld", now_us % 1000000);
}

static int clock_set(struct context *context, struct string **words, int count)
{
    if (count != 2 || string_number(words[1], &now_us) != MODULE_OK)
        return reply_error(context, "ERR expected microseconds");
    return reply_simple(context, "OK");
}

/* TIME cannot be registered again, so a call of it is made a call of another command. */
static void redirect(struct filter *filter)
{
    size_t size;
    const char *name = string_data(filter_word(filter, 0), &size);
    if (size == 4 && strncasecmp(name, "time", 4) == 0)
        filter_replace(filter, 0, create_string(NULL, "clock.time", 10));
}

int RedisModule_OnLoad(struct context *context, struct string **words, int count);

int RedisModule_OnLoad(struct context *context, struct string **words, int count)
{
    (void)words, (void)count;
    int (*get)(const char *, void *) = *(int (**)(const char *, void *))context; /* its first member */
    const struct {
        const char *name;
        void *function;
    } needed[] = {
        {"RedisModule_SetModuleAttribs", &set_attributes},
        {"RedisModule_CreateCommand", &create_command},
        {"RedisModule_RegisterCommandFilter", &register_filter},
        {"RedisModule_CommandFilterArgGet", &filter_word},
        {"RedisModule_CommandFilterArgReplace", &filter_replace},
        {"RedisModule_CreateString", &create_string},
        {"RedisModule_StringPtrLen", &string_data},
        {"RedisModule_StringToLongLong", &string_number},
        {"RedisModule_ReplyWithArray", &reply_array},
        {"RedisModule_ReplyWithStringBuffer", &reply_string},
        {"RedisModule_ReplyWithSimpleString", &reply_simple},
        {"RedisModule_ReplyWithError", &reply_error},
    };
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (get(needed[i].name, needed[i].function) != MODULE_OK) return MODULE_ERROR;
    }
    set_attributes(context, "clock", 1, API_VERSION);
    if (create_command(context, "clock.time", clock_time, "fast", 0, 0, 0) != MODULE_OK ||
        create_command(context, "clock.set", clock_set, "fast", 0, 0, 0) != MODULE_OK) {
        return MODULE_ERROR;
    }
    return register_filter(context, redirect, 0) == NULL ? MODULE_ERROR : MODULE_OK;
}
