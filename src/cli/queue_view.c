#include "cli/queue_view.h"

#include "base/instant.h"
#include "cli/worker_probe.h"
#include "deadletter/letter_walk.h"
#include "reconcile/queue_look.h"
#include "worker/system_clock.h"

#include <poll.h>
#include <string.h>

struct queue_view queue_view_of(struct session *session, bool looks_only)
{
    return (struct queue_view){
        .publisher = session->publisher, .config = &session->config, .looks_only = looks_only};
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
static void keep_ids(struct id_set *ids, const struct letter *letter)
{
    if (text_is_present(letter->property_id)) id_set_add(ids, letter->property_id);
    for (size_t i = 0; i < letter_item_count(letter); i++) {
        struct text id = letter_item_id(letter, i);
        if (text_is_present(id)) id_set_add(ids, id);
    }
}

static enum status read_letters(struct letter_walk *walk, struct id_set *ids, struct error *error)
{
    struct letter letter;
    for (;;) {
        switch (letter_walk_step(walk, &letter, error)) {
        case WALK_MORE: break;
        case WALK_LETTER:
            letter_decode(&letter, &walk->scratch);
            keep_ids(ids, &letter);
            break;
        case WALK_WAIT: wait_until(walk->wait_until_us, consumer_descriptor(walk->ports->consumer)); break;
        case WALK_END:
            if (!walk->silent && walk->others == 0) return STATUS_OK;
            return error_set(error, STATUS_RETRY,
                             "another reader holds letters of the dead-letter queue: wait for it to end");
        case WALK_FAILED: return walk->status;
        }
    }
}

static enum status walk_letters(struct queue_view *view, struct consumer *consumer, struct error *error)
{
    const struct dead_letter_ports ports = {
        .consumer = consumer,
        .publisher = view->publisher,
        .clock = &system_clock,
        .queue = text_of(view->config->amqp.dead_letter_queue),
    };
    struct letter_walk walk;
    letter_walk_begin(&walk, &ports, &(struct letter_filter){0}, 0);
    enum status status = read_letters(&walk, &view->letters, error);
    enum step step;
    while ((step = letter_walk_close_step(&walk)) == STEP_MORE || step == STEP_WAIT)
        if (step == STEP_WAIT) wait_until(walk.wait_until_us, -1);
    if (walk.returns_max > view->letters_came_back) view->letters_came_back = walk.returns_max;
    letter_walk_free(&walk);
    return status;
}

static enum status look_at_letters(struct queue_view *view, struct error *error)
{
    struct amqp_options options = wiring_amqp_options(view->config, "bursar reconcile", NULL);
    options.consume_queue = view->config->amqp.dead_letter_queue;
    options.prefetch = LETTER_WINDOW_FIRST;
    options.declare = false;
    struct consumer *consumer = NULL;
    id_set_free(&view->letters);
    enum status status = amqp_consumer_open(&options, &consumer, error);
    if (status == STATUS_OK) status = walk_letters(view, consumer, error);
    consumer_close(consumer);
    view->walked = status == STATUS_OK;
    view->failed = view->failed || status != STATUS_OK;
    return status;
}

enum status queue_view_find_dead_letters(struct queue_view *view, const struct text *message_ids,
                                         size_t count, bool *found, struct error *error)
{
    if (!view->looks_only || !view->walked) {
        enum status status = look_at_letters(view, error);
        if (status != STATUS_OK) return status;
    }
    for (size_t i = 0; i < count; i++) found[i] = id_set_has(&view->letters, message_ids[i]);
    return STATUS_OK;
}

bool queue_view_tell(struct queue_view *view, char line[LETTER_RETURNS_SIZE])
{
    int64_t came_back = view->letters_came_back;
    view->letters_came_back = 0;
    return letter_returns_tell(view->config->amqp.dead_letter_queue, came_back, line);
}

void queue_view_end(struct queue_view *view)
{
    id_set_free(&view->letters);
    view->walked = false;
}
