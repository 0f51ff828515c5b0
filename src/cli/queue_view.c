#include "cli/queue_view.h"

#include "cli/worker_probe.h"

struct queue_view queue_view_of(struct session *session)
{
    return (struct queue_view){.publisher = session->publisher, .config = &session->config};
}

enum status queue_view_look(struct queue_view *view, struct queue_look *look, struct error *error)
{
    int64_t consumers = 0;
    enum status status = publisher_depth(view->publisher, text_of(view->config->amqp.queue), &look->ready,
                                         &look->consumers, error);
    if (status == STATUS_OK)
        status = publisher_depth(view->publisher, text_of(view->config->amqp.dead_letter_queue),
                                 &look->dead_letters, &consumers, error);
    view->failed = view->failed || status != STATUS_OK;
    if (status != STATUS_OK) return status;
    look->held = -1;
    if (look->ready > 0 || look->consumers != 1) return STATUS_OK;
    struct worker_look worker = worker_probe(view->config->http.listen);
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
