/* A stage for the worker's core: a broker, a ledger and a Redis of a few lines each, driven by hand in
 * virtual time. It holds the core to its promises at every effect: a tag is acknowledged once, on its own
 * connection, and only when what it carried is booked, or parked, confirmed and recorded. */
#ifndef BURSAR_TESTS_FAKE_STORY_H
#define BURSAR_TESTS_FAKE_STORY_H

#include "core/worker.h"

#define STORY_MESSAGES_MAX 4096
#define STORY_TAGS_MAX     65536

enum story_content {
    CONTENT_GOOD,
    CONTENT_UNREADABLE,
    CONTENT_REJECTED,
    CONTENT_CONFLICT,
    CONTENT_REFUSED,
    CONTENT_VOIDED
};

struct story_message {
    enum story_content content;
    bool delivered; /* held by the consumer of the present connection */
    bool gone;      /* acknowledged: the broker forgot it */
    bool booked;
    bool confirmed; /* by the dead-letter queue */
    bool recorded;
    bool unrecordable; /* the ledger refused its row for good */
    uint64_t tag;
};

struct story {
    struct worker *worker;
    int64_t now_us;
    bool connected, consuming, cancelling, stopped;
    uint64_t next_tag;
    struct story_message messages[STORY_MESSAGES_MAX];
    size_t message_count;
    uint32_t tag_owner[STORY_TAGS_MAX]; /* message index + 1, of the present connection */
    struct job *jobs[HAND_COUNT];       /* out, not answered */
    /* what the next answers are */
    enum status ledger, stock, connect;
    bool lose_commit_answer; /* the next settle is booked and answered STATUS_UNKNOWN */
    bool refuse_confirms;
    bool stock_reached;        /* the latest job found a connection that the next one finds again */
    bool stock_refuses_tells;  /* a key of a wrong type */
    bool stock_refuses_writes; /* it answers pings and scans: a replica, a full memory */
    bool refuse_debts;         /* Redis refuses every refund for good */
    size_t refuse_first;       /* or the first ones of each list */
    bool debts_without_token;
    enum job_kind refuses; /* this job is refused, once */
    const char *says;      /* how a service explains itself; NULL: in a few words */
    size_t connects, starts, cancels, disconnects, acks, multiple_acks, settles, parks, tells_settled,
        tells_extra, tells_voided;
    size_t debts_due, debts_paid, debts_marked, debts_tries, debts_forgotten, sweeps;
    size_t largest_settle;
    /* What the clean-up finds: one budget with this many pendings, in two slices, every second one booked. */
    size_t pendings, resolved;
    char last_note[64], last_detail[480];
};

void story_begin(struct story *story, const struct worker_settings *settings);
void story_end(struct story *story);

/* Settings that suit most stories: prefetch 100, batches of 10. */
struct worker_settings story_settings(void);

/* The broker gets a message; it is delivered by story_deliver. Returns its index. */
size_t story_publish(struct story *story, enum story_content content);

/* Delivers every message that is ready, as far as the worker wants them. */
void story_deliver(struct story *story);

/* Does every effect that is due, without answering jobs. */
void story_effects(struct story *story);

/* Answers the job that a hand has; false: it has none. */
bool story_answer(struct story *story, enum hand hand);

/* Fills in what the job answers (story_answers.c); the core does not hear of it yet. */
void story_job_answer(struct story *story, struct job *job);

/* The connection is lost: what is not acknowledged becomes ready again. */
void story_disconnect(struct story *story);

/* The broker ends the consumer. */
void story_cancel(struct story *story);

void story_pass(struct story *story, int64_t microseconds);
void story_stop(struct story *story);

/* Delivers, answers and passes time until nothing is left to do or `turns` are over; true: every message is
 * gone. */
bool story_run(struct story *story, size_t turns);

#endif
