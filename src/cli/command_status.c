#include "cli/arguments.h"
#include "cli/budget.h"
#include "cli/last_run.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/worker_probe.h"

#include "base/instant.h"

#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "usage: bursar status [OPTION]...\n"
    "\n"
    "One look at everything: how many deductions wait in the queue and how many messages are parked, whether "
    "a worker answers\n"
    "and how many messages it holds, what the ledger still owes Redis, what the last reconcile found, and "
    "every budget. What is away is "
    "said so; the rest is shown all the "
    "same.\n"
    "\n"
    "  -c, --config FILE   --set KEY=VALUE   --json   -h, --help   --version\n"
    "\n"
    "Examples:\n"
    "  bursar status\n"
    "  bursar status --json | jq .queue.messages\n"
    "\n"
    "Exit status: 0; 64 usage; 69 the broker, the ledger or Redis is unavailable; 70 internal error; 78 "
    "configuration, a missing\n"
    "schema or queue. A worker that does not answer changes nothing: it may run elsewhere.\n";

static const struct command_usage usage = {.name = "status", .help = help};

/* A queue as the broker knows it. */
struct queue_level {
    bool known;
    int64_t messages, consumers;
};

struct overview {
    struct queue_level queue, dead_letters;
    struct worker_look worker;
    bool has_ledger;
    struct ledger_stats stats;
    bool has_run;
    struct reconcile_run run; /* of reconcile, the last one; its texts lie in the session's arena */
    bool has_rows;
    struct budget_row *rows; /* owned */
    size_t row_count;
    bool has_stock;
    enum exit_status exit;
};

static void note(struct overview *overview, const char *what, enum status status, const struct error *error)
{
    enum exit_status exit = exit_status_of_ledger(status, error);
    if (exit == EXIT_STATUS_TRY_AGAIN || exit == EXIT_STATUS_DATA) exit = EXIT_STATUS_UNAVAILABLE;
    overview->exit = exit_status_worse(overview->exit, exit);
    report("status: %s: %s", what, error->text);
}

static void look_at_queue(struct session *session, const char *name, struct queue_level *level,
                          struct overview *overview)
{
    enum status status = publisher_depth(session->publisher, text_of(name), &level->messages,
                                         &level->consumers, &session->error);
    level->known = status == STATUS_OK;
    if (!level->known) note(overview, name, status, &session->error);
}

/* What is booked in order was deducted in order, so what still waits, in the queue or in the worker's hands,
 * is younger than the row booked last. Nothing waits: 0. False: it is not known whether anything waits, or no
 * row says since when. */
static bool backlog_age(const struct overview *overview, int64_t *seconds)
{
    const struct queue_level *queue = &overview->queue;
    const struct worker_look *worker = &overview->worker;
    *seconds = 0;
    if (!queue->known) return false;
    if (queue->messages == 0 && queue->consumers == 0) return true; /* nobody is there to hold any */
    if (queue->messages == 0 && !worker->has_held) return false;
    if (queue->messages == 0 && worker->held == 0) return true;
    if (!overview->has_ledger) return false;
    int64_t last_us = overview->stats.last_deducted_at_us;
    int64_t age_us = instant_wall_us() - last_us;
    if (age_us > 0) *seconds = age_us / MICROSECONDS_PER_SECOND;
    return last_us != 0;
}

static void look(struct session *session, struct overview *overview)
{
    struct error *error = &session->error;
    enum status status = publisher_connect(session->publisher, error);
    if (status == STATUS_OK) {
        look_at_queue(session, session->config.amqp.queue, &overview->queue, overview);
        look_at_queue(session, session->config.amqp.dead_letter_queue, &overview->dead_letters, overview);
    } else {
        note(overview, "broker", status, error);
    }
    overview->worker = worker_probe(session->config.http.listen);
    status = ledger_stats(session->ledger, &overview->stats, error);
    overview->has_ledger = status == STATUS_OK;
    if (status == STATUS_OK)
        status = ledger_run_last(session->ledger, &session->arena, &overview->run, &overview->has_run, error);
    if (status == STATUS_OK) status = budget_rows_read(session, &overview->rows, &overview->row_count);
    overview->has_rows = status == STATUS_OK;
    if (status != STATUS_OK) note(overview, "ledger", status, error);
    status = stock_ping(session->stock, error);
    if (status == STATUS_OK) status = budget_rows_level(session, overview->rows, overview->row_count);
    overview->has_stock = status == STATUS_OK;
    if (status != STATUS_OK) note(overview, "redis", status, error);
}

static json_t *number_json(bool known, int64_t number)
{
    return known ? json_integer(number) : json_null();
}

static json_t *queue_json(const char *name, const struct queue_level *level)
{
    return json_pack("{s:o, s:o, s:o}", "name", output_json_text(text_of(name)), "messages",
                     number_json(level->known, level->messages), "consumers",
                     number_json(level->known, level->consumers));
}

static void print_json(const struct config *config, const struct overview *overview)
{
    json_t *budgets = overview->has_rows ? json_array() : json_null();
    for (size_t i = 0; i < overview->row_count; i++)
        json_array_append_new(budgets, budget_row_json(&overview->rows[i]));
    bool known = overview->has_ledger;
    int64_t age = 0;
    bool has_age = backlog_age(overview, &age);
    const struct ledger_stats *stats = &overview->stats;
    output_json(json_pack(
        "{s:{s:b, s:b, s:b}, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "reachable", "broker",
        (int)(overview->queue.known || overview->dead_letters.known), "ledger", (int)known, "redis",
        (int)overview->has_stock, "worker", worker_state_name(overview->worker.state), "held",
        number_json(overview->worker.has_held, overview->worker.held), "queue",
        queue_json(config->amqp.queue, &overview->queue), "dead_letters",
        queue_json(config->amqp.dead_letter_queue, &overview->dead_letters), "backlog_age_seconds",
        number_json(has_age, age), "refunds_due", number_json(known, stats->refunds_due), "credits_due",
        number_json(known, stats->credits_due), "parked", number_json(known, stats->parked), "reconcile",
        overview->has_run ? last_run_json(&overview->run) : json_null(), "budgets", budgets));
}

static void add_queue(struct table *table, const char *what, const struct queue_level *level)
{
    struct arena *arena = &table->arena;
    const char *text = level->known ? arena_format(arena, "%lld messages, %lld consumers",
                                                   (long long)level->messages, (long long)level->consumers)
                                    : "not known";
    table_add(table, (const char *[]){what, text});
}

static void add_number(struct table *table, const char *what, bool known, int64_t number)
{
    table_add(table, (const char *[]){what, known ? output_number(&table->arena, number) : "not known"});
}

static void print_tables(const struct overview *overview)
{
    static const char *const headers[] = {"WHAT", "NOW"};
    static const char *const budget_headers[] = {"BUDGET", "STATE", "TOTAL", "SETTLED", "LEFT", "PENDING"};
    struct table table = table_begin(headers, 2);
    add_queue(&table, "queue", &overview->queue);
    add_number(&table, "held by the worker", overview->worker.has_held, overview->worker.held);
    int64_t age = 0;
    bool has_age = backlog_age(overview, &age);
    table_add(&table, (const char *[]){"backlog age",
                                       has_age ? arena_format(&table.arena, "at most %lld s", (long long)age)
                                               : "not known"});
    add_queue(&table, "dead letters", &overview->dead_letters);
    table_add(&table, (const char *[]){"worker", worker_state_name(overview->worker.state)});
    table_add(&table, (const char *[]){"ledger", overview->has_ledger ? "well" : "away"});
    table_add(&table, (const char *[]){"redis", overview->has_stock ? "well" : "away"});
    add_number(&table, "refunds due", overview->has_ledger, overview->stats.refunds_due);
    add_number(&table, "credits due", overview->has_ledger, overview->stats.credits_due);
    add_number(&table, "parked", overview->has_ledger, overview->stats.parked);
    const char *run = overview->has_run ? last_run_text(&table.arena, &overview->run) : "never";
    table_add(&table, (const char *[]){"last reconcile", overview->has_ledger ? run : "not known"});
    table_print(&table);
    table_free(&table);
    if (overview->row_count == 0) return;

    output_text(TEXT_LITERAL("\n"));
    table = table_begin(budget_headers, 6);
    for (size_t i = 0; i < overview->row_count; i++) {
        const struct budget_row *row = &overview->rows[i];
        bool has_left = row->has_level && row->left != STOCK_LEFT_NONE;
        table_add(&table, (const char *[]){arena_copy(&table.arena, row->budget.id).data,
                                           budget_state_name(row->budget.state),
                                           budget_number(&table.arena, true, row->budget.total),
                                           output_number(&table.arena, row->budget.settled),
                                           budget_number(&table.arena, has_left, row->left),
                                           budget_number(&table.arena, row->has_level, row->pending)});
    }
    table_print(&table);
    table_free(&table);
}

int command_status(struct command_context *context, int argc, char **argv)
{
    enum arguments_next next = arguments_read(&usage, &context->options, argc, argv, NULL);
    if (next != ARGUMENTS_READ) return next == ARGUMENTS_DONE ? EXIT_STATUS_WELL : EXIT_STATUS_USAGE;
    if (!arguments_count("status", argc - optind, 0, 0)) return EXIT_STATUS_USAGE;

    struct session session;
    struct overview overview = {.exit = EXIT_STATUS_WELL};
    enum exit_status exit =
        session_open(&session, &context->options, SESSION_LEDGER | SESSION_STOCK | SESSION_BROKER);
    if (exit == EXIT_STATUS_WELL) {
        look(&session, &overview);
        if (context->options.json)
            print_json(&session.config, &overview);
        else
            print_tables(&overview);
        exit = overview.exit;
    }
    free(overview.rows);
    session_close(&session);
    return (int)exit;
}
