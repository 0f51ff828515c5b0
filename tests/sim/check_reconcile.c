/* A reconcile while everything goes on: what it says is true, what it does is owed, is written down before,
 * and happens once; and where it is only to look it changes nothing. */
#include "sim/books.h"
#include "sim/check.h"

#include <inttypes.h>
#include <string.h>

/* A look at a budget that was right may be followed by one that is not, and what the engine says then belongs
 * to neither: where something upset the numbers during the run, only what was right throughout is asked for.
 */
static bool is_undisturbed(const struct world *world)
{
    return world->upsets == world->reconciler.upsets_at_start;
}

void check_run_begins(struct world *world)
{
    struct reconciler *reconciler = &world->reconciler;
    reconciler->upsets_at_start = world->upsets;
    reconciler->unnamed_at_start = world->unnamed;
    reconciler->restores_at_start = world->ledger_restores;
    memset(reconciler->looks, 0, sizeof reconciler->looks);
}

/* Whether the ledger tells that there are producers without tokens. */
static bool knows_older_producers(const struct truth *truth)
{
    for (size_t i = 0; i < truth->row_count; i++)
        if (truth->rows[i].token == 0 && truth->rows[i].state != DEDUCTION_VOIDED) return true;
    return false;
}

void check_audited(struct world *world, struct text budget_id)
{
    uint32_t budget = truth_number(budget_id, 'b');
    if (budget >= TRUTH_BUDGETS_MAX) return;
    check_ledger(world);
    if (!fake_ledger_is_locked(world->ledger, LEDGER_LOCK_RECONCILE))
        world_violate(world, "one-run-at-a-time", "a reconcile works without the lock");
    struct looked *looked = &world->reconciler.looks[budget];
    looked->books = books_of(world, budget);
    looked->rights = looked->books.right ? looked->rights + 1 : 0;
    looked->at_us = fake_stock_now(world->stock);
    looked->knows_older_producers = knows_older_producers(&world->truth);
}

static bool speaks_of(const struct truth *truth, const struct truth_message *message,
                      const struct truth_sale *sale)
{
    for (size_t i = 0; i < message->item_count; i++) {
        const struct truth_item *item = &truth->items[message->first_item + i];
        if (item->id == sale->id && (item->token == sale->token || item->fault != PARK_NONE)) return true;
    }
    return false;
}

static bool is_ready(const struct world *world, uint32_t message)
{
    struct delivery delivery;
    for (size_t i = 0; fake_broker_peek(world->broker, QUEUE, i, &delivery); i++) {
        if (truth_place_of(delivery.body).message == message) return true;
    }
    return false;
}

/* Where a message that speaks of this very deduction still is; NULL: nowhere. What is published only when the
 * deduction has been an orphan for long is late, and that is its producer's doing. And a worker that sits on
 * a message for ten seconds while others book what came after it is beyond what reconcile can see. */
static const char *whereabouts(struct world *world, const struct truth_sale *sale)
{
    const struct truth *truth = &world->truth;
    int64_t late_us = sale->token + world->reconciler.options.orphan_after_us;
    int64_t now_us = fake_stock_now(world->stock);
    static const int64_t patience_us = 10000000;
    bool any = false;
    for (size_t m = 0; m < truth->message_count; m++) {
        const struct truth_message *message = &truth->messages[m];
        if (message->queued == 0 || message->queued_at_us > late_us || !speaks_of(truth, message, sale))
            continue;
        bool stuck = message->given_at_us != 0 && message->given_at_us + patience_us < now_us;
        if (message->queued > message->gone && !stuck)
            return is_ready(world, (uint32_t)m) ? "in the queue" : "in a worker's hands";
        any = true;
    }
    if (!any) return NULL;
    for (size_t i = 0; i < fake_ledger_parked_count(world->ledger); i++) {
        const struct fake_parked *parked = fake_ledger_parked(world->ledger, i);
        if (parked->state == PARKED_PARKED && truth_number(parked->message_id, 'i') == sale->id)
            return "parked";
    }
    bool is_letter = truth_has_letter(truth, sale->id) || reconciler_is_dead_letter(world, sale->id);
    return is_letter && !reconciler_cannot_see_letter(&world->reconciler, sale->id) ? "a dead letter" : NULL;
}

void check_orphan(struct world *world, const struct truth_sale *sale)
{
    /* Redis's clock tells how old a deduction is, and which of two came first. */
    bool clock_jumps =
        world->swarm.weights[ACTION_REDIS_CLOCK] > 0 && world->reconciler.options.orphan_after_us < 20000000;
    const char *where = clock_jumps ? NULL : whereabouts(world, sale);
    int64_t age_us = fake_stock_now(world->stock) - sale->token;
    if (where != NULL)
        world_violate(world, "an-orphan-has-no-message",
                      "i%" PRIu32 " of b%" PRIu32 " is taken for an orphan, and is %s", sale->id,
                      sale->budget, where);
    if (age_us < world->reconciler.options.orphan_after_us && world->swarm.weights[ACTION_REDIS_CLOCK] == 0)
        world_violate(world, "an-orphan-is-old",
                      "i%" PRIu32 " of b%" PRIu32 " is taken for an orphan at the age of %" PRId64 " us",
                      sale->id, sale->budget, age_us);
}

static bool looked_right(const struct world *world, uint32_t budget)
{
    const struct books *books = &world->reconciler.looks[budget].books;
    /* Down to nothing, and more was sold than there ever was: only what is given back helps. */
    bool is_oversold = books->known && books->has_key && books->limited && books->left_expected < 0 &&
                       books->drift == -books->left_expected && books->credited == 0 && books->settled == 0 &&
                       books->behind == 0 && books->credits_lost == 0 && books->credits_unknown == 0;
    if (is_oversold) return true;
    return books->right || (!books->has_key && books->deleted) || !is_undisturbed(world);
}

/* A row that no message asked for: the engine voids an orphan, or books it. */
void check_row_of_reconcile(struct world *world, const struct truth_row *row)
{
    const struct reconcile_options *options = &world->reconciler.options;
    const struct truth_sale *sale = truth_pending(&world->truth, row->id, row->budget);
    if (sale == NULL || sale->token != row->token || sale->amount != row->amount) {
        if (!is_undisturbed(world)) return; /* it was lost a moment ago */
        world_violate(world, "row-asked-for",
                      "reconcile books i%" PRIu32 " of b%" PRIu32 ", and it is not pending so", row->id,
                      row->budget);
        return;
    }
    world->truth.ids[row->id].reconciled = true;
    if ((row->state == DEDUCTION_VOIDED) == options->settle_orphans)
        world_violate(world, "policy", "i%" PRIu32 " is %s", row->id,
                      row->state == DEDUCTION_VOIDED ? "voided" : "booked");
    if (row->state == DEDUCTION_VOIDED && (row->reason != REASON_ORPHANED || row->refund != REFUND_DUE))
        world_violate(world, "verdict", "the void of i%" PRIu32 " does not say what it is", row->id);
    if (row->state == DEDUCTION_VOIDED && !looked_right(world, row->budget))
        world_violate(world, "no-void-while-numbers-are-wrong", "i%" PRIu32 " of b%" PRIu32 " is voided",
                      row->id, row->budget);
    check_orphan(world, sale);
}

static void check_numbers(struct world *world, const struct found *found)
{
    const struct looked *looked = &world->reconciler.looks[found->budget];
    const struct books *books = &looked->books;
    if (!books_have_cause(&world->truth, found->budget))
        world_violate(world, "no-crying-wolf",
                      "%s of b%" PRIu32 " (%" PRId64 ") and nothing ever went wrong with it",
                      finding_kind_name(found->kind), found->budget, found->amount);
    /* Right at both cuts of each of two measurements. */
    if (looked->rights >= 4 && world->ledger_restores == world->reconciler.restores_at_start)
        world_violate(world, "no-crying-wolf",
                      "%s of b%" PRIu32 " (%" PRId64 "), which was right at every look",
                      finding_kind_name(found->kind), found->budget, found->amount);
    if (!is_undisturbed(world)) return;
    int64_t amount = found->kind == FINDING_LEDGER_BEHIND ? books->behind
                     : found->kind == FINDING_LEFT_DRIFT  ? (books->other_kind ? 0 : books->drift)
                     : books->limited                     ? books->left_expected
                                                          : 0;
    bool same = found->kind == FINDING_LEDGER_BEHIND || (found->kind == FINDING_LEFT_DRIFT) == books->has_key;
    if (!same || found->amount != amount)
        world_violate(world, "numbers-are-true", "%s of b%" PRIu32 " says %" PRId64 ", true is %" PRId64,
                      finding_kind_name(found->kind), found->budget, found->amount, amount);
    if (found->kind == FINDING_LEFT_DRIFT && books->limited && !books->other_kind &&
        found->actual - found->expected != amount)
        world_violate(world, "numbers-are-true", "left-drift of b%" PRIu32 " contradicts itself",
                      found->budget);
}

static void check_unknown_credit(struct world *world, const struct found *found)
{
    const struct books *books = &world->reconciler.looks[found->budget].books;
    if (books->credits_unknown == 0 && is_undisturbed(world))
        world_violate(world, "numbers-are-true", "the ledger has every credit of b%" PRIu32, found->budget);
    if (!world->truth.ledger_lost)
        world_violate(world, "no-crying-wolf", "credit %s of b%" PRIu32 " and no ledger was ever restored",
                      found->credit_id, found->budget);
}

/* What is decided and still pending, at this moment. */
static void check_decided(struct world *world, const struct found *found)
{
    struct truth *truth = &world->truth;
    if (found->mended || found->id >= truth->id_count || truth->ids[found->id].row == TRUTH_NONE) return;
    const struct truth_row *row = &truth->rows[truth->ids[found->id].row];
    const struct truth_sale *sale = truth_pending(truth, found->id, found->budget);
    bool due = row->refund == REFUND_DUE;
    bool settled = row->state == DEDUCTION_SETTLED;
    bool owed =
        found->kind == FINDING_UNCLEARED ? sale != NULL && settled : due || (sale != NULL && !settled);
    if (!owed && is_undisturbed(world))
        world_violate(world, "findings-are-true", "%s of i%" PRIu32 " of b%" PRIu32 " and it is not so",
                      finding_kind_name(found->kind), found->id, found->budget);
}

void check_finding(struct world *world, const struct found *found)
{
    check_ledger(world); /* what the step wrote so far */
    if (found->budget >= TRUTH_BUDGETS_MAX) {
        world_violate(world, "findings-are-true", "a finding of a budget that nobody made");
        return;
    }
    switch (found->kind) {
    case FINDING_LEDGER_BEHIND:
        if (found->credit_id[0] != '\0') {
            check_unknown_credit(world, found);
            return;
        }
        check_numbers(world, found);
        return;
    case FINDING_LEFT_DRIFT:
    case FINDING_MISSING_KEY: check_numbers(world, found); return;
    case FINDING_UNCLEARED:
    case FINDING_REFUND_DUE: check_decided(world, found); return;
    case FINDING_ORPHAN: {
        const struct truth_sale *sale = truth_pending(&world->truth, found->id, found->budget);
        if (!found->mended && sale != NULL) check_orphan(world, sale);
        return;
    }
    case FINDING_CREDIT_DUE:
    case FINDING_UNTRACKED:
    case FINDING_KIND_COUNT: return;
    }
}

/* Whether the journal has an entry that says this change. */
static bool is_journalled(const struct world *world, const struct fake_stock_change *change)
{
    for (size_t i = fake_ledger_intervention_count(world->ledger); i > 0; i--) {
        const struct intervention *entry = fake_ledger_intervention(world->ledger, i - 1);
        if (!text_equal(entry->budget_id, change->budget_id)) continue;
        switch (change->kind) {
        case FAKE_STOCK_AMENDED:
            if (entry->sequence == change->amendment->id && entry->state == INTERVENTION_BEGUN) return true;
            break;
        case FAKE_STOCK_CREDITED:
            if (text_is_present(entry->after) && text_equal(entry->after, change->id)) return true;
            break;
        default:
            if (text_is_present(entry->message_id) && text_equal(entry->message_id, change->id)) return true;
        }
    }
    return false;
}

static bool is_raise(const struct stock_amendment *item)
{
    return item->restore != STOCK_RESTORE_NONE || item->left > 0;
}

void check_change_of_reconcile(struct world *world, const struct fake_stock_change *change)
{
    const struct reconcile_options *options = &world->reconciler.options;
    if (!options->repair)
        world_violate(world, "a-look-writes-nothing",
                      "a reconcile without repair changes " TEXT_FORMAT " in Redis",
                      TEXT_ARGUMENTS(change->budget_id));
    if (!is_journalled(world, change))
        world_violate(world, "repairs-are-journalled",
                      "reconcile changes " TEXT_FORMAT " and wrote nothing down",
                      TEXT_ARGUMENTS(change->budget_id));
    uint32_t budget = truth_number(change->budget_id, 'b');
    if (budget >= TRUTH_BUDGETS_MAX || change->kind == FAKE_STOCK_SETTLED) return;
    int64_t units = change->kind == FAKE_STOCK_AMENDED ? change->amendment->left : change->amount;
    if (change->kind == FAKE_STOCK_AMENDED && change->amendment->restore != STOCK_RESTORE_NONE)
        units = change->amendment->left_after == STOCK_LEFT_NONE ? 0 : change->amendment->left_after;
    if (units == TOTAL_UNLIMITED) units = 0;
    int64_t *spent = &world->reconciler.looks[budget].spent;
    *spent += units < 0 ? -units : units;
    if (*spent > options->repair_max && is_undisturbed(world))
        world_violate(world, "repair-max",
                      "%" PRId64 " units of b%" PRIu32 " are changed, %" PRId64 " are allowed", *spent,
                      budget, options->repair_max);
}

/* A stock that is too low beside totals that are right: nothing but a hand did that. */
static bool is_stock_alone(const struct stock_amendment *item)
{
    return item->restore == STOCK_RESTORE_NONE && item->credited == 0 && item->deducted == 0 &&
           item->settled == 0 && item->released == 0 && item->credit_count == 0;
}

/* What Redis deducted and cannot name, or not any more, is given to others only when no message of it can
 * come. */
static void check_raise(struct world *world, uint32_t budget, const struct stock_amendment *item)
{
    const struct truth *truth = &world->truth;
    const struct looked *looked = &world->reconciler.looks[budget];
    if (!is_raise(item) || world->swarm.weights[ACTION_REDIS_CLOCK] > 0) return;
    if (is_stock_alone(item) && !looked->knows_older_producers) return;
    for (size_t m = 0; m < truth->message_count && !world->violation.found; m++) {
        const struct truth_message *message = &truth->messages[m];
        bool stuck = message->given_at_us != 0 && message->given_at_us + 10000000 < looked->at_us;
        if (message->queued == message->gone || message->queued_at_us >= looked->at_us || stuck) continue;
        for (size_t i = 0; i < message->item_count; i++) {
            const struct truth_item *told = &truth->items[message->first_item + i];
            if (told->fault != PARK_NONE || told->budget != budget) continue;
            if (truth->ids[told->id].row != TRUTH_NONE || truth->ids[told->id].tainted) continue;
            bool late = message->queued_at_us > told->token + world->reconciler.options.orphan_after_us;
            if (told->token != 0 && late) continue;
            const struct truth_sale *sale = truth_sale_find(&world->truth, told->id, budget, told->token);
            if (sale == NULL || sale->state == SALE_FORGOTTEN)
                world_violate(world, "no-raise-before-its-message",
                              "b%" PRIu32 " is raised while message %zu waits", budget, m);
        }
    }
}

/* What the journal calls not done never happens afterwards, as long as Redis remembers that it must not. */
static void check_not_abandoned(struct world *world, uint32_t budget, const struct stock_amendment *item)
{
    if (world->truth.budgets[budget].keys_lost) return;
    for (size_t i = fake_ledger_intervention_count(world->ledger); i > 0; i--) {
        const struct intervention *entry = fake_ledger_intervention(world->ledger, i - 1);
        if (entry->sequence == item->id && entry->state == INTERVENTION_ABANDONED)
            world_violate(world, "abandoned-is-not-done",
                          "repair %" PRId64 " was given up on, and is made now", item->id);
    }
}

/* What is booked in the middle of a run and Redis cannot name is no excuse for giving it out again. */
static bool is_to_be_right(const struct world *world, const struct stock_amendment *item)
{
    const struct reconciler *reconciler = &world->reconciler;
    uint64_t excuses = world->upsets - reconciler->upsets_at_start;
    if (is_raise(item)) excuses -= world->unnamed - reconciler->unnamed_at_start;
    return excuses == 0;
}

/* An amendment makes the numbers right, or brings them nearer where the stock cannot fall below nothing. */
void check_amended(struct world *world, const struct fake_stock_change *change)
{
    uint32_t budget = truth_number(change->budget_id, 'b');
    check_not_abandoned(world, budget, change->amendment);
    if (budget < TRUTH_BUDGETS_MAX && change->amendment->restore != STOCK_RESTORE_NONE)
        world->truth.budgets[budget].made_anew = true;
    if (budget < TRUTH_BUDGETS_MAX && world->reconciler.stepping)
        check_raise(world, budget, change->amendment);
    const struct stock_amendment *item = change->amendment;
    if (budget >= TRUTH_BUDGETS_MAX || !world->reconciler.stepping || !is_to_be_right(world, item)) return;
    bool fence = item->restore == STOCK_RESTORE_NONE && item->left == 0 && item->credited == 0 &&
                 item->deducted == 0 && item->settled == 0 && item->released == 0;
    if (fence) return; /* it only uses up the number of a repair that died */
    const struct books before = world->reconciler.looks[budget].books, after = books_of(world, budget);
    bool down_to_nothing = after.drift > 0 && after.drift <= before.drift;
    bool ok = after.has_key && after.credited == 0 && after.settled == 0 && after.credits_lost == 0 &&
              ((after.drift == 0 && after.deducted == 0) || down_to_nothing);
    if (!ok)
        world_violate(world, "repairs-are-right",
                      "b%" PRIu32 " was off by %" PRId64 " and after the repair is off by %" PRId64
                      " (totals %" PRId64 " %" PRId64 " %" PRId64 ")",
                      budget, before.drift, after.drift, after.credited, after.deducted, after.settled);
}

/* What a run began it also finished. */
void check_run_ended(struct world *world)
{
    const struct reconciler *reconciler = &world->reconciler;
    bool clean = true;
    for (size_t i = 0; i < reconciler->found_count; i++)
        clean = clean && reconciler->found[i].kind == FINDING_UNTRACKED;
    if (clean != reconciler->summary.clean)
        world_violate(world, "findings-are-true", "the run says clean %d", reconciler->summary.clean);
    /* Of a spoilt key Redis says nothing, so what became of its repair stays open. */
    if (!reconciler->options.repair || reconciler->summary.refused > 0) return;
    for (size_t i = 0; i < fake_ledger_intervention_count(world->ledger); i++) {
        const struct intervention *entry = fake_ledger_intervention(world->ledger, i);
        bool is_own = entry->kind == INTERVENTION_REPAIR || entry->kind == INTERVENTION_VOID ||
                      entry->kind == INTERVENTION_SETTLE;
        if (is_own && entry->state == INTERVENTION_BEGUN && !world->truth.ledger_lost)
            world_violate(world, "repairs-are-journalled",
                          "the run is done, and entry %" PRId64 " is still begun", entry->sequence);
    }
}
