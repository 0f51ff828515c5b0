#include "fake/fake_broker_private.h"
#include "fake/fake_properties.h"

#include "base/memory.h"

#include <stdlib.h>

static struct fake_publisher *self_of(struct publisher *base)
{
    return (struct fake_publisher *)base;
}

static enum status fake_publisher_connect(struct publisher *base, struct error *error)
{
    struct fake_publisher *self = self_of(base);
    if (self->connected) return STATUS_OK;
    if (self->broker->down || fake_broker_faults(self->broker, FAKE_BROKER_CONNECT))
        return error_set(error, STATUS_RETRY, "fake broker: connection refused");
    self->connected = true;
    return STATUS_OK;
}

/* PUBLICATION_UNKNOWN: the connection is lost. */
static enum publication_outcome publish_one(struct fake_publisher *self,
                                            const struct publication *publication)
{
    struct fake_broker *broker = self->broker;
    struct buffer properties = {0};
    if (fake_broker_faults(broker, FAKE_BROKER_PUBLISH) ||
        !fake_broker_has_exchange(broker, publication->exchange))
        return PUBLICATION_UNKNOWN;
    fake_properties_render(publication, &properties);
    struct fake_message *message =
        fake_message_copy(publication->exchange, publication->routing_key,
                          (struct text){properties.data, properties.size}, publication->body);
    buffer_free(&properties);
    if (broker->blocked) {
        fake_list_append(&broker->stalled, message);
        return PUBLICATION_UNKNOWN;
    }
    enum publication_outcome outcome = fake_broker_route(broker, message);
    fake_message_free(message);
    return fake_broker_faults(broker, FAKE_BROKER_PUBLISH_CONFIRM) ? PUBLICATION_UNKNOWN : outcome;
}

static enum status fake_publisher_publish(struct publisher *base, struct publication *publications,
                                          size_t count, struct error *error)
{
    struct fake_publisher *self = self_of(base);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count; i++) publications[i].outcome = PUBLICATION_NONE;
    if (count == 0) return STATUS_OK;
    status = fake_publisher_connect(base, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < count && (status == STATUS_OK || self->broker->blocked); i++) {
        publications[i].outcome = publish_one(self, &publications[i]);
        if (publications[i].outcome == PUBLICATION_UNKNOWN)
            status =
                error_set(error, STATUS_UNKNOWN, "fake broker: the connection was lost before the confirm");
    }
    if (status != STATUS_OK) self->connected = false;
    return status;
}

static enum status fake_publisher_depth(struct publisher *base, struct text name, int64_t *messages,
                                        int64_t *consumers, struct error *error)
{
    struct fake_publisher *self = self_of(base);
    enum status status = fake_publisher_connect(base, error);
    if (status != STATUS_OK) return status;
    const struct fake_queue *queue = self->broker->queues;
    while (queue != NULL && !text_equal_string(name, queue->name)) queue = queue->next;
    if (queue == NULL || !queue->exists)
        return error_set(error, STATUS_CONFIG, "fake broker: no queue '" TEXT_FORMAT "'",
                         TEXT_ARGUMENTS(name));
    *messages = (int64_t)fake_broker_ready(self->broker, queue->name);
    *consumers = 0; /* one that was stopped counts until nothing of it is unacknowledged */
    for (const struct fake_consumer *consumer = self->broker->consumers; consumer != NULL;
         consumer = consumer->next)
        if (consumer->queue == queue && (consumer->consuming || consumer->held_count > 0)) ++*consumers;
    return STATUS_OK;
}

static enum status fake_publisher_is_empty(struct publisher *base, struct text name, bool *empty,
                                           struct error *error)
{
    int64_t messages = 0, consumers = 0;
    enum status status = fake_publisher_depth(base, name, &messages, &consumers, error);
    *empty = messages == 0;
    return status;
}

static enum status fake_publisher_initialise(struct publisher *base, struct error *error)
{
    enum status status = fake_publisher_connect(base, error);
    if (status == STATUS_OK) fake_broker_declare(self_of(base)->broker);
    return status;
}

static void fake_publisher_close(struct publisher *base)
{
    struct fake_publisher *self = self_of(base);
    struct fake_publisher **at = &self->broker->publishers;
    while (*at != self) at = &(*at)->next;
    *at = self->next;
    free(self);
}

struct publisher *fake_publisher_open(struct fake_broker *broker)
{
    static const struct publisher_ops ops = {
        .connect = fake_publisher_connect,
        .publish = fake_publisher_publish,
        .depth = fake_publisher_depth,
        .is_empty = fake_publisher_is_empty,
        .initialise = fake_publisher_initialise,
        .close = fake_publisher_close,
    };
    struct fake_publisher *self = memory_alloc_zero(1, sizeof *self);
    self->base.ops = &ops;
    self->broker = broker;
    self->next = broker->publishers;
    broker->publishers = self;
    return &self->base;
}
