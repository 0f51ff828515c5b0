/* `bursar deduct --from`: lines in, lines out, in the same order, a chunk at a time. */
#include "cli/deduct.h"

#include "base/memory.h"
#include "cli/line_reader.h"
#include "cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Lines that are deducted, published and answered together: as many as a crash can leave unpublished. */
#define CHUNK 1000

struct chunk {
    size_t count; /* lines */
    size_t valid; /* of them */
    struct deduct_line lines[CHUNK];
    struct bursar_request requests[CHUNK]; /* of the valid lines */
    struct bursar_result results[CHUNK];
    struct arena arena;
};

/* Fills the chunk with what is there: waits for a first line, but not for more while an answer could be given
 * already. */
static enum line_event chunk_read(struct chunk *chunk, struct line_reader *reader)
{
    chunk->count = chunk->valid = 0;
    arena_reset(&chunk->arena);
    while (chunk->count < CHUNK && (chunk->count == 0 || line_reader_ready(reader))) {
        struct text text;
        enum line_event event = line_reader_next(reader, &text);
        if (event == LINE_END || event == LINE_FAILED) return event;
        if (event == LINE_READ && line_is_blank(text)) continue;
        struct deduct_line *line = &chunk->lines[chunk->count++];
        line->number = reader->number;
        if (event == LINE_READ) {
            deduct_line_parse(text, &chunk->arena, line);
        } else {
            line->valid = false;
            snprintf(line->error, sizeof line->error, "longer than %zu bytes", LINE_SIZE_MAX);
        }
        if (line->valid) chunk->requests[chunk->valid++] = line->request;
    }
    return LINE_READ;
}

static enum exit_status line_bad(const struct deduct_line *line, bool json, struct table *table)
{
    if (json) {
        output_json_line(json_pack("{s:I, s:s, s:o}", "line", (json_int_t)line->number, "status",
                                   bursar_status_name(BURSAR_INVALID), "error",
                                   output_json_text(text_of(line->error))));
    } else {
        deduct_table_add_invalid(table);
        report("deduct: line %" PRId64 ": %s", line->number, line->error);
    }
    return EXIT_STATUS_DATA;
}

/* One line out for each line in. A request that the producer finds invalid (a user_id too long) is a bad line
 * as well. What was not deducted although the call went well is explained where no JSON does it. */
static enum exit_status chunk_print(struct chunk *chunk, enum bursar_code code, bool json)
{
    enum exit_status exit = EXIT_STATUS_WELL;
    struct table table = deduct_table_begin();
    size_t next = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        struct deduct_line *line = &chunk->lines[i];
        struct bursar_result *result = line->valid ? &chunk->results[next++] : NULL;
        if (result != NULL && result->status == BURSAR_INVALID)
            snprintf(line->error, sizeof line->error, "%s", result->error);
        if (result == NULL || result->status == BURSAR_INVALID) {
            exit = exit_status_worse(exit, line_bad(line, json, &table));
            continue;
        }
        exit = exit_status_worse(exit, deduct_exit_of(result));
        if (json) {
            output_json_line(deduct_result_json(&line->request, result));
            continue;
        }
        deduct_table_add(&table, &line->request, result);
        if (result->status == BURSAR_UNAVAILABLE && code == BURSAR_OK)
            report("deduct: line %" PRId64 ": %s", line->number, result->error);
    }
    if (!json) table_print(&table);
    table_free(&table);
    return exit;
}

static void show_progress(int64_t lines, bool last)
{
    if (!output_shows_progress() || output_is_terminal()) return;
    if (last)
        fputs("\r\033[K", stderr);
    else
        fprintf(stderr, "\r%" PRId64 " lines", lines);
}

static enum exit_status chunk_run(struct bursar_producer *producer, struct chunk *chunk, bool json,
                                  bool *stop)
{
    enum bursar_code code =
        chunk->valid == 0 ? BURSAR_OK
                          : bursar_producer_deduct(producer, chunk->requests, chunk->valid, chunk->results);
    enum exit_status exit = exit_status_worse(chunk_print(chunk, code, json), deduct_exit_of_code(code));
    int64_t last = chunk->lines[chunk->count - 1].number;
    *stop = code != BURSAR_OK;
    if (*stop)
        report("deduct: stopped at line %" PRId64 ": %s; run the rest again, with the ids that were printed",
               last, bursar_producer_error(producer));
    /* Going on would deduct without telling anybody. */
    if (output_is_well()) return exit;
    *stop = true;
    report("deduct: stopped at line %" PRId64
           ": standard output could not be written: %s; run the rest again, "
           "with the ids that were printed; answers from line %" PRId64 " on may be missing",
           last, output_fault(), chunk->lines[0].number);
    return exit_status_worse(exit, EXIT_STATUS_TRY_AGAIN);
}

int deduct_from(struct bursar_producer *producer, const char *path, bool json)
{
    int descriptor = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return report_exit(EXIT_STATUS_DATA, "deduct: %s: %s; name a file of JSON lines", path,
                           strerror(errno));
    struct line_reader reader = line_reader_begin(descriptor);
    struct chunk *chunk = memory_alloc_zero(1, sizeof *chunk);
    enum exit_status exit = EXIT_STATUS_WELL;
    bool stop = false;
    while (!stop) {
        enum line_event event = chunk_read(chunk, &reader);
        int reason = errno;
        if (chunk->count > 0) exit = exit_status_worse(exit, chunk_run(producer, chunk, json, &stop));
        show_progress(reader.number, stop || event != LINE_READ);
        if (event == LINE_FAILED) {
            report("deduct: %s: after line %" PRId64 ": %s", path, reader.number, strerror(reason));
            exit = exit_status_worse(exit, reason == EINTR ? EXIT_STATUS_TRY_AGAIN : EXIT_STATUS_DATA);
        }
        stop = stop || event != LINE_READ;
    }
    arena_free(&chunk->arena);
    free(chunk);
    line_reader_free(&reader);
    if (descriptor != STDIN_FILENO) close(descriptor);
    return (int)exit;
}
