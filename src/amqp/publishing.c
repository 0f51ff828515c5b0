#include "amqp/publishing.h"

#include "amqp/socket.h"
#include "base/failpoint.h"
#include "base/instant.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* Publications on their way without an answer. */
#define WINDOW 2000

/* How much of a body goes out before the socket is asked again whether it takes more. */
#define FRAGMENT_SIZE ((size_t)16 * 1024)

/* How late a cancellation may be noticed. */
#define SLICE_MS 100

static struct properties_limits limits_of(const struct broker_link *link)
{
    return (struct properties_limits){
        .user = text_of(link->host->user),
        .frame_max = (size_t)amqp_get_frame_max(link->state),
    };
}

static enum status protocol_error(struct broker_link *link, const char *doing, struct error *error)
{
    return broker_link_fail(link, AMQP_STATUS_UNEXPECTED_STATE, doing, error);
}

static enum status take_answer(struct publishing *publishing, struct broker_link *link,
                               const amqp_frame_t *frame, uint64_t tag, bool multiple,
                               enum publication_outcome outcome, struct error *error)
{
    if (frame->channel != BROKER_CHANNEL || !confirms_answer(&publishing->confirms, tag, multiple, outcome))
        return protocol_error(link, "reading a confirm of an unknown tag", error);
    publishing->progress_us = instant_monotonic_us();
    return STATUS_OK;
}

static enum status take_method(struct publishing *publishing, struct broker_link *link,
                               const amqp_frame_t *frame, struct error *error)
{
    const amqp_method_t *method = &frame->payload.method;
    if (frame->channel == BROKER_CHANNEL && publishing->returned.stage != ASSEMBLY_EMPTY &&
        method->id != AMQP_CHANNEL_CLOSE_METHOD)
        return protocol_error(link, "reading a returned message", error);
    switch (method->id) {
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = method->decoded;
        return take_answer(publishing, link, frame, ack->delivery_tag, ack->multiple, PUBLICATION_CONFIRMED,
                           error);
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *nack = method->decoded;
        return take_answer(publishing, link, frame, nack->delivery_tag, nack->multiple, PUBLICATION_REFUSED,
                           error);
    }
    case AMQP_BASIC_RETURN_METHOD: {
        const amqp_basic_return_t *returned = method->decoded;
        if (frame->channel != BROKER_CHANNEL)
            return protocol_error(link, "reading a returned message", error);
        assembly_begin(&publishing->returned, returned->exchange, returned->routing_key);
        return STATUS_OK;
    }
    default: {
        enum status status = broker_link_notice(link, frame, "publishing", error);
        /* With the channel went the numbering of its confirms. */
        if (status != STATUS_OK) link->lost = true;
        return status;
    }
    }
}

static enum status take_frame(struct publishing *publishing, struct broker_link *link,
                              const amqp_frame_t *frame, struct error *error)
{
    struct assembly *returned = &publishing->returned;
    if (frame->frame_type == AMQP_FRAME_METHOD) return take_method(publishing, link, frame, error);
    if (frame->channel != BROKER_CHANNEL || !assembly_add(returned, frame))
        return protocol_error(link, "reading a returned message", error);
    if (returned->stage != ASSEMBLY_DONE) return STATUS_OK;
    const struct properties_limits limits = limits_of(link);
    bool matched = confirms_return(&publishing->confirms, returned, &limits, &publishing->pool);
    assembly_reset(returned);
    return matched ? STATUS_OK : protocol_error(link, "matching a returned message", error);
}

/* Everything that has arrived; never waits. */
static enum status read_answers(struct publishing *publishing, struct broker_link *link, struct error *error)
{
    const struct timeval at_once = {0};
    for (;;) {
        if (assembly_is_detached(&publishing->returned))
            amqp_maybe_release_buffers_on_channel(link->state, BROKER_CHANNEL);
        amqp_frame_t frame;
        int code = amqp_simple_wait_frame_noblock(link->state, &frame, &at_once);
        if (code == AMQP_STATUS_TIMEOUT) return STATUS_OK;
        if (code != AMQP_STATUS_OK) return broker_link_fail(link, code, "waiting for confirms", error);
        enum status status = take_frame(publishing, link, &frame, error);
        if (status != STATUS_OK) return status;
    }
}

static int send_body(struct publishing *publishing, struct broker_link *link, struct text body)
{
    size_t room = (size_t)amqp_get_frame_max(link->state) - 8;
    size_t size = body.size - publishing->offset;
    if (size > FRAGMENT_SIZE) size = FRAGMENT_SIZE;
    if (size > room) size = room;
    if (size == 0) return AMQP_STATUS_OK;
    amqp_frame_t frame = {.frame_type = AMQP_FRAME_BODY, .channel = BROKER_CHANNEL};
    frame.payload.body_fragment = bytes_of((struct text){body.data + publishing->offset, size});
    publishing->offset += size;
    return amqp_send_frame(link->state, &frame);
}

/* The method and the content header. */
static enum status send_head(struct publishing *publishing, struct broker_link *link,
                             const struct publication *publication, struct error *error)
{
    const struct properties_limits limits = limits_of(link);
    amqp_basic_properties_t wire;
    recycle_amqp_pool(&publishing->pool);
    enum status status = properties_build(publication, &limits, &publishing->pool, &wire, error);
    if (status != STATUS_OK) return status;
    amqp_basic_publish_t publish = {
        .exchange = bytes_of(publication->exchange),
        .routing_key = bytes_of(publication->routing_key),
        .mandatory = 1,
    };
    amqp_frame_t header = {.frame_type = AMQP_FRAME_HEADER, .channel = BROKER_CHANNEL};
    header.payload.properties.class_id = AMQP_BASIC_CLASS;
    header.payload.properties.body_size = publication->body.size;
    header.payload.properties.decoded = &wire;
    publishing->begun = true;
    int code = amqp_send_method(link->state, BROKER_CHANNEL, AMQP_BASIC_PUBLISH_METHOD, &publish);
    if (code == AMQP_STATUS_OK) code = amqp_send_frame(link->state, &header);
    return code < 0 ? broker_link_fail(link, code, "publishing", error) : STATUS_OK;
}

/* A message, or the next piece of one: as much as a writable socket takes at once. */
static enum status send_step(struct publishing *publishing, struct broker_link *link, struct error *error)
{
    struct confirms *confirms = &publishing->confirms;
    const struct publication *publication = &confirms->publications[confirms->sent];
    publishing->progress_us = instant_monotonic_us();
    if (!publishing->begun) {
        enum status status = send_head(publishing, link, publication, error);
        if (status != STATUS_OK) return status;
        /* Large properties fill what the socket takes: the body waits for the next turn. */
        if (publication->properties.size >= FRAGMENT_SIZE && publication->body.size > 0) return STATUS_OK;
    }
    int code = send_body(publishing, link, publication->body);
    if (code < 0) return broker_link_fail(link, code, "publishing", error);
    if (publishing->offset < publication->body.size) return STATUS_OK;
    publishing->begun = false;
    publishing->offset = 0;
    publishing->last_tag++;
    confirms_sent(confirms);
    if (confirms->sent == confirms->count) FAILPOINT("publish-sent");
    return STATUS_OK;
}

static enum status wait_for_socket(struct publishing *publishing, struct broker_link *link, bool sendable,
                                   short *ready, struct error *error)
{
    const struct broker_settings *settings = link->settings;
    int64_t now_us = instant_monotonic_us();
    if (link->blocked && !settings->time_runs_while_blocked) publishing->progress_us = now_us;
    if (broker_settings_cancelled(settings))
        return error_set(error, STATUS_RETRY, "waiting for the broker's confirms: cancelled");
    if (now_us - publishing->progress_us > settings->confirm_timeout_ms * INT64_C(1000))
        return error_set(
            error, STATUS_RETRY,
            "broker %s:%d: no answer to %zu publications for %d ms%s; the connection is given up",
            link->host->host, link->host->port, publishing->confirms.sent - publishing->confirms.answered,
            settings->confirm_timeout_ms, link->blocked ? " (it has an alarm: memory or disk)" : "");
    struct pollfd poller = {.fd = amqp_get_sockfd(link->state), .events = POLLIN};
    if (sendable) poller.events |= POLLOUT;
    if (!sendable && publishing->held) broker_socket_hold(poller.fd, publishing->held = false);
    int count = poll(&poller, 1, 0);
    if (count == 0) {
        if (publishing->held) broker_socket_hold(poller.fd, publishing->held = false);
        count = poll(&poller, 1, SLICE_MS);
    }
    if (count < 0 && errno != EINTR)
        return broker_link_fail(link, AMQP_STATUS_SOCKET_ERROR, "waiting for confirms", error);
    *ready = count > 0 ? poller.revents : 0;
    return STATUS_OK;
}

static enum status send_and_read(struct publishing *publishing, struct broker_link *link, struct error *error)
{
    struct confirms *confirms = &publishing->confirms;
    while (confirms->answered < confirms->count) {
        bool more = confirms->sent < confirms->count && confirms->sent - confirms->answered < WINDOW;
        bool sendable = publishing->begun || (more && !link->blocked);
        short ready = 0;
        enum status status = wait_for_socket(publishing, link, sendable, &ready, error);
        if (status == STATUS_OK && (ready & POLLOUT) != 0) {
            if (!publishing->held) broker_socket_hold(amqp_get_sockfd(link->state), publishing->held = true);
            status = send_step(publishing, link, error);
        }
        /* The library reads on its own account when a send cannot go on. */
        bool waiting =
            status == STATUS_OK && (amqp_frames_enqueued(link->state) || amqp_data_in_buffer(link->state));
        if (status == STATUS_OK && ((ready & ~POLLOUT) != 0 || waiting))
            status = read_answers(publishing, link, error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static enum status check(const struct broker_link *link, const struct publication *publication,
                         struct error *error)
{
    const struct properties_limits limits = limits_of(link);
    if (publication->exchange.size > BROKER_SHORT_STRING_MAX ||
        publication->routing_key.size > BROKER_SHORT_STRING_MAX)
        return error_set(error, STATUS_REFUSED,
                         "the name of an exchange or a routing key has more than %d bytes",
                         BROKER_SHORT_STRING_MAX);
    return properties_check(publication, &limits, error);
}

/* What was sent and not answered is unknown; what was sent in part is nothing to the broker. */
static enum status give_up(struct publishing *publishing, enum status status)
{
    struct confirms *confirms = &publishing->confirms;
    for (size_t i = 0; i < confirms->sent; i++)
        if (confirms->publications[i].outcome == PUBLICATION_NONE)
            confirms->publications[i].outcome = PUBLICATION_UNKNOWN;
    bool unanswered = confirms->answered < confirms->sent;
    return status == STATUS_RETRY && unanswered ? STATUS_UNKNOWN : status;
}

enum status publishing_run(struct publishing *publishing, struct broker_link *link,
                           struct publication *publications, size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        enum status status = check(link, &publications[i], error);
        if (status != STATUS_OK) return error_wrap(error, status, "publication %zu", i + 1);
    }
    confirms_begin(&publishing->confirms, publications, count, publishing->last_tag);
    publishing->begun = false;
    publishing->held = false;
    publishing->offset = 0;
    publishing->progress_us = instant_monotonic_us();
    enum status status = send_and_read(publishing, link, error);
    if (status != STATUS_OK) status = give_up(publishing, status);
    assembly_reset(&publishing->returned);
    return status;
}

enum status publishing_drain(struct publishing *publishing, struct broker_link *link, struct error *error)
{
    confirms_begin(&publishing->confirms, NULL, 0, publishing->last_tag);
    return read_answers(publishing, link, error);
}

void publishing_free(struct publishing *publishing)
{
    confirms_free(&publishing->confirms);
    assembly_free(&publishing->returned);
    empty_amqp_pool(&publishing->pool);
}
