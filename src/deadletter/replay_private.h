/* What the replay's files share. */
#ifndef BURSAR_DEADLETTER_REPLAY_PRIVATE_H
#define BURSAR_DEADLETTER_REPLAY_PRIVATE_H

#include "deadletter/replay.h"

/* Leaves the chunk's letter `index` where it is. `detail` may be NULL. */
void replay_leave(struct replay *replay, size_t index, enum letter_fate fate, const char *detail);

/* Decides of each letter of the chunk whether it goes, where to, and with which body. */
void replay_judge(struct replay *replay);

/* Asks Redis about the letters that were edited. */
MUST_CHECK enum status replay_check_edits(struct replay *replay, struct error *error);

/* Writes the entries of the journal: for each id that goes, and for each edit. */
void replay_prepare_entries(struct replay *replay);

/* Publishes what goes, and takes the broker's answers: what it did not take is left. The entries get the
 * state that they end with. Answers as publisher_publish. */
MUST_CHECK enum status replay_publish(struct replay *replay, struct error *error);

/* Reads what was parked since, and counts what came back; stops the replay where that is too much. */
MUST_CHECK enum status replay_look_back(struct replay *replay, struct error *error);

/* Remembers the ids of what was confirmed, so that they are known when they come back. */
void replay_remember(struct replay *replay);

/* The canary's outcome: STATUS_OK, and *over when all is well, or when the replay was stopped because it is
 * not. */
MUST_CHECK enum status replay_watch_canary(struct replay *replay, bool *over, struct error *error);

#endif
