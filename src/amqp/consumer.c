#include "amqp/amqp_broker.h"

#include "amqp/assembly.h"
#include "amqp/link.h"
#include "amqp/origin.h"
#include "amqp/topology.h"
#include "base/instant.h"
#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* One after the other on a connection, never two at a time. Their names are in order, for a quorum queue
 * takes back what a lost channel held in the order of the consumers' names. */
#define CONSUMER_NAME_FIRST "bursar"
#define CONSUMER_NAME_NEXT  "bursar-%04u"

struct amqp_consumer {
    struct consumer base;
    struct broker_settings settings;
    struct broker_link link;
    struct assembly assembly;
    uint64_t tag;
    bool redelivered;
    unsigned widened; /* how often, on this connection */
    char name[32];    /* of the consumer that the broker knows */
};

static struct amqp_consumer *self_of(struct consumer *base)
{
    return (struct amqp_consumer *)base;
}

static enum status not_connected(struct error *error)
{
    return error_set(error, STATUS_RETRY, "the consumer's connection to the broker is not open");
}

static void amqp_consumer_disconnect(struct consumer *base)
{
    struct amqp_consumer *self = self_of(base);
    assembly_reset(&self->assembly);
    self->tag = 0;
    self->widened = 0;
    broker_link_close(&self->link);
}

static enum status amqp_consumer_connect(struct consumer *base, struct error *error)
{
    struct amqp_consumer *self = self_of(base);
    amqp_consumer_disconnect(base);
    enum status status = broker_link_open(&self->link, error);
    if (status == STATUS_OK) status = broker_topology_ensure(&self->link, error);
    if (status != STATUS_OK) amqp_consumer_disconnect(base);
    return status;
}

static enum status begin(struct amqp_consumer *self, size_t prefetch, struct error *error)
{
    struct broker_link *link = &self->link;
    amqp_basic_qos(link->state, BROKER_CHANNEL, 0, (uint16_t)prefetch, 0);
    enum status status =
        broker_link_reply(link, amqp_get_rpc_reply(link->state), "setting the prefetch", error);
    if (status != STATUS_OK) return status;
    amqp_basic_consume(link->state, BROKER_CHANNEL, amqp_cstring_bytes(self->settings.consume_queue),
                       amqp_cstring_bytes(self->name), 0, 0, 0, amqp_empty_table);
    status = broker_link_reply(link, amqp_get_rpc_reply(link->state), "beginning to consume", error);
    if (status != STATUS_OK) link->lost = true;
    return status;
}

static enum status amqp_consumer_start(struct consumer *base, struct error *error)
{
    struct amqp_consumer *self = self_of(base);
    if (!broker_link_usable(&self->link)) return not_connected(error);
    snprintf(self->name, sizeof self->name, CONSUMER_NAME_FIRST);
    return begin(self, (size_t)self->settings.prefetch, error);
}

static enum status protocol_error(struct amqp_consumer *self, struct error *error)
{
    return broker_link_fail(&self->link, AMQP_STATUS_UNEXPECTED_STATE, "putting a delivery together", error);
}

/* A method on its own. `event` is set where the caller has to know of it. */
static enum status take_method(struct amqp_consumer *self, const amqp_frame_t *frame,
                               enum consumer_event *event, struct error *error)
{
    const amqp_method_t *method = &frame->payload.method;
    if (frame->channel == BROKER_CHANNEL && self->assembly.stage != ASSEMBLY_EMPTY &&
        method->id != AMQP_CHANNEL_CLOSE_METHOD)
        return protocol_error(self, error);
    if (method->id == AMQP_BASIC_DELIVER_METHOD) {
        const amqp_basic_deliver_t *deliver = method->decoded;
        if (frame->channel != BROKER_CHANNEL || deliver->delivery_tag <= self->tag)
            return protocol_error(self, error);
        self->tag = deliver->delivery_tag;
        self->redelivered = deliver->redelivered != 0;
        assembly_begin(&self->assembly, deliver->exchange, deliver->routing_key);
        return STATUS_OK;
    }
    if (method->id == AMQP_BASIC_CANCEL_METHOD) {
        const amqp_basic_cancel_t *cancel = method->decoded;
        *event = CONSUMER_CANCELLED;
        if (cancel->nowait) return STATUS_OK;
        amqp_basic_cancel_ok_t answer = {.consumer_tag = cancel->consumer_tag};
        int code = amqp_send_method(self->link.state, BROKER_CHANNEL, AMQP_BASIC_CANCEL_OK_METHOD, &answer);
        return code < 0 ? broker_link_fail(&self->link, code, "answering a cancellation", error) : STATUS_OK;
    }
    enum status status = broker_link_notice(&self->link, frame, "consuming", error);
    /* One channel is all there is: without it the connection is of no use. */
    if (status != STATUS_OK) self->link.lost = true;
    return status;
}

static void fill(const struct amqp_consumer *self, struct delivery *delivery)
{
    const struct assembly *assembly = &self->assembly;
    *delivery = (struct delivery){
        .tag = self->tag,
        .redelivered = self->redelivered,
        .exchange = assembly->exchange,
        .routing_key = assembly->routing_key,
        .message_id = assembly->message_id,
        .properties = assembly->properties,
        .body = assembly->body,
    };
}

static enum status amqp_consumer_next(struct consumer *base, enum consumer_event *event,
                                      struct delivery *delivery, struct error *error)
{
    struct amqp_consumer *self = self_of(base);
    struct broker_link *link = &self->link;
    const struct timeval at_once = {0};
    *event = CONSUMER_IDLE;
    if (!broker_link_usable(link)) return not_connected(error);
    if (self->assembly.stage == ASSEMBLY_DONE) assembly_reset(&self->assembly);
    for (;;) {
        /* Frames are borrowed until here. Without this the library's memory grows with the stream. */
        if (assembly_is_detached(&self->assembly))
            amqp_maybe_release_buffers_on_channel(link->state, BROKER_CHANNEL);
        amqp_frame_t frame;
        int code = amqp_simple_wait_frame_noblock(link->state, &frame, &at_once);
        if (code == AMQP_STATUS_TIMEOUT) return STATUS_OK;
        if (code != AMQP_STATUS_OK) return broker_link_fail(link, code, "waiting for deliveries", error);
        if (frame.frame_type == AMQP_FRAME_METHOD) {
            enum status status = take_method(self, &frame, event, error);
            if (status != STATUS_OK || *event != CONSUMER_IDLE) return status;
        } else if (frame.channel != BROKER_CHANNEL || !assembly_add(&self->assembly, &frame)) {
            return protocol_error(self, error);
        }
        if (self->assembly.stage == ASSEMBLY_DONE) {
            *event = CONSUMER_DELIVERY;
            fill(self, delivery);
            return STATUS_OK;
        }
    }
}

static enum status amqp_consumer_acknowledge(struct consumer *base, uint64_t tag, bool multiple,
                                             struct error *error)
{
    struct broker_link *link = &self_of(base)->link;
    assert(tag > 0); /* 0 with `multiple` would mean everything */
    if (!broker_link_usable(link)) return not_connected(error);
    int code = amqp_basic_ack(link->state, BROKER_CHANNEL, tag, multiple);
    if (code != AMQP_STATUS_OK) return broker_link_fail(link, code, "acknowledging", error);
    link->sent_at_us = instant_monotonic_us();
    return STATUS_OK;
}

static enum status amqp_consumer_stop(struct consumer *base, struct error *error)
{
    struct amqp_consumer *self = self_of(base);
    struct broker_link *link = &self->link;
    if (!broker_link_usable(link)) return not_connected(error);
    /* Not as a remote call: its answer comes behind the deliveries that are on their way, and is read where
     * they are. */
    amqp_basic_cancel_t cancel = {.consumer_tag = amqp_cstring_bytes(self->name)};
    int code = amqp_send_method(link->state, BROKER_CHANNEL, AMQP_BASIC_CANCEL_METHOD, &cancel);
    if (code < 0) return broker_link_fail(link, code, "ending the consumer", error);
    link->sent_at_us = instant_monotonic_us();
    return STATUS_OK;
}

static enum status amqp_consumer_widen(struct consumer *base, size_t more, struct error *error)
{
    struct amqp_consumer *self = self_of(base);
    assert(more > 0 && more <= UINT16_MAX);
    /* A prefetch cannot grow, but a new consumer has one of its own; what the old one holds stays held. */
    enum status status = amqp_consumer_stop(base, error);
    if (status != STATUS_OK) return status;
    snprintf(self->name, sizeof self->name, CONSUMER_NAME_NEXT, ++self->widened);
    return begin(self, more, error);
}

static void amqp_consumer_origin(const struct consumer *base, struct text properties,
                                 struct letter_origin *origin)
{
    (void)base;
    amqp_letter_origin(properties, origin);
}

static int amqp_consumer_descriptor(const struct consumer *base)
{
    const struct broker_link *link = &((const struct amqp_consumer *)base)->link;
    return broker_link_usable(link) ? amqp_get_sockfd(link->state) : -1;
}

static enum status amqp_consumer_keep_alive(struct consumer *base, struct error *error)
{
    struct broker_link *link = &self_of(base)->link;
    return broker_link_usable(link) ? broker_link_keep_alive(link, error) : not_connected(error);
}

static void amqp_consumer_close(struct consumer *base)
{
    struct amqp_consumer *self = self_of(base);
    amqp_consumer_disconnect(base);
    assembly_free(&self->assembly);
    broker_settings_free(&self->settings);
    free(self);
}

enum status amqp_consumer_open(const struct amqp_options *options, struct consumer **consumer,
                               struct error *error)
{
    static const struct consumer_ops ops = {
        .connect = amqp_consumer_connect,
        .start = amqp_consumer_start,
        .next = amqp_consumer_next,
        .acknowledge = amqp_consumer_acknowledge,
        .stop = amqp_consumer_stop,
        .widen = amqp_consumer_widen,
        .origin = amqp_consumer_origin,
        .descriptor = amqp_consumer_descriptor,
        .keep_alive = amqp_consumer_keep_alive,
        .disconnect = amqp_consumer_disconnect,
        .close = amqp_consumer_close,
    };
    struct broker_settings settings;
    enum status status = broker_settings_copy(options, &settings, error);
    if (status != STATUS_OK) return status;
    struct amqp_consumer *self = memory_alloc_zero(1, sizeof *self);
    self->base.ops = &ops;
    self->settings = settings;
    self->link = (struct broker_link){.settings = &self->settings, .heartbeat_s = settings.heartbeat_s};
    *consumer = &self->base;
    return STATUS_OK;
}
