#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/finding.h"

static void every_kind_has_its_word(void **state)
{
    (void)state;
    static const char *const words[FINDING_KIND_COUNT] = {
        [FINDING_LEFT_DRIFT] = "left-drift",       [FINDING_MISSING_KEY] = "missing-key",
        [FINDING_UNCLEARED] = "uncleared",         [FINDING_REFUND_DUE] = "refund-due",
        [FINDING_CREDIT_DUE] = "credit-due",       [FINDING_ORPHAN] = "orphan",
        [FINDING_LEDGER_BEHIND] = "ledger-behind", [FINDING_UNTRACKED] = "untracked",
    };
    for (int kind = 0; kind < FINDING_KIND_COUNT; kind++)
        assert_string_equal(finding_kind_name((enum finding_kind)kind), words[kind]);
    assert_string_equal(finding_kind_name(FINDING_KIND_COUNT), "?");
    assert_string_equal(finding_kind_name((enum finding_kind)99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_its_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
