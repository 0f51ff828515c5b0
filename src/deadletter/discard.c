#include "deadletter/discard_private.h"

#include "base/failpoint.h"
#include "base/instant.h"

#include <assert.h>
#include <inttypes.h>

/* A call of the ledger is not given up lightly: Redis may have given back already. */
#define TRIES_MAX    40
#define TRY_PAUSE_US (500 * INT64_C(1000))

void discard_begin(struct discard *discard, const struct dead_letter_ports *ports,
                   const struct discard_options *options)
{
    *discard = (struct discard){.ports = ports, .options = *options};
    letter_walk_begin(&discard->walk, ports, &options->filter, options->limit);
    discard->walk.total_max = options->total_max;
}

void discard_free(struct discard *discard)
{
    letter_walk_free(&discard->walk);
    letter_chunk_free(&discard->chunk);
}

void discard_stop(struct discard *discard)
{
    discard->stop = true;
}

static enum step fail(struct discard *discard, enum status status)
{
    assert(status != STATUS_OK);
    discard->status = status;
    discard->stage = DISCARD_CLOSING;
    return STEP_MORE;
}

static enum step wait_until(struct discard *discard, int64_t at_us)
{
    discard->wait_until_us = at_us;
    discard->wait_listens = discard->tries == 0;
    return STEP_WAIT;
}

/* The ledger has one writer at a time, and under load its turn may be long in coming: the same step again. */
static enum step try_again(struct discard *discard, enum status status)
{
    bool may_pass = status == STATUS_RETRY || status == STATUS_UNKNOWN;
    bool given_up = discard->stop && discard->stage != DISCARD_RECORDING;
    if (!may_pass || given_up || ++discard->tries > TRIES_MAX) return fail(discard, status);
    struct error error;
    enum status alive = consumer_keep_alive(discard->ports->consumer, &error);
    if (alive == STATUS_OK)
        return wait_until(discard, clock_monotonic_us(discard->ports->clock) + TRY_PAUSE_US);
    discard->error = error;
    return fail(discard, alive);
}

static enum step go_to(struct discard *discard, int stage)
{
    discard->tries = 0;
    discard->stage = (unsigned)stage;
    return STEP_MORE;
}

static enum step reading(struct discard *discard)
{
    if (discard->stop && discard->chunk.count == 0) return go_to(discard, DISCARD_COUNTING);
    switch (letter_chunk_step(&discard->chunk, &discard->walk, CHUNK_LETTERS_MAX, &discard->error)) {
    case CHUNK_MORE: return STEP_MORE;
    case CHUNK_WAIT: return wait_until(discard, discard->chunk.wait_until_us);
    case CHUNK_READY: discard_collect(discard); return go_to(discard, DISCARD_LOOKING_UP);
    case CHUNK_END: return go_to(discard, DISCARD_CLOSING);
    case CHUNK_FAILED: break;
    }
    return fail(discard, discard->walk.status);
}

/* Tells of each letter, in the order of the queue, and goes on. */
static enum step next_chunk(struct discard *discard)
{
    for (size_t i = 0; i < discard->chunk.count && discard->options.told != NULL; i++)
        discard->options.told(discard->options.context, &discard->chunk.letters[i], discard->items[i].fate,
                              discard->items[i].detail);
    letter_chunk_reset(&discard->chunk);
    return go_to(discard, discard->stop ? DISCARD_COUNTING : DISCARD_READING);
}

static enum step looking_up(struct discard *discard)
{
    enum status status = discard_look_up(discard, &discard->error);
    return status == STATUS_OK ? go_to(discard, DISCARD_ASKING) : try_again(discard, status);
}

/* What would be done, as far as the rows go that are there now. */
static enum step forecast(struct discard *discard)
{
    discard_plan_releases(discard);
    for (size_t i = 0; i < discard->chunk.count; i++) {
        struct discard_item *item = &discard->items[i];
        if (item->left) continue;
        item->fate = FATE_WOULD_DISCARD;
        item->detail = item->why_unclaimed != NULL
                           ? item->why_unclaimed
                           : arena_format(&discard->chunk.arena, "%zu voided, %" PRId64 " given back",
                                          item->voids, item->refund);
    }
    return next_chunk(discard);
}

static enum step asking(struct discard *discard)
{
    enum status status = discard_ask(discard, &discard->error);
    if (status != STATUS_OK) return fail(discard, status);
    discard_plan_voids(discard);
    return discard->options.dry_run ? forecast(discard) : go_to(discard, DISCARD_VOIDING);
}

static enum step voiding(struct discard *discard)
{
    enum status status = STATUS_OK;
    if (discard->void_count > 0)
        status = ledger_voids_insert(discard->ports->ledger, discard->ports->actor, discard->voids,
                                     discard->void_count, &discard->error);
    if (status == STATUS_OK) {
        FAILPOINT("discard-voided");
        /* Again: for the numbers of the new rows, and for ids that somebody else booked meanwhile. */
        status = discard_look_up(discard, &discard->error);
    }
    if (status != STATUS_OK) return try_again(discard, status);
    for (size_t i = 0; i < discard->void_count; i++) discard->voided += discard->voids[i].inserted;
    discard_plan_releases(discard);
    discard_plan_entries(discard);
    return go_to(discard, DISCARD_JOURNALING);
}

static enum step journaling(struct discard *discard)
{
    enum status status = STATUS_OK;
    if (discard->entry_count > 0)
        status = ledger_interventions_begin(discard->ports->ledger, discard->entries, discard->entry_count,
                                            &discard->error);
    return status == STATUS_OK ? go_to(discard, DISCARD_RELEASING) : try_again(discard, status);
}

/* What Redis refuses for good stays with the ledger where it is a debt; else its letter stays. */
static void take_releases(struct discard *discard)
{
    for (size_t i = 0; i < discard->claim_count; i++) {
        const struct discard_claim *claim = &discard->claims[i];
        const struct stock_release *release = claim->release;
        if (release == NULL) continue;
        if (release->status == STATUS_OK) {
            if (release->released) discard->refunded += release->amount;
            continue;
        }
        if (claim->is_debt)
            discard->refunds_due++;
        else
            discard_leave(
                discard, claim->letter,
                arena_format(&discard->chunk.arena, "Redis does not take it back: %s", discard->error.text));
    }
}

static enum step releasing(struct discard *discard)
{
    enum status status = STATUS_OK;
    if (discard->release_count > 0)
        status =
            stock_release(discard->ports->stock, discard->releases, discard->release_count, &discard->error);
    FAILPOINT("discard-released");
    if (status != STATUS_OK && status != STATUS_REFUSED) return fail(discard, status);
    take_releases(discard);
    return go_to(discard, DISCARD_RECORDING);
}

static enum status mark_debts(struct discard *discard)
{
    struct debt *debts = arena_alloc(&discard->chunk.arena, (discard->claim_count + 1) * sizeof *debts);
    size_t count = 0;
    for (size_t i = 0; i < discard->claim_count; i++) {
        const struct discard_claim *claim = &discard->claims[i];
        if (!claim->is_debt || claim->release->status != STATUS_OK) continue;
        debts[count++] = (struct debt){.kind = DEBT_REFUND,
                                       .sequence = claim->row.sequence,
                                       .budget_id = claim->row.budget_id,
                                       .id = claim->message_id,
                                       .amount = claim->row.amount,
                                       .deducted_at_us = claim->row.deducted_at_us,
                                       .outcome = DEDUCTION_VOIDED,
                                       .paid = true};
    }
    return count == 0 ? STATUS_OK : ledger_debts_mark(discard->ports->ledger, debts, count, &discard->error);
}

static enum status mark_parked(struct discard *discard)
{
    const struct letter_chunk *chunk = &discard->chunk;
    struct parked_mark *marks = arena_alloc(&discard->chunk.arena, chunk->items * sizeof *marks);
    size_t count = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        if (discard->items[i].left) continue;
        for (size_t k = 0; k < letter_item_count(&chunk->letters[i]); k++)
            marks[count++] = (struct parked_mark){.message_id = letter_item_id(&chunk->letters[i], k),
                                                  .reason = chunk->letters[i].reason};
    }
    if (count == 0) return STATUS_OK;
    return ledger_parked_mark(discard->ports->ledger, marks, count, PARKED_DISCARDED, &discard->error);
}

static enum status end_entries(struct discard *discard)
{
    size_t begun = 0;
    for (size_t i = 0; i < discard->entry_count; i++) {
        begun += discard->entries[i].state == INTERVENTION_BEGUN;
        discard->entries[i].state = INTERVENTION_DONE;
    }
    return begun == 0 ? STATUS_OK
                      : ledger_interventions_end(discard->ports->ledger, discard->entries,
                                                 discard->entry_count, &discard->error);
}

/* A guard that stays costs a few bytes and nothing else. */
static void forget_guards(struct discard *discard)
{
    struct error ignored;
    size_t count = 0;
    for (size_t i = 0; i < discard->release_count; i++) {
        const struct stock_release *release = &discard->releases[i];
        if (release->deducted_at_us == 0 && release->status == STATUS_OK)
            discard->releases[count++] = *release;
    }
    if (count > 0 &&
        stock_forget_guards(discard->ports->stock, discard->releases, count, &ignored) != STATUS_OK)
        return;
}

static enum step recording(struct discard *discard)
{
    enum status status = mark_debts(discard);
    if (status == STATUS_OK) status = end_entries(discard);
    if (status == STATUS_OK) status = mark_parked(discard);
    if (status == STATUS_OK) {
        FAILPOINT("discard-recorded");
        forget_guards(discard);
        return go_to(discard, DISCARD_ACKNOWLEDGING);
    }
    return try_again(discard, status);
}

static enum step acknowledging(struct discard *discard)
{
    uint64_t tags[CHUNK_LETTERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < discard->chunk.count; i++)
        if (!discard->items[i].left) tags[count++] = discard->chunk.letters[i].tag;
    enum status status = letter_walk_acknowledge(&discard->walk, tags, count, &discard->error);
    if (status != STATUS_OK) return fail(discard, status);
    FAILPOINT("discard-acknowledged");
    discard->done += (int64_t)count;
    return next_chunk(discard);
}

/* What is left because it was stopped is counted all the same. */
static enum step counting(struct discard *discard)
{
    struct letter letter;
    switch (letter_walk_step(&discard->walk, &letter, &discard->error)) {
    case WALK_MORE:
    case WALK_LETTER: return STEP_MORE;
    case WALK_WAIT: return wait_until(discard, discard->walk.wait_until_us);
    case WALK_END: return go_to(discard, DISCARD_CLOSING);
    case WALK_FAILED: break;
    }
    return fail(discard, discard->walk.status);
}

static enum step closing(struct discard *discard)
{
    enum step step = letter_walk_close_step(&discard->walk);
    if (step == STEP_WAIT) return wait_until(discard, discard->walk.wait_until_us);
    if (step != STEP_DONE) return step;
    discard->stage = DISCARD_OVER;
    return STEP_MORE;
}

enum step discard_step(struct discard *discard)
{
    switch (discard->stage) {
    case DISCARD_READING: return reading(discard);
    case DISCARD_LOOKING_UP: return looking_up(discard);
    case DISCARD_ASKING: return asking(discard);
    case DISCARD_VOIDING: return voiding(discard);
    case DISCARD_JOURNALING: return journaling(discard);
    case DISCARD_RELEASING: return releasing(discard);
    case DISCARD_RECORDING: return recording(discard);
    case DISCARD_ACKNOWLEDGING: return acknowledging(discard);
    case DISCARD_COUNTING: return counting(discard);
    case DISCARD_CLOSING: return closing(discard);
    case DISCARD_OVER: break;
    }
    return discard->status == STATUS_OK ? STEP_DONE : STEP_FAILED;
}
