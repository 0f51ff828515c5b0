#include "core/worker_state.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>

#define TELLS_CAPACITY_KEPT 1024

static struct tells *tells_at(struct worker *worker, size_t index)
{
    return &worker->tells[(worker->tells_first + index) % TELLS_MAX];
}

/* Another token than the row's is another deduction. A row without token cannot be compared so: what was
 * deducted after it was booked is another one, and what was deducted before may be its own, by a producer
 * that does not pass its token on. That is settled, for too little sold can be mended later, too much cannot.
 */
static bool is_second_deduction(const struct booked *booked, int64_t token_us)
{
    if (booked->deducted_at_us == 0) return token_us > booked->booked_at_us;
    return token_us != booked->deducted_at_us;
}

enum tell_kind tell_kind_for(const struct booked *booked, int64_t token_us)
{
    if (booked->state == DEDUCTION_REJECTED) return TELL_REJECTED;
    if (booked->state == DEDUCTION_VOIDED) return TELL_VOIDED;
    return is_second_deduction(booked, token_us) ? TELL_EXTRA : TELL_SETTLE;
}

/* With Redis up but slow the next commit waits for room; with Redis away nothing waits for it. */
bool tell_has_room(const struct worker *worker)
{
    return worker->tells_count < TELLS_MAX || !worker->stock.up;
}

/* Each of the lists would else keep the room of the largest batch it ever had. */
static void tells_empty(struct tells *tells)
{
    tells->count = 0;
    if (tells->capacity <= TELLS_CAPACITY_KEPT) {
        arena_reset(&tells->arena);
        return;
    }
    free(tells->items);
    tells->items = NULL;
    tells->capacity = 0;
    arena_free(&tells->arena);
}

struct tells *tell_open(struct worker *worker)
{
    if (worker->tells_count == TELLS_MAX) tell_drop_all(worker);
    assert(worker->tells_count < TELLS_MAX);
    struct tells *tells = tells_at(worker, worker->tells_count++);
    tells_empty(tells);
    tells->extras = 0;
    return tells;
}

void tell_add(struct tells *tells, const struct deduction *deduction, enum tell_kind kind)
{
    assert(deduction->deducted_at_us != 0);
    if (tells->count == tells->capacity) {
        tells->capacity = tells->capacity == 0 ? TELLS_CAPACITY_KEPT : tells->capacity * 2;
        tells->items = memory_resize(tells->items, tells->capacity, sizeof *tells->items);
    }
    struct tell *previous = tells->count == 0 ? NULL : &tells->items[tells->count - 1];
    struct tell *tell = &tells->items[tells->count++];
    bool same = previous != NULL && text_equal(previous->budget_id, deduction->budget_id);
    *tell = (struct tell){
        .budget_id = same ? previous->budget_id : arena_copy(&tells->arena, deduction->budget_id),
        .message_id = arena_copy(&tells->arena, deduction->message_id),
        .deducted_at_us = deduction->deducted_at_us,
        .kind = kind,
    };
}

/* Their pendings stay; the clean-up finds them once Redis is back. The list that the stock has in its hand
 * stays too. */
void tell_drop_all(struct worker *worker)
{
    size_t kept = worker->out[HAND_STOCK] && worker->jobs[HAND_STOCK].kind == JOB_TELL ? 1 : 0;
    for (size_t i = kept; i < worker->tells_count; i++)
        worker->counts.tells_dropped += tells_at(worker, i)->count;
    if (worker->tells_count > kept) worker->sweep_wanted = true;
    worker->tells_count = kept;
}

bool tell_next_job(struct worker *worker, struct job *job)
{
    while (worker->tells_count > 0 && tells_at(worker, 0)->count == 0) {
        worker->tells_first = (worker->tells_first + 1) % TELLS_MAX;
        worker->tells_count--;
    }
    if (worker->tells_count == 0) return false;
    *job = (struct job){.kind = JOB_TELL, .tells = tells_at(worker, 0)};
    return true;
}

void tell_done(struct worker *worker, struct job *job)
{
    struct tells *tells = tells_at(worker, 0);
    assert(worker->tells_count > 0 && tells == job->tells);
    worker->tells_first = (worker->tells_first + 1) % TELLS_MAX;
    worker->tells_count--;
    if (job->status == STATUS_OK) {
        worker->counts.extras += tells->extras;
        tells_empty(tells);
        return;
    }
    worker->counts.tells_dropped += tells->count;
    worker->sweep_wanted = true;
    if (job->status == STATUS_REFUSED) {
        worker_note(worker, LOG_ERROR, "redis-refused", "rows", (int64_t)tells->count, "%s", job->error.text);
    }
    tells_empty(tells);
}
