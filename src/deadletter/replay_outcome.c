/* What became of what was replayed, as far as the ledger tells. */
#include "deadletter/replay_private.h"

#include "base/instant.h"

#include <inttypes.h>

/* Rows read at a time, and how many times in one step. */
#define ENTRIES_MAX 500
#define PAGES_MAX   8

/* Fewer say nothing about a share. */
#define SAMPLE_MIN 20

static void judge_share(struct replay *replay)
{
    if (replay->came_back < SAMPLE_MIN || replay->options.max_failures >= 100) return;
    if (replay->came_back * 100 <= replay->options.max_failures * replay->done) return;
    replay_stop(replay,
                arena_format(&replay->arena,
                             "%" PRId64 " of %" PRId64 " replayed messages came back, more than %" PRId64
                             " per cent; see why with `bursar dlq show`, and --max-failures",
                             replay->came_back, replay->done, replay->options.max_failures));
}

static void canary_failed(struct replay *replay, struct text id, const char *how)
{
    replay_stop(replay,
                arena_format(&replay->arena, "the canary failed: message '" TEXT_FORMAT "' %s",
                             TEXT_ARGUMENTS(text_is_present(id) ? id : TEXT_LITERAL("without id")), how));
}

/* The canary's own ids, while it is watched. */
static void canary_sees(struct replay *replay, const struct parked_entry *entry)
{
    for (size_t i = 0; i < replay->canary_count && !replay->canary_over; i++) {
        struct text id = replay->canary_ids[i].message_id;
        if (text_is_present(id) != text_is_present(entry->message_id) || !text_equal(id, entry->message_id))
            continue;
        canary_failed(
            replay, id,
            arena_format(&replay->arena, "was parked again: " TEXT_FORMAT, TEXT_ARGUMENTS(entry->reason)));
        return;
    }
}

static void count_entry(struct replay *replay, const struct parked_entry *entry)
{
    replay->parked_sequence = entry->sequence;
    if (text_is_present(entry->message_id)) {
        if (!id_set_has(&replay->replayed, entry->message_id)) return;
        replay->came_back++;
    } else {
        if (replay->came_back_without_id >= replay->replayed_without_id) return;
        replay->came_back_without_id++;
        replay->came_back++;
    }
    canary_sees(replay, entry);
}

enum status replay_look_back(struct replay *replay, struct error *error)
{
    struct arena scratch = {0};
    struct parked_entry entries[ENTRIES_MAX];
    enum status status = STATUS_OK;
    size_t count = ENTRIES_MAX;
    for (size_t page = 0; page < PAGES_MAX && count == ENTRIES_MAX && status == STATUS_OK; page++) {
        arena_reset(&scratch);
        status = ledger_parked_since(replay->ports->ledger, replay->parked_sequence, &scratch, entries,
                                     ENTRIES_MAX, &count, error);
        for (size_t i = 0; i < count && status == STATUS_OK; i++) count_entry(replay, &entries[i]);
    }
    arena_free(&scratch);
    if (status == STATUS_OK) judge_share(replay);
    return status;
}

static void remember_id(struct replay *replay, struct text id)
{
    if (text_is_present(id))
        id_set_add(&replay->replayed, id);
    else
        replay->replayed_without_id++;
}

static bool is_canary(const struct replay *replay)
{
    return replay->options.canary > 0 && !replay->canary_over;
}

static void watch_id(struct replay *replay, const struct canary_id *id)
{
    struct canary_id *kept = &replay->canary_ids[replay->canary_count++];
    *kept = *id;
    kept->message_id = arena_copy(&replay->arena, id->message_id);
    kept->budget_id = arena_copy(&replay->arena, id->budget_id);
}

void replay_remember(struct replay *replay)
{
    if (is_canary(replay) && replay->canary_count == 0)
        replay->canary_ids = arena_alloc(&replay->arena, replay->chunk.items * sizeof *replay->canary_ids);
    for (size_t i = 0; i < replay->chunk.count; i++) {
        const struct message *message = replay->items[i].message;
        if (replay->items[i].left) continue;
        bool readable = message->reason == PARK_NONE;
        for (size_t k = 0; k < (readable ? message->count : 1); k++) {
            const struct deduction *deduction = readable ? &message->items[k].deduction : NULL;
            bool valid = readable && message->items[k].reason == PARK_NONE;
            struct canary_id id = {.message_id = readable ? deduction->message_id : message->message_id,
                                   .budget_id = valid ? deduction->budget_id : TEXT_NONE,
                                   .amount = valid ? deduction->amount : 0};
            remember_id(replay, id.message_id);
            if (is_canary(replay)) watch_id(replay, &id);
        }
    }
}

/* Booked with another amount or budget means nothing yet: it will come back as a conflict. */
static void judge_row(struct replay *replay, struct canary_id *id, const struct ledger_deduction *row)
{
    if (!row->found || id->well) return;
    if (!text_equal(row->budget_id, id->budget_id) || row->amount != id->amount) return;
    id->well = row->state == DEDUCTION_SETTLED;
    if (id->well) return;
    const char *reason = deduction_reason_name(row->reason);
    canary_failed(replay, id->message_id,
                  arena_format(&replay->arena, "was %s%s%s", deduction_state_name(row->state),
                               reason == NULL ? "" : ": ", reason == NULL ? "" : reason));
}

enum status replay_watch_canary(struct replay *replay, bool *over, struct error *error)
{
    struct arena scratch = {0};
    size_t count = replay->canary_count, waiting = 0;
    struct ledger_deduction *rows = arena_alloc(&scratch, (count + 1) * sizeof *rows);
    struct text *ids = arena_alloc(&scratch, (count + 1) * sizeof *ids);
    for (size_t i = 0; i < count; i++)
        ids[i] = text_is_present(replay->canary_ids[i].message_id) ? replay->canary_ids[i].message_id
                                                                   : TEXT_LITERAL("");
    enum status status = replay_look_back(replay, error);
    if (status == STATUS_OK)
        status = ledger_deductions_find(replay->ports->ledger, ids, count, &scratch, rows, error);
    for (size_t i = 0; i < count && status == STATUS_OK && !replay->stop; i++) {
        judge_row(replay, &replay->canary_ids[i], &rows[i]);
        waiting += !replay->canary_ids[i].well;
    }
    arena_free(&scratch);
    if (status != STATUS_OK) return status;
    bool late = clock_monotonic_us(replay->ports->clock) >= replay->canary_deadline_us;
    if (waiting > 0 && late && !replay->stop)
        replay_stop(replay,
                    arena_format(&replay->arena,
                                 "the canary failed: of %zu deductions nothing was heard within %" PRId64
                                 " s; is a worker running? See --canary-wait",
                                 waiting, replay->options.canary_wait_us / MICROSECONDS_PER_SECOND));
    *over = waiting == 0 || replay->stop;
    replay->canary_over = *over;
    return STATUS_OK;
}
