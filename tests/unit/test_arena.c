#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"

#include <stdalign.h>

static struct arena arena;

static int tear_down(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* Small ones, large ones, one of several chunks: aligned, and none overlaps another. */
static void test_allocations_are_apart(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 65536, 65537, 300000, 8};
    enum { ROUNDS = 30, SIZES = sizeof sizes / sizeof sizes[0] };
    unsigned char *memory[ROUNDS * SIZES];
    for (int i = 0; i < ROUNDS * SIZES; i++) {
        memory[i] = arena_alloc(&arena, sizes[i % SIZES]);
        assert_non_null(memory[i]);
        assert_int_equal((uintptr_t)memory[i] % alignof(max_align_t), 0);
        memset(memory[i], i % 251, sizes[i % SIZES]);
    }
    for (int i = 0; i < ROUNDS * SIZES; i++) {
        for (size_t b = 0; b < sizes[i % SIZES]; b++) {
            if (memory[i][b] != i % 251) fail_msg("allocation %d was overwritten at %zu", i, b);
        }
    }
}

static void test_a_reset_keeps_the_chunks(void **state)
{
    (void)state;
    void *first = arena_alloc(&arena, 100);
    for (int i = 0; i < 100; i++) arena_alloc(&arena, 10000);
    size_t used = arena.used;
    assert_in_range(used, 1000100, 1002000);
    for (int round = 0; round < 3; round++) {
        arena_reset(&arena);
        assert_int_equal(arena.used, 0);
        assert_ptr_equal(arena_alloc(&arena, 100), first);
        for (int i = 0; i < 100; i++) arena_alloc(&arena, 10000);
        assert_int_equal(arena.used, used);
    }
}

static void test_a_reset_gives_an_odd_load_back(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) memset(arena_alloc(&arena, ARENA_KEEP_MAX), 1, ARENA_KEEP_MAX);
    char *large = arena_alloc(&arena, ARENA_KEEP_MAX + 1);
    assert_non_null(large);
    arena_reset(&arena);
    char *small = arena_alloc(&arena, 1);
    *small = 1;
    arena_free(&arena);
    arena_reset(&arena);
    *(char *)arena_alloc(&arena, 1) = 1;
}

static void test_copies(void **state)
{
    (void)state;
    struct text copy = arena_copy(&arena, TEXT_LITERAL("a\0b"));
    assert_int_equal(copy.size, 3);
    assert_memory_equal(copy.data, "a\0b", 4);
    copy = arena_copy(&arena, TEXT_LITERAL(""));
    assert_true(text_is_present(copy));
    assert_string_equal(copy.data, "");
    assert_false(text_is_present(arena_copy(&arena, TEXT_NONE)));
}

static void test_formats(void **state)
{
    (void)state;
    assert_string_equal(arena_format(&arena, "%s: %d", "rows", 5000), "rows: 5000");
    assert_int_equal(strlen(arena_format(&arena, "%0100000d", 7)), 100000);
    assert_string_equal(arena_format(&arena, "%s", ""), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_allocations_are_apart, tear_down),
        cmocka_unit_test_teardown(test_a_reset_keeps_the_chunks, tear_down),
        cmocka_unit_test_teardown(test_a_reset_gives_an_odd_load_back, tear_down),
        cmocka_unit_test_teardown(test_copies, tear_down),
        cmocka_unit_test_teardown(test_formats, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
