/* The lock that keeps a second worker away from a ledger: flock on `<path>.worker-lock`, freed by the system
 * when its holder dies. */
#ifndef BURSAR_SQLITE_WORKER_LOCK_H
#define BURSAR_SQLITE_WORKER_LOCK_H

#include "base/status.h"

#include <stdbool.h>

struct worker_lock {
    int descriptor; /* -1: not held */
};

/* Takes it for this process's life or until released; harmless when held. STATUS_CONFIG: another worker has
 * it. STATUS_RETRY: a tool has it for a moment, or the file cannot be opened. */
MUST_CHECK enum status worker_lock_take(struct worker_lock *lock, const char *ledger_path,
                                        struct error *error);

/* Takes it for a moment, without waiting, on behalf of a tool. False: somebody has it. */
bool worker_lock_borrow(struct worker_lock *lock, const char *ledger_path);

/* Harmless when not held. */
void worker_lock_release(struct worker_lock *lock);

#endif
