#include "fake/story.h"

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct worker_settings story_settings(void)
{
    return (struct worker_settings){.prefetch = 100,
                                    .batch_max = 10,
                                    .memory_max = 1 << 20,
                                    .retry_max_us = 30000000,
                                    .stall_after_us = 60000000,
                                    .drain_timeout_us = 25000000,
                                    .seed = 42};
}

void story_begin(struct story *story, const struct worker_settings *settings)
{
    memset(story, 0, sizeof *story);
    story->now_us = 1000000;
    story->worker = worker_new(settings, story->now_us);
}

void story_end(struct story *story)
{
    worker_free(story->worker);
}

static void step(struct story *story, struct event event)
{
    event.now_us = story->now_us;
    worker_step(story->worker, &event);
}

size_t story_publish(struct story *story, enum story_content content)
{
    assert(story->message_count < STORY_MESSAGES_MAX);
    story->messages[story->message_count] = (struct story_message){.content = content};
    return story->message_count++;
}

/* The index of the message with this id: m17. */
static struct story_message *message_of(struct story *story, struct text id)
{
    assert(id.size > 1 && id.data[0] == 'm');
    char digits[16] = "";
    memcpy(digits, id.data + 1, id.size - 1);
    return &story->messages[atoi(digits)];
}

static void deliver_one(struct story *story, size_t index)
{
    struct story_message *message = &story->messages[index];
    message->delivered = true;
    message->tag = story->next_tag++;
    assert(message->tag < STORY_TAGS_MAX);
    story->tag_owner[message->tag] = (uint32_t)index + 1;
    char id[16], body[160];
    int id_size = snprintf(id, sizeof id, "m%zu", index);
    int size =
        message->content == CONTENT_UNREADABLE
            ? snprintf(body, sizeof body, "no json")
            : snprintf(body, sizeof body,
                       "{\"message_id\":\"%s\",\"budget_id\":\"b%zu\",\"amount\":1,\"deducted_at\":%zu}", id,
                       index % 3, index + 1);
    struct worker_delivery delivery = {.tag = message->tag,
                                       .exchange = text_of("bursar"),
                                       .routing_key = text_of("deduction"),
                                       .message_id = {id, (size_t)id_size},
                                       .properties = text_of("\x80"),
                                       .body = {body, (size_t)size}};
    step(story, (struct event){.kind = EVENT_DELIVERY, .delivery = &delivery});
}

void story_deliver(struct story *story)
{
    for (size_t i = 0; i < story->message_count && story->consuming; i++) {
        const struct story_message *message = &story->messages[i];
        if (message->gone || message->delivered) continue;
        if (!worker_wants_delivery(story->worker)) break;
        deliver_one(story, i);
        story_effects(story);
    }
}

static void acknowledge(struct story *story, uint64_t tag)
{
    uint32_t owner = story->tag_owner[tag];
    assert(owner != 0 && "an unknown tag, or one acknowledged twice, closes the channel");
    struct story_message *message = &story->messages[owner - 1];
    assert(message->delivered && message->tag == tag);
    assert((message->booked || (message->confirmed && message->recorded)) &&
           "acknowledged before it was durable");
    story->tag_owner[tag] = 0;
    message->gone = true;
    message->delivered = false;
}

static void effect_acknowledge(struct story *story, const struct effect *effect)
{
    assert(story->connected && "an acknowledgement without a connection");
    assert(story->tag_owner[effect->tag] != 0);
    story->acks++;
    if (!effect->multiple) {
        acknowledge(story, effect->tag);
        return;
    }
    story->multiple_acks++;
    for (uint64_t tag = 1; tag <= effect->tag; tag++) {
        if (story->tag_owner[tag] != 0) acknowledge(story, tag);
    }
}

/* Every delivery of the connection becomes ready again. */
static void forget_connection(struct story *story)
{
    story->connected = false;
    story->consuming = false;
    story->next_tag = 1;
    memset(story->tag_owner, 0, sizeof story->tag_owner);
    for (size_t i = 0; i < story->message_count; i++) story->messages[i].delivered = false;
}

static void effect_connect(struct story *story)
{
    static const struct error refused = {"connection refused"};
    story->connects++;
    if (story->connect == STATUS_OK) {
        forget_connection(story);
        story->connected = true;
    }
    step(story, (struct event){.kind = EVENT_CONNECTED, .status = story->connect, .error = &refused});
}

void story_effects(struct story *story)
{
    struct effect effect;
    while (!story->stopped && worker_next_effect(story->worker, &effect)) {
        switch (effect.kind) {
        case EFFECT_CONNECT: effect_connect(story); break;
        case EFFECT_START:
            story->starts++;
            story->consuming = true;
            step(story, (struct event){.kind = EVENT_STARTED, .status = STATUS_OK});
            break;
        case EFFECT_CANCEL:
            story->cancels++;
            story->consuming = false;
            break;
        case EFFECT_DISCONNECT:
            story->disconnects++;
            forget_connection(story);
            break;
        case EFFECT_ACKNOWLEDGE: effect_acknowledge(story, &effect); break;
        case EFFECT_JOB:
            assert(story->jobs[effect.hand] == NULL && "a hand does one job at a time");
            story->jobs[effect.hand] = effect.job;
            break;
        case EFFECT_NOTE: snprintf(story->last_note, sizeof story->last_note, "%s", effect.note.event); break;
        case EFFECT_STOPPED: story->stopped = true; break;
        }
    }
}

static enum verdict verdict_of(const struct story_message *message)
{
    if (message->content == CONTENT_CONFLICT) return VERDICT_CONFLICT;
    if (message->booked) return VERDICT_DUPLICATE;
    return message->content == CONTENT_REJECTED ? VERDICT_REJECTED : VERDICT_SETTLED;
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
        items[i].known.state = message->content == CONTENT_REJECTED ? DEDUCTION_REJECTED : DEDUCTION_SETTLED;
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

static enum status answer_record(struct story *story, struct job *job)
{
    if (story->ledger != STATUS_OK) return story->ledger;
    for (struct park *park = job->parks; park != NULL; park = park->next) {
        assert(park->confirmed && "recorded before the broker confirmed it");
        if (text_is_present(park->message_id)) message_of(story, park->message_id)->recorded = true;
    }
    return STATUS_OK;
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
        for (size_t i = 0; i < debts->count; i++) debts->items[i] = (struct debt){.deducted_at_us = 1};
        return STATUS_OK;
    case JOB_DEBTS_PAY:
        if (story->stock != STATUS_OK) return story->stock;
        story->debts_tries++;
        if (story->refuse_debts) return STATUS_REFUSED;
        for (size_t i = 0; i < debts->count; i++) debts->items[i].paid = true;
        story->debts_paid += debts->count;
        return STATUS_OK;
    case JOB_DEBTS_MARK:
        if (story->ledger != STATUS_OK) return story->ledger;
        for (size_t i = 0; i < debts->count; i++) story->debts_marked += debts->items[i].paid;
        return STATUS_OK;
    default: return STATUS_OK;
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
    if (story->sweep_fails == job->kind) {
        story->sweep_fails = JOB_NONE;
        return STATUS_REFUSED;
    }
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

bool story_answer(struct story *story, enum hand hand)
{
    struct job *job = story->jobs[hand];
    if (job == NULL) return false;
    snprintf(job->error.text, sizeof job->error.text, "as the story wants it");
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
    if (hand == HAND_STOCK) {
        job->reconnected = job->status == STATUS_OK && !story->stock_reached;
        story->stock_reached = job->status == STATUS_OK || job->status == STATUS_REFUSED;
    }
    story->jobs[hand] = NULL;
    step(story, (struct event){.kind = EVENT_JOB_DONE, .hand = hand});
    story_effects(story);
    return true;
}

void story_disconnect(struct story *story)
{
    static const struct error lost = {"connection reset"};
    if (!story->connected) return;
    forget_connection(story);
    step(story, (struct event){.kind = EVENT_DISCONNECTED, .error = &lost});
    story_effects(story);
}

void story_cancel(struct story *story)
{
    story->consuming = false;
    step(story, (struct event){.kind = EVENT_CANCELLED});
    story_effects(story);
}

void story_pass(struct story *story, int64_t microseconds)
{
    story->now_us += microseconds;
    step(story, (struct event){.kind = EVENT_CLOCK});
    story_effects(story);
}

void story_stop(struct story *story)
{
    step(story, (struct event){.kind = EVENT_STOP});
    story_effects(story);
}

bool story_run(struct story *story, size_t turns)
{
    for (size_t turn = 0; turn < turns && !story->stopped; turn++) {
        story_pass(story, 100000);
        story_deliver(story);
        for (enum hand hand = 0; hand < HAND_COUNT; hand++) {
            while (story_answer(story, hand)) {
            }
        }
    }
    for (size_t i = 0; i < story->message_count; i++) {
        if (!story->messages[i].gone) return false;
    }
    return true;
}
