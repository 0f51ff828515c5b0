/* `bursar dlq import`: publishes what export wrote, a chunk at a time. */
#include "cli/dlq.h"

#include "amqp/wire.h"
#include "base/instant.h"
#include "base/memory.h"
#include "cli/dlq_tell.h"
#include "cli/letter_json.h"
#include "cli/line_reader.h"
#include "cli/output.h"
#include "cli/report.h"
#include "deadletter/letter_import.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A message of the broker's largest size, as text and as base64. */
#define IMPORT_LINE_SIZE_MAX ((size_t)512 << 20)

/* Bodies and properties published together. */
#define IMPORT_BYTES_MAX ((size_t)16 << 20)

#define CHUNKS_A_SECOND 4

struct import {
    struct dlq *dlq;
    const struct dlq_request *request;
    struct line_reader reader;
    struct import_letter letters[IMPORT_LETTERS_MAX];
    int64_t numbers[IMPORT_LETTERS_MAX]; /* the lines they stand in */
    size_t count;
    struct arena arena;
    int64_t lines, done;
    enum exit_status exit;
    bool stop;
    int64_t reached;  /* the last line that was dealt with */
    bool interrupted; /* a signal came before the last line was */
};

static void line_bad(struct import *import, const char *why)
{
    report("dlq import: line %" PRId64 ": %s", import->reader.number, why);
    import->exit = exit_status_worse(import->exit, EXIT_STATUS_DATA);
}

static void take_line(struct import *import, struct text text)
{
    const struct config *config = &import->dlq->session.config;
    const struct dlq_request *request = import->request;
    struct letter_line line;
    struct wire_properties properties;
    char why[256];
    import->lines++;
    if (!letter_line_parse(text, &import->arena, &line, why, sizeof why)) {
        line_bad(import, why);
        return;
    }
    bool told = text_is_present(request->to_routing_key);
    bool known = text_is_present(line.reason) && !text_equal_string(line.reason, "unknown");
    (void)wire_read_properties(line.properties, &properties); /* unreadable ones have no id */
    struct wire_value id = properties.values[WIRE_MESSAGE_ID];
    import->numbers[import->count] = import->reader.number;
    import->letters[import->count++] = (struct import_letter){
        .exchange = told ? request->to_exchange : text_of(config->amqp.dead_letter_exchange),
        .routing_key = told ? request->to_routing_key : text_of(config->amqp.routing_key),
        .properties = line.properties,
        .property_id = id.content,
        .body = line.body,
        .reason = known ? line.reason : TEXT_NONE,
        .detail = known ? line.detail : TEXT_NONE,
        .parked_at = known ? line.parked_at : TEXT_NONE,
        .origin_exchange = line.exchange,
        .origin_routing_key = line.routing_key,
    };
}

/* Fills a chunk. False: there are no more lines. */
static bool read_chunk(struct import *import)
{
    size_t most = IMPORT_LETTERS_MAX;
    if (import->request->rate > 0 && (size_t)import->request->rate / CHUNKS_A_SECOND < most)
        most = (size_t)import->request->rate / CHUNKS_A_SECOND;
    if (most == 0) most = 1;
    import->count = 0;
    arena_reset(&import->arena);
    while (import->count < most && import->arena.used < IMPORT_BYTES_MAX) {
        struct text text;
        enum line_event event = line_reader_next(&import->reader, &text);
        if (event == LINE_END) return false;
        if (event == LINE_FAILED) {
            import->interrupted = errno == EINTR;
            if (import->interrupted) return false;
            report("dlq import: after line %" PRId64 ": %s", import->reader.number, strerror(errno));
            import->exit = exit_status_worse(import->exit, EXIT_STATUS_DATA);
            return false;
        }
        if (event == LINE_TOO_LONG) {
            import->lines++;
            line_bad(import, "it is longer than any message can be");
        } else if (!line_is_blank(text)) {
            take_line(import, text);
        }
    }
    return true;
}

static void take_outcome(struct import *import, size_t index)
{
    const struct import_letter *letter = &import->letters[index];
    switch (letter->outcome) {
    case PUBLICATION_CONFIRMED: import->done++; return;
    case PUBLICATION_RETURNED:
        report("dlq import: line %" PRId64 ": no queue is bound to exchange '" TEXT_FORMAT
               "' with key '" TEXT_FORMAT "'; run bursar init, or say where to with --to",
               import->numbers[index], TEXT_ARGUMENTS(letter->exchange), TEXT_ARGUMENTS(letter->routing_key));
        import->exit = exit_status_worse(import->exit, EXIT_STATUS_FOUND);
        return;
    case PUBLICATION_REFUSED:
        report("dlq import: line %" PRId64 ": the broker refused it: its queue is full or failing",
               import->numbers[index]);
        import->exit = exit_status_worse(import->exit, EXIT_STATUS_TRY_AGAIN);
        import->stop = true;
        return;
    case PUBLICATION_NONE:
    case PUBLICATION_UNKNOWN: return;
    }
}

/* The other lines would go there too. */
static void take_no_exchange(struct import *import)
{
    report("dlq import: stopped at line %" PRId64 ": there is no exchange '" TEXT_FORMAT
           "'; run bursar init, or say where to with --to EXCHANGE:KEY",
           import->reader.number, TEXT_ARGUMENTS(import->letters[0].exchange));
    for (size_t i = 0; i < import->count; i++)
        import->done += import->letters[i].outcome == PUBLICATION_CONFIRMED;
    import->exit = exit_status_worse(import->exit, EXIT_STATUS_FOUND);
    import->stop = true;
}

static void publish_chunk(struct import *import)
{
    struct error *error = &import->dlq->session.error;
    bool no_exchange;
    enum status status = letter_import(&import->dlq->ports, import->letters, import->count, &import->arena,
                                       &no_exchange, error);
    if (status == STATUS_OK && no_exchange) {
        take_no_exchange(import);
        return;
    }
    for (size_t i = 0; i < import->count; i++) take_outcome(import, i);
    if (status == STATUS_OK) return;
    enum exit_status exit = import->done > 0 || status == STATUS_UNKNOWN || dlq_is_interrupted()
                                ? EXIT_STATUS_TRY_AGAIN
                                : exit_status_of_ledger(status, error);
    report("dlq import: stopped at line %" PRId64
           ": %s; run it again: what is published twice is booked once",
           import->reader.number, error->text);
    import->exit = exit_status_worse(import->exit, exit);
    import->stop = true;
}

/* Whether a signal leaves lines. Of a pipe nobody may know for long whether there are more. */
static bool leaves_lines(struct import *import)
{
    struct text line;
    if (!dlq_is_interrupted()) return false;
    return !line_reader_ready(&import->reader) || line_reader_next(&import->reader, &line) != LINE_END;
}

static void run(struct import *import)
{
    struct progress progress = {0};
    int64_t next_us = instant_monotonic_us();
    bool more = true;
    while (more && !import->stop) {
        import->interrupted = leaves_lines(import);
        if (import->interrupted) break;
        more = read_chunk(import);
        while (import->request->rate > 0 && instant_monotonic_us() < next_us && !dlq_is_interrupted())
            dlq_wait(import->dlq, next_us, false);
        import->interrupted = import->interrupted || (dlq_is_interrupted() && import->count > 0);
        if (import->interrupted) break;
        if (import->request->rate > 0)
            next_us = instant_monotonic_us() +
                      (int64_t)import->count * MICROSECONDS_PER_SECOND / import->request->rate;
        publish_chunk(import);
        import->reached = import->reader.number;
        progress_show(&progress, import->done, 0);
    }
    progress_clear();
    if (!import->interrupted) return;
    report("dlq import: interrupted after line %" PRId64
           "; run it again: what is published twice is booked once",
           import->reached);
    import->exit = exit_status_worse(import->exit, EXIT_STATUS_TRY_AGAIN);
}

/* An empty file is an export of nothing. What has bytes and no line that says something is another file. */
static void expect_lines(struct import *import)
{
    if (import->lines > 0 || import->reader.number == 0 || import->exit != EXIT_STATUS_WELL) return;
    report("dlq import: %s: no line of it says anything; name a file that bursar dlq export wrote",
           import->request->path);
    import->exit = EXIT_STATUS_DATA;
}

int dlq_import(struct dlq *dlq, const struct dlq_request *request)
{
    bool is_input = strcmp(request->path, "-") == 0;
    int descriptor = is_input ? STDIN_FILENO : open(request->path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return report_exit(EXIT_STATUS_DATA, "dlq import: %s: %s; name a file that bursar dlq export wrote",
                           request->path, strerror(errno));
    struct import *import = memory_alloc_zero(1, sizeof *import);
    import->dlq = dlq;
    import->request = request;
    import->reader = line_reader_begin(descriptor);
    import->reader.size_max = IMPORT_LINE_SIZE_MAX;
    run(import);
    expect_lines(import);
    struct telling telling;
    tell_begin(&telling, request->verb, request->json, false);
    const struct telling_end end = {.matched = import->lines, .done = import->done};
    tell_end(&telling, &end);
    int exit = (int)import->exit;
    line_reader_free(&import->reader);
    arena_free(&import->arena);
    free(import);
    if (!is_input) close(descriptor);
    return exit;
}
