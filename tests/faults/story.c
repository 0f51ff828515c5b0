#include "faults/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CALLS_MAX = 100000, TRIES_MAX = 2 };

struct story {
    const struct story_fault *fault;
    const struct script *script;
    int skip;
    int times;
    struct session session;
    size_t step;
    bool failed; /* the last try of this step did */
    bool well;   /* nothing fails any more */
};

#define story_fail(story, ...)                                                                               \
    do {                                                                                                     \
        print_error("step %zu (%s); %s, %s after %d calls\n", (story)->step,                                 \
                    session_step_name((story)->step),                                                        \
                    (story)->session.role == SQLITE_LEDGER_WORKER ? "worker" : "tool",                       \
                    (story)->times == STORY_FOR_EVER ? "for ever" : "once", (story)->skip);                  \
        fail_msg(__VA_ARGS__);                                                                               \
    } while (0)

/* The steps that the file holds, read while nothing fails. */
static int story_written(struct story *story)
{
    story->fault->pause(true);
    char *content = session_content(&story->session);
    story->fault->pause(story->well);
    if (content == NULL) story_fail(story, "the file is damaged");
    int written = script_steps_of(story->script, content, story->step + 1);
    if (written < 0) story_fail(story, "the file holds:\n%s", content);
    free(content);
    return written;
}

/* Several steps may leave the same content: reading changes nothing. */
static bool same_content(const struct story *story, int written, size_t steps)
{
    return strcmp(story->script->contents[written], story->script->contents[steps]) == 0;
}

static void story_failed_try(struct story *story, enum status status, int written)
{
    struct session *session = &story->session;
    if (story->fault->happened() == 0) story_fail(story, "nothing failed: %s", session->error.text);
    if (status != STATUS_RETRY && status != STATUS_UNKNOWN)
        story_fail(story, "answered %s: %s", status_name(status), session->error.text);
    if (status == STATUS_RETRY && !session->repeating && !same_content(story, written, story->step))
        story_fail(story, "said nothing is written, and it is: %s", session->error.text);
    if (strstr(session->error.text, session->path) == NULL)
        story_fail(story, "which ledger? %s", session->error.text);
    if (status == STATUS_UNKNOWN) session->repeating = true;
    story->failed = true;
}

/* One try of the present step. True: it answered STATUS_OK. */
static bool story_try(struct story *story)
{
    struct session *session = &story->session;
    int happened = story->fault->happened();
    enum status status = session_step(session, story->step);
    if (status == STATUS_OK && !session_answer_is_right(session, story->script, story->step))
        story_fail(story, "answered: %s\ninstead of: %s", session->answer.data,
                   story->script->answers[story->step]);
    if (status == STATUS_OK && story->fault->happened() == happened && !story->failed) return true;
    int written = story_written(story);
    if (status != STATUS_OK) {
        story_failed_try(story, status, written);
        return false;
    }
    if (!same_content(story, written, story->step + 1)) story_fail(story, "said done, and it is not written");
    story->failed = false;
    return true;
}

static void story_step(struct story *story)
{
    story->session.repeating = false;
    for (int i = 0; i < TRIES_MAX; i++) {
        if (story_try(story)) return;
    }
    story->well = true;
    story->fault->pause(true);
    bool done = false;
    for (int i = 0; i < TRIES_MAX && !done; i++) done = story_try(story);
    if (!done) story_fail(story, "nothing fails any more, and still: %s", story->session.error.text);
}

/* A whole session with one fault, which in a long run comes back at the next step. Whether it came to pass.
 */
static bool story_play(struct story *story, enum sqlite_ledger_role role)
{
    session_open(&story->session, role);
    story->failed = story->well = false;
    story->fault->arm(story->skip, story->times);
    for (story->step = 0; story->step < story->script->steps; story->step++) {
        story_step(story);
        if (!session_full()) continue;
        story->well = false;
        story->fault->pause(false);
    }
    story->step--;
    bool happened = story->fault->happened() > 0;
    story->fault->arm(0, 0);
    story->well = true;
    session_reopen(&story->session);
    if (!same_content(story, story_written(story), story->script->steps))
        story_fail(story, "the end is another one");
    session_close(&story->session);
    return happened;
}

void story_walk(const struct story_fault *fault, const struct script *script)
{
    static const enum sqlite_ledger_role roles[] = {SQLITE_LEDGER_WORKER, SQLITE_LEDGER_TOOL};
    static const int times[] = {1, STORY_FOR_EVER};
    static struct story story;
    int total = 0;
    for (size_t i = 0; i < 4; i++) {
        int played = 0;
        story = (struct story){.fault = fault, .script = script, .times = times[i % 2]};
        while (story_play(&story, roles[i / 2])) {
            assert_true(story.skip < CALLS_MAX);
            story.skip += session_full() || story.skip < fault->each_up_to ? 1 : fault->stride;
            played++;
        }
        total += played;
        print_message("    %s, %s: %d sessions, %d calls\n", i / 2 == 0 ? "worker" : "tool",
                      i % 2 == 0 ? "once" : "from then on", played, story.skip);
    }
    assert_true(total > 0);
}
