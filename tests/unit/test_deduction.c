/* The words that the contract and the ledgers' views use for what the numbers mean. */
#include "core/deduction.h"
#include "core/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void every_value_has_its_word(void **state)
{
    (void)state;
    static const char *const states[] = {"settled", "rejected", "voided", "?"};
    static const char *const reasons[] = {
        "unknown-budget", "closed-budget", "deleted-budget", "over-total", "orphaned", "discarded", "?"};
    static const char *const refunds[] = {"none", "due", "done", "?"};
    static const char *const budgets[] = {"active", "closed", "deleted", "?"};
    for (int i = 0; i < 4; i++) {
        assert_string_equal(deduction_state_name((enum deduction_state)i), states[i]);
        assert_string_equal(refund_state_name((enum refund_state)i), refunds[i]);
        assert_string_equal(budget_state_name((enum budget_state)i), budgets[i]);
    }
    assert_null(deduction_reason_name(REASON_NONE));
    for (int i = 0; i < 7; i++) {
        assert_string_equal(deduction_reason_name((enum deduction_reason)(i + 1)), reasons[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_value_has_its_word)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
