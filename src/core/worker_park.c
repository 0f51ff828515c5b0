#include "core/worker_state.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

#define DETAIL_SIZE_MAX 400

static struct text text_put(char **to, struct text text)
{
    if (!text_is_present(text)) return TEXT_NONE;
    char *copy = *to;
    memcpy(copy, text.data, text.size);
    *to += text.size;
    return (struct text){copy, text.size};
}

static struct park_source *source_of(struct worker *worker, const struct origin *origin)
{
    struct park_source *source = worker->park_source;
    if (source != NULL && source->epoch == origin->epoch && source->tag == origin->tag) return source;
    size_t size = origin->exchange.size + origin->routing_key.size + origin->properties.size;
    source = memory_alloc(sizeof *source + size);
    char *to = (char *)(source + 1);
    *source =
        (struct park_source){.bytes = sizeof *source + size, .epoch = origin->epoch, .tag = origin->tag};
    worker->park_bytes += source->bytes;
    source->exchange = text_put(&to, origin->exchange);
    source->routing_key = text_put(&to, origin->routing_key);
    source->properties = text_put(&to, origin->properties);
    worker->park_source = source;
    return source;
}

/* A copy of its own, for a message may wait for its confirm long after the batch it came in is gone.
 * `source`: the item's bytes when it is one of a batch message, else absent. */
void park_add(struct worker *worker, const struct origin *origin, struct text source, struct text message_id,
              enum park_reason reason, const char *detail)
{
    assert(reason != PARK_NONE);
    assert(detail != NULL);
    struct text why = text_of(detail);
    if (why.size > DETAIL_SIZE_MAX) why.size = DETAIL_SIZE_MAX;
    struct text body = text_is_present(source) ? source : origin->body;
    size_t size = message_id.size + why.size + body.size;
    struct park *park = memory_alloc(sizeof *park + size);
    char *to = (char *)(park + 1);
    *park = (struct park){
        .epoch = origin->epoch, .held = origin->held, .reason = reason, .is_item = text_is_present(source)};
    park->message_id = text_put(&to, message_id);
    park->detail = text_put(&to, why);
    park->source = source_of(worker, origin);
    park->source->users++;
    park->body = text_put(&to, body);
    park->bytes = sizeof *park + size;
    worker->park_bytes += park->bytes;
    *worker->parks_waiting_end = park;
    worker->parks_waiting_end = &park->next;
    worker->park_count++;
    worker_note_message(worker, LOG_WARN, "parking", "bytes", (int64_t)body.size,
                        "%s: " TEXT_FORMAT ": " TEXT_FORMAT, park_reason_name(reason),
                        TEXT_ARGUMENTS(message_id), TEXT_ARGUMENTS(why));
}

static void park_free(struct worker *worker, struct park *park)
{
    worker->park_count--;
    worker->park_bytes -= park->bytes;
    if (--park->source->users == 0) {
        if (worker->park_source == park->source) worker->park_source = NULL;
        worker->park_bytes -= park->source->bytes;
        free(park->source);
    }
    free(park);
}

/* Not yet published: the message itself comes again on the next connection. What is confirmed is still
 * recorded. */
void park_forget_epoch(struct worker *worker)
{
    struct park *park = worker->parks_waiting;
    while (park != NULL) {
        struct park *next = park->next;
        park_free(worker, park);
        park = next;
    }
    worker->parks_waiting = NULL;
    worker->parks_waiting_end = &worker->parks_waiting;
}

/* Takes up to `most` from the front of a list. */
static struct park *parks_take(struct park **first, struct park ***end, size_t most)
{
    struct park *taken = *first;
    struct park **link = first;
    for (size_t i = 0; i < most && *link != NULL; i++) link = &(*link)->next;
    if (*link == NULL) {
        *first = NULL;
        *end = first;
        return taken;
    }
    struct park *rest = *link;
    *link = NULL;
    *first = rest;
    return taken;
}

bool park_next_job(struct worker *worker, struct job *job)
{
    if (worker->parks_waiting == NULL || !health_may_try(worker, &worker->publisher)) return false;
    *job =
        (struct job){.kind = JOB_PARK,
                     .parks = parks_take(&worker->parks_waiting, &worker->parks_waiting_end, PARKS_AT_ONCE)};
    return true;
}

void park_done(struct worker *worker, struct job *job)
{
    bool all = true;
    struct park *again = NULL, **again_end = &again;
    for (struct park *park = job->parks, *next; park != NULL; park = next) {
        next = park->next;
        park->next = NULL;
        if (park->confirmed) {
            *worker->parks_confirmed_end = park;
            worker->parks_confirmed_end = &park->next;
            continue;
        }
        all = false;
        if (park->epoch != worker->epoch) {
            park_free(worker, park);
            continue;
        }
        *again_end = park;
        again_end = &park->next;
    }
    if (again != NULL) {
        *again_end = worker->parks_waiting;
        if (worker->parks_waiting == NULL) worker->parks_waiting_end = again_end;
        worker->parks_waiting = again;
    }
    if (all) {
        health_succeed(worker, &worker->publisher, "publisher-up");
    } else {
        health_fail(worker, &worker->publisher, "parking-failed", &job->error);
    }
}

bool park_next_record(struct worker *worker, struct job *job)
{
    if (worker->parks_confirmed == NULL) return false;
    *job = (struct job){
        .kind = JOB_RECORD,
        .parks = parks_take(&worker->parks_confirmed, &worker->parks_confirmed_end, worker->records_at_once)};
    return true;
}

static void parks_put_back(struct worker *worker, struct park *parks)
{
    struct park *last = parks;
    while (last->next != NULL) last = last->next;
    last->next = worker->parks_confirmed;
    if (worker->parks_confirmed == NULL) worker->parks_confirmed_end = &last->next;
    worker->parks_confirmed = parks;
}

void park_recorded(struct worker *worker, struct job *job)
{
    if (job->status == STATUS_REFUSED && job->parks->next != NULL) {
        worker->records_at_once = 1; /* one row is refused: it must not take the others along */
        parks_put_back(worker, job->parks);
        return;
    }
    if (job->status == STATUS_REFUSED) {
        /* Safe in the dead-letter queue, and the ledger will never take the row: holding it would help
         * nobody. */
        worker_note(worker, LOG_ERROR, "parking-unrecorded", NULL, 0, "%s", job->error.text);
    } else if (job->status != STATUS_OK) {
        parks_put_back(worker, job->parks);
        health_fail(worker, &worker->ledger, "ledger-failed", &job->error);
        return;
    }
    if (job->status == STATUS_OK) health_succeed(worker, &worker->ledger, "ledger-up");
    for (struct park *park = job->parks, *next; park != NULL; park = next) {
        next = park->next;
        if (park->epoch == worker->epoch) window_item_done(&worker->window, park->held, worker->now_us);
        worker->counts.parked++;
        park_free(worker, park);
    }
    if (worker->parks_confirmed == NULL) worker->records_at_once = PARKS_AT_ONCE;
    worker->progress_at_us = worker->now_us;
}

static void parks_free(struct worker *worker, struct park *park)
{
    while (park != NULL) {
        struct park *next = park->next;
        park_free(worker, park);
        park = next;
    }
}

void park_free_all(struct worker *worker)
{
    parks_free(worker, worker->parks_waiting);
    parks_free(worker, worker->parks_confirmed);
    for (enum hand hand = 0; hand < HAND_COUNT; hand++) {
        const struct job *job = &worker->jobs[hand];
        if (worker->out[hand] && (job->kind == JOB_PARK || job->kind == JOB_RECORD))
            parks_free(worker, job->parks);
    }
}
