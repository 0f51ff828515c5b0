/* SQLite on a disk that fails: the nth call of each kind, once and from then on, for every n until a session
 * ends without meeting the fault. STATUS_OK means written, STATUS_RETRY not written, STATUS_UNKNOWN either,
 * and nothing else is answered; when the disk is well again the same call is done within two tries, and the
 * session ends as it does on a good disk. */
#include "faults/session.h"
#include "contract/fault_vfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CALLS_MAX = 5000, TRIES_MAX = 2, FOR_EVER = -1 };

/* Which calls fail in a short run: each of the first, then every fifth. */
enum { EACH_UP_TO = 20, STRIDE = 5 };

static struct script script;

struct story {
    struct session session;
    struct fault planted;
    size_t step;
    bool failed; /* the last try of this step did */
};

static const char *fault_name(const struct fault *planted)
{
    static char text[96];
    snprintf(text, sizeof text, "calls %d, after %d, code %d, %s", planted->calls, planted->skip,
             planted->code, planted->times == FOR_EVER ? "for ever" : "once");
    return text;
}

#define story_fail(story, ...)                                                                               \
    do {                                                                                                     \
        print_error("step %zu (%s), fault: %s\n", (story)->step, session_step_name((story)->step),           \
                    fault_name(&(story)->planted));                                                          \
        fail_msg(__VA_ARGS__);                                                                               \
    } while (0)

/* The steps that the file holds, read while the disk is well. */
static int story_written(struct story *story)
{
    struct fault paused = fault;
    fault.calls = 0;
    char *content = session_content(&story->session);
    fault.calls = paused.calls;
    if (content == NULL) story_fail(story, "the file is damaged");
    int written = script_steps_of(&script, content, story->step + 1);
    if (written < 0) story_fail(story, "the file holds:\n%s", content);
    free(content);
    return written;
}

/* Several steps may leave the same content: reading changes nothing. */
static bool same_content(int written, size_t steps)
{
    return strcmp(script.contents[written], script.contents[steps]) == 0;
}

/* One try of the present step. True: it answered STATUS_OK. */
static bool story_try(struct story *story)
{
    struct session *session = &story->session;
    int happened = fault.happened;
    enum status status = session_step(session, story->step);
    if (status == STATUS_OK && !session_answer_is_right(session, &script, story->step))
        story_fail(story, "answered: %s\ninstead of: %s", session->answer.data, script.answers[story->step]);
    if (status == STATUS_OK && fault.happened == happened && !story->failed) return true;
    int written = story_written(story);
    if (status == STATUS_OK) {
        if (!same_content(written, story->step + 1)) story_fail(story, "said done, and it is not written");
        story->failed = false;
        return true;
    }
    story->failed = true;
    if (fault.happened == 0) story_fail(story, "%s", session->error.text);
    if (status != STATUS_RETRY && status != STATUS_UNKNOWN)
        story_fail(story, "answered %s: %s", status_name(status), session->error.text);
    if (status == STATUS_RETRY && !session->repeating && !same_content(written, story->step))
        story_fail(story, "said nothing is written, and it is: %s", session->error.text);
    if (strstr(session->error.text, session->path) == NULL)
        story_fail(story, "which ledger? %s", session->error.text);
    if (status == STATUS_UNKNOWN) session->repeating = true;
    return false;
}

static void story_step(struct story *story)
{
    story->session.repeating = false;
    for (int i = 0; i < TRIES_MAX; i++) {
        if (story_try(story)) return;
    }
    fault.calls = 0;
    for (int i = 0; i < TRIES_MAX; i++) {
        if (story_try(story)) return;
    }
    story_fail(story, "the disk is well again, and still: %s", story->session.error.text);
}

/* A whole session with one fault. Whether the fault came to pass. */
static bool story_play(struct fault planted, enum sqlite_ledger_role role)
{
    struct story story = {.planted = planted};
    session_open(&story.session, role);
    fault = planted;
    for (; story.step < script.steps; story.step++) story_step(&story);
    story.step--;
    bool happened = fault.happened > 0;
    fault = (struct fault){0};
    session_reopen(&story.session);
    if (!same_content(story_written(&story), script.steps)) story_fail(&story, "the end is another one");
    session_close(&story.session);
    return happened;
}

static void walk(struct fault planted)
{
    static const enum sqlite_ledger_role roles[] = {SQLITE_LEDGER_WORKER, SQLITE_LEDGER_TOOL};
    static const int times[] = {1, FOR_EVER};
    int total = 0;
    for (size_t i = 0; i < 4; i++) {
        planted.times = times[i % 2];
        planted.skip = 0;
        int played = 0;
        while (story_play(planted, roles[i / 2])) {
            assert_true(planted.skip < CALLS_MAX);
            planted.skip += session_full() || planted.skip < EACH_UP_TO ? 1 : STRIDE;
            played++;
        }
        total += played;
        print_message("    %s, %s: %d sessions\n", i / 2 == 0 ? "worker" : "tool",
                      i % 2 == 0 ? "once" : "from then on", played);
    }
    assert_true(total > 0);
}

#define WALK(name, ...)                                                                                      \
    static void name(void **state)                                                                           \
    {                                                                                                        \
        (void)state;                                                                                         \
        walk((struct fault){__VA_ARGS__});                                                                   \
    }

WALK(each_write_finds_the_disk_full, .calls = FAULT_WRITE, .code = SQLITE_FULL)
WALK(each_write_fills_the_disk_half_way, .calls = FAULT_WRITE, .code = SQLITE_FULL, .torn = true)
WALK(each_write_fails, .calls = FAULT_WRITE, .code = SQLITE_IOERR_WRITE)
WALK(each_write_is_done_and_its_answer_lost, .calls = FAULT_WRITE, .code = SQLITE_IOERR_WRITE,
     .written = true)
WALK(each_read_fails, .calls = FAULT_READ, .code = SQLITE_IOERR_READ)
WALK(each_sync_fails, .calls = FAULT_SYNC, .code = SQLITE_IOERR_FSYNC)
WALK(each_sync_is_done_and_its_answer_lost, .calls = FAULT_SYNC, .code = SQLITE_IOERR_FSYNC, .written = true)
WALK(each_truncation_fails, .calls = FAULT_TRUNCATE, .code = SQLITE_IOERR_TRUNCATE)
WALK(each_opening_fails, .calls = FAULT_OPEN, .code = SQLITE_CANTOPEN)
WALK(each_deletion_fails, .calls = FAULT_DELETE, .code = SQLITE_IOERR_DELETE)
WALK(each_question_for_a_size_fails, .calls = FAULT_SIZE, .code = SQLITE_IOERR_FSTAT)
WALK(each_lock_fails, .calls = FAULT_LOCK, .code = SQLITE_IOERR_LOCK)
WALK(each_mapping_fails, .calls = FAULT_MAP, .code = SQLITE_IOERR_SHMMAP)
WALK(everything_fails_alike, .code = SQLITE_IOERR,
     .calls = FAULT_READ | FAULT_WRITE | FAULT_SYNC | FAULT_OPEN | FAULT_TRUNCATE | FAULT_DELETE | FAULT_SIZE)

static int record(void **state)
{
    (void)state;
    fault_vfs_install();
    script_record(&script, SQLITE_LEDGER_WORKER);
    return 0;
}

static int forget(void **state)
{
    (void)state;
    script_free(&script);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_write_finds_the_disk_full),
        cmocka_unit_test(each_write_fills_the_disk_half_way),
        cmocka_unit_test(each_write_fails),
        cmocka_unit_test(each_write_is_done_and_its_answer_lost),
        cmocka_unit_test(each_read_fails),
        cmocka_unit_test(each_sync_fails),
        cmocka_unit_test(each_sync_is_done_and_its_answer_lost),
        cmocka_unit_test(each_truncation_fails),
        cmocka_unit_test(each_opening_fails),
        cmocka_unit_test(each_deletion_fails),
        cmocka_unit_test(each_question_for_a_size_fails),
        cmocka_unit_test(each_lock_fails),
        cmocka_unit_test(each_mapping_fails),
        cmocka_unit_test(everything_fails_alike),
    };
    return cmocka_run_group_tests_name("a session with the ledger on a failing disk", tests, record, forget);
}
