#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/identifier.h"
#include "core/limits.h"

/* Every byte value, alone and behind an allowed one. */
static void test_each_character(void **state)
{
    (void)state;
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";
    for (int c = 0; c < 256; c++) {
        char id[2] = {'x', (char)c};
        bool budget = c != 0 && strchr(allowed, c) != NULL;
        bool message = c >= 0x21 && c <= 0x7e;
        assert_int_equal(budget_id_is_valid((struct text){id, 2}), budget);
        assert_int_equal(budget_id_is_valid((struct text){id + 1, 1}), budget);
        assert_int_equal(message_id_is_valid((struct text){id, 2}), message);
        assert_int_equal(message_id_is_valid((struct text){id + 1, 1}), message);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    char id[200];
    memset(id, 'x', sizeof id);
    for (size_t size = 0; size < sizeof id; size++) {
        assert_int_equal(budget_id_is_valid((struct text){id, size}), size >= 1 && size <= 128);
        assert_int_equal(message_id_is_valid((struct text){id, size}), size >= 1 && size <= 128);
    }
    assert_false(budget_id_is_valid(TEXT_NONE));
    assert_false(message_id_is_valid(TEXT_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_character), cmocka_unit_test(test_sizes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
