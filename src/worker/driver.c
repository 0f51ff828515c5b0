#include "worker/driver.h"

#include "base/failpoint.h"

void driver_begin(struct driver *driver, const struct driver_options *options,
                  const struct worker_settings *settings)
{
    *driver = (struct driver){.options = *options};
    driver->worker = worker_new(settings, clock_monotonic_us(options->clock));
}

void driver_finish(struct driver *driver)
{
    worker_free(driver->worker);
    driver->worker = NULL;
}

void driver_step(struct driver *driver, struct event event)
{
    event.now_us = clock_monotonic_us(driver->options.clock);
    worker_step(driver->worker, &event);
}

static void connection_lost(struct driver *driver, const struct error *error)
{
    driver->connected = false;
    consumer_disconnect(driver->options.consumer);
    driver_step(driver, (struct event){.kind = EVENT_DISCONNECTED, .error = error});
}

static void effect_connect(struct driver *driver)
{
    struct error error;
    enum status status = consumer_connect(driver->options.consumer, &error);
    driver->connected = status == STATUS_OK;
    driver_step(driver, (struct event){.kind = EVENT_CONNECTED, .status = status, .error = &error});
}

static void effect_start(struct driver *driver)
{
    struct error error;
    enum status status = consumer_start(driver->options.consumer, &error);
    if (status != STATUS_OK) {
        driver->connected = false;
        consumer_disconnect(driver->options.consumer);
    }
    driver_step(driver, (struct event){.kind = EVENT_STARTED, .status = status, .error = &error});
}

static void effect_acknowledge(struct driver *driver, const struct effect *effect)
{
    struct error error;
    FAILPOINT("ack-begin");
    if (consumer_acknowledge(driver->options.consumer, effect->tag, effect->multiple, &error) != STATUS_OK) {
        connection_lost(driver, &error);
    }
    FAILPOINT("ack-sent");
}

static void effect_run(struct driver *driver, const struct effect *effect)
{
    struct consumer *consumer = driver->options.consumer;
    struct error error;
    switch (effect->kind) {
    case EFFECT_CONNECT: effect_connect(driver); break;
    case EFFECT_START: effect_start(driver); break;
    case EFFECT_CANCEL:
        if (consumer_stop(consumer, &error) != STATUS_OK) connection_lost(driver, &error);
        break;
    case EFFECT_DISCONNECT:
        driver->connected = false;
        consumer_disconnect(consumer);
        break;
    case EFFECT_ACKNOWLEDGE: effect_acknowledge(driver, effect); break;
    case EFFECT_JOB: driver->options.give_job(driver->options.context, effect->hand, effect->job); break;
    case EFFECT_NOTE: driver->options.say(driver->options.context, &effect->note); break;
    case EFFECT_STOPPED: driver->stopped = true; break;
    }
}

void driver_effects(struct driver *driver)
{
    struct effect effect;
    while (!driver->stopped && worker_next_effect(driver->worker, &effect)) effect_run(driver, &effect);
}

bool driver_may_read(const struct driver *driver)
{
    if (!driver->connected) return false;
    if (worker_wants_delivery(driver->worker)) return true;
    struct worker_view view;
    worker_observe(driver->worker, &view);
    return view.link == LINK_IDLE;
}

static void delivery_take(struct driver *driver, const struct delivery *delivery)
{
    struct worker_delivery taken = {
        .tag = delivery->tag,
        .exchange = delivery->exchange,
        .routing_key = delivery->routing_key,
        .message_id = delivery->message_id,
        .properties = delivery->properties,
        .body = delivery->body,
    };
    if (delivery->redelivered) metrics_add(driver->options.metrics, METRIC_REDELIVERIES, 1);
    driver_step(driver, (struct event){.kind = EVENT_DELIVERY, .delivery = &taken});
}

bool driver_read(struct driver *driver, size_t most)
{
    for (size_t i = 0; i < most; i++) {
        if (!driver_may_read(driver)) return false;
        enum consumer_event kind;
        struct delivery delivery;
        struct error error;
        if (consumer_next(driver->options.consumer, &kind, &delivery, &error) != STATUS_OK) {
            connection_lost(driver, &error);
            return false;
        }
        if (kind == CONSUMER_IDLE) return false;
        if (kind == CONSUMER_CANCELLED) {
            driver_step(driver, (struct event){.kind = EVENT_CANCELLED});
        } else {
            delivery_take(driver, &delivery);
        }
    }
    return true;
}

void driver_keep_alive(struct driver *driver)
{
    struct error error;
    if (consumer_keep_alive(driver->options.consumer, &error) != STATUS_OK) connection_lost(driver, &error);
}
