/* Lock files beside SQLite's: who holds one, who may open one, and what a crash leaves of it. */
#include "contract/ledger_audit_fixture.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const struct {
    enum ledger_lock lock;
    const char *suffix;
} locks[] = {{LEDGER_LOCK_RECONCILE, ".reconcile-lock"}, {LEDGER_LOCK_DEAD_LETTERS, ".dead-letters-lock"}};

static void the_holder_of_a_lock_is_named(void **state)
{
    struct fixture *f = *state;
    struct ledger *tool = sqlite_open(f, SQLITE_LEDGER_TOOL);
    const char *who = arena_format(&f->arena, "(pid %ld)", (long)getpid());
    for (size_t i = 0; i < 2; i++) {
        assert_ok(ledger_lock(tool, locks[i].lock, &f->error));
        assert_status(ledger_lock(f->ledger, locks[i].lock, &f->error), STATUS_REFUSED);
        assert_non_null(strstr(f->error.text, who));
        assert_non_null(strstr(f->error.text, f->path));
        const char *path = arena_format(&f->arena, "%s%s", f->path, locks[i].suffix);
        assert_int_equal(truncate(path, 0), 0); /* it has not yet written who it is */
        assert_status(ledger_lock(f->ledger, locks[i].lock, &f->error), STATUS_REFUSED);
        assert_null(strstr(f->error.text, "pid"));
    }
    ledger_close(tool);
}

static void a_lock_outlives_its_connection(void **state)
{
    struct fixture *f = *state;
    struct ledger *tool = sqlite_open(f, SQLITE_LEDGER_TOOL);
    const char *aside = arena_format(&f->arena, "%s.aside", f->path);
    assert_ok(ledger_lock(tool, LEDGER_LOCK_RECONCILE, &f->error));
    assert_int_equal(rename(f->path, aside), 0);
    assert_status(ledger_ping(tool, &f->error), STATUS_RETRY); /* it closes the connection */
    assert_int_equal(rename(aside, f->path), 0);
    assert_ok(ledger_ping(tool, &f->error));
    assert_status(ledger_lock(f->ledger, LEDGER_LOCK_RECONCILE, &f->error), STATUS_REFUSED);
    ledger_close(tool);
    assert_ok(ledger_lock(f->ledger, LEDGER_LOCK_RECONCILE, &f->error));
}

/* A child takes the lock, says so, and waits to be killed. */
static pid_t lock_in_a_child(struct fixture *f, enum ledger_lock lock)
{
    int said[2];
    assert_int_equal(pipe(said), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* where the test fails before it kills */
        struct ledger *tool = sqlite_open(f, SQLITE_LEDGER_TOOL);
        char status = (char)ledger_lock(tool, lock, &f->error);
        if (write(said[1], &status, 1) != 1) _exit(1);
        for (;;) pause();
    }
    char status = 1;
    assert_int_equal(read(said[0], &status, 1), 1);
    assert_int_equal(status, STATUS_OK);
    close(said[0]);
    close(said[1]);
    return child;
}

static void a_crash_frees_the_lock(void **state)
{
    struct fixture *f = *state;
    ledger_close(f->ledger);
    f->ledger = NULL;
    for (size_t i = 0; i < 2; i++) {
        pid_t child = lock_in_a_child(f, locks[i].lock);
        f->ledger = sqlite_open(f, SQLITE_LEDGER_WORKER);
        assert_status(ledger_lock(f->ledger, locks[i].lock, &f->error), STATUS_REFUSED);
        assert_non_null(strstr(f->error.text, arena_format(&f->arena, "(pid %ld)", (long)child)));
        kill(child, SIGKILL);
        int ended = 0;
        assert_int_equal(waitpid(child, &ended, 0), child);
        assert_ok(ledger_lock(f->ledger, locks[i].lock, &f->error));
        ledger_close(f->ledger);
        f->ledger = NULL;
    }
}

/* With root's rights, what a planted link leads to would be truncated, or made and given away. */
static void a_lock_file_is_no_link(void **state)
{
    struct fixture *f = *state;
    const char *link = arena_format(&f->arena, "%s.reconcile-lock", f->path);
    const char *target = arena_format(&f->arena, "%s/target", f->folder);
    assert_int_equal(symlink(target, link), 0);
    assert_status(ledger_lock(f->ledger, LEDGER_LOCK_RECONCILE, &f->error), STATUS_RETRY);
    assert_non_null(strstr(f->error.text, link));
    assert_int_equal(access(target, F_OK), -1); /* nothing was made */

    FILE *file = fopen(target, "w");
    assert_non_null(file);
    fputs("precious", file);
    assert_int_equal(fclose(file), 0);
    assert_status(ledger_lock(f->ledger, LEDGER_LOCK_RECONCILE, &f->error), STATUS_RETRY);
    struct stat found;
    assert_int_equal(stat(target, &found), 0);
    assert_int_equal(found.st_size, 8); /* nothing was truncated */
    assert_int_equal(unlink(link), 0);
    assert_ok(ledger_lock(f->ledger, LEDGER_LOCK_RECONCILE, &f->error));
}

/* Whoever may write the ledger may take its locks. */
static void a_lock_file_has_the_rights_of_the_ledger(void **state)
{
    struct fixture *f = *state;
    struct stat found;
    static const mode_t modes[] = {0660, 0600};
    mode_t mask = umask(077);
    for (size_t i = 0; i < 2; i++) {
        const char *path = arena_format(&f->arena, "%s%s", f->path, locks[i].suffix);
        assert_int_equal(chmod(f->path, modes[i]), 0);
        if (geteuid() == 0) assert_int_equal(chown(f->path, (uid_t)(1234 + i), 4321), 0);
        assert_ok(ledger_lock(f->ledger, locks[i].lock, &f->error));
        assert_int_equal(stat(path, &found), 0);
        assert_int_equal(found.st_mode & 0777, modes[i]);
        if (geteuid() != 0) continue;
        assert_int_equal(found.st_uid, 1234 + i);
        assert_int_equal(found.st_gid, 4321);
    }
    umask(mask);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_sqlite, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_holder_of_a_lock_is_named),
        TEST(a_lock_outlives_its_connection),
        TEST(a_crash_frees_the_lock),
        TEST(a_lock_file_is_no_link),
        TEST(a_lock_file_has_the_rights_of_the_ledger),
    };
    return cmocka_run_group_tests_name("lock files", tests, NULL, NULL);
}
