#include "cli/queue_view.h"

#include "base/instant.h"
#include "cli/worker_probe.h"
#include "deadletter/letter_walk.h"
#include "reconcile/queue_look.h"
#include "worker/system_clock.h"

#include <poll.h>
#include <string.h>

struct queue_view queue_view_of(struct session *session)
{
    return (struct queue_view){.publisher = session->publisher, .config = &session->config};
}

enum status queue_view_look(struct queue_view *view, struct queue_look *look, struct error *error)
{
    const struct config *config = view->config;
    enum status status = queue_look_at(view->publisher, text_of(config->amqp.queue),
                                       text_of(config->amqp.dead_letter_queue), look, error);
    view->failed = view->failed || status != STATUS_OK;
    if (status != STATUS_OK) return status;
    look->nobody_tells = strcmp(config->http.listen, "off") == 0;
    if (look->ready > 0 || look->consumers != 1 || look->nobody_tells) return STATUS_OK;
    struct worker_look worker = worker_probe(config->http.listen);
    if (worker.has_held) look->held = worker.held;
    return STATUS_OK;
}

static void wait_until(int64_t until_us, int descriptor)
{
    int64_t left_us = until_us - instant_monotonic_us();
    struct pollfd readable = {.fd = descriptor, .events = POLLIN};
    if (left_us > 0) poll(&readable, descriptor < 0 ? 0 : 1, (int)(left_us / 1000) + 1);
}

/* A letter may carry its id as a property, in its body, or in the items of a batch message. */
static void mark_found(const struct letter *letter, const struct text *ids, size_t count, bool *found)
{
    for (size_t i = 0; i < count; i++) {
        found[i] =
            found[i] || (text_is_present(letter->property_id) && text_equal(letter->property_id, ids[i]));
        for (size_t k = 0; k < letter_item_count(letter) && !found[i]; k++) {
            struct text id = letter_item_id(letter, k);
            found[i] = text_is_present(id) && text_equal(id, ids[i]);
        }
    }
}

static enum status walk_letters(struct letter_walk *walk, const struct text *ids, size_t count, bool *found,
                                struct error *error)
{
    struct letter letter;
    for (;;) {
        switch (letter_walk_step(walk, &letter, error)) {
        case WALK_MORE: break;
        case WALK_LETTER: mark_found(&letter, ids, count, found); break;
        case WALK_WAIT: wait_until(walk->wait_until_us, consumer_descriptor(walk->ports->consumer)); break;
        case WALK_END:
            if (!walk->silent && walk->others == 0) return STATUS_OK;
            return error_set(error, STATUS_RETRY,
                             "another reader holds letters of the dead-letter queue: wait for it to end");
        case WALK_FAILED: return walk->status;
        }
    }
}

enum status queue_view_find_dead_letters(struct queue_view *view, const struct text *message_ids,
                                         size_t count, bool *found, struct error *error)
{
    const struct config *config = view->config;
    struct amqp_options options = wiring_amqp_options(config, "bursar reconcile", NULL);
    options.consume_queue = config->amqp.dead_letter_queue;
    options.prefetch = LETTER_WINDOW_FIRST;
    options.declare = false;
    struct consumer *consumer = NULL;
    for (size_t i = 0; i < count; i++) found[i] = false;
    enum status status = amqp_consumer_open(&options, &consumer, error);
    if (status == STATUS_OK) {
        struct dead_letter_ports ports = {
            .consumer = consumer,
            .publisher = view->publisher,
            .clock = &system_clock,
            .queue = text_of(config->amqp.dead_letter_queue),
        };
        struct letter_filter filter = {.ids = message_ids, .id_count = count};
        struct letter_walk walk;
        letter_walk_begin(&walk, &ports, &filter, 0);
        status = walk_letters(&walk, message_ids, count, found, error);
        enum step step;
        while ((step = letter_walk_close_step(&walk)) == STEP_MORE || step == STEP_WAIT)
            if (step == STEP_WAIT) wait_until(walk.wait_until_us, -1);
        letter_walk_free(&walk);
        consumer_close(consumer);
    }
    view->failed = view->failed || status != STATUS_OK;
    return status;
}
