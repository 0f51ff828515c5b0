#include "reconcile/queue_look.h"

static enum status look_at_one(struct publisher *publisher, struct text queue, int64_t *messages,
                               int64_t *consumers, struct error *error)
{
    bool empty = true;
    enum status status = publisher_depth(publisher, queue, messages, consumers, error);
    if (status == STATUS_OK && *messages == 0 && *consumers == 0)
        status = publisher_is_empty(publisher, queue, &empty, error);
    if (status == STATUS_OK && !empty) *messages = 1;
    return status;
}

enum status queue_look_at(struct publisher *publisher, struct text queue, struct text dead_letter_queue,
                          struct queue_look *look, struct error *error)
{
    int64_t ignored = 0;
    look->held = -1;
    look->nobody_tells = false;
    enum status status = look_at_one(publisher, queue, &look->ready, &look->consumers, error);
    if (status != STATUS_OK) return status;
    return look_at_one(publisher, dead_letter_queue, &look->dead_letters, &ignored, error);
}
