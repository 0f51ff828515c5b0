#include "faults/cut_store.h"

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAMES_MAX = 8, PATH_SIZE = 128, SECTOR_SMALL = 512, SECTOR_LARGE = 4096 };

/* A write, or (without data) a truncation to `offset`. */
struct change {
    size_t offset;
    size_t size;
    unsigned char *data; /* owned */
};

struct cut_file_data {
    unsigned char *synced; /* owned */
    size_t size;
    struct change *changes; /* owned */
    size_t count;
    struct cut_file_data *next; /* of all that ever were */
};

struct name {
    char path[PATH_SIZE];
    struct cut_file_data *now; /* NULL: no such file */
    struct cut_file_data *synced;
};

struct name_change {
    struct name *name;
    struct cut_file_data *file;
};

static struct {
    uint64_t random;
    struct name names[NAMES_MAX];
    size_t name_count;
    struct name_change *changes; /* owned */
    size_t change_count;
    struct cut_file_data *files;
} store;

uint64_t store_random(uint64_t limit)
{
    store.random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = store.random;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % limit;
}

static void changes_forget(struct cut_file_data *file)
{
    for (size_t i = 0; i < file->count; i++) free(file->changes[i].data);
    file->count = 0;
}

void store_begin(uint64_t seed)
{
    store_end();
    store.random = seed;
}

void store_end(void)
{
    while (store.files != NULL) {
        struct cut_file_data *file = store.files;
        store.files = file->next;
        changes_forget(file);
        free(file->changes);
        free(file->synced);
        free(file);
    }
    free(store.changes);
    memset(&store, 0, sizeof store);
}

static struct name *name_of(const char *path)
{
    for (size_t i = 0; i < store.name_count; i++) {
        if (strcmp(store.names[i].path, path) == 0) return &store.names[i];
    }
    assert(store.name_count < NAMES_MAX && strlen(path) < PATH_SIZE);
    struct name *name = &store.names[store.name_count++];
    snprintf(name->path, sizeof name->path, "%s", path);
    return name;
}

static void name_set(struct name *name, struct cut_file_data *file)
{
    name->now = file;
    store.changes = memory_resize(store.changes, store.change_count + 1, sizeof *store.changes);
    store.changes[store.change_count++] = (struct name_change){name, file};
}

struct cut_file_data *store_find(const char *path)
{
    return name_of(path)->now;
}

struct cut_file_data *store_create(const char *path)
{
    struct cut_file_data *file = memory_alloc_zero(1, sizeof *file);
    file->next = store.files;
    store.files = file;
    name_set(name_of(path), file);
    return file;
}

void store_delete(const char *path)
{
    name_set(name_of(path), NULL);
}

static void change_add(struct cut_file_data *file, struct change change)
{
    file->changes = memory_resize(file->changes, file->count + 1, sizeof *file->changes);
    file->changes[file->count++] = change;
}

void store_write(struct cut_file_data *file, const void *data, size_t size, int64_t offset)
{
    unsigned char *copy = memory_alloc(size);
    change_add(file, (struct change){(size_t)offset, size, memcpy(copy, data, size)});
}

void store_truncate(struct cut_file_data *file, int64_t size)
{
    change_add(file, (struct change){.offset = (size_t)size});
}

static void size_set(struct cut_file_data *file, size_t size)
{
    file->synced = memory_resize(file->synced, size, 1);
    if (size > file->size) memset(file->synced + file->size, 0, size - file->size);
    file->size = size;
}

static void bytes_put(struct cut_file_data *file, const struct change *change, size_t first, size_t end,
                      bool spoilt)
{
    if (change->offset + end > file->size) size_set(file, change->offset + end);
    for (size_t i = first; i < end; i++)
        file->synced[change->offset + i] = spoilt ? (unsigned char)store_random(256) : change->data[i];
}

/* Writes the sectors of a change that survive: those before `keep`, or with CUT_KEEPS_SOME and
 * CUT_SPOILS_SOME any. */
static void sectors_put(struct cut_file_data *file, const struct change *change, enum cut_kind kind,
                        size_t sector, size_t keep)
{
    for (size_t first = 0, end; first < change->size; first = end) {
        end = ((change->offset + first) / sector + 1) * sector - change->offset;
        if (end > change->size) end = change->size;
        uint64_t chance = store_random(4);
        if (kind == CUT_KEEPS_PREFIX ? first >= keep : chance < 2) continue;
        bytes_put(file, change, first, end, kind == CUT_SPOILS_SOME && chance == 2);
    }
}

static void change_put(struct cut_file_data *file, const struct change *change)
{
    if (change->data == NULL)
        size_set(file, change->offset);
    else
        bytes_put(file, change, 0, change->size, false);
}

static void file_cut(struct cut_file_data *file, enum cut_kind kind)
{
    size_t sector = store_random(2) == 0 ? SECTOR_SMALL : SECTOR_LARGE;
    size_t whole = kind == CUT_KEEPS_PREFIX ? store_random(file->count + 1) : 0;
    for (size_t i = 0; i < whole; i++) change_put(file, &file->changes[i]);
    for (size_t i = whole; i < file->count && kind != CUT_LOSES_ALL; i++) {
        const struct change *change = &file->changes[i];
        if (kind == CUT_KEEPS_PREFIX && i > whole) break;
        if (change->data != NULL)
            sectors_put(file, change, kind, sector, store_random(change->size + 1));
        else if (store_random(2) == 0)
            change_put(file, change);
    }
    changes_forget(file);
}

void store_sync(struct cut_file_data *file)
{
    for (size_t i = 0; i < file->count; i++) change_put(file, &file->changes[i]);
    changes_forget(file);
}

void store_sync_forget(struct cut_file_data *file)
{
    file_cut(file, CUT_KEEPS_SOME);
}

void store_sync_names(void)
{
    for (size_t i = 0; i < store.name_count; i++) store.names[i].synced = store.names[i].now;
    store.change_count = 0;
}

static void file_write(const struct name *name)
{
    FILE *file = fopen(name->path, "wb");
    assert(file != NULL);
    size_t written = name->now->size == 0 ? 0 : fwrite(name->now->synced, 1, name->now->size, file);
    int closed = fclose(file);
    assert(written == name->now->size && closed == 0);
}

void store_cut(enum cut_kind kind)
{
    size_t kept = kind == CUT_LOSES_ALL ? 0 : store_random(store.change_count + 1);
    for (size_t i = 0; i < kept; i++) store.changes[i].name->synced = store.changes[i].file;
    store.change_count = 0;
    for (size_t i = 0; i < store.name_count; i++) {
        struct name *name = &store.names[i];
        name->now = name->synced;
        unlink(name->path);
        if (name->now == NULL) continue;
        file_cut(name->now, kind);
        file_write(name);
    }
}
