/* A disk that loses its power. It is SQLite's own file layer, which remembers of each file what was synced
 * and what was only written since, and which names of the folder are synced. When the power goes every call
 * fails; what the disk then holds is what was synced and, as the kind of cut says, some of the rest. Chance
 * comes from a seed.
 *
 * Promised of the disk is what SQLite takes for granted of it: a write leaves the bytes beside it alone,
 * whatever happens; changes of names survive in their order; the first sync of a new log or journal syncs the
 * folder, too. */
#ifndef BURSAR_TESTS_CUT_DISK_H
#define BURSAR_TESTS_CUT_DISK_H

#include <stdbool.h>
#include <stdint.h>

enum cut_kind {
    CUT_LOSES_ALL,    /* all that was not synced */
    CUT_KEEPS_PREFIX, /* of each file the writes up to some point, the last one torn at a sector */
    CUT_KEEPS_SOME,   /* some sectors of some writes */
    CUT_SPOILS_SOME,  /* the same, and others hold rubbish */
    CUT_KINDS,
};

/* Every connection opened from now on goes through it. */
void cut_disk_install(void);

/* An empty disk. The power goes at the nth write, truncation, sync, creation or deletion from now on;
 * 0: never. */
void cut_disk_begin(int power_goes_at, uint64_t seed);

/* Frees what is remembered. */
void cut_disk_end(void);

/* The nth sync from now on fails, and `times` in all (-1: every one after it). What it should have made
 * durable waits for the next sync; or, when `forgotten`, some sectors reach the disk and the others count as
 * written and never will be, as Linux has it. */
void cut_disk_fail_sync(int at, int times, bool forgotten);

/* How many calls could have lost their power since the disk began or was restarted; how many syncs there were
 * since it began. */
int cut_disk_calls(void);
int cut_disk_syncs(void);

/* The power is gone. */
bool cut_disk_is_dead(void);
void cut_disk_die(void);

/* The power is back, and the folder holds what the disk has kept; no connection may be open. The power goes
 * again at the nth call from now on; 0: never. */
void cut_disk_restart(enum cut_kind kind, int power_goes_at);

/* Only the process had died: what it wrote is there, synced or not. */
void cut_disk_process_restart(int power_goes_at);

#endif
