#include "cli/queue_view.h"

#include "cli/worker_probe.h"
#include "reconcile/queue_look.h"

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

enum status queue_view_find_dead_letters(struct queue_view *view, const struct text *message_ids,
                                         size_t count, bool *found, struct error *error)
{
    (void)view;
    (void)message_ids;
    (void)error;
    for (size_t i = 0; i < count; i++) found[i] = false;
    return STATUS_OK;
}
