/* What broker, ledger and Redis of a story answer to a job. */
#include "fake/story.h"

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The index of the message with this id: m17. */
static struct story_message *message_of(struct story *story, struct text id)
{
    assert(id.size > 1 && id.data[0] == 'm');
    char digits[16] = "";
    memcpy(digits, id.data + 1, id.size - 1);
    return &story->messages[atoi(digits)];
}

static enum verdict verdict_of(const struct story_message *message)
{
    if (message->content == CONTENT_CONFLICT) return VERDICT_CONFLICT;
    if (message->booked || message->content == CONTENT_VOIDED) return VERDICT_DUPLICATE;
    return message->content == CONTENT_REJECTED ? VERDICT_REJECTED : VERDICT_SETTLED;
}

static enum deduction_state state_of(const struct story_message *message)
{
    if (message->content == CONTENT_VOIDED) return DEDUCTION_VOIDED;
    return message->content == CONTENT_REJECTED ? DEDUCTION_REJECTED : DEDUCTION_SETTLED;
}

static enum deduction_reason reason_of(const struct story_message *message)
{
    if (message->content == CONTENT_VOIDED) return REASON_ORPHANED;
    return message->content == CONTENT_REJECTED ? REASON_OVER_TOTAL : REASON_NONE;
}

static enum status answer_settle(struct story *story, struct job *job)
{
    if (story->ledger != STATUS_OK) return story->ledger;
    struct batch_item *items = job->settle.batch->items + job->settle.first;
    story->settles++;
    if (job->settle.count > story->largest_settle) story->largest_settle = job->settle.count;
    for (size_t i = 0; i < job->settle.count; i++) {
        if (message_of(story, items[i].deduction.message_id)->content == CONTENT_REFUSED)
            return STATUS_REFUSED;
    }
    for (size_t i = 0; i < job->settle.count; i++) {
        struct story_message *message = message_of(story, items[i].deduction.message_id);
        items[i].verdict = verdict_of(message);
        items[i].known.state = state_of(message);
        items[i].known.reason = reason_of(message);
        items[i].known.deducted_at_us = items[i].deduction.deducted_at_us;
        if (items[i].verdict == VERDICT_REJECTED) {
            items[i].reason = REASON_OVER_TOTAL;
            story->debts_due++;
        }
        if (items[i].verdict != VERDICT_CONFLICT) message->booked = true;
    }
    if (!story->lose_commit_answer) return STATUS_OK;
    story->lose_commit_answer = false;
    return STATUS_UNKNOWN;
}

static enum status answer_park(struct story *story, struct job *job)
{
    for (struct park *park = job->parks; park != NULL; park = park->next) {
        park->confirmed = !story->refuse_confirms;
        if (story->refuse_confirms) continue;
        story->parks++;
        if (text_is_present(park->message_id)) message_of(story, park->message_id)->confirmed = true;
    }
    return story->refuse_confirms ? STATUS_RETRY : STATUS_OK;
}

/* Whether the story wants this job refused; the next one of its kind is not. */
static bool is_refused(struct story *story, const struct job *job)
{
    if (story->refuses != job->kind) return false;
    story->refuses = JOB_NONE;
    return true;
}

static enum status answer_record(struct story *story, struct job *job)
{
    if (story->ledger != STATUS_OK) return story->ledger;
    bool alone = job->parks->next == NULL; /* else its rows come again, one by one */
    for (struct park *park = job->parks; park != NULL; park = park->next) {
        assert(park->confirmed && "recorded before the broker confirmed it");
        if (!text_is_present(park->message_id)) continue;
        struct story_message *message = message_of(story, park->message_id);
        message->recorded = story->refuses != JOB_RECORD;
        message->unrecordable = story->refuses == JOB_RECORD && alone;
    }
    return is_refused(story, job) ? STATUS_REFUSED : STATUS_OK;
}

static enum status answer_tell(struct story *story, const struct job *job)
{
    if (story->stock != STATUS_OK) return story->stock;
    if (story->stock_refuses_tells) return STATUS_REFUSED;
    for (size_t i = 0; i < job->tells->count; i++) {
        const struct tell *tell = &job->tells->items[i];
        assert(message_of(story, tell->message_id)->booked && "Redis is told before it is booked");
        story->tells_settled += tell->kind == TELL_SETTLE;
        story->tells_extra += tell->kind == TELL_EXTRA;
        story->tells_voided += tell->kind == TELL_VOIDED;
    }
    return STATUS_OK;
}

/* Debts are only counted here: which they are is the ledger's affair. */
static enum status answer_debts(struct story *story, struct job *job)
{
    struct debt_list *debts = job->debts;
    switch (job->kind) {
    case JOB_DEBTS_FETCH:
        if (story->ledger != STATUS_OK) return story->ledger;
        debts->count = debts->cursor.refund_sequence == 0 ? story->debts_due - story->debts_marked : 0;
        debts->cursor.refund_sequence = 1;
        for (size_t i = 0; i < debts->count; i++)
            debts->items[i] = (struct debt){.deducted_at_us = story->debts_without_token ? 0 : 1};
        return STATUS_OK;
    case JOB_DEBTS_PAY:
        if (story->stock != STATUS_OK) return story->stock;
        story->debts_tries++;
        if (story->refuse_debts) return STATUS_REFUSED;
        for (size_t i = 0; i < debts->count; i++) debts->items[i].paid = i >= story->refuse_first;
        for (size_t i = 0; i < debts->count; i++) story->debts_paid += debts->items[i].paid;
        return story->refuse_first > 0 ? STATUS_REFUSED : STATUS_OK;
    case JOB_DEBTS_MARK:
        if (story->ledger != STATUS_OK) return story->ledger;
        if (is_refused(story, job)) return STATUS_REFUSED;
        for (size_t i = 0; i < debts->count; i++) story->debts_marked += debts->items[i].paid;
        return STATUS_OK;
    default:
        if (story->stock == STATUS_OK) story->debts_forgotten += debts->count;
        return story->stock;
    }
}

static enum status answer_sweep_scan(struct story *story, struct sweep *sweep)
{
    static struct sweep_entry entries[STORY_MESSAGES_MAX];
    size_t half = story->pendings / 2;
    sweep->count = sweep->cursor == 0 ? half : story->pendings - half;
    sweep->cursor = sweep->cursor == 0 ? 1 : 0;
    if (sweep->capacity < sweep->count) {
        sweep->entries = memory_resize(sweep->entries, sweep->count, sizeof *sweep->entries);
        sweep->capacity = sweep->count;
    }
    if (sweep->count > 0) memcpy(sweep->entries, entries, sweep->count * sizeof *entries);
    return STATUS_OK;
}

static enum status answer_sweep(struct story *story, struct job *job)
{
    struct sweep *sweep = job->sweep;
    bool of_stock = job->kind == JOB_SWEEP_SCAN || job->kind == JOB_SWEEP_RESOLVE;
    enum status service = of_stock ? story->stock : story->ledger;
    if (service != STATUS_OK) return service;
    if (is_refused(story, job)) return STATUS_REFUSED;
    switch (job->kind) {
    case JOB_SWEEP_BUDGET:
        story->sweeps += !text_is_present(sweep->budget_id);
        sweep->budget_id = text_is_present(sweep->budget_id) ? TEXT_NONE : TEXT_LITERAL("b");
        return STATUS_OK;
    case JOB_SWEEP_SCAN: return answer_sweep_scan(story, sweep);
    case JOB_SWEEP_LOOKUP:
        for (size_t i = 0; i < sweep->count; i++) sweep->entries[i].resolve = i % 2 == 0;
        return STATUS_OK;
    default:
        if (story->stock_refuses_writes) return STATUS_RETRY;
        for (size_t i = 0; i < sweep->count; i++) story->resolved += sweep->entries[i].resolve;
        return STATUS_OK;
    }
}

void story_job_answer(struct story *story, struct job *job)
{
    snprintf(job->error.text, sizeof job->error.text, "%s",
             story->says == NULL ? "as the story wants it" : story->says);
    switch (job->kind) {
    case JOB_LEDGER_PING: job->status = story->ledger; break;
    case JOB_STOCK_PING: job->status = story->stock; break;
    case JOB_LEDGER_STATS: job->status = story->ledger; break;
    case JOB_SETTLE: job->status = answer_settle(story, job); break;
    case JOB_RECORD: job->status = answer_record(story, job); break;
    case JOB_PARK: job->status = answer_park(story, job); break;
    case JOB_TELL: job->status = answer_tell(story, job); break;
    case JOB_DEPTH:
        job->depth.ready = job->depth.dead_lettered = 0;
        job->status = STATUS_OK;
        break;
    case JOB_DEBTS_FETCH:
    case JOB_DEBTS_PAY:
    case JOB_DEBTS_MARK:
    case JOB_DEBTS_FORGET: job->status = answer_debts(story, job); break;
    case JOB_SWEEP_BUDGET:
    case JOB_SWEEP_SCAN:
    case JOB_SWEEP_LOOKUP:
    case JOB_SWEEP_RESOLVE: job->status = answer_sweep(story, job); break;
    case JOB_NONE: assert(false && "a job"); break;
    }
}
