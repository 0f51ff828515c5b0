#include "worker/hand.h"

#include <assert.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *argument)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, HAND_STACK_SIZE);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(thread, &attributes, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (failed != 0) {
        fprintf(stderr, "bursar: cannot start thread %s: %s; raise the limit of threads\n", name,
                strerror(failed));
        abort();
    }
    pthread_setname_np(*thread, name);
}

static struct job *hand_wait(struct hand_thread *hand)
{
    pthread_mutex_lock(&hand->mutex);
    while (hand->job == NULL && !hand->quit) pthread_cond_wait(&hand->wake, &hand->mutex);
    struct job *job = hand->job;
    hand->job = NULL;
    pthread_mutex_unlock(&hand->mutex);
    return job;
}

static void *hand_main(void *argument)
{
    struct hand_thread *hand = argument;
    for (struct job *job = hand_wait(hand); job != NULL; job = hand_wait(hand)) {
        job_run(hand->context, job);
        atomic_store(&hand->busy, false);
        atomic_store_explicit(&hand->done, true, memory_order_release);
        uint64_t one = 1;
        ssize_t written = write(hand->notify, &one, sizeof one);
        (void)written; /* only full when it is readable anyway */
    }
    return NULL;
}

void hand_start(struct hand_thread *hand, struct job_context *context, int notify, const char *name)
{
    *hand = (struct hand_thread){.context = context, .notify = notify};
    pthread_mutex_init(&hand->mutex, NULL);
    pthread_cond_init(&hand->wake, NULL);
    thread_start(&hand->thread, name, hand_main, hand);
}

void hand_give(struct hand_thread *hand, struct job *job)
{
    pthread_mutex_lock(&hand->mutex);
    assert(hand->job == NULL);
    hand->job = job;
    atomic_store(&hand->busy, true);
    pthread_cond_signal(&hand->wake);
    pthread_mutex_unlock(&hand->mutex);
}

void hand_stop(struct hand_thread *hand)
{
    pthread_mutex_lock(&hand->mutex);
    hand->quit = true;
    pthread_cond_signal(&hand->wake);
    pthread_mutex_unlock(&hand->mutex);
    pthread_join(hand->thread, NULL);
    pthread_cond_destroy(&hand->wake);
    pthread_mutex_destroy(&hand->mutex);
}
