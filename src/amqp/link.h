/* One connection to the broker with its one channel: opening it, what the broker says on it about itself, and
 * how a failure reads. */
#ifndef BURSAR_AMQP_LINK_H
#define BURSAR_AMQP_LINK_H

#include "amqp/settings.h"
#include "amqp/vendor.h"

#include <stdint.h>

struct broker_link {
    const struct broker_settings *settings; /* borrowed */
    int heartbeat_s;                        /* asked for at the login; 0: none */
    amqp_connection_state_t state;          /* NULL: not connected */
    const struct broker_url *host;          /* of the connection that is or was; borrowed from the settings */
    size_t next_host;
    bool lost;           /* broken or closed by the broker: it may be closed, and nothing else */
    bool channel_closed; /* by the broker, which keeps the connection */
    bool blocked;        /* the broker has an alarm and reads nothing from a connection that publishes */
    int close_code;      /* the broker's reply code of the last close, 0: none */
    int64_t sent_at_us;  /* monotonic; the last time something was sent from here */
};

/* Connects to the first host that answers, logs in, opens the channel; each call begins with the host after
 * the last one's. STATUS_RETRY: none answered. STATUS_CONFIG: user, password, virtual host. */
MUST_CHECK enum status broker_link_open(struct broker_link *link, struct error *error);

/* Opens the channel again where the broker closed it and nothing else. */
MUST_CHECK enum status broker_link_reopen_channel(struct broker_link *link, struct error *error);

/* Says goodbye for a second at most, and frees. Not connected: nothing happens. */
void broker_link_close(struct broker_link *link);

static inline bool broker_link_usable(const struct broker_link *link)
{
    return link->state != NULL && !link->lost;
}

/* Marks the link lost after a library call failed with `code`; STATUS_RETRY. `doing`: "reading",
 * "acknowledging"… */
enum status broker_link_fail(struct broker_link *link, int code, const char *doing, struct error *error);

/* What came of a remote call: STATUS_OK; STATUS_CONFIG where the broker refuses it for good, with its words
 * and what to do; STATUS_RETRY. `doing`: "declaring queue 'x'". A close is answered. */
MUST_CHECK enum status broker_link_reply(struct broker_link *link, amqp_rpc_reply_t reply, const char *doing,
                                         struct error *error);

/* Deals with a frame that concerns the connection and not a message: close, blocked, unblocked; any other is
 * left alone. STATUS_RETRY: the broker closed the channel or the connection (answered), with its words. */
MUST_CHECK enum status broker_link_notice(struct broker_link *link, const amqp_frame_t *frame,
                                          const char *doing, struct error *error);

/* Sends a heartbeat if nothing was sent for half of one. */
MUST_CHECK enum status broker_link_keep_alive(struct broker_link *link, struct error *error);

#endif
