/* The worker's state, shared by the files worker*.c and by nobody else. Each part is changed by its own file
 * only. */
#ifndef BURSAR_CORE_WORKER_STATE_H
#define BURSAR_CORE_WORKER_STATE_H

#include "core/backoff.h"
#include "core/worker.h"

#define NOTES_MAX 64 /* waiting to be said; more are dropped */
#define NOTES_MESSAGE_MAX                                                                                    \
    40 /* of them about single messages, which come in floods: the others must get through */
#define RANGES_MAX             64 /* waiting in a bisection: one for each halving, and the rest of a large batch */
#define ITEM_BYTES             512 /* what a deduction takes in memory besides its message, about */
#define TELLS_MAX              16  /* batches whose Redis part waits; then the next commit waits */
#define PARKS_AT_ONCE          256 /* messages parked in one job */
#define DEPTH_INTERVAL_US      (10 * INT64_C(1000000))
#define STATS_INTERVAL_US      (10 * INT64_C(1000000))
#define STOCK_INTERVAL_US      (5 * INT64_C(1000000)) /* of silence, until Redis is asked whether it is there */
#define DEBTS_INTERVAL_US      (2 * INT64_C(1000000))
#define DEBTS_PAUSE_MAX_US     (60 * INT64_C(1000000))
#define SWEEP_PAUSE_US         (10 * INT64_C(1000000))
#define SWEEP_REFUSED_PAUSE_US (60 * INT64_C(1000000))
#define ACK_PATIENCE_US        INT64_C(50000)
#define CANCEL_GRACE_US        (10 * INT64_C(1000000))

/* A delivery that is not acknowledged, in the order of arrival. */
struct held {
    uint64_t tag;
    size_t bytes;
    uint32_t open; /* items that are neither booked nor parked */
    struct held *previous, *next;
};

/* Everything held on the present connection. */
struct window {
    size_t capacity;
    struct held *pool; /* owned */
    struct held *free;
    struct held *first, *last;
    size_t count;
    size_t bytes;
    size_t done_behind; /* done, but an older one is not: they wait a little for one common acknowledgement */
    int64_t blocked_at_us;               /* when the first of those was done */
    struct held *singles, *singles_last; /* waited long enough: acknowledged one by one */
    uint64_t multiple_tag;               /* acknowledge everything up to it; 0: nothing */
};

/* Whether a service answers, and when it is tried again. */
struct health {
    bool up;
    int64_t retry_at_us;
    struct backoff backoff;
};

struct range {
    size_t first, count;
};

enum debts_stage { DEBTS_IDLE, DEBTS_FETCH, DEBTS_PAY, DEBTS_MARK, DEBTS_FORGET };
enum sweep_stage { SWEEP_IDLE, SWEEP_BUDGET, SWEEP_SCAN, SWEEP_LOOKUP, SWEEP_RESOLVE };

struct worker {
    struct worker_settings settings;
    int64_t now_us;
    uint64_t random;

    enum link_state link;
    uint64_t epoch; /* of the present connection; grows with each */
    struct health broker;
    int64_t link_since_us;

    struct window window;

    struct batch batches[2];
    struct batch *filling;
    struct batch *committing;        /* NULL: none */
    struct range ranges[RANGES_MAX]; /* of the committing batch, the next one last */
    size_t range_count;

    struct health ledger;

    struct park *parks_waiting, **parks_waiting_end;
    struct park *parks_confirmed, **parks_confirmed_end;
    struct park_source *park_source; /* of the newest park; counted by its users only */
    size_t park_count;
    size_t park_bytes;      /* of all of them, those of older connections too */
    size_t records_at_once; /* rows in one transaction; 1 while one of them is refused */
    struct health publisher;

    struct tells tells[TELLS_MAX]; /* a ring */
    size_t tells_first, tells_count;
    struct health stock;
    int64_t stock_ping_at_us; /* while it is up */

    enum debts_stage debts_stage;
    struct debt_list debts;
    bool debts_woken;
    bool debts_unpaid;      /* in this walk: some could not be paid */
    int64_t debts_at_us;    /* of the next walk */
    int64_t debts_again_us; /* of the next walk at the earliest, also when there are new debts */
    struct backoff debts_backoff;

    enum sweep_stage sweep_stage;
    struct sweep sweep;
    bool sweep_wanted;
    int64_t sweep_at_us; /* of the next one at the earliest */

    struct job jobs[HAND_COUNT];
    bool out[HAND_COUNT]; /* the hand has the job */

    int64_t depth_at_us;
    int64_t queue_ready, dead_lettered; /* -1: not known */
    int64_t stats_at_us;
    int64_t refunds_due; /* -1: not known */

    int64_t progress_at_us;
    bool stalled;

    bool stopping, stop_noted, stopped;
    int64_t stop_deadline_us;

    struct note notes[NOTES_MAX];
    size_t notes_first, notes_count;
    struct worker_view counts; /* the counters of worker_observe */
};

/* worker_note.c; the second is for what may be said of every message */
void worker_note(struct worker *worker, enum log_level level, const char *event, const char *number_name,
                 int64_t number, const char *format, ...) __attribute__((format(printf, 6, 7)));
void worker_note_message(struct worker *worker, enum log_level level, const char *event,
                         const char *number_name, int64_t number, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
bool note_next(struct worker *worker, struct effect *effect);

/* worker_health.c: a service went down or came back; says so once. */
void health_fail(struct worker *worker, struct health *health, const char *event, const struct error *error);
void health_succeed(struct worker *worker, struct health *health, const char *event);
static inline bool health_may_try(const struct worker *worker, const struct health *health)
{
    return worker->now_us >= health->retry_at_us;
}

/* worker_hands.c */
void hand_job_done(struct worker *worker, enum hand hand);
bool hand_next_effect(struct worker *worker, enum hand hand, struct effect *effect);

/* worker_window.c */
void window_init(struct window *window, size_t capacity);
void window_free(struct window *window);
void window_clear(struct window *window);
struct held *window_add(struct window *window, uint64_t tag, size_t bytes, uint32_t open);
bool window_is_full(const struct window *window);
void window_item_done(struct window *window, struct held *held, int64_t now_us);
void window_clock(struct window *window, int64_t now_us);
int64_t window_deadline_us(const struct window *window);
bool window_next_ack(struct window *window, struct effect *effect);

/* worker_link.c */
void link_step(struct worker *worker, const struct event *event);
bool link_next_effect(struct worker *worker, struct effect *effect);
int64_t link_deadline_us(const struct worker *worker);

/* worker_intake.c */
void intake_delivery(struct worker *worker, const struct worker_delivery *delivery);

/* worker_settle.c */
bool settle_next_job(struct worker *worker, struct job *job);
void settle_done(struct worker *worker, struct job *job);

/* worker_park.c */
void park_add(struct worker *worker, const struct origin *origin, struct text source, struct text message_id,
              enum park_reason reason, const char *detail);
void park_forget_epoch(struct worker *worker);
bool park_next_job(struct worker *worker, struct job *job);
void park_done(struct worker *worker, struct job *job);
bool park_next_record(struct worker *worker, struct job *job);
void park_recorded(struct worker *worker, struct job *job);
void park_free_all(struct worker *worker);

/* worker_tell.c */
struct tells *tell_open(struct worker *worker); /* the list that the range just booked adds to */
void tell_add(struct tells *tells, const struct deduction *deduction, enum tell_kind kind);
bool tell_has_room(const struct worker *worker);
bool tell_next_job(struct worker *worker, struct job *job);
void tell_done(struct worker *worker, struct job *job);
void tell_drop_all(struct worker *worker);

/* worker_debts.c */
bool debts_next_job(struct worker *worker, enum hand hand, struct job *job);
void debts_done(struct worker *worker, struct job *job);
void debts_stock_lost(struct worker *worker);

/* worker_sweep.c */
bool sweep_next_job(struct worker *worker, enum hand hand, struct job *job);
void sweep_done(struct worker *worker, struct job *job);

#endif
