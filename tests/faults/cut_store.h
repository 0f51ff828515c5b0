/* What a disk remembers of its files: of each what was synced and what was written since, and which names. */
#ifndef BURSAR_TESTS_CUT_STORE_H
#define BURSAR_TESTS_CUT_STORE_H

#include "faults/cut_disk.h"

#include <stddef.h>

struct cut_file_data;

void store_begin(uint64_t seed);
void store_end(void);

/* The file that has this name now; NULL: none. */
struct cut_file_data *store_find(const char *path);
struct cut_file_data *store_create(const char *path);
void store_delete(const char *path);

void store_write(struct cut_file_data *file, const void *data, size_t size, int64_t offset);
void store_truncate(struct cut_file_data *file, int64_t size);
void store_sync(struct cut_file_data *file);
void store_sync_names(void);

/* Some sectors reach the disk; the others count as written and never will be. */
void store_sync_forget(struct cut_file_data *file);

/* Chooses what survives, makes it what is synced, and puts it where the files lie. */
void store_cut(enum cut_kind kind);

/* 0 to limit - 1, from the seed. */
uint64_t store_random(uint64_t limit);

#endif
