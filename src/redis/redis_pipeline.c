#include "redis/redis_pipeline.h"

#include "base/memory.h"
#include "redis/redis_reply.h"

#include <assert.h>
#include <stdlib.h>

#define COMMANDS_MAX 512                 /* in one chunk */
#define CHUNK_SIZE   ((size_t)256 << 10) /* bytes from which a chunk is sent */
#define ROUNDS_MAX   4 /* how often scripts are loaded again before somebody else is to blame */

static const struct embedded_file *const sources[REDIS_SCRIPT_COUNT] = {
    [REDIS_SCRIPT_DEDUCT] = &redis_script_deduct,
    [REDIS_SCRIPT_SETTLE] = &redis_script_settle,
    [REDIS_SCRIPT_RELEASE] = &redis_script_release,
    [REDIS_SCRIPT_CREDIT] = &redis_script_credit,
    [REDIS_SCRIPT_STATE] = &redis_script_state,
    [REDIS_SCRIPT_QUERY] = &redis_script_query,
    [REDIS_SCRIPT_REFUND_UNTRACKED] = &redis_script_refund_untracked,
    [REDIS_SCRIPT_FORGET_GUARD] = &redis_script_forget_guard,
    [REDIS_SCRIPT_LEVELS] = &redis_script_levels,
    [REDIS_SCRIPT_AUDIT] = &redis_script_audit,
    [REDIS_SCRIPT_AMEND] = &redis_script_amend,
};

static const char *const key_suffixes[] = {"", ":pending", ":done:0", ":done:1", ":meta", ":credits"};

#define KEY_COUNT (sizeof key_suffixes / sizeof key_suffixes[0])

static struct text format_number(char *end, int64_t number)
{
    char *first = end;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        *--first = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0) *--first = '-';
    return (struct text){first, (size_t)(end - first)};
}

/* "*3\r\n" or "$11\r\n" */
static void append_length(struct buffer *output, char kind, size_t length)
{
    char line[24] = {0};
    char *end = line + sizeof line - 2;
    end[0] = '\r';
    end[1] = '\n';
    struct text digits = format_number(end, (int64_t)length);
    char *first = line + (digits.data - line) - 1;
    *first = kind;
    buffer_append(output, (struct text){first, digits.size + 3});
}

static void append_bulk(struct buffer *output, struct text text)
{
    append_length(output, '$', text.size);
    buffer_append(output, text);
    buffer_append(output, TEXT_LITERAL("\r\n"));
}

static void append_key(struct redis_pipeline *pipeline, struct text budget_id, const char *suffix)
{
    struct buffer *output = &pipeline->output;
    struct text prefix = text_of(pipeline->prefix);
    struct text end = text_of(suffix);
    append_length(output, '$', prefix.size + 1 + budget_id.size + 1 + end.size);
    buffer_append(output, prefix);
    buffer_append(output, TEXT_LITERAL("{"));
    buffer_append(output, budget_id);
    buffer_append(output, TEXT_LITERAL("}"));
    buffer_append(output, end);
    buffer_append(output, TEXT_LITERAL("\r\n"));
}

void redis_call_begin(struct redis_pipeline *pipeline, enum redis_script script, struct text budget_id,
                      size_t arguments)
{
    assert(pipeline->have_sha);
    append_length(&pipeline->output, '*', 3 + KEY_COUNT + arguments);
    append_bulk(&pipeline->output, TEXT_LITERAL("EVALSHA"));
    append_bulk(&pipeline->output, (struct text){pipeline->sha[script], REDIS_SHA_SIZE});
    append_bulk(&pipeline->output, TEXT_LITERAL("6"));
    for (size_t i = 0; i < KEY_COUNT; i++) append_key(pipeline, budget_id, key_suffixes[i]);
}

void redis_call_argument(struct redis_pipeline *pipeline, struct text argument)
{
    append_bulk(&pipeline->output, argument);
}

void redis_call_number(struct redis_pipeline *pipeline, int64_t number)
{
    char digits[24];
    append_bulk(&pipeline->output, format_number(digits + sizeof digits, number));
}

static enum status load_script(struct redis_pipeline *pipeline, enum redis_script script, struct error *error)
{
    const struct embedded_file *source = sources[script];
    struct text words[] = {TEXT_LITERAL("SCRIPT"), TEXT_LITERAL("LOAD"), {source->data, source->size}};
    redisReply *reply = NULL;
    enum status status = redis_link_ask(&pipeline->link, words, 3, &reply, error);
    if (status != STATUS_OK) return STATUS_RETRY; /* loading twice is as good as once */
    status = redis_reply_check(reply, pipeline->link.address.name, "SCRIPT LOAD", error);
    if (status == STATUS_OK) {
        struct text sha = redis_reply_text(reply);
        if (sha.size == REDIS_SHA_SIZE) {
            memcpy(pipeline->sha[script], sha.data, REDIS_SHA_SIZE);
        } else {
            status = redis_reply_misunderstood(pipeline->link.address.name, "SCRIPT LOAD", error);
        }
    }
    freeReplyObject(reply);
    return status == STATUS_OK ? STATUS_OK : error_wrap(error, status, "loading %s", source->name);
}

static enum status load_scripts(struct redis_pipeline *pipeline, struct error *error)
{
    for (int script = 0; script < REDIS_SCRIPT_COUNT; script++) {
        enum status status = load_script(pipeline, (enum redis_script)script, error);
        if (status != STATUS_OK) return status;
    }
    pipeline->have_sha = true;
    return STATUS_OK;
}

enum status redis_pipeline_load_scripts(struct redis_pipeline *pipeline, struct error *error)
{
    enum status status = redis_link_open(&pipeline->link, error);
    return status == STATUS_OK ? load_scripts(pipeline, error) : status;
}

/* What a run has come to so far. */
struct run {
    const struct redis_work *work;
    enum status status;   /* the worst: unknown, retry, ok */
    size_t unknown_count; /* of pipeline->unknown */
    bool reconnect;
    struct error *error;
    struct error scratch;
};

static enum status take_reply(struct redis_pipeline *pipeline, struct run *run, size_t index,
                              const redisReply *reply)
{
    const struct redis_work *work = run->work;
    const char *server = pipeline->link.address.name;
    if (redis_reply_has_code(reply, "NOSCRIPT")) pipeline->unknown[run->unknown_count++] = index;
    enum status status = redis_reply_check(reply, server, work->what, &run->scratch);
    if (status == STATUS_OK && !work->decode(work->items, index, reply)) {
        status = redis_reply_misunderstood(server, work->what, &run->scratch);
    }
    if (redis_reply_wants_reconnect(reply)) run->reconnect = true;
    return status;
}

/* The item's fate, and the run's with it. A refusal is the item's own matter; its text stays unless something
 * worse comes. */
static void note(struct run *run, size_t index, enum status status)
{
    run->work->mark(run->work->items, index, status);
    if (status == STATUS_OK) return;
    bool is_worse = status == STATUS_RETRY || run->status == STATUS_OK;
    if (is_worse && run->error != NULL) *run->error = run->scratch;
    if (status == STATUS_RETRY) run->status = STATUS_RETRY;
}

/* Sends what is encoded and takes the replies. On a lost connection the items without reply stay marked
 * unknown. */
static enum status exchange(struct redis_pipeline *pipeline, struct run *run, const size_t *sent,
                            size_t count)
{
    if (count == 0) return STATUS_OK;
    struct text commands = {pipeline->output.data, pipeline->output.size};
    enum status status = redis_link_append(&pipeline->link, commands, run->error);
    buffer_clear(&pipeline->output);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count; i++) run->work->mark(run->work->items, sent[i], STATUS_UNKNOWN);
    for (size_t i = 0; i < count; i++) {
        redisReply *reply = NULL;
        status = redis_link_read(&pipeline->link, &reply, run->error);
        if (status != STATUS_OK) return status;
        size_t index = sent[i];
        size_t unknown_before = run->unknown_count;
        status = take_reply(pipeline, run, index, reply);
        freeReplyObject(reply);
        if (run->unknown_count > unknown_before) {
            run->work->mark(run->work->items, index, STATUS_RETRY);
        } else {
            note(run, index, status);
        }
    }
    return STATUS_OK;
}

/* Sends all items that wait, in chunks. `waiting` is reused for the items of the chunk: what is sent was read
 * before. */
static enum status send_waiting(struct redis_pipeline *pipeline, struct run *run, size_t count)
{
    const struct redis_work *work = run->work;
    size_t in_chunk = 0;
    buffer_clear(&pipeline->output);
    for (size_t i = 0; i < count; i++) {
        size_t index = pipeline->waiting[i];
        size_t size_before = pipeline->output.size;
        enum status status = work->encode(pipeline, work->items, index, &run->scratch);
        if (status != STATUS_OK || pipeline->output.size == size_before) {
            note(run, index, status);
            continue;
        }
        pipeline->waiting[in_chunk++] = index;
        if (in_chunk < COMMANDS_MAX && pipeline->output.size < CHUNK_SIZE) continue;
        status = exchange(pipeline, run, pipeline->waiting, in_chunk);
        if (status != STATUS_OK) return status;
        in_chunk = 0;
    }
    return exchange(pipeline, run, pipeline->waiting, in_chunk);
}

static void wait_for_all(struct redis_pipeline *pipeline, const struct redis_work *work)
{
    if (pipeline->capacity < work->count) {
        pipeline->waiting = memory_resize(pipeline->waiting, work->count, sizeof *pipeline->waiting);
        pipeline->unknown = memory_resize(pipeline->unknown, work->count, sizeof *pipeline->unknown);
        pipeline->capacity = work->count;
    }
    for (size_t i = 0; i < work->count; i++) {
        pipeline->waiting[i] = i;
        work->mark(work->items, i, STATUS_RETRY);
    }
}

/* `waiting` = the first `count` of `unknown`, whose order is the order of sending. */
static void wait_for_unknown(struct redis_pipeline *pipeline, size_t count)
{
    size_t *unknown = pipeline->unknown;
    pipeline->unknown = pipeline->waiting;
    pipeline->waiting = unknown;
    assert(count <= pipeline->capacity);
}

enum status redis_pipeline_run(struct redis_pipeline *pipeline, const struct redis_work *work,
                               struct error *error)
{
    struct run run = {.work = work, .status = STATUS_OK, .error = error};
    if (work->count == 0) return STATUS_OK;
    wait_for_all(pipeline, work);
    enum status status = redis_link_open(&pipeline->link, error);
    if (status == STATUS_OK && !pipeline->have_sha) status = load_scripts(pipeline, error);
    size_t count = work->count;
    for (int round = 1; status == STATUS_OK; round++) {
        run.unknown_count = 0;
        status = send_waiting(pipeline, &run, count);
        count = run.unknown_count;
        if (status != STATUS_OK || count == 0) break;
        if (round == ROUNDS_MAX) {
            status =
                error_set(error, STATUS_RETRY, "Redis at %s keeps forgetting scripts: who runs SCRIPT FLUSH?",
                          pipeline->link.address.name);
            break;
        }
        wait_for_unknown(pipeline, count);
        status = load_scripts(pipeline, error);
    }
    if (run.reconnect) redis_link_drop(&pipeline->link);
    return status == STATUS_OK ? run.status : status;
}

void redis_pipeline_free(struct redis_pipeline *pipeline)
{
    redis_link_free(&pipeline->link);
    buffer_free(&pipeline->output);
    free(pipeline->prefix);
    free(pipeline->waiting);
    free(pipeline->unknown);
}
