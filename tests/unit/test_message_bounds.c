/* Sizes: each limit exactly, and one more; and what is hostile by its size or its nesting. */
#include "unit/test_message.h"

#define WHOLE "\"message_id\":\"m\",\"budget_id\":\"b\",\"amount\":1"

#define WHOLE_SIZE (sizeof("{" WHOLE "}") - 1)

/* `count` times `unit` in the place between `before` and `after`: which reason? */
static void assert_repeated(const char *before, const char *unit, size_t count, const char *after,
                            const char *reason)
{
    struct text body = repeated(before, unit, count, after);
    decode(body, NULL);
    const char *got = park_reason_name(message.reason);
    if (got == NULL ? reason != NULL : reason == NULL || strcmp(got, reason) != 0) {
        fail_msg("%s + %zu * %s + %s: %s, not %s", before, count, unit, after, got == NULL ? "fine" : got,
                 reason == NULL ? "fine" : reason);
    }
    text_free(body);
}

static void test_bounds_of_fields(void **state)
{
    (void)state;
    static const struct {
        const char *before, *unit, *after;
        size_t most;
        const char *reason; /* with one unit more */
    } bounds[] = {
        {"{\"budget_id\":\"b\",\"amount\":1,\"message_id\":\"", "m", "\"}", MESSAGE_ID_SIZE_MAX,
         "invalid-id"},
        {"{\"message_id\":\"m\",\"amount\":1,\"budget_id\":\"", "b", "\"}", BUDGET_ID_SIZE_MAX,
         "invalid-budget-id"},
        {"{" WHOLE ",\"user_id\":\"", "u", "\"}", USER_ID_CHARACTERS_MAX, "too-large"},
        {"{" WHOLE ",\"user_id\":\"", "\xf0\x9f\xa7\xa7", "\"}", USER_ID_CHARACTERS_MAX, "too-large"},
        {"{" WHOLE ",\"user_id\":\"", "\\ud83e\\udde7", "\"}", USER_ID_CHARACTERS_MAX, "too-large"},
        {"{" WHOLE ",\"meta\":{\"k\":\"", "v", "\"}}", META_SIZE_MAX - 8, "too-large"},
        {"{" WHOLE ",\"meta\":{", " ", "}}", META_SIZE_MAX - 2, "too-large"},
        {"{" WHOLE ",\"meta\":{\"k\":", "9", "}}", META_SIZE_MAX - 6, "too-large"},
        {"", " ", "{" WHOLE "}", DEDUCTION_BODY_SIZE_MAX - WHOLE_SIZE, "too-large"},
        {"{" WHOLE "}", "\n", "", DEDUCTION_BODY_SIZE_MAX - WHOLE_SIZE, "too-large"},
        {"{" WHOLE ",\"x\":\"", "x", "\"}", DEDUCTION_BODY_SIZE_MAX - WHOLE_SIZE - 7, "too-large"},
        {"[{" WHOLE "}", " ", "]", BATCH_BODY_SIZE_MAX - WHOLE_SIZE - 2, "too-large"},
        {"[0", ",0", "]", BATCH_ITEMS_MAX - 1, "too-large"},
        {"{" WHOLE ",\"x\":", "[", "", 0, "malformed"},
    };
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        if (bounds[i].most > 0) {
            assert_repeated(bounds[i].before, bounds[i].unit, bounds[i].most, bounds[i].after, NULL);
        }
        assert_repeated(bounds[i].before, bounds[i].unit, bounds[i].most + 1, bounds[i].after,
                        bounds[i].reason);
    }
}

static void test_a_body_too_large_keeps_its_property(void **state)
{
    (void)state;
    struct text body = repeated("{" WHOLE ",\"x\":\"", "x", DEDUCTION_BODY_SIZE_MAX, "\"}");
    assert_reason(body, "m", "too-large", "m");
    assert_reason(body, "a b", "too-large", NULL);
    text_free(body);
}

static void test_too_large_is_said_without_parsing(void **state)
{
    (void)state;
    assert_repeated("", "{", DEDUCTION_BODY_SIZE_MAX + 1, "", "too-large");
    assert_repeated("", "[", BATCH_BODY_SIZE_MAX + 1, "", "too-large");
}

static void test_integers_of_any_size(void **state)
{
    (void)state;
    assert_repeated("{\"message_id\":\"m\",\"budget_id\":\"b\",\"amount\":", "9", 400, "}", "invalid-amount");
    assert_repeated("{\"message_id\":\"m\",\"budget_id\":\"b\",\"amount\":-1", "0", 18, "}",
                    "invalid-amount");
    assert_repeated("{" WHOLE ",\"x\":", "9", 400, "}", NULL);
    assert_repeated("{" WHOLE ",\"x\":", "9", 400, ".5}", NULL);
    assert_repeated("{" WHOLE ",\"x\":1e", "9", 60000, "}", NULL);
    assert_repeated("{" WHOLE ",\"x\":[0", ",99999999999999999999,\"99999999999999999999\"", 1000, "]}",
                    NULL);
    assert_repeated("{" WHOLE ",\"deducted_at\":", "9", 400, "}", "malformed");
    struct text body = repeated("{" WHOLE ",\"meta\":{\"n\":", "9", 400, ",\"s\":\"1e999\"}}");
    decode(body, NULL);
    assert_int_equal(message.reason, PARK_NONE);
    struct text meta = message.items[0].deduction.meta;
    assert_int_equal(meta.size, 5 + 400 + 5 + 7 + 1);
    assert_memory_equal(meta.data, "{\"n\":9999", 9);
    assert_memory_equal(meta.data + meta.size - 10, "\":\"1e999\"}", 10);
    text_free(body);
}

static void test_nesting(void **state)
{
    (void)state;
    struct text body = repeated("{" WHOLE ",\"x\":", "[", 1000, "");
    struct text closed = repeated("", "]", 1000, "}");
    struct buffer whole = {0};
    buffer_append(&whole, body);
    buffer_append(&whole, closed);
    assert_reason((struct text){whole.data, whole.size}, NULL, NULL, "m");
    text_free(body);
    text_free(closed);
    buffer_free(&whole);
    assert_repeated("", "{\"\":", 10000, "", "malformed");
    assert_repeated("{" WHOLE ",\"meta\":", "[", 65000, "}", "malformed");
    assert_repeated("", "[", BATCH_BODY_SIZE_MAX, "", "malformed");
    assert_repeated("[{\"x\":", "[{},", 1000000, "", "malformed");
    assert_repeated("[", "{\"a\":", 800000, "]", "malformed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_of_fields),
        cmocka_unit_test(test_a_body_too_large_keeps_its_property),
        cmocka_unit_test(test_too_large_is_said_without_parsing),
        cmocka_unit_test(test_integers_of_any_size),
        cmocka_unit_test(test_nesting),
    };
    message_decoder_install();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
