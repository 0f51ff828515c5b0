/* What the discard's files share. */
#ifndef BURSAR_DEADLETTER_DISCARD_PRIVATE_H
#define BURSAR_DEADLETTER_DISCARD_PRIVATE_H

#include "deadletter/discard.h"

/* The chunk's deductions that have an id. */
void discard_collect(struct discard *discard);

/* Reads the claims' rows. */
MUST_CHECK enum status discard_look_up(struct discard *discard, struct error *error);

/* Asks Redis for the claims' pending entries. */
MUST_CHECK enum status discard_ask(struct discard *discard, struct error *error);

/* A void row for each claim whose id is booked nowhere; leaves letters that must not be touched. */
void discard_plan_voids(struct discard *discard);

/* What is to be given back, with the rows as they are now: what a void row owes, and pending entries of the
 * letters' own that no row owns. */
void discard_plan_releases(struct discard *discard);

/* Entries for what no void row tells of. */
void discard_plan_entries(struct discard *discard);

void discard_leave(struct discard *discard, size_t letter, const char *why);

#endif
