#include "worker/loop.h"

#include "base/failpoint.h"
#include "base/instant.h"
#include "base/memory.h"
#include "worker/hand.h"
#include "worker/observe.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define READ_AT_ONCE     64 /* deliveries between two looks at everything else */
#define VIEW_INTERVAL_US INT64_C(50000)
#define WAIT_MAX_US      INT64_C(1000000) /* heartbeats want a look at the connection */

struct loop {
    struct loop_options options;
    struct job_context context;
    struct worker *worker;
    struct hand_thread hands[HAND_COUNT];
    pthread_t thread;
    int notify;   /* eventfd: a job is done, or somebody asks for something */
    int finished; /* eventfd */
    bool connected;
    bool stopped;
    bool stop_seen;
    int64_t view_at_us;

    pthread_mutex_t mutex; /* of what follows */
    bool stop_asked;
    bool reload_asked;
    struct worker_settings reload;
    struct worker_view view;
};

static void loop_step(struct loop *loop, struct event event)
{
    event.now_us = instant_monotonic_us();
    worker_step(loop->worker, &event);
}

static void connection_lost(struct loop *loop, const struct error *error)
{
    loop->connected = false;
    consumer_disconnect(loop->options.consumer);
    loop_step(loop, (struct event){.kind = EVENT_DISCONNECTED, .error = error});
}

static void note_say(const struct note *note)
{
    struct log_field fields[2];
    size_t count = 0;
    if (note->number_name != NULL) fields[count++] = log_number(note->number_name, note->number);
    if (note->detail[0] != '\0') fields[count++] = log_string("detail", note->detail);
    log_write(note->level, note->event, fields, count);
}

static void effect_connect(struct loop *loop)
{
    struct error error;
    enum status status = consumer_connect(loop->options.consumer, &error);
    loop->connected = status == STATUS_OK;
    loop_step(loop, (struct event){.kind = EVENT_CONNECTED, .status = status, .error = &error});
}

static void effect_start(struct loop *loop)
{
    struct error error;
    enum status status = consumer_start(loop->options.consumer, &error);
    if (status != STATUS_OK) {
        loop->connected = false;
        consumer_disconnect(loop->options.consumer);
    }
    loop_step(loop, (struct event){.kind = EVENT_STARTED, .status = status, .error = &error});
}

static void effect_run(struct loop *loop, const struct effect *effect)
{
    struct consumer *consumer = loop->options.consumer;
    struct error error;
    switch (effect->kind) {
    case EFFECT_CONNECT: effect_connect(loop); break;
    case EFFECT_START: effect_start(loop); break;
    case EFFECT_CANCEL:
        if (consumer_stop(consumer, &error) != STATUS_OK) connection_lost(loop, &error);
        break;
    case EFFECT_DISCONNECT:
        loop->connected = false;
        consumer_disconnect(consumer);
        break;
    case EFFECT_ACKNOWLEDGE:
        FAILPOINT("ack-begin");
        if (consumer_acknowledge(consumer, effect->tag, effect->multiple, &error) != STATUS_OK) {
            connection_lost(loop, &error);
        }
        FAILPOINT("ack-sent");
        break;
    case EFFECT_JOB: hand_give(&loop->hands[effect->hand], effect->job); break;
    case EFFECT_NOTE: note_say(&effect->note); break;
    case EFFECT_STOPPED: loop->stopped = true; break;
    }
}

static void loop_effects(struct loop *loop)
{
    struct effect effect;
    while (!loop->stopped && worker_next_effect(loop->worker, &effect)) effect_run(loop, &effect);
}

static void loop_asked(struct loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    bool stop = loop->stop_asked && !loop->stop_seen;
    bool reload = loop->reload_asked;
    struct worker_settings settings = loop->reload;
    loop->reload_asked = false;
    pthread_mutex_unlock(&loop->mutex);
    if (reload) loop_step(loop, (struct event){.kind = EVENT_SETTINGS, .settings = &settings});
    if (stop) {
        loop->stop_seen = true;
        loop_step(loop, (struct event){.kind = EVENT_STOP});
    }
}

static void loop_jobs(struct loop *loop)
{
    for (enum hand hand = 0; hand < HAND_COUNT; hand++) {
        if (hand_take_done(&loop->hands[hand])) {
            loop_step(loop, (struct event){.kind = EVENT_JOB_DONE, .hand = hand});
        }
    }
}

/* Whether the connection may be read: always while nothing is consumed (heartbeats, a close), else only with
 * room for a delivery. */
static bool loop_may_read(const struct loop *loop)
{
    if (!loop->connected) return false;
    if (worker_wants_delivery(loop->worker)) return true;
    struct worker_view view;
    worker_observe(loop->worker, &view);
    return view.link == LINK_IDLE;
}

static void delivery_take(struct loop *loop, const struct delivery *delivery)
{
    struct worker_delivery taken = {
        .tag = delivery->tag,
        .exchange = delivery->exchange,
        .routing_key = delivery->routing_key,
        .message_id = delivery->message_id,
        .properties = delivery->properties,
        .body = delivery->body,
    };
    if (delivery->redelivered) metrics_add(loop->options.metrics, METRIC_REDELIVERIES, 1);
    loop_step(loop, (struct event){.kind = EVENT_DELIVERY, .delivery = &taken});
}

/* Reads what is there, up to READ_AT_ONCE; true: there may be more. */
static bool loop_read(struct loop *loop)
{
    for (size_t i = 0; i < READ_AT_ONCE; i++) {
        if (!loop_may_read(loop)) return false;
        enum consumer_event kind;
        struct delivery delivery;
        struct error error;
        if (consumer_next(loop->options.consumer, &kind, &delivery, &error) != STATUS_OK) {
            connection_lost(loop, &error);
            return false;
        }
        if (kind == CONSUMER_IDLE) return false;
        if (kind == CONSUMER_CANCELLED) {
            loop_step(loop, (struct event){.kind = EVENT_CANCELLED});
        } else {
            delivery_take(loop, &delivery);
        }
    }
    return true;
}

static void loop_publish_view(struct loop *loop)
{
    int64_t now_us = instant_monotonic_us();
    if (now_us < loop->view_at_us && !loop->stopped) return;
    loop->view_at_us = now_us + VIEW_INTERVAL_US;
    struct worker_view view;
    worker_observe(loop->worker, &view);
    observe_view(loop->options.metrics, &loop->view, &view);
    pthread_mutex_lock(&loop->mutex);
    loop->view = view;
    pthread_mutex_unlock(&loop->mutex);
}

static void loop_wait(struct loop *loop)
{
    int64_t now_us = instant_monotonic_us();
    int64_t wait_us = worker_deadline_us(loop->worker) - now_us;
    if (wait_us > WAIT_MAX_US) wait_us = WAIT_MAX_US;
    if (wait_us < 0) wait_us = 0;
    struct pollfd descriptors[2] = {{.fd = loop->notify, .events = POLLIN}};
    nfds_t count = 1;
    if (loop_may_read(loop)) {
        descriptors[count++] =
            (struct pollfd){.fd = consumer_descriptor(loop->options.consumer), .events = POLLIN};
    } else if (loop->connected) {
        struct error error;
        if (consumer_keep_alive(loop->options.consumer, &error) != STATUS_OK) connection_lost(loop, &error);
    }
    struct timespec timeout = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
    if (ppoll(descriptors, count, &timeout, NULL) > 0 && (descriptors[0].revents & POLLIN) != 0) {
        uint64_t woken;
        ssize_t got = read(loop->notify, &woken, sizeof woken);
        (void)got;
    }
}

static void *loop_main(void *argument)
{
    struct loop *loop = argument;
    while (!loop->stopped) {
        loop_asked(loop);
        loop_jobs(loop);
        loop_step(loop, (struct event){.kind = EVENT_CLOCK});
        bool more = loop_read(loop);
        loop_effects(loop);
        loop_publish_view(loop);
        if (!more && !loop->stopped) loop_wait(loop);
    }
    consumer_disconnect(loop->options.consumer);
    atomic_store(loop->options.cancel, true);
    uint64_t one = 1;
    ssize_t written = write(loop->finished, &one, sizeof one);
    (void)written;
    return NULL;
}

struct loop *loop_new(const struct loop_options *options)
{
    struct loop *loop = memory_alloc_zero(1, sizeof *loop);
    loop->options = *options;
    loop->context = (struct job_context){
        .ledger = options->ledger,
        .stock = options->stock,
        .publisher = options->publisher,
        .dead_letter_exchange = options->dead_letter_exchange,
        .dead_letter_queue = options->dead_letter_queue,
        .queue = options->queue,
        .routing_key = options->routing_key,
        .metrics = options->metrics,
    };
    loop->worker = worker_new(&options->settings, instant_monotonic_us());
    loop->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->finished = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert(loop->notify >= 0 && loop->finished >= 0);
    pthread_mutex_init(&loop->mutex, NULL);
    worker_observe(loop->worker, &loop->view);
    return loop;
}

void loop_start(struct loop *loop)
{
    static const char *const names[HAND_COUNT] = {
        [HAND_LEDGER] = "ledger", [HAND_STOCK] = "stock", [HAND_PUBLISHER] = "publisher"};
    for (enum hand hand = 0; hand < HAND_COUNT; hand++) {
        hand_start(&loop->hands[hand], &loop->context, loop->notify, names[hand]);
    }
    thread_start(&loop->thread, "loop", loop_main, loop);
}

void loop_free(struct loop *loop)
{
    worker_free(loop->worker);
    job_context_free(&loop->context);
    close(loop->notify);
    close(loop->finished);
    pthread_mutex_destroy(&loop->mutex);
    free(loop);
}

static void loop_wake(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t written = write(loop->notify, &one, sizeof one);
    (void)written;
}

void loop_stop(struct loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    loop->stop_asked = true;
    pthread_mutex_unlock(&loop->mutex);
    loop_wake(loop);
}

void loop_reload(struct loop *loop, const struct worker_settings *settings)
{
    pthread_mutex_lock(&loop->mutex);
    loop->reload = *settings;
    loop->reload.prefetch = loop->options.settings.prefetch;
    loop->reload_asked = true;
    pthread_mutex_unlock(&loop->mutex);
    loop_wake(loop);
}

int loop_finished_descriptor(const struct loop *loop)
{
    return loop->finished;
}

void loop_observe(struct loop *loop, struct worker_view *view)
{
    pthread_mutex_lock(&loop->mutex);
    *view = loop->view;
    pthread_mutex_unlock(&loop->mutex);
}

static bool hands_are_busy(struct loop *loop)
{
    for (enum hand hand = 0; hand < HAND_COUNT; hand++) {
        if (atomic_load(&loop->hands[hand].busy)) return true;
    }
    return false;
}

bool loop_finish(struct loop *loop, int64_t patience_us)
{
    pthread_join(loop->thread, NULL);
    int64_t until_us = instant_monotonic_us() + patience_us;
    while (hands_are_busy(loop)) {
        if (instant_monotonic_us() > until_us) return false;
        poll(NULL, 0, 10);
    }
    for (enum hand hand = 0; hand < HAND_COUNT; hand++) hand_stop(&loop->hands[hand]);
    loop_free(loop);
    return true;
}
