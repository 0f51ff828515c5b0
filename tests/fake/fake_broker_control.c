#include "fake/fake_broker_private.h"

void fake_broker_set_down(struct fake_broker *broker, bool down)
{
    broker->down = down;
    if (!down) return;
    fake_broker_drop_consumers(broker);
    fake_broker_drop_publishers(broker);
}

void fake_broker_drop_consumers(struct fake_broker *broker)
{
    for (struct fake_consumer *consumer = broker->consumers; consumer != NULL; consumer = consumer->next)
        fake_consumer_lose(consumer, "the connection was lost");
}

void fake_broker_drop_publishers(struct fake_broker *broker)
{
    for (struct fake_publisher *publisher = broker->publishers; publisher != NULL;
         publisher = publisher->next)
        publisher->connected = false;
}

void fake_broker_set_blocked(struct fake_broker *broker, bool blocked)
{
    broker->blocked = blocked;
    if (blocked) return;
    for (struct fake_message *message; (message = fake_list_take(&broker->stalled)) != NULL;) {
        (void)fake_broker_route(broker, message); /* nobody is left to hear the answer */
        fake_message_free(message);
    }
}

void fake_broker_set_full(struct fake_broker *broker, const char *queue, bool full)
{
    fake_broker_queue(broker, queue)->full = full;
}

void fake_broker_set_fault(struct fake_broker *broker, fake_broker_fault *fault, void *context)
{
    broker->fault = fault;
    broker->fault_context = context;
}

void fake_broker_set_observer(struct fake_broker *broker, fake_broker_observer *observer, void *context)
{
    broker->observer = observer;
    broker->observer_context = context;
}

static const struct fake_queue *queue_named(const struct fake_broker *broker, const char *name)
{
    const struct fake_queue *queue = broker->queues;
    while (queue != NULL && strcmp(queue->name, name) != 0) queue = queue->next;
    return queue;
}

bool fake_broker_exists(const struct fake_broker *broker, const char *name)
{
    const struct fake_queue *queue = queue_named(broker, name);
    return queue != NULL && queue->exists;
}

size_t fake_broker_ready(const struct fake_broker *broker, const char *name)
{
    const struct fake_queue *queue = queue_named(broker, name);
    return queue == NULL ? 0 : fake_list_count(&queue->returned) + fake_list_count(&queue->fresh);
}

size_t fake_broker_unacknowledged(const struct fake_broker *broker, const char *name)
{
    size_t count = 0;
    for (const struct fake_consumer *consumer = broker->consumers; consumer != NULL;
         consumer = consumer->next)
        if (strcmp(consumer->queue->name, name) == 0) count += consumer->held_count;
    return count;
}

bool fake_broker_peek(const struct fake_broker *broker, const char *name, size_t index,
                      struct delivery *delivery)
{
    const struct fake_queue *queue = queue_named(broker, name);
    if (queue == NULL) return false;
    size_t returned = fake_list_count(&queue->returned);
    const struct fake_message *message = index < returned ? queue->returned.first : queue->fresh.first;
    for (size_t left = index < returned ? index : index - returned; left > 0 && message != NULL; left--)
        message = message->next;
    if (message == NULL) return false;
    fake_message_view(message, delivery);
    return true;
}
