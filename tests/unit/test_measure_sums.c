/* Which entries belong to a measurement, by their times. */
#include "reconcile/measure_sums.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ENTRIES 5

/* Entries with these times, and the two audits. */
struct times {
    int64_t tokens[ENTRIES];
    size_t count;
    int64_t first, second;
};

static void measure_of(struct measure *measure, struct entry *entries, const struct times *times)
{
    for (size_t i = 0; i < times->count; i++) entries[i] = (struct entry){.deducted_at_us = times->tokens[i]};
    measure->entries = entries;
    measure->count = times->count;
    measure->first.now_us = times->first;
    measure->second.now_us = times->second;
}

/* Without `entries`, which are a test's own. */
static void end(struct measure *measure)
{
    measure->entries = NULL;
    measure_free(measure);
}

static void test_what_lies_between_the_audits_is_left_out(void **state)
{
    (void)state;
    struct entry entries[ENTRIES];
    struct measure measure = {0};
    measure_of(&measure, entries, &(struct times){{99, 100, 101, 110, 111}, 5, 100, 110});
    measure_drop_after_cut(&measure);
    assert_int_equal(measure.count, 3);
    assert_int_equal(entries[0].deducted_at_us, 99);
    assert_int_equal(entries[1].deducted_at_us, 100);
    assert_int_equal(entries[2].deducted_at_us, 111); /* from before a clock that was set back */
    end(&measure);
}

static void test_a_clock_that_comes_by_an_older_entry(void **state)
{
    (void)state;
    const struct {
        const char *name;
        struct times before, now;
        bool ambiguous;
    } cases[] = {
        {"nothing was ahead", {{90, 110}, 2, 100, 110}, {{90, 115}, 2, 111, 120}, false},
        {"what was ahead is still to come", {{130}, 1, 100, 110}, {{130}, 1, 111, 120}, false},
        {"it comes", {{90, 115}, 2, 100, 110}, {{115}, 1, 111, 120}, true},
        {"it comes, and its entry was cleared meanwhile", {{115}, 1, 100, 110}, {{0}, 0, 111, 120}, true},
        {"it comes at the second audit", {{120}, 1, 100, 110}, {{120}, 1, 111, 120}, true},
        {"it came before the first", {{111}, 1, 100, 110}, {{111}, 1, 111, 120}, false},
        {"the clock was set back in between", {{100}, 1, 110, 50}, {{100}, 1, 99, 101}, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct entry entries[ENTRIES];
        struct measure measure = {0};
        measure_of(&measure, entries, &cases[i].before);
        assert_false(measure_is_ambiguous(&measure));
        measure_note_ahead(&measure);
        measure_of(&measure, entries, &cases[i].now);
        if (measure_is_ambiguous(&measure) != cases[i].ambiguous) fail_msg("%s", cases[i].name);
        end(&measure);
    }
}

/* Only what the measurement right before saw: what it did not see any more is counted. */
static void test_what_was_ahead_is_forgotten(void **state)
{
    (void)state;
    struct entry entries[ENTRIES];
    struct measure measure = {0};
    measure_of(&measure, entries, &(struct times){{115, 125}, 2, 100, 110});
    measure_note_ahead(&measure);
    measure_of(&measure, entries, &(struct times){{125}, 1, 111, 112});
    measure_note_ahead(&measure);
    measure_of(&measure, entries, &(struct times){{125}, 1, 114, 116});
    assert_false(measure_is_ambiguous(&measure));
    measure_of(&measure, entries, &(struct times){{125}, 1, 124, 126});
    assert_true(measure_is_ambiguous(&measure));
    end(&measure);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_lies_between_the_audits_is_left_out),
        cmocka_unit_test(test_a_clock_that_comes_by_an_older_entry),
        cmocka_unit_test(test_what_was_ahead_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
