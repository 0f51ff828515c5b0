/* The settlement: what becomes of each deduction of a batch, given what the ledger knows. A pure function;
 * every ledger calls it inside its transaction, so there is one judge and one place to read. */
#ifndef BURSAR_CORE_SETTLEMENT_H
#define BURSAR_CORE_SETTLEMENT_H

#include "core/batch.h"

/* Decides the items [first, first + count) in order of arrival.
 *
 * Before: for every item of the range that batch_item_needs_lookup() names, `known` is filled; for every
 * budget that an item of the range uses, `found`, `total`, `settled`, `state` and `closed_at_us` are as they
 * stand in the ledger, read under the lock that the update will hold. After: each item has `verdict` (and
 * `reason` when rejected; `known` says what the booked row holds for a duplicate or a conflict, also when
 * that row is an earlier item of the range), and each budget's `delta` is what to add to its settled sum,
 * with settled + delta <= total. */
void settlement_decide(struct batch *batch, size_t first, size_t count);

#endif
