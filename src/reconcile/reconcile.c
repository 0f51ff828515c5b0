#include "reconcile/reconcile_state.h"

#include "base/memory.h"
#include "core/limits.h"

#include <stdlib.h>

#define BUDGETS_SLICE 500

struct reconcile *reconcile_new(const struct reconcile_options *options)
{
    struct reconcile *reconcile = memory_alloc_zero(1, sizeof *reconcile);
    reconcile->options = *options;
    reconcile->summary.complete = true;
    reconcile->summary.clean = true;
    reconcile->unlisted =
        (struct audited_budget){.id = TEXT_LITERAL("(any that the ledger does not have)"), .right = true};
    reconcile->started_at_us = clock_wall_us(options->clock);
    reconcile->measure.ledger = options->ledger;
    reconcile->measure.stock = options->stock;
    reconcile->measure.clock = options->clock;
    reconcile->measure.tally = &reconcile->tally;
    return reconcile;
}

static enum reconcile_progress stage_lock(struct reconcile *reconcile, struct error *error)
{
    enum status status = ledger_lock(reconcile->options.ledger, LEDGER_LOCK_RECONCILE, error);
    reconcile->summary.locked_out = status == STATUS_REFUSED;
    if (status == STATUS_OK) status = stock_server(reconcile->options.stock, reconcile->server, error);
    if (status != STATUS_OK) return reconcile_fail(reconcile, status);
    reconcile->stage = STAGE_RECOVER;
    return RECONCILE_MORE;
}

static void add_budget(struct reconcile *reconcile, const struct ledger_budget *row)
{
    if (reconcile->budget_count == reconcile->budget_capacity) {
        reconcile->budget_capacity = reconcile->budget_capacity == 0 ? 64 : reconcile->budget_capacity * 2;
        reconcile->budgets =
            memory_resize(reconcile->budgets, reconcile->budget_capacity, sizeof *reconcile->budgets);
    }
    struct audited_budget *budget = &reconcile->budgets[reconcile->budget_count++];
    *budget = (struct audited_budget){.id = arena_copy(&reconcile->arena, row->id),
                                      .state = row->state,
                                      .limited = row->total != TOTAL_UNLIMITED};
    tally_add(&reconcile->tally, budget->id);
}

static enum reconcile_progress budgets_are_known(struct reconcile *reconcile)
{
    reconcile->summary.budgets = (int64_t)reconcile->budget_count;
    reconcile->sights = memory_alloc_zero(reconcile->budget_count + 1, sizeof *reconcile->sights);
    reconcile->stage = STAGE_DEBTS;
    return RECONCILE_MORE;
}

static enum reconcile_progress find_one_budget(struct reconcile *reconcile, struct error *error)
{
    struct ledger_budget row;
    bool found = false;
    enum status status = ledger_budget_find(reconcile->options.ledger, reconcile->options.budget_id,
                                            &reconcile->slice, &row, &found, error);
    if (status == STATUS_OK && !found) {
        reconcile->summary.unknown_budget = true;
        status = error_set(error, STATUS_REFUSED,
                           "budget " TEXT_FORMAT ": there is no such budget; see bursar budget list",
                           TEXT_ARGUMENTS(reconcile->options.budget_id));
    }
    if (status != STATUS_OK) return reconcile_fail(reconcile, status);
    add_budget(reconcile, &row);
    return budgets_are_known(reconcile);
}

static enum reconcile_progress stage_budgets(struct reconcile *reconcile, struct error *error)
{
    if (text_is_present(reconcile->options.budget_id)) return find_one_budget(reconcile, error);
    struct ledger_budget *rows = arena_alloc(&reconcile->slice, BUDGETS_SLICE * sizeof *rows);
    size_t known = reconcile->budget_count, count = 0;
    struct text after = known == 0 ? TEXT_NONE : reconcile->budgets[known - 1].id;
    enum status status = ledger_budgets_list(reconcile->options.ledger, after, &reconcile->slice, rows,
                                             BUDGETS_SLICE, &count, error);
    if (status != STATUS_OK) return reconcile_fail(reconcile, status);
    for (size_t i = 0; i < count; i++) add_budget(reconcile, &rows[i]);
    return count < BUDGETS_SLICE ? budgets_are_known(reconcile) : RECONCILE_MORE;
}

static void begin_measure(struct reconcile *reconcile)
{
    const struct audited_budget *budget = present_budget(reconcile);
    measure_begin(&reconcile->measure, reconcile->budget, budget->id, budget->limited);
    reconcile->measure_anew = false;
    reconcile->stage = STAGE_MEASURE;
}

static void begin_budget(struct reconcile *reconcile)
{
    reconcile->measured_again = false;
    reconcile->raise = (struct raise_watch){0};
    present_budget(reconcile)->oversold = false;
    begin_measure(reconcile);
}

static enum reconcile_progress stage_base(struct reconcile *reconcile, struct error *error)
{
    bool more = false;
    enum status status = tally_read(&reconcile->tally, reconcile->options.ledger, &more, error);
    reconcile->summary.rows = reconcile->tally.rows;
    if (status != STATUS_OK) return reconcile_fail(reconcile, status);
    if (more) return RECONCILE_MORE;
    if (reconcile->budget_count == 0)
        reconcile->stage = STAGE_RIPEN;
    else
        begin_budget(reconcile);
    return RECONCILE_MORE;
}

/* What no script wrote stands in its keys. A person must look at it; the other budgets go on. */
static enum reconcile_progress leave_budget(struct reconcile *reconcile, const struct error *error)
{
    reconcile_say(reconcile, "%s: nothing is said of this budget until that is mended", error->text);
    reconcile->summary.refused++;
    reconcile->summary.complete = false;
    reconcile->stage = STAGE_ORPHANS; /* of which an unproven budget has none */
    return RECONCILE_MORE;
}

static enum reconcile_progress stage_measure(struct reconcile *reconcile, struct error *error)
{
    struct measure *measure = &reconcile->measure;
    enum status status = measure_step(measure, error);
    if (status == STATUS_REFUSED) return leave_budget(reconcile, error);
    if (status != STATUS_OK) return reconcile_fail(reconcile, status);
    if (measure->stage == MEASURE_DONE) {
        queue_note_booked(reconcile);
        reconcile->stage = STAGE_NUMBERS;
    }
    if (measure->wait_until_us == 0) return RECONCILE_MORE;
    reconcile->wait_until_us = measure->wait_until_us;
    return RECONCILE_WAIT;
}

/* After the numbers of a budget, and its orphans. */
static enum reconcile_progress next_budget(struct reconcile *reconcile)
{
    reconcile->summary.looked_at++;
    if (++reconcile->budget < reconcile->budget_count)
        begin_budget(reconcile);
    else
        reconcile->stage = STAGE_RIPEN;
    return RECONCILE_MORE;
}

static enum reconcile_progress measure_or_orphans(struct reconcile *reconcile, struct error *error)
{
    enum reconcile_progress progress = stage_numbers(reconcile, error);
    if (reconcile->measure_anew) begin_measure(reconcile);
    return progress;
}

static enum reconcile_progress orphans_or_next(struct reconcile *reconcile, struct error *error)
{
    enum reconcile_progress progress = stage_orphans(reconcile, error);
    struct audited_budget *budget = present_budget(reconcile);
    if (progress != RECONCILE_DONE) return progress;
    if (!budget->oversold || !reconcile->orphans.mended) return next_budget(reconcile);
    /* What was given back is more than there may be, by what was oversold. */
    begin_budget(reconcile);
    return RECONCILE_MORE;
}

static enum reconcile_progress stage_record(struct reconcile *reconcile, struct error *error)
{
    const struct reconcile_summary *summary = &reconcile->summary;
    struct reconcile_run run = {
        .started_at_us = reconcile->started_at_us,
        .finished_at_us = clock_wall_us(reconcile->options.clock),
        .actor = reconcile->options.actor,
        .repair = reconcile->options.repair,
        .complete = summary->complete,
        .clean = summary->clean,
        .budgets = summary->budgets,
        .mended = summary->mended,
    };
    for (size_t i = 0; i < FINDING_KIND_COUNT; i++) run.found[i] = summary->found[i];
    enum status status = STATUS_OK;
    if (reconcile->sight_count > 0)
        status =
            ledger_sights_record(reconcile->options.ledger, reconcile->sights, reconcile->sight_count, error);
    /* A look at one budget is not the run that the alarms wait for. */
    if (status == STATUS_OK && !text_is_present(reconcile->options.budget_id))
        status = ledger_run_record(reconcile->options.ledger, &run, error);
    if (status != STATUS_OK) return reconcile_fail(reconcile, status);
    ledger_unlock(reconcile->options.ledger, LEDGER_LOCK_RECONCILE);
    reconcile->stage = STAGE_DONE;
    return RECONCILE_DONE;
}

enum reconcile_progress reconcile_step(struct reconcile *reconcile, struct error *error)
{
    arena_reset(&reconcile->slice);
    switch (reconcile->stage) {
    case STAGE_LOCK: return stage_lock(reconcile, error);
    case STAGE_RECOVER:
    case STAGE_RECOVER_BOOKINGS: return stage_recover(reconcile, error);
    case STAGE_BUDGETS: return stage_budgets(reconcile, error);
    case STAGE_DEBTS: return stage_debts(reconcile, error);
    case STAGE_BASE: return stage_base(reconcile, error);
    case STAGE_MEASURE: return stage_measure(reconcile, error);
    case STAGE_NUMBERS: return measure_or_orphans(reconcile, error);
    case STAGE_ORPHANS: return orphans_or_next(reconcile, error);
    case STAGE_RIPEN: return stage_ripen(reconcile, error);
    case STAGE_RECORD: return stage_record(reconcile, error);
    case STAGE_DONE: break;
    }
    return RECONCILE_DONE;
}

int64_t reconcile_wait_until_us(const struct reconcile *reconcile)
{
    return reconcile->wait_until_us;
}

const struct reconcile_summary *reconcile_summary(const struct reconcile *reconcile)
{
    return &reconcile->summary;
}

void reconcile_free(struct reconcile *reconcile)
{
    if (reconcile == NULL) return;
    ledger_unlock(reconcile->options.ledger, LEDGER_LOCK_RECONCILE);
    free(reconcile->budgets);
    tally_free(&reconcile->tally);
    measure_free(&reconcile->measure);
    free(reconcile->debts.items);
    free(reconcile->orphans.chosen);
    free(reconcile->ripening.items);
    arena_free(&reconcile->ripening.arena);
    free(reconcile->sights);
    arena_free(&reconcile->arena);
    arena_free(&reconcile->slice);
    free(reconcile);
}
