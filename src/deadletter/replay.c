#include "deadletter/replay_private.h"

#include "base/failpoint.h"
#include "base/instant.h"

#include <assert.h>

/* A call of the ledger is not given up lightly: the broker may have the messages already. */
#define TRIES_MAX       40
#define TRY_PAUSE_US    (500 * INT64_C(1000))
#define CANARY_PAUSE_US (200 * INT64_C(1000))

/* With a rate: so many chunks a second, so that it flows. And how often a heartbeat is looked after. */
#define CHUNKS_A_SECOND 4
#define PAUSE_MAX_US    MICROSECONDS_PER_SECOND

void replay_begin(struct replay *replay, const struct dead_letter_ports *ports,
                  const struct replay_options *options)
{
    *replay = (struct replay){.ports = ports, .options = *options};
    letter_walk_begin(&replay->walk, ports, &options->filter, options->limit);
}

void replay_free(struct replay *replay)
{
    letter_walk_free(&replay->walk);
    letter_chunk_free(&replay->chunk);
    id_set_free(&replay->replayed);
    arena_free(&replay->arena);
}

void replay_stop(struct replay *replay, const char *why)
{
    if (replay->stop) return;
    replay->stop = true;
    replay->why_stopped = why;
}

static int64_t now_us(const struct replay *replay)
{
    return clock_monotonic_us(replay->ports->clock);
}

static enum step wait_until(struct replay *replay, int64_t at_us)
{
    int64_t longest_us = now_us(replay) + PAUSE_MAX_US;
    replay->wait_until_us = at_us < longest_us ? at_us : longest_us;
    /* While it paces or watches, the broker has sent ahead what is not read yet. */
    replay->wait_listens = replay->stage != REPLAY_PACING && replay->tries == 0;
    return STEP_WAIT;
}

static enum step fail(struct replay *replay, enum status status)
{
    assert(status != STATUS_OK);
    if (replay->status == STATUS_OK) replay->status = status;
    replay->stage = REPLAY_CLOSING;
    return STEP_MORE;
}

/* The ledger has one writer at a time, and under load its turn may be long in coming: the same step again. */
static enum step try_again(struct replay *replay, enum status status, const struct error *error)
{
    bool may_pass = status == STATUS_RETRY || status == STATUS_UNKNOWN;
    bool given_up = replay->stop && replay->stage != REPLAY_RECORDING;
    struct error lost;
    enum status alive = STATUS_OK;
    if (may_pass && !given_up && ++replay->tries <= TRIES_MAX) {
        alive = consumer_keep_alive(replay->ports->consumer, &lost);
        if (alive == STATUS_OK) return wait_until(replay, now_us(replay) + TRY_PAUSE_US);
    }
    replay->error = alive == STATUS_OK ? *error : lost;
    return fail(replay, alive == STATUS_OK ? status : alive);
}

static enum step go_to(struct replay *replay, int stage)
{
    replay->tries = 0;
    replay->stage = (unsigned)stage;
    return STEP_MORE;
}

static enum step opening(struct replay *replay)
{
    struct ledger_stats stats;
    if (replay->options.dry_run) return go_to(replay, REPLAY_READING);
    enum status status = ledger_stats(replay->ports->ledger, &stats, &replay->error);
    if (status != STATUS_OK) return fail(replay, status);
    replay->parked_sequence = stats.last_parked_sequence;
    return go_to(replay, REPLAY_READING);
}

static bool is_canary(const struct replay *replay)
{
    return replay->options.canary > 0 && !replay->canary_over && !replay->options.dry_run;
}

/* The canary, and what the rate allows at a time, are chunks of their own. */
static size_t chunk_size(const struct replay *replay)
{
    int64_t most = CHUNK_LETTERS_MAX;
    if (replay->options.rate > 0 && replay->options.rate / CHUNKS_A_SECOND < most)
        most = replay->options.rate / CHUNKS_A_SECOND;
    if (is_canary(replay)) most = replay->options.canary;
    return most < 1 ? 1 : (size_t)most;
}

static enum step reading(struct replay *replay)
{
    if (replay->stop && replay->chunk.count == 0) return go_to(replay, REPLAY_COUNTING);
    switch (letter_chunk_step(&replay->chunk, &replay->walk, chunk_size(replay), &replay->error)) {
    case CHUNK_MORE: return STEP_MORE;
    case CHUNK_WAIT: return wait_until(replay, replay->chunk.wait_until_us);
    case CHUNK_READY: return go_to(replay, REPLAY_JUDGING);
    case CHUNK_END: break;
    case CHUNK_FAILED: return fail(replay, replay->walk.status);
    }
    bool told = !is_canary(replay) || replay->none_went || replay->walk.matched == 0;
    if (told) return go_to(replay, REPLAY_CLOSING);
    replay->none_went = true; /* the next walk tells of each why, and lets no more go than a canary */
    return go_to(replay, REPLAY_CANARY_CLOSING);
}

/* Tells of each letter, in the order of the queue, and goes on. What the canary's walk leaves is met again.
 */
static enum step next_chunk(struct replay *replay)
{
    for (size_t i = 0; i < replay->chunk.count; i++) {
        const struct replay_item *item = &replay->items[i];
        if (is_canary(replay) && !replay->none_went && item->fate != FATE_REPLAYED) continue;
        if (item->fate != FATE_COUNT && replay->options.told != NULL)
            replay->options.told(replay->options.context, &replay->chunk.letters[i], item->fate,
                                 item->detail);
    }
    letter_chunk_reset(&replay->chunk);
    return go_to(replay, replay->stop ? REPLAY_COUNTING : REPLAY_READING);
}

static size_t going(const struct replay *replay)
{
    size_t count = 0;
    for (size_t i = 0; i < replay->chunk.count; i++) count += !replay->items[i].left;
    return count;
}

/* What an edit leads to is told with the edited message in the letter's place. */
static enum step forecast(struct replay *replay)
{
    struct letter_chunk *chunk = &replay->chunk;
    struct letter_forecast forecasts[CHUNK_LETTERS_MAX];
    for (size_t i = 0; i < chunk->count; i++)
        if (replay->items[i].edited != NULL) chunk->letters[i].message = replay->items[i].edited->message;
    enum status status = letter_forecast(replay->ports, chunk, forecasts, &replay->error);
    if (status != STATUS_OK) return fail(replay, status);
    for (size_t i = 0; i < chunk->count; i++) {
        if (replay->items[i].left) continue;
        replay->items[i].fate = forecasts[i].fate;
        replay->items[i].detail = forecasts[i].detail;
    }
    return next_chunk(replay);
}

static enum step editing(struct replay *replay)
{
    enum status status = replay_check_edits(replay, &replay->error);
    if (status != STATUS_OK) return fail(replay, status);
    if (replay->options.dry_run) return go_to(replay, REPLAY_FORECAST);
    return going(replay) == 0 ? next_chunk(replay) : go_to(replay, REPLAY_LOOKING_BACK);
}

static enum step looking_back(struct replay *replay)
{
    struct error error;
    enum status status = replay_look_back(replay, &error);
    if (status != STATUS_OK) return try_again(replay, status, &error);
    return replay->stop ? next_chunk(replay) : go_to(replay, REPLAY_PACING);
}

static enum step pacing(struct replay *replay)
{
    int64_t now = now_us(replay);
    if (replay->stop) return next_chunk(replay);
    if (replay->options.rate > 0 && now < replay->next_at_us) {
        enum status status = consumer_keep_alive(replay->ports->consumer, &replay->error);
        if (status != STATUS_OK) return fail(replay, status);
        return wait_until(replay, replay->next_at_us);
    }
    if (replay->options.rate > 0)
        replay->next_at_us = now + (int64_t)going(replay) * MICROSECONDS_PER_SECOND / replay->options.rate;
    return go_to(replay, REPLAY_JOURNALING);
}

static enum step journaling(struct replay *replay)
{
    replay_prepare_entries(replay);
    for (size_t i = 0; i < replay->entry_count; i++) replay->entries[i].state = INTERVENTION_BEGUN;
    struct error error;
    enum status status =
        ledger_interventions_begin(replay->ports->ledger, replay->entries, replay->entry_count, &error);
    if (status != STATUS_OK) return try_again(replay, status, &error);
    FAILPOINT("replay-journaled");
    return go_to(replay, REPLAY_PUBLISHING);
}

static enum step publishing(struct replay *replay)
{
    struct error error;
    enum status status = replay_publish(replay, &error);
    FAILPOINT("replay-confirmed");
    if (status != STATUS_OK) {
        /* What was confirmed is finished first. */
        replay->status = status;
        replay->error = error;
        replay_stop(replay, NULL);
    }
    replay_remember(replay);
    return go_to(replay, REPLAY_RECORDING);
}

static enum status mark_parked(struct replay *replay, struct error *error)
{
    struct parked_mark *marks = arena_alloc(&replay->chunk.arena, (replay->entry_count + 1) * sizeof *marks);
    size_t count = 0;
    for (size_t i = 0; i < replay->entry_count; i++) {
        const struct intervention *entry = &replay->entries[i];
        if (entry->kind != INTERVENTION_REPLAY || replay->items[replay->entry_items[i]].left) continue;
        marks[count++] = (struct parked_mark){.message_id = entry->message_id,
                                              .reason = replay->chunk.letters[replay->entry_items[i]].reason,
                                              .up_to = replay->parked_sequence};
    }
    /* Nothing was parked by a worker so far. */
    if (count == 0 || replay->parked_sequence == 0) return STATUS_OK;
    return ledger_parked_mark(replay->ports->ledger, marks, count, PARKED_REPLAYED, error);
}

static enum step recording(struct replay *replay)
{
    struct error error; /* the replay's own may be of a publication that failed */
    enum status status =
        ledger_interventions_end(replay->ports->ledger, replay->entries, replay->entry_count, &error);
    if (status == STATUS_OK) status = mark_parked(replay, &error);
    if (status != STATUS_OK) return try_again(replay, status, &error);
    FAILPOINT("replay-recorded");
    return go_to(replay, REPLAY_ACKNOWLEDGING);
}

static enum step acknowledging(struct replay *replay)
{
    uint64_t tags[CHUNK_LETTERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < replay->chunk.count; i++)
        if (!replay->items[i].left) tags[count++] = replay->chunk.letters[i].tag;
    struct error error;
    enum status status = letter_walk_acknowledge(&replay->walk, tags, count, &error);
    if (status != STATUS_OK) {
        if (replay->status == STATUS_OK) replay->error = error;
        return fail(replay, status);
    }
    FAILPOINT("replay-acknowledged");
    replay->done += (int64_t)count;
    for (size_t i = 0; i < replay->chunk.count; i++)
        if (!replay->items[i].left) replay->items[i].fate = FATE_REPLAYED;
    if (replay->status != STATUS_OK) return fail(replay, replay->status); /* of the publication */
    /* A canary of which nothing went tells nothing: the next letters are it. */
    if (!is_canary(replay) || replay->stop || count == 0) return next_chunk(replay);
    if (replay->none_went) {
        replay_stop(replay, "the canary could go only at a second attempt: run it again for the others");
        return next_chunk(replay);
    }
    (void)next_chunk(replay);
    return go_to(replay, REPLAY_CANARY_CLOSING);
}

/* From the front again, up to the same end: what was parked meanwhile stands behind it. */
static enum step walk_again(struct replay *replay)
{
    int64_t total = replay->walk.total - replay->done, limit = replay->options.limit;
    if (limit != 0) limit -= replay->done;
    bool over = total <= 0 || (replay->options.limit != 0 && limit <= 0);
    letter_walk_free(&replay->walk);
    letter_walk_begin(&replay->walk, replay->ports, &replay->options.filter, limit);
    replay->walk.total_max = over ? -1 : total;
    replay->done_before = replay->done;
    return go_to(replay, replay->stop ? REPLAY_COUNTING : REPLAY_READING);
}

static enum step canary_closing(struct replay *replay)
{
    enum step step = letter_walk_close_step(&replay->walk);
    if (step == STEP_WAIT) return wait_until(replay, replay->walk.wait_until_us);
    if (step != STEP_DONE) return step;
    if (replay->none_went) return walk_again(replay);
    replay->canary_deadline_us = now_us(replay) + replay->options.canary_wait_us;
    return go_to(replay, REPLAY_CANARY);
}

static enum step watching(struct replay *replay)
{
    bool over = replay->stop;
    enum status status = over ? STATUS_OK : replay_watch_canary(replay, &over, &replay->error);
    if (over) replay->canary_over = true;
    if (status == STATUS_OK && over) return walk_again(replay);
    bool may_pass =
        status == STATUS_OK || (status == STATUS_RETRY && now_us(replay) < replay->canary_deadline_us);
    return may_pass ? wait_until(replay, now_us(replay) + CANARY_PAUSE_US) : fail(replay, status);
}

/* What is left because the replay was stopped is counted all the same. */
static enum step counting(struct replay *replay)
{
    struct letter letter;
    switch (letter_walk_step(&replay->walk, &letter, &replay->error)) {
    case WALK_MORE:
    case WALK_LETTER: return STEP_MORE;
    case WALK_WAIT: return wait_until(replay, replay->walk.wait_until_us);
    case WALK_END: return go_to(replay, REPLAY_CLOSING);
    case WALK_FAILED: break;
    }
    return fail(replay, replay->walk.status);
}

static enum step closing(struct replay *replay)
{
    enum step step = letter_walk_close_step(&replay->walk);
    if (step == STEP_WAIT) return wait_until(replay, replay->walk.wait_until_us);
    if (step != STEP_DONE) return step;
    replay->stage = REPLAY_OVER;
    return STEP_MORE;
}

enum step replay_step(struct replay *replay)
{
    switch (replay->stage) {
    case REPLAY_OPENING: return opening(replay);
    case REPLAY_READING: return reading(replay);
    case REPLAY_JUDGING: replay_judge(replay); return go_to(replay, REPLAY_EDITING);
    case REPLAY_EDITING: return editing(replay);
    case REPLAY_FORECAST: return forecast(replay);
    case REPLAY_LOOKING_BACK: return looking_back(replay);
    case REPLAY_PACING: return pacing(replay);
    case REPLAY_JOURNALING: return journaling(replay);
    case REPLAY_PUBLISHING: return publishing(replay);
    case REPLAY_RECORDING: return recording(replay);
    case REPLAY_ACKNOWLEDGING: return acknowledging(replay);
    case REPLAY_CANARY_CLOSING: return canary_closing(replay);
    case REPLAY_CANARY: return watching(replay);
    case REPLAY_COUNTING: return counting(replay);
    case REPLAY_CLOSING: return closing(replay);
    case REPLAY_OVER: break;
    }
    return replay->status == STATUS_OK ? STEP_DONE : STEP_FAILED;
}
