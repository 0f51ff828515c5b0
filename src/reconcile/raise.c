/* Whether the present measurement allows the stock to be raised.
 *
 *  BEGIN -> QUEUE (it is past the measurement) -> TAIL (what it held meanwhile is in no sum) -> BEGIN
 *
 * A message that is booked while the queue is waited for may be one whose entry is lost, or that never had
 * one: it is then neither among the rows that were measured nor among the entries, and its amount would be
 * given out again. */
#include "reconcile/reconcile_state.h"

#define STALE_MAX 5

/* Where the key is missing nothing was sold since. And where Redis's clock was set back, the token of a row
 * does not tell. Any row counts then. */
static int64_t counts_up_to_us(const struct reconcile *reconcile)
{
    const struct stock_audit *first = &reconcile->measure.first;
    bool any = first->left == STOCK_LEFT_NONE || reconcile->queue.clock_went_back;
    return any ? INT64_MAX : first->now_us;
}

static void begin(struct reconcile *reconcile)
{
    queue_forget(reconcile);
    tally_cut(&reconcile->tally, reconcile->budget, counts_up_to_us(reconcile));
    reconcile->raise.step = RAISE_QUEUE;
}

static enum raise_answer answered(struct reconcile *reconcile, enum raise_answer answer)
{
    tally_cut_end(&reconcile->tally);
    reconcile->raise.step = RAISE_BEGIN;
    return answer;
}

static enum raise_answer ask_queue(struct reconcile *reconcile)
{
    switch (queue_is_past(reconcile, reconcile->measure.second.now_us, false)) {
    case QUEUE_WAIT: return RAISE_WAIT;
    case QUEUE_NOT_PAST: return answered(reconcile, RAISE_NOT_NOW);
    case QUEUE_PAST: break;
    }
    reconcile->raise.step = RAISE_TAIL;
    return RAISE_MORE;
}

static enum status read_tail(struct reconcile *reconcile, enum raise_answer *answer, struct error *error)
{
    bool more = false;
    enum status status = tally_read(&reconcile->tally, reconcile->options.ledger, &more, error);
    if (status != STATUS_OK) return status;
    if (more)
        *answer = RAISE_MORE;
    else if (reconcile->tally.before_cut_rows == 0)
        *answer = answered(reconcile, RAISE_ALLOWED);
    else
        *answer = answered(reconcile, ++reconcile->raise.stale > STALE_MAX ? RAISE_NEVER : RAISE_STALE);
    return STATUS_OK;
}

enum status raise_ask(struct reconcile *reconcile, enum raise_answer *answer, struct error *error)
{
    *answer = RAISE_MORE;
    switch (reconcile->raise.step) {
    case RAISE_BEGIN: begin(reconcile); break;
    case RAISE_QUEUE: *answer = ask_queue(reconcile); break;
    case RAISE_TAIL: return read_tail(reconcile, answer, error);
    }
    return STATUS_OK;
}
