#include "faults/cut_disk.h"

#include "faults/cut_store.h"

#include <assert.h>
#include <sqlite3.h>
#include <unistd.h>

struct cut_file {
    sqlite3_file base;
    struct cut_file_data *data; /* NULL: a file that need not survive */
    bool syncs_names;           /* its first sync is one of the folder, too */
    sqlite3_file *real;         /* lies behind this struct */
};

static struct {
    int calls;
    int power_goes_at; /* 0: never */
    bool dead;
    int syncs;
    int sync_fails_at; /* 0: never */
    int sync_fails;    /* how many more */
    bool sync_forgets;
} disk;

static sqlite3_vfs cut_vfs;
static sqlite3_vfs *real_vfs;

/* Counts a call that changes the disk. True: the power goes with it. */
static bool power_goes(void)
{
    disk.calls++;
    if (disk.calls == disk.power_goes_at) disk.dead = true;
    return disk.dead;
}

static struct cut_file *file_of(sqlite3_file *file)
{
    return (struct cut_file *)file;
}

static int cut_close(sqlite3_file *file)
{
    sqlite3_file *real = file_of(file)->real;
    return real->pMethods == NULL ? SQLITE_OK : real->pMethods->xClose(real);
}

/* What is under way when the power goes may reach the disk: it is done, and nobody learns of it. */
static int cut_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    struct cut_file *f = file_of(file);
    if (disk.dead) return SQLITE_IOERR_WRITE;
    int code = f->real->pMethods->xWrite(f->real, data, size, offset);
    if (code != SQLITE_OK || f->data == NULL) return code;
    store_write(f->data, data, (size_t)size, offset);
    return power_goes() ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

static int cut_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct cut_file *f = file_of(file);
    if (disk.dead) return SQLITE_IOERR_TRUNCATE;
    int code = f->real->pMethods->xTruncate(f->real, size);
    if (code != SQLITE_OK || f->data == NULL) return code;
    store_truncate(f->data, size);
    return power_goes() ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

static bool sync_fails(void)
{
    disk.syncs++;
    if (disk.sync_fails_at == 0 || disk.syncs < disk.sync_fails_at || disk.sync_fails == 0) return false;
    if (disk.sync_fails > 0) disk.sync_fails--;
    return true;
}

static int cut_sync(sqlite3_file *file, int flags)
{
    struct cut_file *f = file_of(file);
    (void)flags;
    if (disk.dead) return SQLITE_IOERR_FSYNC;
    if (f->data == NULL) return SQLITE_OK;
    if (power_goes()) return SQLITE_IOERR_FSYNC;
    if (sync_fails()) {
        if (disk.sync_forgets) store_sync_forget(f->data);
        return SQLITE_IOERR_FSYNC;
    }
    store_sync(f->data);
    if (f->syncs_names) store_sync_names();
    f->syncs_names = false;
    return SQLITE_OK;
}

/* Calls that change nothing on the disk. A dead one still lets go of what it holds in this process. */
#define CUT_FORWARD(dies, name, parameters, ...)                                                             \
    static int cut_##name parameters                                                                         \
    {                                                                                                        \
        sqlite3_file *real = file_of(file)->real;                                                            \
        return (dies) && disk.dead ? SQLITE_IOERR : real->pMethods->name(__VA_ARGS__);                       \
    }

CUT_FORWARD(true, xRead, (sqlite3_file * file, void *data, int size, sqlite3_int64 offset), real, data, size,
            offset)
CUT_FORWARD(true, xFileSize, (sqlite3_file * file, sqlite3_int64 *size), real, size)
CUT_FORWARD(true, xLock, (sqlite3_file * file, int level), real, level)
CUT_FORWARD(false, xUnlock, (sqlite3_file * file, int level), real, level)
CUT_FORWARD(true, xCheckReservedLock, (sqlite3_file * file, int *held), real, held)
CUT_FORWARD(false, xFileControl, (sqlite3_file * file, int operation, void *argument), real, operation,
            argument)
CUT_FORWARD(false, xSectorSize, (sqlite3_file * file), real)
CUT_FORWARD(false, xDeviceCharacteristics, (sqlite3_file * file), real)
CUT_FORWARD(true, xShmMap, (sqlite3_file * file, int page, int size, int extend, void volatile **map), real,
            page, size, extend, map)
CUT_FORWARD((flags & SQLITE_SHM_LOCK) != 0, xShmLock, (sqlite3_file * file, int offset, int count, int flags),
            real, offset, count, flags)
CUT_FORWARD(false, xShmUnmap, (sqlite3_file * file, int remove), real, remove)

static void cut_barrier(sqlite3_file *file)
{
    sqlite3_file *real = file_of(file)->real;
    real->pMethods->xShmBarrier(real);
}

static const sqlite3_io_methods cut_methods = {
    .iVersion = 2,
    .xClose = cut_close,
    .xRead = cut_xRead,
    .xWrite = cut_write,
    .xTruncate = cut_truncate,
    .xSync = cut_sync,
    .xFileSize = cut_xFileSize,
    .xLock = cut_xLock,
    .xUnlock = cut_xUnlock,
    .xCheckReservedLock = cut_xCheckReservedLock,
    .xFileControl = cut_xFileControl,
    .xSectorSize = cut_xSectorSize,
    .xDeviceCharacteristics = cut_xDeviceCharacteristics,
    .xShmMap = cut_xShmMap,
    .xShmLock = cut_xShmLock,
    .xShmBarrier = cut_barrier,
    .xShmUnmap = cut_xShmUnmap,
};

static int cut_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *given)
{
    struct cut_file *f = file_of(file);
    (void)vfs;
    *f = (struct cut_file){.real = (sqlite3_file *)(f + 1)};
    if (disk.dead) return SQLITE_CANTOPEN;
    bool survives =
        name != NULL && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
    bool creates = (flags & SQLITE_OPEN_CREATE) != 0;
    if (survives && creates && access(name, F_OK) != 0 && power_goes()) return SQLITE_CANTOPEN;
    int code = real_vfs->xOpen(real_vfs, name, f->real, flags, given);
    if (code != SQLITE_OK) return code;
    if (survives) {
        f->data = store_find(name);
        if (f->data == NULL) f->data = store_create(name);
        f->syncs_names = creates && (flags & SQLITE_OPEN_MAIN_DB) == 0;
    }
    f->base.pMethods = &cut_methods;
    return SQLITE_OK;
}

static int cut_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    if (disk.dead || power_goes()) return SQLITE_IOERR_DELETE;
    int code = real_vfs->xDelete(real_vfs, name, 0);
    if (code != SQLITE_OK) return code;
    store_delete(name);
    if (sync) store_sync_names();
    return SQLITE_OK;
}

static int cut_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
    (void)vfs;
    return disk.dead ? SQLITE_IOERR_ACCESS : real_vfs->xAccess(real_vfs, name, flags, result);
}

void cut_disk_install(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    cut_vfs = *real_vfs;
    cut_vfs.zName = "cut";
    cut_vfs.szOsFile = (int)sizeof(struct cut_file) + real_vfs->szOsFile;
    cut_vfs.xOpen = cut_open;
    cut_vfs.xDelete = cut_delete;
    cut_vfs.xAccess = cut_access;
    int code = sqlite3_vfs_register(&cut_vfs, 1);
    assert(code == SQLITE_OK);
}

void cut_disk_begin(int power_goes_at, uint64_t seed)
{
    disk.dead = false;
    disk.calls = disk.syncs = disk.sync_fails_at = disk.sync_fails = 0;
    disk.power_goes_at = power_goes_at;
    store_begin(seed);
}

void cut_disk_fail_sync(int at, int times, bool forgotten)
{
    disk.sync_fails_at = disk.syncs + at;
    disk.sync_fails = times;
    disk.sync_forgets = forgotten;
}

int cut_disk_calls(void)
{
    return disk.calls;
}

int cut_disk_syncs(void)
{
    return disk.syncs;
}

bool cut_disk_is_dead(void)
{
    return disk.dead;
}

void cut_disk_die(void)
{
    disk.dead = true;
}

void cut_disk_process_restart(int power_goes_at)
{
    disk.dead = false;
    disk.calls = 0;
    disk.power_goes_at = power_goes_at;
}

void cut_disk_restart(enum cut_kind kind, int power_goes_at)
{
    store_cut(kind);
    cut_disk_process_restart(power_goes_at);
}

void cut_disk_end(void)
{
    store_end();
}
