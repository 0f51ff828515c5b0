#include "sqlite/worker_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A holder that has just taken the lock has not written who it is. */
#define LOCK_TRIES    5
#define LOCK_PAUSE_MS 20

/* Beside the file that the path leads to: a worker that comes by a symbolic link must find the same lock. */
static bool lock_path_of(const char *ledger_path, char path[PATH_MAX])
{
    char *real = realpath(ledger_path, NULL);
    int length = snprintf(path, PATH_MAX, "%s.worker-lock", real == NULL ? ledger_path : real);
    free(real);
    return length > 0 && length < PATH_MAX;
}

/* A tool run by root must not leave a lock file that the worker's user cannot open. */
static void owner_match(int descriptor, const char *ledger_path)
{
    struct stat ledger;
    if (geteuid() != 0 || stat(ledger_path, &ledger) != 0) return;
    if (fchown(descriptor, ledger.st_uid, ledger.st_gid) != 0) return;
}

static int lock_file_open(const char *ledger_path, const char *path)
{
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor >= 0 || errno != ENOENT) return descriptor;
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (descriptor >= 0) owner_match(descriptor, ledger_path);
    return descriptor;
}

/* True when the locked file is still the one that others find under the path. */
static bool lock_file_in_place(int descriptor, const char *path)
{
    struct stat held, found;
    if (fstat(descriptor, &held) != 0 || stat(path, &found) != 0) return false;
    return held.st_dev == found.st_dev && held.st_ino == found.st_ino;
}

/* The pid of the worker that wrote itself in; 0: none did. */
static long holder_read(int descriptor)
{
    char text[32];
    ssize_t size = pread(descriptor, text, sizeof text - 1, 0);
    if (size <= 0) return 0;
    text[size] = '\0';
    return strtol(text, NULL, 10);
}

static bool holder_erase(int descriptor)
{
    return ftruncate(descriptor, 0) == 0;
}

/* The lock counts, not the text: a disk too full for it costs the next worker only a good message. */
static void holder_write(int descriptor)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (!holder_erase(descriptor)) return;
    if (pwrite(descriptor, text, (size_t)length, 0) != length) return;
}

static enum status busy(const char *ledger_path, int descriptor, struct error *error)
{
    long holder = holder_read(descriptor);
    if (holder > 0) {
        return error_set(error, STATUS_CONFIG,
                         "another worker (pid %ld) already settles into %s: stop it first", holder,
                         ledger_path);
    }
    return error_set(error, STATUS_RETRY, "ledger %s: a tool tidies it up just now; it is tried again",
                     ledger_path);
}

enum status worker_lock_take(struct worker_lock *lock, const char *ledger_path, struct error *error)
{
    if (lock->descriptor >= 0) return STATUS_OK;
    char path[PATH_MAX];
    if (!lock_path_of(ledger_path, path))
        return error_set(error, STATUS_CONFIG, "ledger %s: the path is too long", ledger_path);
    int descriptor = lock_file_open(ledger_path, path);
    if (descriptor < 0) {
        return error_set(error, STATUS_RETRY,
                         "ledger %s: its lock %s cannot be opened: %s: let this user write it", ledger_path,
                         path, strerror(errno));
    }
    enum status status = STATUS_OK;
    for (int i = 0; flock(descriptor, LOCK_EX | LOCK_NB) != 0; i++) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            status =
                error_set(error, STATUS_RETRY, "ledger %s: its lock %s: %s: put the ledger on a local disk",
                          ledger_path, path, strerror(errno));
            goto fail;
        }
        if (i == LOCK_TRIES) {
            status = busy(ledger_path, descriptor, error);
            goto fail;
        }
        poll(NULL, 0, LOCK_PAUSE_MS);
    }
    if (!lock_file_in_place(descriptor, path)) {
        status = error_set(error, STATUS_RETRY, "ledger %s: its lock %s was replaced; it is tried again",
                           ledger_path, path);
        goto fail;
    }
    holder_write(descriptor);
    lock->descriptor = descriptor;
    return STATUS_OK;
fail:
    close(descriptor);
    return status;
}

bool worker_lock_borrow(struct worker_lock *lock, const char *ledger_path)
{
    char path[PATH_MAX];
    if (lock->descriptor >= 0 || !lock_path_of(ledger_path, path)) return false;
    int descriptor = lock_file_open(ledger_path, path);
    if (descriptor < 0) return false;
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 || !lock_file_in_place(descriptor, path)) {
        close(descriptor);
        return false;
    }
    /* What a crashed worker left there is not true any more. */
    if (!holder_erase(descriptor)) {
        close(descriptor);
        return false;
    }
    lock->descriptor = descriptor;
    return true;
}

void worker_lock_release(struct worker_lock *lock)
{
    if (lock->descriptor < 0) return;
    holder_erase(lock->descriptor);
    close(lock->descriptor);
    lock->descriptor = -1;
}
