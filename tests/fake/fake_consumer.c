#include "fake/fake_broker_private.h"
#include "fake/fake_properties.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

static struct fake_consumer *self_of(struct consumer *base)
{
    return (struct fake_consumer *)base;
}

void fake_message_view(const struct fake_message *message, struct delivery *delivery)
{
    const struct buffer *properties =
        message->returns > 0 ? &message->properties_again : &message->properties;
    *delivery = (struct delivery){
        .redelivered = message->returns > 0,
        .exchange = {message->exchange.data, message->exchange.size},
        .routing_key = {message->routing_key.data, message->routing_key.size},
        .properties = {properties->data, properties->size},
        .body = {message->body.data, message->body.size},
    };
    delivery->message_id = fake_properties_message_id(delivery->properties);
}

static enum status lost(struct fake_consumer *self, struct error *error)
{
    enum status status = error_set(error, STATUS_RETRY, "fake broker: %s",
                                   self->lost[0] == '\0' ? "not connected" : self->lost);
    self->lost[0] = '\0';
    return status;
}

static void fake_consumer_disconnect(struct consumer *base)
{
    struct fake_consumer *self = self_of(base);
    fake_consumer_lose(self, "");
    self->lost[0] = '\0';
}

static enum status fake_consumer_connect(struct consumer *base, struct error *error)
{
    struct fake_consumer *self = self_of(base);
    fake_consumer_disconnect(base);
    if (self->broker->down || fake_broker_faults(self->broker, FAKE_BROKER_CONNECT))
        return error_set(error, STATUS_RETRY, "fake broker: connection refused");
    fake_broker_declare(self->broker);
    self->connected = true;
    self->last_tag = self->window_after = 0;
    self->prefetch = self->prefetch_first;
    return STATUS_OK;
}

static enum status fake_consumer_start(struct consumer *base, struct error *error)
{
    struct fake_consumer *self = self_of(base);
    if (!self->connected) return lost(self, error);
    if (!self->queue->exists) {
        fake_consumer_lose(self, "no queue");
        return error_set(error, STATUS_CONFIG, "fake broker: no queue '%s'", self->queue->name);
    }
    self->consuming = true;
    fake_queue_give_out(self->broker, self->queue);
    return STATUS_OK;
}

static enum status fake_consumer_next(struct consumer *base, enum consumer_event *event,
                                      struct delivery *delivery, struct error *error)
{
    struct fake_consumer *self = self_of(base);
    fake_list_free(&self->spent);
    *event = CONSUMER_IDLE;
    if (self->connected && fake_broker_faults(self->broker, FAKE_BROKER_NEXT))
        fake_consumer_lose(self, "the connection was lost");
    if (!self->connected) return lost(self, error);
    struct fake_held *held = self->undelivered;
    if (held != NULL) {
        self->undelivered = held->next;
        fake_message_view(held->message, delivery);
        delivery->tag = held->tag;
        *event = CONSUMER_DELIVERY;
    } else if (self->cancelled) {
        self->cancelled = false;
        *event = CONSUMER_CANCELLED;
    }
    return STATUS_OK;
}

static enum status fake_consumer_acknowledge(struct consumer *base, uint64_t tag, bool multiple,
                                             struct error *error)
{
    struct fake_consumer *self = self_of(base);
    if (self->connected && fake_broker_faults(self->broker, FAKE_BROKER_ACKNOWLEDGE))
        fake_consumer_lose(self, "the connection was lost");
    if (!self->connected) return lost(self, error);
    const struct fake_held *known = self->held;
    while (known != NULL && known->tag != tag) known = known->next;
    if (known == NULL) {
        fake_broker_tell(self->broker, FAKE_BROKER_BAD_TAG, self->queue, NULL);
        /* The broker says so on its own time, as the real one does: the next call of next hears it. */
        fake_consumer_lose(self,
                           "the broker closed the channel: 406 PRECONDITION_FAILED - unknown delivery tag");
        return STATUS_OK;
    }
    struct fake_held *before = NULL;
    for (struct fake_held *held = self->held, *after; held != NULL && held->tag <= tag; held = after) {
        after = held->next;
        if (!multiple && held->tag != tag) {
            before = held;
            continue;
        }
        if (before == NULL)
            self->held = after;
        else
            before->next = after;
        if (self->held_last == held) self->held_last = before;
        if (self->undelivered == held) self->undelivered = after;
        fake_broker_tell(self->broker, FAKE_BROKER_ACKNOWLEDGED, self->queue, held->message);
        fake_list_append(&self->spent, held->message);
        self->held_before_window -= held->tag <= self->window_after;
        free(held);
        self->held_count--;
    }
    fake_queue_give_out(self->broker, self->queue);
    return STATUS_OK;
}

static enum status fake_consumer_stop(struct consumer *base, struct error *error)
{
    struct fake_consumer *self = self_of(base);
    if (!self->connected) return lost(self, error);
    self->consuming = false;
    return STATUS_OK;
}

static enum status fake_consumer_widen(struct consumer *base, size_t more, struct error *error)
{
    struct fake_consumer *self = self_of(base);
    assert(more > 0 && more <= UINT16_MAX);
    if (!self->connected) return lost(self, error);
    self->window_after = self->last_tag;
    self->prefetch = more;
    self->held_before_window = self->held_count;
    self->consuming = true;
    fake_queue_give_out(self->broker, self->queue);
    return STATUS_OK;
}

static void fake_consumer_origin(const struct consumer *base, struct text properties,
                                 struct letter_origin *origin)
{
    (void)base;
    fake_properties_origin(properties, origin);
}

static int fake_consumer_descriptor(const struct consumer *base)
{
    (void)base;
    return -1;
}

static enum status fake_consumer_keep_alive(struct consumer *base, struct error *error)
{
    struct fake_consumer *self = self_of(base);
    return self->connected ? STATUS_OK : lost(self, error);
}

size_t fake_consumer_held(const struct consumer *consumer)
{
    return ((const struct fake_consumer *)consumer)->held_count;
}

static void fake_consumer_close(struct consumer *base)
{
    struct fake_consumer *self = self_of(base);
    fake_consumer_disconnect(base);
    fake_list_free(&self->spent);
    struct fake_consumer **at = &self->broker->consumers;
    while (*at != self) at = &(*at)->next;
    *at = self->next;
    free(self);
}

struct consumer *fake_consumer_open(struct fake_broker *broker, const char *queue, size_t prefetch)
{
    static const struct consumer_ops ops = {
        .connect = fake_consumer_connect,
        .start = fake_consumer_start,
        .next = fake_consumer_next,
        .acknowledge = fake_consumer_acknowledge,
        .stop = fake_consumer_stop,
        .widen = fake_consumer_widen,
        .origin = fake_consumer_origin,
        .descriptor = fake_consumer_descriptor,
        .keep_alive = fake_consumer_keep_alive,
        .disconnect = fake_consumer_disconnect,
        .close = fake_consumer_close,
    };
    struct fake_consumer *self = memory_alloc_zero(1, sizeof *self);
    self->base.ops = &ops;
    self->broker = broker;
    self->queue = fake_broker_queue(broker, queue);
    self->prefetch = self->prefetch_first = prefetch;
    self->next = broker->consumers;
    broker->consumers = self;
    return &self->base;
}
