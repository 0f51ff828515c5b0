/* bursar run: wires the adapters to the worker and waits for signals. */
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "cli/run_pages.h"
#include "cli/run_self_check.h"
#include "cli/wiring.h"

#include "base/instant.h"
#include "base/log.h"
#include "core/message.h"
#include "http/http_server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const char usage_text[] = "usage: bursar run [OPTION]...\n"
                                 "\n"
                                 "The worker, in the foreground: consumes the queue, books each deduction "
                                 "once in the ledger, tells Redis, refunds what cannot be\n"
                                 "booked, parks what cannot be read. It starts before the services are up, "
                                 "outlives the loss of any, and says what it waits for.\n"
                                 "\n"
                                 "SIGTERM, SIGINT  finish and acknowledge what is held, then exit 0, within "
                                 "worker.drain_timeout; a second one: at once\n"
                                 "SIGHUP           read the configuration again; on any error the old one "
                                 "stays; which keys need a restart is said\n"
                                 "\n"
                                 "Examples:\n"
                                 "  bursar run\n"
                                 "  bursar run -c bursar.conf --set log.level=debug --set http.listen=off\n"
                                 "\n"
                                 "Exit status: 0 drained after a signal; 64 usage; 75 another worker settles "
                                 "into this ledger, or ended by a second signal;\n"
                                 "78 configuration, a taken http.listen too.\n";

/* What a stuck call to a service may still take after the drain. */
#define FINISH_PATIENCE_US INT64_C(2000000)

struct run {
    struct options options;
    struct config config; /* as at the start: what a reload is compared with */
    struct ledger *ledger;
    struct stock *stock;
    struct publisher *publisher;
    struct consumer *consumer;
    struct metrics metrics;
    struct loop *loop;
    struct run_self_check self_check;
    struct run_pages pages;
    struct http_server *http;
    atomic_bool cancel;
    uint64_t seed;
    int64_t drain_timeout_us;
    int signals; /* signalfd */
};

static uint64_t random_seed(void)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) seed = (uint64_t)instant_wall_us();
    return seed | 1;
}

static struct worker_settings run_settings(const struct run *run, const struct config *config)
{
    return (struct worker_settings){
        .prefetch = (size_t)run->config.worker.prefetch,
        .batch_max = (size_t)config->worker.batch_max,
        .memory_max = (size_t)config->worker.memory_max << 20,
        .retry_max_us = config->worker.retry_max * MICROSECONDS_PER_SECOND,
        .stall_after_us = config->worker.stall_after * MICROSECONDS_PER_SECOND,
        .drain_timeout_us = config->worker.drain_timeout * MICROSECONDS_PER_SECOND,
        .seed = run->seed,
    };
}

/* Everything that can be wrong without any service being asked, and whether this is the only worker. */
static enum exit_status run_open(struct run *run)
{
    struct error error;
    struct config_source source = options_config_source(&run->options);
    enum status status = config_load(&source, &run->config, &error);
    if (status == STATUS_OK) status = wiring_ledger(&run->config, WIRING_WORKER, &run->ledger, &error);
    if (status == STATUS_OK) status = wiring_stock(&run->config, &run->stock, &error);
    if (status == STATUS_OK)
        status = wiring_publisher(&run->config, "bursar run: parking", &run->cancel, &run->publisher, &error);
    if (status == STATUS_OK)
        status = wiring_consumer(&run->config, "bursar run", &run->cancel, &run->consumer, &error);
    if (status == STATUS_OK) status = run_self_check_open(&run->self_check, &run->config, &error);
    if (status != STATUS_OK) return (enum exit_status)report_exit(exit_status_of(status), "%s", error.text);
    log_configure(run->config.log.level, run->config.log.format);

    /* Not there yet is fine, it is waited for; set up otherwise, or taken, is for a person. */
    if (ledger_ping(run->ledger, &error) != STATUS_CONFIG) return EXIT_STATUS_WELL;
    bool taken = wiring_ledger_is_taken(&run->config);
    return (enum exit_status)report_exit(taken ? EXIT_STATUS_TRY_AGAIN : EXIT_STATUS_CONFIGURATION, "%s",
                                         error.text);
}

static void run_close(struct run *run)
{
    run_self_check_close(&run->self_check); /* before the ledger that settles lets go of its lock */
    consumer_close(run->consumer);
    publisher_close(run->publisher);
    stock_close(run->stock);
    ledger_close(run->ledger);
    config_free(&run->config);
    run->consumer = NULL;
    run->publisher = NULL;
    run->stock = NULL;
    run->ledger = NULL;
}

/* Signals are read from a descriptor by this thread; no other thread ever sees one. */
static void run_take_signals(struct run *run)
{
    sigset_t taken;
    sigemptyset(&taken);
    sigaddset(&taken, SIGTERM);
    sigaddset(&taken, SIGINT);
    sigaddset(&taken, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &taken, NULL);
    run->signals = signalfd(-1, &taken, SFD_CLOEXEC);
    signal(SIGPIPE, SIG_IGN);
}

static enum exit_status run_start(struct run *run)
{
    metrics_init(&run->metrics);
    metrics_set(&run->metrics, METRIC_START_TIME, (double)instant_wall_us() / MICROSECONDS_PER_SECOND);
    run->pages.metrics = &run->metrics;
    message_decoder_install();
    struct loop_options options = {
        .consumer = run->consumer,
        .publisher = run->publisher,
        .stock = run->stock,
        .ledger = run->ledger,
        .metrics = &run->metrics,
        .queue = text_of(run->config.amqp.queue),
        .dead_letter_exchange = text_of(run->config.amqp.dead_letter_exchange),
        .dead_letter_queue = text_of(run->config.amqp.dead_letter_queue),
        .routing_key = text_of(run->config.amqp.routing_key),
        .settings = run_settings(run, &run->config),
        .cancel = &run->cancel,
    };
    run->loop = loop_new(&options);
    run->pages.loop = run->loop;
    run->drain_timeout_us = options.settings.drain_timeout_us;
    struct error error;
    bool listens = strcmp(run->config.http.listen, "off") != 0;
    if (listens && http_server_start(run->config.http.listen, run_pages_answer, &run->pages, &run->http,
                                     &error) != STATUS_OK) {
        loop_free(run->loop);
        return (enum exit_status)report_exit(EXIT_STATUS_CONFIGURATION, "http.listen: %s", error.text);
    }
    LOG(LOG_INFO, "started", log_string("version", BURSAR_VERSION), log_number("pid", getpid()));
    loop_start(run->loop);
    run_self_check_start(&run->self_check, &run->config, run->loop, &run->metrics);
    return EXIT_STATUS_WELL;
}

static void run_reload(struct run *run)
{
    struct config loaded;
    struct error error;
    struct config_source source = options_config_source(&run->options);
    if (config_load(&source, &loaded, &error) != STATUS_OK) {
        LOG(LOG_ERROR, "reload-refused", log_string("detail", error.text),
            log_string("kept", "the old settings"));
        return;
    }
    struct config_change change;
    for (size_t cursor = 0; config_change_next(&run->config, &loaded, &cursor, &change);) {
        if (!change.restart) continue;
        LOG_EACH(LOG_WARN, "restart-needed", log_string("key", change.key),
                 log_string("detail", "a restart takes this key up; the old value stays until then"));
    }
    log_configure(loaded.log.level, loaded.log.format);
    struct worker_settings settings = run_settings(run, &loaded);
    run->drain_timeout_us = settings.drain_timeout_us;
    loop_reload(run->loop, &settings);
    run_self_check_reload(&run->self_check, &loaded);
    LOG(LOG_INFO, "reloaded");
    config_free(&loaded);
}

/* The loop is inside a call to a broker that does not answer, so nothing could be acknowledged any more. */
static void run_give_up(void)
{
    LOG(LOG_WARN, "stopped",
        log_string("detail", "the time to drain was up and the broker does not answer; "
                             "it delivers again what was held"));
    _exit(EXIT_STATUS_WELL);
}

/* Until the loop has stopped. */
static void run_wait(struct run *run)
{
    struct pollfd descriptors[2] = {{.fd = loop_finished_descriptor(run->loop), .events = POLLIN},
                                    {.fd = run->signals, .events = POLLIN}};
    bool stopping = false;
    int64_t until_us = INT64_MAX;
    for (;;) {
        int64_t left_us = until_us - instant_monotonic_us();
        if (left_us <= 0) run_give_up();
        if (poll(descriptors, 2, stopping ? (int)(left_us / 1000) + 1 : -1) < 0 && errno != EINTR) abort();
        if ((descriptors[0].revents & POLLIN) != 0) return;
        struct signalfd_siginfo info;
        if ((descriptors[1].revents & POLLIN) == 0 || read(run->signals, &info, sizeof info) != sizeof info)
            continue;
        if (info.ssi_signo == SIGHUP) {
            run_reload(run);
        } else if (!stopping) {
            stopping = true;
            until_us = instant_monotonic_us() + run->drain_timeout_us + FINISH_PATIENCE_US;
            run_self_check_stop(&run->self_check);
            loop_stop(run->loop);
        } else {
            LOG(LOG_WARN, "stopped",
                log_string("detail",
                           "second signal: ended at once; the broker delivers again what was held"));
            _exit(EXIT_STATUS_TRY_AGAIN);
        }
    }
}

int command_run(struct command_context *context, int argc, char **argv)
{
    static const struct command_usage usage = {.name = "run", .help = usage_text};
    enum arguments_next next = arguments_read(&usage, &context->options, argc, argv, NULL);
    if (next != ARGUMENTS_READ) return next == ARGUMENTS_DONE ? EXIT_STATUS_WELL : EXIT_STATUS_USAGE;
    if (!arguments_count("run", argc - optind, 0, 0)) return EXIT_STATUS_USAGE;

    static struct run run; /* the loop's threads use it until the very end */
    run.options = context->options;
    run.seed = random_seed();
    run_take_signals(&run);
    enum exit_status status = run_open(&run);
    if (status == EXIT_STATUS_WELL) status = run_start(&run);
    if (status != EXIT_STATUS_WELL) {
        run_close(&run);
        return (int)status;
    }
    run_wait(&run);
    http_server_stop(run.http);
    struct worker_view view;
    loop_observe(run.loop, &view);
    LOG(LOG_INFO, "stopped", log_number("returned", (int64_t)view.held));
    int64_t until_us = instant_monotonic_us() + FINISH_PATIENCE_US;
    bool finished = run_self_check_finish(&run.self_check, FINISH_PATIENCE_US) &&
                    loop_finish(run.loop, until_us - instant_monotonic_us());
    if (!finished) _exit(EXIT_STATUS_WELL);
    run_close(&run);
    close(run.signals);
    return EXIT_STATUS_WELL;
}
