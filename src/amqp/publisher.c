#include "amqp/amqp_broker.h"

#include "amqp/publishing.h"
#include "amqp/socket.h"
#include "amqp/topology.h"
#include "base/failpoint.h"
#include "base/memory.h"

#include <stdlib.h>

#define POOL_PAGE_SIZE 65536

struct amqp_publisher {
    struct publisher base;
    struct broker_settings settings;
    struct broker_link link;
    struct publishing publishing;
    bool redeclare; /* an exchange was missing: declare the topology with the next connection, where that is
                       allowed */
};

static struct amqp_publisher *self_of(struct publisher *base)
{
    return (struct amqp_publisher *)base;
}

static enum status select_confirms(struct amqp_publisher *self, struct error *error)
{
    amqp_confirm_select(self->link.state, BROKER_CHANNEL);
    self->publishing.last_tag = 0;
    return broker_link_reply(&self->link, amqp_get_rpc_reply(self->link.state),
                             "asking for publisher confirms", error);
}

static enum status open_link(struct amqp_publisher *self, struct error *error)
{
    enum status status = broker_link_open(&self->link, error);
    if (status != STATUS_OK) return status;
    broker_socket_reserve(amqp_get_sockfd(self->link.state), PUBLISHING_SEND_BUFFER);
    if (self->redeclare && self->settings.declare) status = broker_topology_ensure(&self->link, error);
    if (status == STATUS_OK) self->redeclare = false;
    if (status == STATUS_OK) status = select_confirms(self, error);
    if (status != STATUS_OK) broker_link_close(&self->link);
    return status;
}

static enum status amqp_publisher_connect(struct publisher *base, struct error *error)
{
    struct amqp_publisher *self = self_of(base);
    if (broker_link_usable(&self->link)) {
        if (publishing_drain(&self->publishing, &self->link, error) == STATUS_OK) return STATUS_OK;
        /* Lost while nothing was under way: nothing is unknown, so a new connection does. */
    }
    broker_link_close(&self->link);
    return open_link(self, error);
}

static bool was_refused(const struct publication *publications, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (publications[i].outcome == PUBLICATION_REFUSED) return true;
    }
    return false;
}

/* The broker keeps in the channel that a full quorum queue refuses, and goes on refusing where the queue does
 * not tell it otherwise: not when its limit is lifted. So the next try has a channel of its own. */
static void renew_channel(struct amqp_publisher *self)
{
    amqp_rpc_reply_t closed = amqp_channel_close(self->link.state, BROKER_CHANNEL, AMQP_REPLY_SUCCESS);
    bool renewed = broker_link_reply(&self->link, closed, "closing a channel", NULL) == STATUS_OK &&
                   broker_link_reopen_channel(&self->link, NULL) == STATUS_OK &&
                   select_confirms(self, NULL) == STATUS_OK;
    if (!renewed) broker_link_close(&self->link);
}

static enum status amqp_publisher_publish(struct publisher *base, struct publication *publications,
                                          size_t count, struct error *error)
{
    struct amqp_publisher *self = self_of(base);
    for (size_t i = 0; i < count; i++) publications[i].outcome = PUBLICATION_NONE;
    if (count == 0) return STATUS_OK;
    enum status status = amqp_publisher_connect(base, error);
    if (status != STATUS_OK) return status;
    status = publishing_run(&self->publishing, &self->link, publications, count, error);
    if (status == STATUS_OK) {
        FAILPOINT("publish-confirmed");
        if (was_refused(publications, count)) renew_channel(self);
        return STATUS_OK;
    }
    if (status == STATUS_REFUSED) return status;
    self->redeclare = self->link.close_code == AMQP_NOT_FOUND;
    self->link.lost = true;
    broker_link_close(&self->link);
    return status;
}

/* Connected, and the broker answers. */
static enum status ready_to_ask(struct amqp_publisher *self, struct text queue, struct error *error)
{
    if (queue.size == 0 || queue.size > BROKER_SHORT_STRING_MAX)
        return error_set(error, STATUS_CONFIG, "a queue's name has 1 to %d bytes, not %zu",
                         BROKER_SHORT_STRING_MAX, queue.size);
    enum status status = amqp_publisher_connect(&self->base, error);
    if (status != STATUS_OK) return status;
    if (self->link.blocked)
        return error_set(error, STATUS_RETRY,
                         "the broker has blocked this connection because of an alarm (memory or disk)");
    return STATUS_OK;
}

/* A missing queue costs the channel, not the connection. */
static void recover_channel(struct amqp_publisher *self)
{
    bool reopened = broker_link_usable(&self->link) && self->link.channel_closed &&
                    broker_link_reopen_channel(&self->link, NULL) == STATUS_OK &&
                    select_confirms(self, NULL) == STATUS_OK;
    if (!reopened) broker_link_close(&self->link);
}

static enum status amqp_publisher_depth(struct publisher *base, struct text queue, int64_t *messages,
                                        int64_t *consumers, struct error *error)
{
    struct amqp_publisher *self = self_of(base);
    enum status status = ready_to_ask(self, queue, error);
    if (status != STATUS_OK) return status;
    status = broker_topology_depth(&self->link, queue, messages, consumers, error);
    if (status != STATUS_OK) recover_channel(self);
    return status;
}

static enum status amqp_publisher_is_empty(struct publisher *base, struct text queue, bool *empty,
                                           struct error *error)
{
    struct amqp_publisher *self = self_of(base);
    enum status status = ready_to_ask(self, queue, error);
    if (status != STATUS_OK) return status;
    status = broker_topology_is_empty(&self->link, queue, empty, error);
    if (status != STATUS_OK)
        recover_channel(self);
    else if (!*empty)
        broker_link_close(&self->link);
    return status;
}

static enum status amqp_publisher_initialise(struct publisher *base, struct error *error)
{
    struct amqp_publisher *self = self_of(base);
    enum status status = amqp_publisher_connect(base, error);
    if (status != STATUS_OK) return status;
    status = broker_topology_ensure(&self->link, error);
    if (status != STATUS_OK) broker_link_close(&self->link);
    return status;
}

static void amqp_publisher_close(struct publisher *base)
{
    struct amqp_publisher *self = self_of(base);
    broker_link_close(&self->link);
    publishing_free(&self->publishing);
    broker_settings_free(&self->settings);
    free(self);
}

enum status amqp_publisher_open(const struct amqp_options *options, struct publisher **publisher,
                                struct error *error)
{
    static const struct publisher_ops ops = {
        .connect = amqp_publisher_connect,
        .publish = amqp_publisher_publish,
        .depth = amqp_publisher_depth,
        .is_empty = amqp_publisher_is_empty,
        .initialise = amqp_publisher_initialise,
        .close = amqp_publisher_close,
    };
    struct broker_settings settings;
    enum status status = broker_settings_copy(options, &settings, error);
    if (status != STATUS_OK) return status;
    struct amqp_publisher *self = memory_alloc_zero(1, sizeof *self);
    self->base.ops = &ops;
    self->settings = settings;
    /* No heartbeats: nobody would send them between two calls, and the broker would log a failure each time
     * it gave up. The kernel watches an idle connection, the confirm timeout a busy one. */
    self->link = (struct broker_link){.settings = &self->settings, .heartbeat_s = 0};
    init_amqp_pool(&self->publishing.pool, POOL_PAGE_SIZE);
    *publisher = &self->base;
    return STATUS_OK;
}
