/* The locks of a ledger: flock on a file beside it, which the system frees when its holder dies. Two ledgers
 * in one process exclude each other as two processes do. */
#ifndef BURSAR_SQLITE_LOCK_FILE_H
#define BURSAR_SQLITE_LOCK_FILE_H

#include "base/status.h"

#include <stdbool.h>

enum lock_kind {
    LOCK_WORKER,       /* `<path>.worker-lock`: keeps a second worker away */
    LOCK_RECONCILE,    /* `<path>.reconcile-lock` */
    LOCK_DEAD_LETTERS, /* `<path>.dead-letters-lock` */
    LOCK_KIND_COUNT,
};

/* Bytes that the longest of these names adds to the ledger's. */
#define LOCK_SUFFIX_SIZE_MAX (sizeof ".dead-letters-lock" - 1)

struct lock_file {
    int descriptor; /* -1: not held */
};

/* Takes it for this process's life or until released; harmless when held. STATUS_RETRY: the file cannot be
 * opened, or a tool has the worker's lock for a moment. Where another has it: STATUS_CONFIG for the worker's
 * lock, STATUS_REFUSED, without waiting, for the others. */
MUST_CHECK enum status lock_file_take(struct lock_file *lock, enum lock_kind kind, const char *ledger_path,
                                      struct error *error);

/* Takes it for a moment, without waiting, on behalf of a tool. False: somebody has it. */
bool lock_file_borrow(struct lock_file *lock, enum lock_kind kind, const char *ledger_path);

/* Harmless when not held. */
void lock_file_release(struct lock_file *lock);

#endif
