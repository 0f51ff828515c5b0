/* A hand: a thread that does one job of the core's at a time. */
#ifndef BURSAR_WORKER_HAND_H
#define BURSAR_WORKER_HAND_H

#include "worker/job_run.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Decoding deeply nested header tables recurses in the AMQP library, once a level of a frame of up to 128
 * KiB. */
#define HAND_STACK_SIZE ((size_t)64 << 20)

struct hand_thread {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct job *job; /* waiting for the thread, or in its hands; NULL: none */
    bool quit;
    atomic_bool done; /* the job is finished; taken by hand_take_done */
    atomic_bool busy;
    struct job_context *context; /* borrowed */
    int notify;                  /* eventfd, borrowed: written when a job is finished */
};

/* Aborts when the system has no thread left to give: nothing can be held yet. */
void hand_start(struct hand_thread *hand, struct job_context *context, int notify, const char *name);

/* Gives it a job; it has none. */
void hand_give(struct hand_thread *hand, struct job *job);

/* True once for each finished job; from then on the job belongs to the core again. */
static inline bool hand_take_done(struct hand_thread *hand)
{
    if (!atomic_load_explicit(&hand->done, memory_order_relaxed)) return false;
    return atomic_exchange_explicit(&hand->done, false, memory_order_acquire);
}

/* Ends the thread, once its present job is finished. */
void hand_stop(struct hand_thread *hand);

/* Starts a thread with HAND_STACK_SIZE and no signals. */
void thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *argument);

#endif
