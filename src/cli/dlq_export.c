/* `bursar dlq export`: into a file that is whole or not there. */
#include "cli/dlq.h"

#include "base/memory.h"
#include "cli/letter_json.h"
#include "cli/output.h"
#include "cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct target {
    FILE *stream;
    bool is_file;             /* false: written straight to where it goes */
    char path[PATH_MAX];      /* where the file will be */
    char temporary[PATH_MAX]; /* where it is until then */
    int64_t count;
    struct arena arena;
    bool failed; /* errno is kept in `reason` */
    int reason;
};

static int complain(const char *path, int reason)
{
    return report_exit(EXIT_STATUS_DATA, "dlq export: %s: %s; nothing was changed", path, strerror(reason));
}

/* What is not a file, such as a pipe, cannot be replaced by one. */
static bool target_open(struct target *target, const char *path)
{
    struct stat status;
    if (strcmp(path, "-") == 0) {
        target->stream = stdout;
        return true;
    }
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        target->stream = fopen(path, "we");
        return target->stream != NULL;
    }
    target->is_file = true;
    /* A link stays a link. */
    if (realpath(path, target->path) == NULL) {
        if (errno != ENOENT || strlen(path) >= sizeof target->path) return false;
        memcpy(target->path, path, strlen(path) + 1);
    }
    int size = snprintf(target->temporary, sizeof target->temporary, "%s.XXXXXX", target->path);
    if (size < 0 || (size_t)size >= sizeof target->temporary) {
        errno = ENAMETOOLONG;
        return false;
    }
    int descriptor = mkostemp(target->temporary, O_CLOEXEC); /* for its owner only: bodies are private */
    target->stream = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (target->stream == NULL) target->temporary[0] = '\0';
    return target->stream != NULL;
}

static bool sync_folder(const char *path)
{
    char name[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    if (slash != NULL) snprintf(name, sizeof name, "%.*s/", (int)(slash - path), path);
    int folder = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool well = folder >= 0 && fsync(folder) == 0;
    if (folder >= 0) close(folder);
    return well;
}

/* On the disk under its name, or not at all. */
static bool target_finish(struct target *target)
{
    bool well = fflush(target->stream) == 0 && (!target->is_file || fsync(fileno(target->stream)) == 0);
    well = fclose(target->stream) == 0 && well;
    target->stream = NULL;
    if (!well || !target->is_file) return well;
    if (rename(target->temporary, target->path) != 0) return false;
    target->temporary[0] = '\0';
    return sync_folder(target->path);
}

static void target_free(struct target *target)
{
    if (target->stream != NULL && target->stream != stdout) fclose(target->stream);
    if (target->temporary[0] != '\0') unlink(target->temporary);
    arena_free(&target->arena);
}

static bool write_letter(void *context, struct letter *letter)
{
    struct target *target = context;
    arena_reset(&target->arena);
    letter_decode(letter, &target->arena);
    json_t *line = letter_json_whole(letter);
    if (target->stream == stdout) {
        output_json_line(line);
        return ferror(stdout) == 0;
    }
    target->failed = json_dumpf(line, target->stream, 0) != 0 || fputc('\n', target->stream) == EOF;
    target->reason = errno;
    json_decref(line);
    target->count += !target->failed;
    return !target->failed;
}

int dlq_export(struct dlq *dlq, const struct dlq_request *request)
{
    struct letter_walk walk;
    struct target *target = memory_alloc_zero(1, sizeof *target);
    if (!target_open(target, request->path)) {
        int exit = complain(request->path, errno);
        free(target);
        return exit;
    }
    int exit = dlq_look(dlq, request, &walk, write_letter, target);
    bool to_file = target->stream != stdout;
    if (exit == EXIT_STATUS_WELL && target->failed) exit = complain(request->path, target->reason);
    if (exit == EXIT_STATUS_WELL && to_file && !target_finish(target)) exit = complain(request->path, errno);
    /* It says what was seen; that is not all. */
    if (exit == EXIT_STATUS_WELL && walk.silent) exit = EXIT_STATUS_TRY_AGAIN;
    if (exit == EXIT_STATUS_WELL && to_file && request->json)
        output_json(json_pack("{s:I}", "exported", (json_int_t)target->count));
    else if (exit == EXIT_STATUS_WELL && to_file)
        output_format("%" PRId64 "\n", target->count);
    letter_walk_free(&walk);
    target_free(target);
    free(target);
    return exit;
}
