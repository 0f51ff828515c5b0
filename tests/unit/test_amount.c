#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/amount.h"
#include "core/limits.h"

static const struct {
    struct text text;
    int64_t amount; /* -1: none */
} cases[] = {
    {TEXT_LITERAL("1"), 1},
    {TEXT_LITERAL("9"), 9},
    {TEXT_LITERAL("10"), 10},
    {TEXT_LITERAL("1234567890"), 1234567890},
    {TEXT_LITERAL("9007199254740991"), AMOUNT_MAX},
    {TEXT_LITERAL("9007199254740992"), -1},
    {TEXT_LITERAL("9999999999999999"), -1},
    {TEXT_LITERAL("10000000000000000"), -1},
    {TEXT_LITERAL("18446744073709551617"), -1},
    {TEXT_LITERAL("0"), 0},
    {TEXT_LITERAL("00"), -1},
    {TEXT_LITERAL("01"), -1},
    {TEXT_LITERAL("-1"), -1},
    {TEXT_LITERAL("+1"), -1},
    {TEXT_LITERAL(" 1"), -1},
    {TEXT_LITERAL("1 "), -1},
    {TEXT_LITERAL("1\n"), -1},
    {TEXT_LITERAL("1\0"), -1},
    {TEXT_LITERAL("1.0"), -1},
    {TEXT_LITERAL("1e3"), -1},
    {TEXT_LITERAL("0x1"), -1},
    {TEXT_LITERAL("/"), -1},
    {TEXT_LITERAL(":"), -1},
    {TEXT_LITERAL("1/"), -1},
    {TEXT_LITERAL("1:"), -1},
    {TEXT_LITERAL("\xd9\xa1"), -1},
    {TEXT_LITERAL("unlimited"), -1},
    {TEXT_LITERAL(""), -1},
    {{NULL, 0}, -1},
};

static void test_parsing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t amount = -7;
        bool valid = cases[i].amount > 0;
        if (amount_parse(cases[i].text, &amount) != valid)
            fail_msg("\"" TEXT_FORMAT "\"", TEXT_ARGUMENTS(cases[i].text));
        assert_int_equal(amount, valid ? cases[i].amount : -7);

        amount = -7;
        valid = cases[i].amount >= 0;
        assert_int_equal(amount_parse_or_zero(cases[i].text, &amount), valid);
        assert_int_equal(amount, valid ? cases[i].amount : -7);
    }
}

static void test_range(void **state)
{
    (void)state;
    assert_true(amount_is_valid(1));
    assert_true(amount_is_valid(AMOUNT_MAX));
    assert_false(amount_is_valid(AMOUNT_MAX + 1));
    assert_false(amount_is_valid(0));
    assert_false(amount_is_valid(-1));
    assert_false(amount_is_valid(INT64_MIN));
    assert_false(amount_is_valid(INT64_MAX));
    assert_int_equal(AMOUNT_MAX, (INT64_C(1) << 53) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parsing), cmocka_unit_test(test_range)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
