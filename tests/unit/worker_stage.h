/* What every story about the worker's core begins with. What must hold at every effect is asserted by the
 * stage itself (fake/story.c). */
#ifndef BURSAR_TESTS_WORKER_STAGE_H
#define BURSAR_TESTS_WORKER_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/worker_state.h"
#include "fake/story.h"

static struct story story;

static inline void begin(void)
{
    struct worker_settings settings = story_settings();
    story_begin(&story, &settings);
}

/* Connected, ledger and Redis up, the first clean-up done. */
static inline void begin_running(void)
{
    begin();
    assert_true(story_run(&story, 5));
    assert_true(story.consuming);
}

static inline struct worker_view view(void)
{
    struct worker_view seen;
    worker_observe(story.worker, &seen);
    return seen;
}

static inline int set_up(void **state)
{
    (void)state;
    begin_running();
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    story_end(&story);
    return 0;
}

static inline void publish(size_t count, enum story_content content)
{
    for (size_t i = 0; i < count; i++) story_publish(&story, content);
}

/* Answers, and lets time pass, until that job is out. */
static inline void run_up_to(enum hand hand, enum job_kind kind)
{
    for (size_t turn = 0; turn < 1000; turn++) {
        for (enum hand other = 0; other < HAND_COUNT; other++) {
            if (story.jobs[hand] != NULL && story.jobs[hand]->kind == kind) return;
            story_answer(&story, other);
        }
        story_pass(&story, 100000);
    }
    fail_msg("job %d never comes", kind);
}

#define STORY(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
