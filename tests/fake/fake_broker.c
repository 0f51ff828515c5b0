#include "fake/fake_broker_private.h"
#include "fake/fake_properties.h"

#include "base/memory.h"

#include <stdlib.h>

#define DELIVERY_LIMIT_NONE (-1)

static struct text text_of_buffer(const struct buffer *buffer)
{
    return (struct text){buffer->data == NULL ? "" : buffer->data, buffer->size};
}

struct fake_message *fake_message_copy(struct text exchange, struct text routing_key, struct text properties,
                                       struct text body)
{
    struct fake_message *message = memory_alloc_zero(1, sizeof *message);
    buffer_append(&message->exchange, exchange);
    buffer_append(&message->routing_key, routing_key);
    buffer_append(&message->properties, properties);
    buffer_append(&message->body, body);
    return message;
}

void fake_message_free(struct fake_message *message)
{
    buffer_free(&message->exchange);
    buffer_free(&message->routing_key);
    buffer_free(&message->properties);
    buffer_free(&message->properties_again);
    buffer_free(&message->body);
    free(message);
}

void fake_list_append(struct fake_list *list, struct fake_message *message)
{
    message->next = NULL;
    if (list->last == NULL)
        list->first = message;
    else
        list->last->next = message;
    list->last = message;
}

struct fake_message *fake_list_take(struct fake_list *list)
{
    struct fake_message *message = list->first;
    if (message == NULL) return NULL;
    list->first = message->next;
    if (list->first == NULL) list->last = NULL;
    return message;
}

void fake_list_free(struct fake_list *list)
{
    for (struct fake_message *message; (message = fake_list_take(list)) != NULL;) fake_message_free(message);
}

size_t fake_list_count(const struct fake_list *list)
{
    size_t count = 0;
    for (const struct fake_message *message = list->first; message != NULL; message = message->next) count++;
    return count;
}

bool fake_broker_faults(struct fake_broker *broker, enum fake_broker_point point)
{
    return broker->fault != NULL && broker->fault(broker->fault_context, point);
}

void fake_broker_tell(struct fake_broker *broker, enum fake_broker_event event,
                      const struct fake_queue *queue, const struct fake_message *message)
{
    if (broker->observer == NULL) return;
    struct delivery view = {0};
    if (message != NULL) fake_message_view(message, &view);
    broker->observer(broker->observer_context, event, queue->name, &view);
}

struct fake_queue *fake_broker_queue(struct fake_broker *broker, const char *name)
{
    struct fake_queue *queue = broker->queues;
    while (queue != NULL && strcmp(queue->name, name) != 0) queue = queue->next;
    if (queue != NULL) return queue;
    queue = memory_alloc_zero(1, sizeof *queue);
    queue->name = memory_copy_string(name);
    queue->delivery_limit = DELIVERY_LIMIT_NONE;
    queue->next = broker->queues;
    broker->queues = queue;
    return queue;
}

bool fake_broker_has_exchange(const struct fake_broker *broker, struct text exchange)
{
    if (exchange.size == 0) return true;
    if (broker->declared && (text_equal_string(exchange, broker->topology.exchange) ||
                             text_equal_string(exchange, broker->topology.dead_letter_exchange)))
        return true;
    for (const struct fake_binding *binding = broker->bindings; binding != NULL; binding = binding->next)
        if (text_equal_string(exchange, binding->exchange)) return true;
    return false;
}

static bool room_in(const struct fake_consumer *consumer)
{
    return consumer->held_count - consumer->held_before_window < consumer->prefetch;
}

void fake_queue_give_out(struct fake_broker *broker, struct fake_queue *queue)
{
    for (;;) {
        struct fake_list *from = queue->returned.first != NULL ? &queue->returned : &queue->fresh;
        struct fake_consumer *takers[64];
        size_t count = 0;
        if (!queue->exists || from->first == NULL) return;
        for (struct fake_consumer *consumer = broker->consumers; consumer != NULL && count < 64;
             consumer = consumer->next)
            if (consumer->queue == queue && consumer->consuming && room_in(consumer))
                takers[count++] = consumer;
        if (count == 0) return;
        struct fake_consumer *taker = takers[queue->turn++ % count];
        struct fake_held *held = memory_alloc_zero(1, sizeof *held);
        *held = (struct fake_held){
            .tag = ++taker->last_tag, .message = fake_list_take(from), .generation = queue->generation};
        if (taker->held == NULL)
            taker->held = held;
        else
            taker->held_last->next = held;
        taker->held_last = held;
        if (taker->undelivered == NULL) taker->undelivered = held;
        taker->held_count++;
        fake_broker_tell(broker, FAKE_BROKER_GIVEN, queue, held->message);
    }
}

enum publication_outcome fake_broker_route(struct fake_broker *broker, const struct fake_message *message)
{
    struct text exchange = text_of_buffer(&message->exchange), key = text_of_buffer(&message->routing_key);
    enum publication_outcome outcome = PUBLICATION_RETURNED;
    for (struct fake_queue *queue = broker->queues; queue != NULL; queue = queue->next) {
        bool bound = exchange.size == 0 && text_equal_string(key, queue->name);
        for (const struct fake_binding *binding = broker->bindings; binding != NULL && !bound;
             binding = binding->next)
            bound = binding->queue == queue && text_equal_string(exchange, binding->exchange) &&
                    text_equal_string(key, binding->routing_key);
        if (!queue->exists || !bound) continue;
        if (queue->full) outcome = PUBLICATION_REFUSED;
        if (queue->full) continue;
        fake_list_append(&queue->fresh, fake_message_copy(exchange, key, text_of_buffer(&message->properties),
                                                          text_of_buffer(&message->body)));
        fake_broker_tell(broker, FAKE_BROKER_QUEUED, queue, message);
        fake_queue_give_out(broker, queue);
        if (outcome == PUBLICATION_RETURNED) outcome = PUBLICATION_CONFIRMED;
    }
    return outcome;
}

static void go_back(struct fake_consumer *consumer, struct fake_held *held)
{
    struct fake_queue *queue = consumer->queue;
    struct fake_message *message = held->message;
    message->returns++;
    if (!queue->exists || held->generation != queue->generation) {
        fake_broker_tell(consumer->broker, FAKE_BROKER_DROPPED, queue, message);
        fake_message_free(message);
    } else if (queue->delivery_limit != DELIVERY_LIMIT_NONE && message->returns > queue->delivery_limit) {
        fake_broker_tell(consumer->broker, FAKE_BROKER_DEAD_LETTERED, queue, message);
        if (queue->dead_letter_exchange != NULL) {
            struct buffer properties = {0};
            fake_properties_add_death(&(struct fake_death){"delivery_limit", queue->name,
                                                           text_of_buffer(&message->exchange),
                                                           text_of_buffer(&message->routing_key)},
                                      text_of_buffer(&message->properties), &properties);
            buffer_free(&message->properties);
            message->properties = properties;
            buffer_clear(&message->exchange);
            buffer_append_string(&message->exchange, queue->dead_letter_exchange);
            (void)fake_broker_route(consumer->broker, message);
        }
        fake_message_free(message);
    } else {
        buffer_clear(&message->properties_again);
        fake_properties_count_returns(text_of_buffer(&message->properties), message->returns,
                                      &message->properties_again);
        fake_list_append(&queue->returned, message);
    }
    free(held);
}

void fake_consumer_lose(struct fake_consumer *consumer, const char *why)
{
    if (!consumer->connected) return;
    consumer->connected = consumer->consuming = consumer->cancelled = false;
    size_t size = strlen(why) < sizeof consumer->lost ? strlen(why) : sizeof consumer->lost - 1;
    memcpy(consumer->lost, why, size);
    consumer->lost[size] = '\0';
    for (struct fake_held *held; (held = consumer->held) != NULL;) {
        consumer->held = held->next;
        go_back(consumer, held);
    }
    consumer->held_count = consumer->held_before_window = 0;
    consumer->held_last = consumer->undelivered = NULL;
    fake_queue_give_out(consumer->broker, consumer->queue);
}

void fake_broker_bind(struct fake_broker *broker, const char *exchange, const char *routing_key,
                      const char *queue)
{
    struct fake_queue *target = fake_broker_queue(broker, queue);
    target->exists = true;
    for (struct fake_binding *binding = broker->bindings; binding != NULL; binding = binding->next)
        if (binding->queue == target && strcmp(binding->exchange, exchange) == 0 &&
            strcmp(binding->routing_key, routing_key) == 0)
            return;
    struct fake_binding *binding = memory_alloc_zero(1, sizeof *binding);
    binding->exchange = memory_copy_string(exchange);
    binding->routing_key = memory_copy_string(routing_key);
    binding->queue = target;
    binding->next = broker->bindings;
    broker->bindings = binding;
}

void fake_broker_declare(struct fake_broker *broker)
{
    const struct fake_topology *topology = &broker->topology;
    broker->declared = true;
    fake_broker_bind(broker, topology->dead_letter_exchange, topology->routing_key,
                     topology->dead_letter_queue);
    fake_broker_bind(broker, topology->exchange, topology->routing_key, topology->queue);
    struct fake_queue *queue = fake_broker_queue(broker, topology->queue);
    queue->delivery_limit = topology->delivery_limit;
    queue->dead_letter_exchange = topology->dead_letter_exchange;
}

static void list_drop(struct fake_broker *broker, struct fake_queue *queue, struct fake_list *list)
{
    for (struct fake_message *message; (message = fake_list_take(list)) != NULL;) {
        fake_broker_tell(broker, FAKE_BROKER_DROPPED, queue, message);
        fake_message_free(message);
    }
}

static void queue_cancel(struct fake_broker *broker, const struct fake_queue *queue)
{
    for (struct fake_consumer *consumer = broker->consumers; consumer != NULL; consumer = consumer->next) {
        if (consumer->queue != queue || !consumer->consuming) continue;
        consumer->consuming = false;
        consumer->cancelled = true;
    }
}

void fake_broker_cancel_consumers(struct fake_broker *broker, const char *queue)
{
    queue_cancel(broker, fake_broker_queue(broker, queue));
}

void fake_broker_delete_queue(struct fake_broker *broker, const char *name)
{
    struct fake_queue *queue = fake_broker_queue(broker, name);
    queue->exists = false;
    queue->generation++;
    list_drop(broker, queue, &queue->returned);
    list_drop(broker, queue, &queue->fresh);
    for (struct fake_binding **at = &broker->bindings; *at != NULL;) {
        struct fake_binding *binding = *at;
        if (binding->queue != queue) {
            at = &binding->next;
            continue;
        }
        *at = binding->next;
        free(binding->exchange);
        free(binding->routing_key);
        free(binding);
    }
    queue_cancel(broker, queue);
}

struct fake_broker *fake_broker_new(const struct fake_topology *topology)
{
    struct fake_broker *broker = memory_alloc_zero(1, sizeof *broker);
    broker->topology = (struct fake_topology){
        .exchange = memory_copy_string(topology->exchange),
        .queue = memory_copy_string(topology->queue),
        .routing_key = memory_copy_string(topology->routing_key),
        .dead_letter_exchange = memory_copy_string(topology->dead_letter_exchange),
        .dead_letter_queue = memory_copy_string(topology->dead_letter_queue),
        .delivery_limit = topology->delivery_limit,
    };
    return broker;
}

void fake_broker_free(struct fake_broker *broker)
{
    if (broker == NULL) return;
    for (struct fake_queue *queue; (queue = broker->queues) != NULL;) {
        fake_broker_delete_queue(broker, queue->name);
        broker->queues = queue->next;
        free(queue->name);
        free(queue);
    }
    fake_list_free(&broker->stalled);
    free((void *)(uintptr_t)broker->topology.exchange);
    free((void *)(uintptr_t)broker->topology.queue);
    free((void *)(uintptr_t)broker->topology.routing_key);
    free((void *)(uintptr_t)broker->topology.dead_letter_exchange);
    free((void *)(uintptr_t)broker->topology.dead_letter_queue);
    free(broker);
}
