/* SQLite on a disk that fails: each kind of call, at its nth time. */
#include "faults/story.h"
#include "contract/fault_vfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct script script;
static struct fault planted; /* what fails; how often is the story's matter */

static void disk_arm(int skip, int times)
{
    fault = planted;
    fault.skip = skip;
    fault.times = times;
}

static void disk_pause(bool paused)
{
    fault.calls = paused ? 0 : planted.calls;
}

static int disk_happened(void)
{
    return fault.happened;
}

static const struct story_fault disk = {
    .arm = disk_arm, .pause = disk_pause, .happened = disk_happened, .each_up_to = 12, .stride = 9};

#define WALK(name, ...)                                                                                      \
    static void name(void **state)                                                                           \
    {                                                                                                        \
        (void)state;                                                                                         \
        planted = (struct fault){__VA_ARGS__};                                                               \
        story_walk(&disk, &script);                                                                          \
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
