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
    long lives; /* cut short */
    long acknowledged;
    long found;
    long lost;
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

/* Steps until the power goes or none is left. */
static void story_live(struct story *story)
{
    struct session *session = &story->session;
    int tries = 0;
    while (story->done < script.steps && !cut_disk_is_dead()) {
        settings_apply(story);
        enum status status = session_step(session, story->done);
        if (status == STATUS_OK) {
            if (!session_answer_is_right(session, &script, story->done))
                story_fail(story, "answered: %s\ninstead of: %s", session->answer.data,
                           script.answers[story->done]);
            story->done++;
            counts.acknowledged++;
            session->repeating = false;
            tries = 0;
        } else if (!cut_disk_is_dead()) {
            if (++tries == TRIES_MAX) story_fail(story, "%s", session->error.text);
            session->repeating |= status == STATUS_UNKNOWN;
        }
    }
}

/* What the disk has kept, as a new ledger sees it; takes the steps that it holds for done. */
static enum outcome story_look(struct story *story)
{
    struct session *session = &story->session;
    if (story->done > 0 && ledger_ping(session->ledger, &session->error) != STATUS_OK) {
        print_message("    %s\n", session->error.text);
        return DAMAGED;
    }
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
    session_reopen(&story->session);
    enum outcome outcome = story_look(story);
    counts.lives++;
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
    story_live(&story);
    bool cut = cut_disk_is_dead();
    for (int life = 1; life < LIVES_MAX && cut_disk_is_dead(); life++) {
        int next = life + 1 == LIVES_MAX ? 0 : 1 + (int)(seed % 97);
        if (story_cut(&story, kind, next) != ALL_KEPT) story_fail(&story, "the disk did not keep it");
        story_live(&story);
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

static void counts_print(const char *what, int points)
{
    print_message(
        "    %s: %d places, %ld lives cut short, %ld steps acknowledged; of %ld found again; %ld cuts "
        "lost some, %ld damaged the file\n",
        what, points, counts.lives, counts.acknowledged, counts.found, counts.lost, counts.damaged);
}

static void whenever_the_power_goes_nothing_is_lost(void **state)
{
    (void)state;
    uint64_t seeds = session_full() ? 40 : 2;
    int n = 1;
    for (bool cut = true; cut; n++) {
        cut = false;
        for (uint64_t seed = 0; seed < seeds; seed++) {
            for (int kind = 0; kind < CUT_KINDS; kind++)
                cut |= session_with_cuts(n, (enum cut_kind)kind, seed_first() + seed * 1000 + (uint64_t)n);
        }
    }
    assert_true(n > 100);
    counts_print("power cut", n - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whenever_the_power_goes_nothing_is_lost),
    };
    cut_disk_install();
    cut_disk_begin(0, 0);
    script_record(&script, SQLITE_LEDGER_WORKER);
    cut_disk_end();
    int failed = cmocka_run_group_tests_name("a session with the ledger whose power goes", tests, NULL, NULL);
    script_free(&script);
    return failed;
}
