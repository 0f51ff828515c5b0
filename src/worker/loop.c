#include "worker/loop.h"

#include "base/instant.h"
#include "base/memory.h"
#include "worker/driver.h"
#include "worker/hand.h"
#include "worker/observe.h"
#include "worker/system_clock.h"

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
    struct driver driver;
    struct hand_thread hands[HAND_COUNT];
    pthread_t thread;
    int notify;   /* eventfd: a job is done, or somebody asks for something */
    int finished; /* eventfd */
    bool stop_seen;
    int64_t view_at_us;
    bool view_left_out; /* something happened since the last view */

    pthread_mutex_t mutex; /* of what follows */
    bool stop_asked;
    bool reload_asked;
    struct worker_settings reload;
    struct worker_view view;
};

static void give_job(void *context, enum hand hand, struct job *job)
{
    struct loop *loop = context;
    hand_give(&loop->hands[hand], job);
}

static void say(void *context, const struct note *note)
{
    (void)context;
    struct log_field fields[2];
    size_t count = 0;
    if (note->number_name != NULL) fields[count++] = log_number(note->number_name, note->number);
    if (note->detail[0] != '\0') fields[count++] = log_string("detail", note->detail);
    log_write(note->level, note->event, fields, count);
}

static void loop_asked(struct loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    bool stop = loop->stop_asked && !loop->stop_seen;
    bool reload = loop->reload_asked;
    struct worker_settings settings = loop->reload;
    loop->reload_asked = false;
    pthread_mutex_unlock(&loop->mutex);
    if (reload) driver_step(&loop->driver, (struct event){.kind = EVENT_SETTINGS, .settings = &settings});
    if (stop) {
        loop->stop_seen = true;
        driver_step(&loop->driver, (struct event){.kind = EVENT_STOP});
    }
}

static void loop_jobs(struct loop *loop)
{
    for (enum hand hand = 0; hand < HAND_COUNT; hand++) {
        if (hand_take_done(&loop->hands[hand])) driver_job_done(&loop->driver, hand);
    }
}

/* That it consumes no more is told at once: the next thing may be to connect, which takes as long as it
 * takes. */
static void loop_publish_view(struct loop *loop)
{
    int64_t now_us = instant_monotonic_us();
    struct worker_view view;
    worker_observe(loop->driver.worker, &view);
    bool is_urgent = loop->driver.stopped || view.link != loop->view.link;
    loop->view_left_out = now_us < loop->view_at_us && !is_urgent;
    if (loop->view_left_out) return;
    loop->view_at_us = now_us + VIEW_INTERVAL_US;
    observe_view(loop->options.metrics, &loop->view, &view);
    pthread_mutex_lock(&loop->mutex);
    loop->view = view;
    pthread_mutex_unlock(&loop->mutex);
}

static void loop_wait(struct loop *loop)
{
    int64_t now_us = instant_monotonic_us();
    int64_t wait_us = worker_deadline_us(loop->driver.worker) - now_us;
    if (wait_us > WAIT_MAX_US) wait_us = WAIT_MAX_US;
    /* Who looks for orphans trusts the view: what came in just now must not stay out of it for long. */
    if (loop->view_left_out && wait_us > loop->view_at_us - now_us) wait_us = loop->view_at_us - now_us;
    if (wait_us < 0) wait_us = 0;
    struct pollfd descriptors[2] = {{.fd = loop->notify, .events = POLLIN}};
    nfds_t count = 1;
    if (driver_may_read(&loop->driver)) {
        descriptors[count++] =
            (struct pollfd){.fd = consumer_descriptor(loop->options.consumer), .events = POLLIN};
    } else if (loop->driver.connected) {
        driver_keep_alive(&loop->driver);
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
    while (!loop->driver.stopped) {
        loop_asked(loop);
        loop_jobs(loop);
        driver_step(&loop->driver, (struct event){.kind = EVENT_CLOCK});
        bool more = driver_read(&loop->driver, READ_AT_ONCE);
        driver_effects(&loop->driver);
        loop_publish_view(loop);
        if (!more && !loop->driver.stopped) loop_wait(loop);
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
        .clock = &system_clock,
        .metrics = options->metrics,
    };
    struct driver_options driver = {
        .consumer = options->consumer,
        .clock = &system_clock,
        .metrics = options->metrics,
        .give_job = give_job,
        .say = say,
        .context = loop,
    };
    driver_begin(&loop->driver, &driver, &options->settings);
    loop->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->finished = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert(loop->notify >= 0 && loop->finished >= 0);
    pthread_mutex_init(&loop->mutex, NULL);
    worker_observe(loop->driver.worker, &loop->view);
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
    driver_finish(&loop->driver);
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
