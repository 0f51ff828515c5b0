/* The arithmetic of a measurement: no call of a port. */
#ifndef BURSAR_RECONCILE_MEASURE_SUMS_H
#define BURSAR_RECONCILE_MEASURE_SUMS_H

#include "reconcile/measure.h"

/* By id, each once: a scan may return an entry twice. */
void measure_sort_entries(struct measure *measure);
/* Whether an entry that the measurement before this one saw has a time between the two audits: it cannot be
 * told from what was deducted there. */
bool measure_is_ambiguous(const struct measure *measure);
/* Keeps, for the next measurement, the times of entries that are still to come. */
void measure_note_ahead(struct measure *measure);
/* Leaves out what was deducted between the two audits. */
void measure_drop_after_cut(struct measure *measure);
void measure_sort_credits(struct measure *measure);

/* Among those of Redis; NULL: it is not there. */
struct measured_credit *measure_find_credit(struct measure *measure, struct text credit_id);

/* NULL: none with this id. */
const struct entry *measure_find_entry(const struct measure *measure, struct text message_id);

/* What `row`, the ledger's for the entry's id, makes of the entry. A row booked after the tally was read does
 * not count yet: its amount is in no sum. */
void measure_judge_entry(const struct measure *measure, struct entry *entry,
                         const struct ledger_deduction *row);

/* Fills reckoning and result, the sums of credits, is_new. */
void measure_reckon(struct measure *measure);

bool measure_same_result(const struct reckoning_result *a, const struct reckoning_result *b);

#endif
