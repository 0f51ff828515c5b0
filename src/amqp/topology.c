#include "amqp/topology.h"

#include <stdio.h>

#define DOING_MAX 320

static enum status answer(struct broker_link *link, const char *verb, const char *what, struct text name,
                          struct error *error)
{
    char doing[DOING_MAX];
    snprintf(doing, sizeof doing, "%s %s '" TEXT_FORMAT "'", verb, what, TEXT_ARGUMENTS(name));
    return broker_link_reply(link, amqp_get_rpc_reply(link->state), doing, error);
}

static const char *verb_of(const struct broker_link *link)
{
    return link->settings->declare ? "declaring" : "checking";
}

static enum status ensure_exchange(struct broker_link *link, const char *name, struct error *error)
{
    amqp_exchange_declare(link->state, BROKER_CHANNEL, amqp_cstring_bytes(name), amqp_cstring_bytes("direct"),
                          !link->settings->declare, 1, 0, 0, amqp_empty_table);
    return answer(link, verb_of(link), "exchange", text_of(name), error);
}

static enum status ensure_queue(struct broker_link *link, const char *name, amqp_table_entry_t *arguments,
                                int count, struct error *error)
{
    const amqp_table_t table = {.num_entries = count, .entries = arguments};
    amqp_queue_declare(link->state, BROKER_CHANNEL, amqp_cstring_bytes(name), !link->settings->declare, 1, 0,
                       0, table);
    return answer(link, verb_of(link), "queue", text_of(name), error);
}

static enum status ensure_binding(struct broker_link *link, const char *queue, const char *exchange,
                                  struct error *error)
{
    /* The protocol has no way to look at a binding without making it. */
    if (!link->settings->declare) return STATUS_OK;
    amqp_queue_bind(link->state, BROKER_CHANNEL, amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange),
                    amqp_cstring_bytes(link->settings->routing_key), amqp_empty_table);
    return answer(link, "binding", "queue", text_of(queue), error);
}

static amqp_table_entry_t argument_string(const char *key, const char *value)
{
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(key),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(value)}};
}

static amqp_table_entry_t argument_number(const char *key, int64_t value)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
                                .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = value}};
}

enum status broker_topology_ensure(struct broker_link *link, struct error *error)
{
    const struct broker_settings *settings = link->settings;
    amqp_table_entry_t parking[] = {
        argument_string("x-queue-type", "quorum"),
    };
    amqp_table_entry_t working[] = {
        argument_string("x-queue-type", "quorum"),
        argument_string("x-dead-letter-exchange", settings->dead_letter_exchange),
        argument_string("x-dead-letter-strategy", "at-least-once"),
        argument_string("x-overflow", "reject-publish"),
        argument_number("x-delivery-limit", settings->delivery_limit),
    };
    /* The dead-letter side comes first, so that the queue never has messages to give up and nowhere to put
     * them. */
    enum status status = ensure_exchange(link, settings->dead_letter_exchange, error);
    if (status == STATUS_OK)
        status = ensure_queue(link, settings->dead_letter_queue, parking, sizeof parking / sizeof parking[0],
                              error);
    if (status == STATUS_OK)
        status = ensure_binding(link, settings->dead_letter_queue, settings->dead_letter_exchange, error);
    if (status == STATUS_OK) status = ensure_exchange(link, settings->exchange, error);
    if (status == STATUS_OK)
        status = ensure_queue(link, settings->queue, working, sizeof working / sizeof working[0], error);
    if (status == STATUS_OK) status = ensure_binding(link, settings->queue, settings->exchange, error);
    amqp_maybe_release_buffers(link->state);
    return status;
}

enum status broker_topology_depth(struct broker_link *link, struct text queue, int64_t *messages,
                                  int64_t *consumers, struct error *error)
{
    const amqp_queue_declare_ok_t *found =
        amqp_queue_declare(link->state, BROKER_CHANNEL, bytes_of(queue), 1, 0, 0, 0, amqp_empty_table);
    enum status status = answer(link, "looking at", "queue", queue, error);
    if (status == STATUS_OK) {
        *messages = found->message_count;
        *consumers = found->consumer_count;
    }
    amqp_maybe_release_buffers(link->state);
    return status;
}

enum status broker_topology_is_empty(struct broker_link *link, struct text queue, bool *empty,
                                     struct error *error)
{
    amqp_rpc_reply_t reply = amqp_basic_get(link->state, BROKER_CHANNEL, bytes_of(queue), 0);
    char doing[BROKER_SHORT_STRING_MAX + 32];
    snprintf(doing, sizeof doing, "asking queue '" TEXT_FORMAT "'", TEXT_ARGUMENTS(queue));
    enum status status = broker_link_reply(link, reply, doing, error);
    if (status == STATUS_OK) *empty = reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD;
    return status;
}
