#include "fake/story.h"

#include <assert.h>
#include <stdio.h>
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
    assert((message->booked || (message->confirmed && (message->recorded || message->unrecordable))) &&
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
        case EFFECT_NOTE:
            snprintf(story->last_note, sizeof story->last_note, "%s", effect.note.event);
            snprintf(story->last_detail, sizeof story->last_detail, "%s", effect.note.detail);
            break;
        case EFFECT_STOPPED: story->stopped = true; break;
        }
    }
}

bool story_answer(struct story *story, enum hand hand)
{
    struct job *job = story->jobs[hand];
    if (job == NULL) return false;
    story_job_answer(story, job);
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
