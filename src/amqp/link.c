#include "amqp/link.h"

#include "amqp/login.h"
#include "base/instant.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define GOODBYE_MS 1000

static const char *advice(int code)
{
    switch (code) {
    case AMQP_ACCESS_REFUSED: return "; check the user, the password and the user's permissions";
    case AMQP_NOT_FOUND: return "; declare it with `bursar init`, or allow it with amqp.declare = true";
    case AMQP_PRECONDITION_FAILED:
        return "; configure it as it is, or move its messages away and delete it, then run `bursar init`";
    case AMQP_NOT_ALLOWED: return "; check that the virtual host exists and that the user may use it";
    default: return "";
    }
}

/* Only the operator can mend these. A queue whose node is down is "not found" to RabbitMQ, and a limit of
 * connections is "not allowed": both pass. */
static enum status refusal(int code, const char *words)
{
    switch (code) {
    case AMQP_NOT_FOUND: return strstr(words, "inaccessible") != NULL ? STATUS_RETRY : STATUS_CONFIG;
    case AMQP_NOT_ALLOWED: return strstr(words, "limit") != NULL ? STATUS_RETRY : STATUS_CONFIG;
    case AMQP_ACCESS_REFUSED:
    case AMQP_PRECONDITION_FAILED:
    case AMQP_NOT_IMPLEMENTED:
    case AMQP_COMMAND_INVALID: return STATUS_CONFIG;
    default: return STATUS_RETRY;
    }
}

/* One line, whatever came. */
static void copy_words(char *line, size_t size, amqp_bytes_t bytes)
{
    snprintf(line, size, TEXT_FORMAT, TEXT_ARGUMENTS(text_of_bytes(bytes)));
    for (char *byte = line; *byte != '\0'; byte++)
        if ((unsigned char)*byte < ' ' || *byte == 0x7f) *byte = ' ';
}

static enum status say(const struct broker_link *link, enum status status, struct error *error,
                       const char *doing, const char *what, const char *todo)
{
    return error_set(error, status, "broker %s:%d: %s: %s%s", link->host->host, link->host->port, doing, what,
                     todo);
}

enum status broker_link_fail(struct broker_link *link, int code, const char *doing, struct error *error)
{
    link->lost = true;
    return say(link, STATUS_RETRY, error, doing, amqp_error_string2(code), "; the connection is given up");
}

/* Answers the close. `asked`: it is the answer to a call from here, so the broker may mean it for good. */
static enum status closed_by_broker(struct broker_link *link, const amqp_method_t *method, bool asked,
                                    const char *doing, struct error *error)
{
    char words[300];
    if (method->id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *close = method->decoded;
        link->close_code = close->reply_code;
        copy_words(words, sizeof words, close->reply_text);
        amqp_channel_close_ok_t answer = {0};
        link->channel_closed = true;
        if (amqp_send_method(link->state, BROKER_CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &answer) < 0)
            link->lost = true;
    } else {
        assert(method->id == AMQP_CONNECTION_CLOSE_METHOD);
        const amqp_connection_close_t *close = method->decoded;
        link->close_code = close->reply_code;
        copy_words(words, sizeof words, close->reply_text);
        amqp_connection_close_ok_t answer = {0};
        link->lost = true;
        (void)amqp_send_method(link->state, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &answer);
    }
    char what[340];
    snprintf(what, sizeof what, "the broker closed the %s: %d %s",
             method->id == AMQP_CHANNEL_CLOSE_METHOD ? "channel" : "connection", link->close_code, words);
    enum status status = asked ? refusal(link->close_code, words) : STATUS_RETRY;
    return say(link, status, error, doing, what, status == STATUS_CONFIG ? advice(link->close_code) : "");
}

enum status broker_link_reply(struct broker_link *link, amqp_rpc_reply_t reply, const char *doing,
                              struct error *error)
{
    link->sent_at_us = instant_monotonic_us();
    switch (reply.reply_type) {
    case AMQP_RESPONSE_NORMAL: return STATUS_OK;
    case AMQP_RESPONSE_SERVER_EXCEPTION:
        if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD || reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD)
            return closed_by_broker(link, &reply.reply, true, doing, error);
        return broker_link_fail(link, AMQP_STATUS_WRONG_METHOD, doing, error);
    case AMQP_RESPONSE_LIBRARY_EXCEPTION: return broker_link_fail(link, reply.library_error, doing, error);
    case AMQP_RESPONSE_NONE: break;
    }
    return broker_link_fail(link, AMQP_STATUS_CONNECTION_CLOSED, doing, error);
}

enum status broker_link_notice(struct broker_link *link, const amqp_frame_t *frame, const char *doing,
                               struct error *error)
{
    if (frame->frame_type != AMQP_FRAME_METHOD) return STATUS_OK;
    switch (frame->payload.method.id) {
    case AMQP_CHANNEL_CLOSE_METHOD:
    case AMQP_CONNECTION_CLOSE_METHOD:
        return closed_by_broker(link, &frame->payload.method, false, doing, error);
    case AMQP_CONNECTION_BLOCKED_METHOD: link->blocked = true; break;
    case AMQP_CONNECTION_UNBLOCKED_METHOD: link->blocked = false; break;
    default: break;
    }
    amqp_maybe_release_buffers_on_channel(link->state, 0);
    return STATUS_OK;
}

static void forget(struct broker_link *link)
{
    if (link->state != NULL) amqp_destroy_connection(link->state);
    link->state = NULL;
    link->lost = false;
    link->channel_closed = false;
    link->blocked = false;
}

enum status broker_link_reopen_channel(struct broker_link *link, struct error *error)
{
    amqp_channel_open(link->state, BROKER_CHANNEL);
    enum status status = broker_link_reply(link, amqp_get_rpc_reply(link->state), "opening a channel", error);
    if (status == STATUS_OK) link->channel_closed = false;
    return status;
}

static enum status open_host(struct broker_link *link, struct error *error)
{
    char reason[ERROR_TEXT_MAX / 2];
    enum status status = broker_login_connect(link, reason, sizeof reason);
    if (status != STATUS_OK) return say(link, status, error, "connecting", reason, "");
    status = broker_login(link, error);
    if (status == STATUS_OK) status = broker_link_reopen_channel(link, error);
    return status;
}

enum status broker_link_open(struct broker_link *link, struct error *error)
{
    const struct broker_url_list *hosts = &link->settings->hosts;
    assert(link->state == NULL);
    enum status result = STATUS_OK;
    struct error each;
    for (size_t tried = 0; tried < hosts->count; tried++) {
        if (broker_settings_cancelled(link->settings))
            return error_set(error, STATUS_RETRY, "connecting to the broker: cancelled");
        link->host = &hosts->urls[link->next_host];
        link->next_host = (link->next_host + 1) % hosts->count;
        link->close_code = 0;
        enum status status = open_host(link, &each);
        if (status == STATUS_OK) return STATUS_OK;
        forget(link);
        /* With several hosts: what each of them said, for they may fail for different reasons. */
        if (tried == 0)
            error_set(error, status, "%s", each.text);
        else
            error_wrap(error, status, "%s; before that", each.text);
        if (status == STATUS_CONFIG || result == STATUS_OK) result = status;
    }
    return result;
}

void broker_link_close(struct broker_link *link)
{
    if (broker_link_usable(link)) {
        const struct timeval goodbye = {.tv_sec = GOODBYE_MS / 1000, .tv_usec = GOODBYE_MS % 1000 * 1000};
        amqp_set_rpc_timeout(link->state, &goodbye);
        /* Whatever comes of it, the connection is gone after this. */
        (void)amqp_connection_close(link->state, AMQP_REPLY_SUCCESS);
    }
    forget(link);
}

enum status broker_link_keep_alive(struct broker_link *link, struct error *error)
{
    int64_t now_us = instant_monotonic_us();
    if (link->heartbeat_s == 0 || now_us - link->sent_at_us < link->heartbeat_s * MICROSECONDS_PER_SECOND / 2)
        return STATUS_OK;
    const amqp_frame_t heartbeat = {.frame_type = AMQP_FRAME_HEARTBEAT, .channel = 0};
    int code = amqp_send_frame(link->state, &heartbeat);
    if (code < 0) return broker_link_fail(link, code, "sending a heartbeat", error);
    link->sent_at_us = now_us;
    return STATUS_OK;
}
