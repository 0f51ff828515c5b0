/* A checked copy of struct amqp_options. */
#ifndef BURSAR_AMQP_SETTINGS_H
#define BURSAR_AMQP_SETTINGS_H

#include "amqp/amqp_broker.h"
#include "amqp/url.h"

struct broker_settings {
    struct broker_url_list hosts;
    bool declare;
    char *exchange, *queue, *routing_key, *dead_letter_exchange, *dead_letter_queue; /* owned */
    char *consume_queue;                                                             /* owned */
    int delivery_limit;
    int heartbeat_s;
    int connect_timeout_ms;
    int confirm_timeout_ms;
    bool time_runs_while_blocked;
    int prefetch;
    char *connection_name;     /* owned */
    const atomic_bool *cancel; /* borrowed; may be NULL */
};

/* STATUS_CONFIG as amqp_options_check; then *settings needs no freeing. */
MUST_CHECK enum status broker_settings_copy(const struct amqp_options *options,
                                            struct broker_settings *settings, struct error *error);

void broker_settings_free(struct broker_settings *settings);

static inline bool broker_settings_cancelled(const struct broker_settings *settings)
{
    return settings->cancel != NULL && atomic_load_explicit(settings->cancel, memory_order_relaxed);
}

#endif
