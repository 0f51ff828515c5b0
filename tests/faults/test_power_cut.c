/* The power goes at any write, sync, truncation, creation or deletion of a session, and a new ledger finds
 * what the disk has kept: every step that was answered with STATUS_OK, nothing of any other but the one under
 * way, and of that all or nothing. The same adapter with less of PRAGMA synchronous must be seen to fail. */
#include "faults/cut_disk.h"
#include "faults/session.h"
#include "sqlite/connection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LIVES_MAX = 3, TRIES_MAX = 4 };

/* What a new ledger finds after a cut. */
enum outcome { ALL_KEPT, SOME_LOST, DAMAGED };

static struct script script;

static struct {
    long cuts;
    long found; /* steps that were acknowledged, and are there after the cut */
    long lost;  /* cuts that lost some */
    long damaged;
} counts;

struct story {
    struct session session;
    size_t done; /* steps that were answered with STATUS_OK */
    uint64_t seed;
    int cut_at;
    enum cut_kind kind;
    const char *settings; /* pragmas of the adapter's own connection */
};

#define story_fail(story, ...)                                                                               \
    do {                                                                                                     \
        print_error("seed %llu, power goes at call %d, kind of cut %d, after %zu steps, the next: %s\n",     \
                    (unsigned long long)(story)->seed, (story)->cut_at, (story)->kind, (story)->done,        \
                    (story)->done < script.steps ? session_step_name((story)->done) : "none");               \
        fail_msg(__VA_ARGS__);                                                                               \
    } while (0)

/* The log is moved into the file every few commits, not only at the end. */
#define SETTINGS_OF_BURSAR "PRAGMA wal_autocheckpoint = 12"

/* Where the adapter has not connected yet, or could not, the step will. */
static void settings_apply(struct story *story)
{
    struct sqlite_ledger *ledger = sqlite_ledger_of(story->session.ledger);
    struct error error;
    if (story->done == 0 ||
        (ledger->database == NULL && ledger_ping(story->session.ledger, &error) != STATUS_OK))
        return;
    sqlite3_exec(ledger->database, story->settings, NULL, NULL, NULL);
}

/* Steps until so many are done or the power goes; a sync that fails for ever does so twice a step. */
static void story_live(struct story *story, size_t until)
{
    struct session *session = &story->session;
    int tries = 0;
    while (story->done < until && story->done < script.steps && !cut_disk_is_dead()) {
        settings_apply(story);
        enum status status = session_step(session, story->done);
        if (status == STATUS_OK) {
            if (!session_answer_is_right(session, &script, story->done))
                story_fail(story, "answered: %s\ninstead of: %s", session->answer.data,
                           script.answers[story->done]);
            story->done++;
            session->repeating = false;
            tries = 0;
        } else if (!cut_disk_is_dead()) {
            if (++tries == TRIES_MAX) story_fail(story, "%s", session->error.text);
            if (tries == 2) cut_disk_fail_sync(0, 0, false);
            session->repeating |= status == STATUS_UNKNOWN;
        }
    }
}

/* What the disk has kept, as a new ledger sees it; takes the steps that it holds for done. */
static enum outcome story_look(struct story *story)
{
    struct session *session = &story->session;
    if (story->done > 0 && ledger_ping(session->ledger, &session->error) != STATUS_OK) return DAMAGED;
    char *content = session_content(session);
    size_t most = story->done == script.steps ? script.steps : story->done + 1;
    int kept = content == NULL ? -1 : script_steps_of(&script, content, most);
    free(content);
    if (kept < 0) return DAMAGED;
    if (kept < (int)story->done && strcmp(script.contents[kept], script.contents[story->done]) != 0)
        return SOME_LOST;
    session->repeating = true; /* the step that was under way may be there */
    return ALL_KEPT;
}

/* The process ends and a new one takes the disk as the cut has left it. */
static enum outcome story_cut(struct story *story, enum cut_kind kind, int next_cut)
{
    cut_disk_die();
    ledger_close(story->session.ledger);
    story->session.ledger = NULL;
    cut_disk_restart(kind, 0);
    cut_disk_fail_sync(0, 0, false);
    session_reopen(&story->session);
    enum outcome outcome = story_look(story);
    counts.cuts++;
    counts.found += outcome == ALL_KEPT ? (long)story->done : 0;
    counts.lost += outcome == SOME_LOST;
    counts.damaged += outcome == DAMAGED;
    cut_disk_process_restart(next_cut);
    return outcome;
}

static void story_begin(struct story *story, int cut_at, enum cut_kind kind, uint64_t seed,
                        const char *settings)
{
    story->done = 0;
    story->seed = seed;
    story->cut_at = cut_at;
    story->kind = kind;
    story->settings = settings;
    session_open(&story->session, SQLITE_LEDGER_WORKER);
    cut_disk_begin(cut_at, seed);
}

static void story_end(struct story *story)
{
    session_close(&story->session);
    cut_disk_end();
}

static struct story story;

/* One session whose power goes up to three times, the last time when all is done. False: the first cut comes
 * too late for it. */
static bool session_with_cuts(int cut_at, enum cut_kind kind, uint64_t seed)
{
    story_begin(&story, cut_at, kind, seed, SETTINGS_OF_BURSAR);
    story_live(&story, script.steps);
    bool cut = cut_disk_is_dead();
    for (int life = 1; life < LIVES_MAX && cut_disk_is_dead(); life++) {
        int next = life + 1 == LIVES_MAX ? 0 : 1 + (int)(seed % 97);
        if (story_cut(&story, kind, next) != ALL_KEPT) story_fail(&story, "the disk did not keep it");
        story_live(&story, script.steps);
    }
    if (story_cut(&story, CUT_LOSES_ALL, 0) != ALL_KEPT || story.done < script.steps)
        story_fail(&story, "the end is another one");
    story_end(&story);
    return cut;
}

static uint64_t seed_first(void)
{
    const char *text = getenv("BURSAR_TEST_SEED");
    return text == NULL ? 1 : strtoull(text, NULL, 10);
}

static void counts_print(int places)
{
    print_message(
        "    %d places, %ld cuts; steps acknowledged before a cut and found after it: %ld; cuts that "
        "lost some: %ld, that damaged the file: %ld\n",
        places, counts.cuts, counts.found, counts.lost, counts.damaged);
    memset(&counts, 0, sizeof counts);
}

/* The process is killed between any two calls, and its successor finds what was written, synced or not. What
 * it acknowledges on the strength of that must survive a power cut soon after. */
static void nothing_is_lost_when_a_crash_came_first(void **state)
{
    (void)state;
    uint64_t seeds = session_full() ? 20 : 1;
    int n = 1;
    for (bool killed = true; killed; n++) {
        for (uint64_t i = 0; i < seeds; i++) {
            uint64_t seed = seed_first() + (uint64_t)n + i;
            story_begin(&story, n, CUT_LOSES_ALL, seed, SETTINGS_OF_BURSAR);
            story_live(&story, script.steps);
            killed = cut_disk_is_dead();
            ledger_close(story.session.ledger);
            story.session.ledger = NULL;
            cut_disk_process_restart(0);
            session_reopen(&story.session);
            story.session.repeating = true;
            story_live(&story, story.done + seed % 3);
            if (story_cut(&story, CUT_LOSES_ALL, 0) != ALL_KEPT)
                story_fail(&story, "killed, and the power gone %d steps later", (int)(seed % 3));
            story_live(&story, script.steps);
            story_end(&story);
        }
    }
    counts_print(n - 2);
}

/* Each sync fails, as often as `times` says; the power goes some steps after that. */
static void syncs_fail(int times, bool forgotten)
{
    int n = 1;
    for (bool failed = true; failed; n++) {
        for (uint64_t seed = seed_first(); seed < seed_first() + (session_full() ? 40 : 4); seed++) {
            story_begin(&story, 0, CUT_LOSES_ALL, seed, SETTINGS_OF_BURSAR);
            cut_disk_fail_sync(n, times, forgotten);
            while (story.done < script.steps && cut_disk_syncs() < n) story_live(&story, story.done + 1);
            failed = cut_disk_syncs() >= n;
            story_live(&story, story.done + seed % 4);
            if (story_cut(&story, CUT_LOSES_ALL, 0) != ALL_KEPT) story_fail(&story, "sync %d failed", n);
            story_live(&story, script.steps);
            story_end(&story);
        }
    }
    counts_print(n - 2);
}

static void nothing_is_lost_when_syncs_failed(void **state)
{
    (void)state;
    syncs_fail(1, false);
    syncs_fail(2, false);
    syncs_fail(-1, false);
}

static void nothing_is_lost_when_a_sync_failed_and_was_forgotten(void **state)
{
    (void)state;
    syncs_fail(1, true);
}

static void whenever_the_power_goes_nothing_is_lost(void **state)
{
    (void)state;
    uint64_t seeds = session_full() ? 15 : 1;
    int n = 1;
    for (bool cut = true; cut; n++) {
        cut = false;
        for (uint64_t seed = 0; seed < seeds; seed++) {
            for (int kind = 0; kind < CUT_KINDS; kind++)
                cut |= session_with_cuts(n, (enum cut_kind)kind, seed_first() + seed * 1000 + (uint64_t)n);
        }
    }
    assert_true(n > 100);
    counts_print(n - 2);
}

/* The same harness on the same adapter, whose connection was told less of PRAGMA synchronous. */
static void session_unsafe(int cut_at, enum cut_kind kind, uint64_t seed, const char *settings)
{
    story_begin(&story, cut_at, kind, seed, settings);
    story_live(&story, script.steps);
    story_cut(&story, kind, 0);
    story_end(&story);
}

static void sessions_unsafe(const char *settings)
{
    for (int n = 1; n < 300; n += 7) {
        for (int kind = 0; kind < CUT_KINDS; kind++)
            session_unsafe(n, (enum cut_kind)kind, seed_first() + (uint64_t)n, settings);
    }
}

static void with_synchronous_normal_what_was_acknowledged_is_lost(void **state)
{
    (void)state;
    memset(&counts, 0, sizeof counts);
    sessions_unsafe(SETTINGS_OF_BURSAR "; PRAGMA synchronous = NORMAL");
    assert_true(counts.lost > 0);
    assert_true(counts.damaged == 0);
    counts_print(300 / 7);
}

static void with_synchronous_off_the_file_is_damaged(void **state)
{
    (void)state;
    memset(&counts, 0, sizeof counts);
    sessions_unsafe(SETTINGS_OF_BURSAR "; PRAGMA synchronous = OFF");
    assert_true(counts.lost > 0);
    assert_true(counts.damaged > 0);
    counts_print(300 / 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whenever_the_power_goes_nothing_is_lost),
        cmocka_unit_test(nothing_is_lost_when_a_crash_came_first),
        cmocka_unit_test(nothing_is_lost_when_syncs_failed),
        cmocka_unit_test(nothing_is_lost_when_a_sync_failed_and_was_forgotten),
        cmocka_unit_test(with_synchronous_normal_what_was_acknowledged_is_lost),
        cmocka_unit_test(with_synchronous_off_the_file_is_damaged),
    };
    cut_disk_install();
    cut_disk_begin(0, 0);
    script_record(&script, SQLITE_LEDGER_WORKER);
    cut_disk_end();
    int failed = cmocka_run_group_tests_name("a session with the ledger whose power goes", tests, NULL, NULL);
    script_free(&script);
    return failed;
}
