#include "sqlite/lock_file.h"

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

/* A worker's predecessor, or a tool that tidies up, may be about to let go of the lock, and a holder that has
 * just taken it has not written who it is. */
#define WORKER_TRIES    5
#define WORKER_PAUSE_MS 20

/* What goes wrong when a lock file is opened while others make and remove it. */
#define OPEN_TRIES 3

static const char *const suffixes[LOCK_KIND_COUNT] = {
    [LOCK_WORKER] = ".worker-lock",
    [LOCK_RECONCILE] = ".reconcile-lock",
    [LOCK_DEAD_LETTERS] = ".dead-letters-lock",
};

/* Beside the file that the path leads to: who comes by a symbolic link must find the same lock. */
static bool lock_path_of(const char *ledger_path, enum lock_kind kind, char path[PATH_MAX])
{
    char *real = realpath(ledger_path, NULL);
    int length = snprintf(path, PATH_MAX, "%s%s", real == NULL ? ledger_path : real, suffixes[kind]);
    free(real);
    return length > 0 && length < PATH_MAX;
}

/* Whoever may write the ledger must be able to open its locks: a tool run by root, or by another member of
 * the ledger's group, must not lock the worker's user out. As SQLite does it for the files it makes. */
static void rights_match(int descriptor, const char *ledger_path)
{
    struct stat ledger;
    if (stat(ledger_path, &ledger) != 0) return;
    if (fchmod(descriptor, ledger.st_mode & 0666) != 0) return;
    if (geteuid() == 0 && fchown(descriptor, ledger.st_uid, ledger.st_gid) != 0) return;
}

/* A lock file is never a symbolic link: with root's rights one would be a way to any file of the system. */
static int lock_file_open(const char *ledger_path, const char *path)
{
    for (int i = 0; i < OPEN_TRIES; i++) {
        int descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (descriptor >= 0 || errno != ENOENT) return descriptor;
        descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (descriptor >= 0) rights_match(descriptor, ledger_path);
        if (descriptor >= 0 || errno != EEXIST) return descriptor;
    }
    return -1;
}

/* True when the locked file is still the one that others find under the path. */
static bool lock_file_in_place(int descriptor, const char *path)
{
    struct stat held, found;
    if (fstat(descriptor, &held) != 0 || stat(path, &found) != 0) return false;
    return held.st_dev == found.st_dev && held.st_ino == found.st_ino;
}

/* The pid of the holder that wrote itself in; 0: none did. */
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

/* The lock counts, not the text: a disk too full for it costs the next one only a good message. */
static void holder_write(int descriptor)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (!holder_erase(descriptor)) return;
    if (pwrite(descriptor, text, (size_t)length, 0) != length) return;
}

static enum status worker_busy(const char *ledger_path, long holder, struct error *error)
{
    if (holder > 0) {
        return error_set(error, STATUS_CONFIG,
                         "another worker (pid %ld) already settles into %s: stop it first", holder,
                         ledger_path);
    }
    return error_set(error, STATUS_RETRY, "ledger %s: a tool tidies it up just now; it is tried again",
                     ledger_path);
}

static enum status busy(enum lock_kind kind, const char *ledger_path, int descriptor, struct error *error)
{
    long holder = holder_read(descriptor);
    if (kind == LOCK_WORKER) return worker_busy(ledger_path, holder, error);
    char who[32] = "";
    if (holder > 0) snprintf(who, sizeof who, " (pid %ld)", holder);
    return error_set(error, STATUS_REFUSED, "ledger %s: another %s is under way%s: wait for its end",
                     ledger_path, kind == LOCK_RECONCILE ? "reconciliation" : "command on its dead letters",
                     who);
}

/* Locks the open file. */
static enum status descriptor_lock(int descriptor, enum lock_kind kind, const char *ledger_path,
                                   const char *path, struct error *error)
{
    int tries = kind == LOCK_WORKER ? WORKER_TRIES : 0;
    for (int i = 0; flock(descriptor, LOCK_EX | LOCK_NB) != 0; i++) {
        if (errno == EINTR) continue;
        if (errno != EWOULDBLOCK) {
            return error_set(error, STATUS_RETRY,
                             "ledger %s: its lock %s: %s: put the ledger on a local disk", ledger_path, path,
                             strerror(errno));
        }
        if (i >= tries) return busy(kind, ledger_path, descriptor, error);
        poll(NULL, 0, WORKER_PAUSE_MS);
    }
    if (lock_file_in_place(descriptor, path)) return STATUS_OK;
    return error_set(error, STATUS_RETRY, "ledger %s: its lock %s was replaced; it is tried again",
                     ledger_path, path);
}

enum status lock_file_take(struct lock_file *lock, enum lock_kind kind, const char *ledger_path,
                           struct error *error)
{
    if (lock->descriptor >= 0) return STATUS_OK;
    char path[PATH_MAX];
    if (!lock_path_of(ledger_path, kind, path))
        return error_set(error, STATUS_CONFIG, "ledger %s: the path is too long", ledger_path);
    int descriptor = lock_file_open(ledger_path, path);
    if (descriptor < 0) {
        return error_set(error, STATUS_RETRY,
                         "ledger %s: its lock %s cannot be opened: %s: let this user write it", ledger_path,
                         path, strerror(errno));
    }
    enum status status = descriptor_lock(descriptor, kind, ledger_path, path, error);
    if (status != STATUS_OK) {
        close(descriptor);
        return status;
    }
    holder_write(descriptor);
    lock->descriptor = descriptor;
    return STATUS_OK;
}

bool lock_file_borrow(struct lock_file *lock, enum lock_kind kind, const char *ledger_path)
{
    char path[PATH_MAX];
    if (lock->descriptor >= 0 || !lock_path_of(ledger_path, kind, path)) return false;
    int descriptor = lock_file_open(ledger_path, path);
    if (descriptor < 0) return false;
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 || !lock_file_in_place(descriptor, path)) {
        close(descriptor);
        return false;
    }
    /* What a crashed holder left there is not true any more. */
    if (!holder_erase(descriptor)) {
        close(descriptor);
        return false;
    }
    lock->descriptor = descriptor;
    return true;
}

void lock_file_release(struct lock_file *lock)
{
    if (lock->descriptor < 0) return;
    holder_erase(lock->descriptor);
    close(lock->descriptor);
    lock->descriptor = -1;
}
