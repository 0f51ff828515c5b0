#include "worker/job_park.h"

#include "worker/observe.h"

#include "base/failpoint.h"
#include "base/instant.h"
#include "base/memory.h"

#include <stdlib.h>

static size_t parks_count(const struct park *park)
{
    size_t count = 0;
    for (; park != NULL; park = park->next) count++;
    return count;
}

static struct publication publication_of(const struct job_context *context, const struct park *park,
                                         struct text now)
{
    struct publication publication = {
        .exchange = context->dead_letter_exchange,
        .routing_key = context->routing_key,
        .properties = park->source->properties,
        .message_id = park->is_item ? park->message_id : TEXT_NONE,
        .drop_message_id = park->is_item && !text_is_present(park->message_id),
        .body = park->body,
        .header_count = 6,
        .headers =
            {
                {.name = "x-bursar-reason", .value = text_of(park_reason_name(park->reason))},
                {.name = "x-bursar-detail", .value = park->detail},
                {.name = "x-bursar-parked-at", .value = now},
                {.name = "x-bursar-exchange", .value = park->source->exchange},
                {.name = "x-bursar-routing-key", .value = park->source->routing_key},
                {.name = "x-bursar-replays", .number = 0, .unless_present = true},
            },
    };
    return publication;
}

/* One clear line for what the broker did not take. */
static enum status outcome_explain(const struct job_context *context, enum publication_outcome outcome,
                                   struct error *error)
{
    if (outcome == PUBLICATION_RETURNED) {
        return error_set(error, STATUS_CONFIG,
                         "the broker returned a message sent to exchange " TEXT_FORMAT
                         " with key " TEXT_FORMAT
                         ": no queue is bound there; run `bursar init`; the original stays unacknowledged",
                         TEXT_ARGUMENTS(context->dead_letter_exchange), TEXT_ARGUMENTS(context->routing_key));
    }
    return error_set(error, STATUS_RETRY,
                     "the broker refused a message for the dead-letter queue " TEXT_FORMAT
                     " (full, or failing); the original stays unacknowledged",
                     TEXT_ARGUMENTS(context->dead_letter_queue));
}

void job_park_run(struct job_context *context, struct job *job)
{
    size_t count = parks_count(job->parks);
    struct publication *publications = memory_alloc_zero(count, sizeof *publications);
    char now[INSTANT_TEXT_SIZE];
    instant_format(clock_wall_us(context->clock), now);
    size_t i = 0;
    for (const struct park *park = job->parks; park != NULL; park = park->next) {
        publications[i++] = publication_of(context, park, text_of(now));
    }
    FAILPOINT("park-begin");
    job->status = publisher_publish(context->publisher, publications, count, &job->error);
    FAILPOINT("park-confirmed");
    i = 0;
    bool returned = false;
    for (struct park *park = job->parks; park != NULL; park = park->next, i++) {
        enum publication_outcome outcome = publications[i].outcome;
        park->confirmed = outcome == PUBLICATION_CONFIRMED;
        returned = returned || outcome == PUBLICATION_RETURNED;
        if (outcome == PUBLICATION_RETURNED || outcome == PUBLICATION_REFUSED) {
            job->status = outcome_explain(context, outcome, &job->error);
        }
    }
    free(publications);
    /* Somebody deleted the dead-letter queue: declared again (or found missing), so that the next try gets
     * through. */
    struct error ignored;
    if (returned && publisher_initialise(context->publisher, &ignored) != STATUS_OK) return;
}

void job_record_run(struct job_context *context, struct job *job)
{
    size_t count = parks_count(job->parks);
    struct parked_row *rows = memory_alloc_zero(count, sizeof *rows);
    size_t i = 0;
    for (const struct park *park = job->parks; park != NULL; park = park->next) {
        rows[i++] = (struct parked_row){park->message_id, park->reason, park->detail};
    }
    job->status = ledger_record_parked(context->ledger, rows, count, &job->error);
    FAILPOINT("park-recorded");
    if (job->status == STATUS_OK) observe_parked(context->metrics, count);
    free(rows);
}
