/* The rules. Each is checked where it could be broken, at the moment it is: when the broker forgets a
 * message, when Redis changes, and after every step when the ledger has new rows. None asks the worker
 * anything but its public view. */
#ifndef BURSAR_TESTS_SIM_CHECK_H
#define BURSAR_TESTS_SIM_CHECK_H

#include "sim/world.h"

/* Observers of the fakes; the context is the world. */
void check_broker(void *context, enum fake_broker_event event, const char *queue,
                  const struct delivery *message);
void check_stock(void *context, const struct fake_stock_change *change);

/* After every step: new rows are what they must be, old ones did not change, sums agree, memory is bounded.
 */
void check_step(struct world *world);
void check_ledger(struct world *world);
void check_sums(struct world *world);

/* After a disaster the checkers take what is there for granted, from now on. */
void check_redis_anew(struct world *world);
void check_ledger_anew(struct world *world);

/* A reconcile (check_reconcile.c): it begins; it has read a budget's numbers; it hands out a finding; it
 * inserts a row; it changes something in Redis, seen before and, of an amendment, after; it came to its end.
 */
void check_run_begins(struct world *world);
void check_audited(struct world *world, struct text budget_id);
void check_finding(struct world *world, const struct found *found);
void check_row_of_reconcile(struct world *world, const struct truth_row *row);
void check_orphan(struct world *world, const struct truth_sale *sale);
void check_change_of_reconcile(struct world *world, const struct fake_stock_change *change);
void check_amended(struct world *world, const struct fake_stock_change *change);
void check_run_ended(struct world *world);

/* A replay or discard of dead letters (check_letters.c): it begins; the broker gives it a letter; it
 * publishes, and has heard what became of that; a letter is acknowledged; it inserts a row; it changes
 * something in Redis. */
void check_letters_begin(struct world *world);
/* Whether the body is an item's in its edited form. */
bool check_is_edited(const struct truth_item *item, struct text body);
void check_letter_given(struct world *world, const struct delivery *letter);
void check_letters_go(struct world *world, const struct publication *publications, size_t count);
void check_letters_gone(struct world *world, const struct publication *publications, size_t count);
void check_letter_acknowledged(struct world *world, const struct delivery *letter);
void check_row_of_discard(struct world *world, const struct truth_row *row);
void check_change_of_letters(struct world *world, const struct fake_stock_change *change);

/* Whether nothing is left to do for any worker. */
bool check_is_drained(struct world *world, char *what, size_t size);

/* At the end, drained and stopped. */
void check_end(struct world *world);

#endif
