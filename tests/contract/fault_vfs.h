/* SQLite's own file layer, with a disk behind it that fails when it is told to. */
#ifndef BURSAR_TESTS_FAULT_VFS_H
#define BURSAR_TESTS_FAULT_VFS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

/* Which calls fail; several may be joined. */
enum fault_call {
    FAULT_READ = 1,
    FAULT_WRITE = 2,
    FAULT_SYNC = 4,
    FAULT_OPEN = 8,
    FAULT_TRUNCATE = 16,
    FAULT_DELETE = 32,
    FAULT_SIZE = 64,
    FAULT_LOCK = 128,
    FAULT_MAP = 256, /* of the index of the write-ahead log */
};

struct fault {
    int calls;    /* of enum fault_call; 0: none fails */
    int skip;     /* so many of them go well first */
    int times;    /* so many fail */
    int code;     /* what they answer */
    bool written; /* a failing write or sync does its work all the same, and only its answer is lost */
    bool torn;    /* a failing write does half of its work */
    int happened; /* how many failed */
};

static struct fault fault;
static sqlite3_vfs fault_vfs;
static sqlite3_vfs *fault_real;

struct fault_file {
    sqlite3_file base;
    sqlite3_file *real; /* lies behind this struct */
};

static bool fault_now(enum fault_call call)
{
    if ((fault.calls & (int)call) == 0 || fault.happened == fault.times) return false;
    if (fault.skip > 0) {
        fault.skip--;
        return false;
    }
    fault.happened++;
    return true;
}

static sqlite3_file *fault_real_file(sqlite3_file *file)
{
    return ((struct fault_file *)file)->real;
}

static int fault_close(sqlite3_file *file)
{
    sqlite3_file *real = fault_real_file(file);
    return real->pMethods == NULL ? SQLITE_OK : real->pMethods->xClose(real);
}

static int fault_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset)
{
    sqlite3_file *real = fault_real_file(file);
    return fault_now(FAULT_READ) ? fault.code : real->pMethods->xRead(real, data, size, offset);
}

static int fault_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    sqlite3_file *real = fault_real_file(file);
    if (!fault_now(FAULT_WRITE)) return real->pMethods->xWrite(real, data, size, offset);
    if (fault.written || fault.torn) real->pMethods->xWrite(real, data, fault.torn ? size / 2 : size, offset);
    return fault.code;
}

static int fault_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    sqlite3_file *real = fault_real_file(file);
    return fault_now(FAULT_TRUNCATE) ? fault.code : real->pMethods->xTruncate(real, size);
}

static int fault_sync(sqlite3_file *file, int flags)
{
    sqlite3_file *real = fault_real_file(file);
    if (!fault_now(FAULT_SYNC)) return real->pMethods->xSync(real, flags);
    if (fault.written) real->pMethods->xSync(real, flags);
    return fault.code;
}

#define FAULT_FORWARD(call, name, parameters, ...)                                                           \
    static int fault_##name parameters                                                                       \
    {                                                                                                        \
        sqlite3_file *real = fault_real_file(file);                                                          \
        if ((call) != 0 && fault_now(call)) return fault.code;                                               \
        return real->pMethods->name(__VA_ARGS__);                                                            \
    }

FAULT_FORWARD(FAULT_SIZE, xFileSize, (sqlite3_file * file, sqlite3_int64 *size), real, size)
FAULT_FORWARD(FAULT_LOCK, xLock, (sqlite3_file * file, int level), real, level)
FAULT_FORWARD(0, xUnlock, (sqlite3_file * file, int level), real, level)
FAULT_FORWARD(0, xCheckReservedLock, (sqlite3_file * file, int *held), real, held)
FAULT_FORWARD(0, xFileControl, (sqlite3_file * file, int operation, void *argument), real, operation,
              argument)
FAULT_FORWARD(0, xSectorSize, (sqlite3_file * file), real)
FAULT_FORWARD(0, xDeviceCharacteristics, (sqlite3_file * file), real)
FAULT_FORWARD(FAULT_MAP, xShmMap, (sqlite3_file * file, int page, int size, int extend, void volatile **map),
              real, page, size, extend, map)
FAULT_FORWARD(0, xShmUnmap, (sqlite3_file * file, int remove), real, remove)

static int fault_xShmLock(sqlite3_file *file, int offset, int count, int flags)
{
    sqlite3_file *real = fault_real_file(file);
    if ((flags & SQLITE_SHM_LOCK) != 0 && fault_now(FAULT_LOCK)) return fault.code;
    return real->pMethods->xShmLock(real, offset, count, flags);
}

static void fault_barrier(sqlite3_file *file)
{
    sqlite3_file *real = fault_real_file(file);
    real->pMethods->xShmBarrier(real);
}

static const sqlite3_io_methods fault_methods = {
    .iVersion = 2,
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_xFileSize,
    .xLock = fault_xLock,
    .xUnlock = fault_xUnlock,
    .xCheckReservedLock = fault_xCheckReservedLock,
    .xFileControl = fault_xFileControl,
    .xSectorSize = fault_xSectorSize,
    .xDeviceCharacteristics = fault_xDeviceCharacteristics,
    .xShmMap = fault_xShmMap,
    .xShmLock = fault_xShmLock,
    .xShmBarrier = fault_barrier,
    .xShmUnmap = fault_xShmUnmap,
};

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *given)
{
    struct fault_file *opened = (struct fault_file *)file;
    (void)vfs;
    opened->base.pMethods = NULL;
    opened->real = (sqlite3_file *)(opened + 1);
    if (fault_now(FAULT_OPEN)) return fault.code;
    int code = fault_real->xOpen(fault_real, name, opened->real, flags, given);
    if (code == SQLITE_OK) opened->base.pMethods = &fault_methods;
    return code;
}

static int fault_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    return fault_now(FAULT_DELETE) ? fault.code : fault_real->xDelete(fault_real, name, sync);
}

/* Every connection opened from now on goes through the faulty disk. */
static void fault_vfs_install(void)
{
    fault_real = sqlite3_vfs_find(NULL);
    fault_vfs = *fault_real;
    fault_vfs.zName = "faulty";
    fault_vfs.szOsFile = (int)sizeof(struct fault_file) + fault_real->szOsFile;
    fault_vfs.xOpen = fault_open;
    fault_vfs.xDelete = fault_delete;
    sqlite3_vfs_register(&fault_vfs, 1);
}

#endif
