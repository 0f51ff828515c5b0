/* SQLite without memory: its nth allocation fails. */
#include "faults/story.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct script script;
static sqlite3_mem_methods real;

static struct {
    bool on;
    int skip;
    int times;
    int happened;
} memory;

static bool memory_refused(void)
{
    if (!memory.on || memory.happened == memory.times) return false;
    if (memory.skip > 0) {
        memory.skip--;
        return false;
    }
    memory.happened++;
    return true;
}

static void *memory_malloc(int size)
{
    return memory_refused() ? NULL : real.xMalloc(size);
}

static void *memory_realloc(void *block, int size)
{
    return memory_refused() ? NULL : real.xRealloc(block, size);
}

static void memory_arm(int skip, int times)
{
    memory.on = times != 0;
    memory.skip = skip;
    memory.times = times;
    memory.happened = 0;
}

static void memory_pause(bool paused)
{
    memory.on = !paused;
}

static int memory_happened(void)
{
    return memory.happened;
}

static void each_allocation_fails(void **state)
{
    (void)state;
    static const struct story_fault fault = {
        .arm = memory_arm, .pause = memory_pause, .happened = memory_happened, .each_up_to = 0, .stride = 61};
    story_walk(&fault, &script);
}

/* Before SQLite does anything. Without its small private pools each allocation of its own can fail. */
static int install(void **state)
{
    (void)state;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real), SQLITE_OK);
    sqlite3_mem_methods faulty = real;
    faulty.xMalloc = memory_malloc;
    faulty.xRealloc = memory_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &faulty), SQLITE_OK);
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_fails)};
    return cmocka_run_group_tests_name("a session with the ledger without memory", tests, install, forget);
}
