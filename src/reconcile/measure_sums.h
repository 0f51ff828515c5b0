/* The arithmetic of a measurement: no call of a port. */
#ifndef BURSAR_RECONCILE_MEASURE_SUMS_H
#define BURSAR_RECONCILE_MEASURE_SUMS_H

#include "reconcile/measure.h"

/* By id, each once: a scan may return an entry twice. */
void measure_sort_entries(struct measure *measure);
/* Leaves out what was deducted between the two audits. */
void measure_drop_after_cut(struct measure *measure);
void measure_sort_credits(struct measure *measure);

/* Among those of Redis; NULL: it is not there. */
struct measured_credit *measure_find_credit(struct measure *measure, struct text credit_id);

/* What `row`, the ledger's for the entry's id, makes of the entry. A row booked after the tally was read does
 * not count yet: its amount is in no sum. */
void measure_judge_entry(const struct measure *measure, struct entry *entry,
                         const struct ledger_deduction *row);

/* Fills reckoning and result, the sums of credits, is_new. */
void measure_reckon(struct measure *measure);

bool measure_same_result(const struct reckoning_result *a, const struct reckoning_result *b);

#endif
