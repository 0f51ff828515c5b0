/* One deduction: each reason for parking, and each bound, a line a case. */
#include "unit/test_message.h"

struct message_case {
    const char *body;
    const char *property_id;
    const char *reason; /* NULL: a deduction */
    const char *id;     /* what it is known by */
};

#define REST  "\"budget_id\":\"b\",\"amount\":1"
#define WHOLE "\"message_id\":\"m\"," REST

static const struct message_case cases[] = {
    /* where the id comes from */
    {"{" WHOLE "}", NULL, NULL, "m"},
    {"{" REST "}", "p", NULL, "p"},
    {"{" WHOLE "}", "m", NULL, "m"},
    {"{" WHOLE "}", "p", "malformed", "p"},
    {"{" WHOLE "}", "M", "malformed", "M"},
    {"{" WHOLE "}", "", "malformed", "m"},
    {"{" WHOLE "}", "a b", "malformed", "m"},
    {"{" REST "}", NULL, "missing-id", NULL},
    {"{" REST "}", "", "invalid-id", NULL},
    {"{" REST "}", "a b", "invalid-id", NULL},
    {"{" REST "}", "caf\xc3\xa9", "invalid-id", NULL},
    {"{\"message_id\":null," REST "}", NULL, "invalid-id", NULL},
    {"{\"message_id\":null," REST "}", "p", "invalid-id", "p"},
    {"{\"message_id\":7," REST "}", NULL, "invalid-id", NULL},
    {"{\"message_id\":{}," REST "}", NULL, "invalid-id", NULL},
    {"{\"message_id\":\"\"," REST "}", NULL, "invalid-id", NULL},
    {"{\"message_id\":\"a b\"," REST "}", NULL, "invalid-id", NULL},
    {"{\"message_id\":\"a b\"," REST "}", "a b", "invalid-id", NULL},
    {"{\"message_id\":\"a\\n\"," REST "}", NULL, "invalid-id", NULL},
    {"{\"message_id\":\"\\u007f\"," REST "}", NULL, "invalid-id", NULL},
    {"{\"message_id\":\"\xc3\xa9\"," REST "}", NULL, "invalid-id", NULL},
    {"{\"message_id\":\"!~\\\"\\\\\"," REST "}", NULL, NULL, "!~\"\\"},
    {"{\"m\\u0065ssage_id\":\"\\u006d\"," REST "}", NULL, NULL, "m"},
    {"{\"m\\u0065ssage_id\":\"n\"," WHOLE "}", NULL, "malformed", NULL},
    {"{\"Message_ID\":\"m\"," REST "}", NULL, "missing-id", NULL},
    /* the budget */
    {"{\"message_id\":\"m\",\"amount\":1}", NULL, "invalid-budget-id", "m"},
    {"{\"message_id\":\"m\",\"amount\":1,\"budget_id\":null}", NULL, "invalid-budget-id", "m"},
    {"{\"message_id\":\"m\",\"amount\":1,\"budget_id\":42}", NULL, "invalid-budget-id", "m"},
    {"{\"message_id\":\"m\",\"amount\":1,\"budget_id\":[\"b\"]}", NULL, "invalid-budget-id", "m"},
    {"{\"message_id\":\"m\",\"amount\":1,\"budget_id\":\"\"}", NULL, "invalid-budget-id", "m"},
    {"{\"message_id\":\"m\",\"amount\":1,\"budget_id\":\"a b\"}", NULL, "invalid-budget-id", "m"},
    {"{\"message_id\":\"m\",\"amount\":1,\"budget_id\":\"{b}\"}", NULL, "invalid-budget-id", "m"},
    {"{\"message_id\":\"m\",\"amount\":1,\"budget_id\":\"caf\xc3\xa9\"}", NULL, "invalid-budget-id", "m"},
    {"{\"message_id\":\"m\",\"amount\":1,\"budget_id\":\"azAZ09._:-\"}", NULL, NULL, "m"},
    /* deducted_at */
    {"{" WHOLE ",\"deducted_at\":1}", NULL, NULL, "m"},
    {"{" WHOLE ",\"deducted_at\":9007199254740991}", NULL, NULL, "m"},
    {"{" WHOLE ",\"deducted_at\":\"1732263296123456\"}", NULL, NULL, "m"},
    {"{" WHOLE ",\"deducted_at\":0}", NULL, "malformed", "m"},
    {"{" WHOLE ",\"deducted_at\":-1}", NULL, "malformed", "m"},
    {"{" WHOLE ",\"deducted_at\":9007199254740992}", NULL, "malformed", "m"},
    {"{" WHOLE ",\"deducted_at\":99999999999999999999}", NULL, "malformed", "m"},
    {"{" WHOLE ",\"deducted_at\":1.0}", NULL, "malformed", "m"},
    {"{" WHOLE ",\"deducted_at\":\"\"}", NULL, "malformed", "m"},
    {"{" WHOLE ",\"deducted_at\":\"0\"}", NULL, "malformed", "m"},
    {"{" WHOLE ",\"deducted_at\":\"01\"}", NULL, "malformed", "m"},
    {"{" WHOLE ",\"deducted_at\":\"2026-01-02T03:04:05Z\"}", NULL, "malformed", "m"},
    {"{" WHOLE ",\"deducted_at\":null}", NULL, "malformed", "m"},
    {"{" WHOLE ",\"deducted_at\":true}", NULL, "malformed", "m"},
    /* user_id and meta */
    {"{" WHOLE ",\"user_id\":\"\"}", NULL, NULL, "m"},
    {"{" WHOLE ",\"user_id\":\"a b\\n\xc3\xa9\"}", NULL, NULL, "m"},
    {"{" WHOLE ",\"user_id\":7}", NULL, "malformed", "m"},
    {"{" WHOLE ",\"user_id\":null}", NULL, "malformed", "m"},
    {"{" WHOLE ",\"meta\":{\"a\":[1,{\"b\":null}]}}", NULL, NULL, "m"},
    {"{" WHOLE ",\"meta\":[]}", NULL, "malformed", "m"},
    {"{" WHOLE ",\"meta\":\"{}\"}", NULL, "malformed", "m"},
    {"{" WHOLE ",\"meta\":null}", NULL, "malformed", "m"},
    /* unknown keys */
    {"{" WHOLE ",\"x\":null,\"\":[{}],\"amounts\":2}", NULL, NULL, "m"},
    {"{" WHOLE ",\"x\":99999999999999999999}", NULL, NULL, "m"},
    {"{" WHOLE ",\"x\":[-99999999999999999999,1e999,-1E+999,0.5e-999]}", NULL, NULL, "m"},
    /* no JSON */
    {"", NULL, "malformed", NULL},
    {"", "p", "malformed", "p"},
    {" \t\r\n", "p", "malformed", "p"},
    {"{", "p", "malformed", "p"},
    {"{" WHOLE, NULL, "malformed", NULL},
    {"{" WHOLE "}}", NULL, "malformed", NULL},
    {"{" WHOLE "} x", "m", "malformed", "m"},
    {"{" WHOLE "}{" WHOLE "}", NULL, "malformed", NULL},
    {"{" WHOLE "},", NULL, "malformed", NULL},
    {"{" WHOLE ",}", NULL, "malformed", NULL},
    {"{" WHOLE " \"x\":1}", NULL, "malformed", NULL},
    {"\xef\xbb\xbf{" WHOLE "}", "m", "malformed", "m"},
    {"{" WHOLE ",\"x\":NaN}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":Infinity}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":+1}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":01}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":.5}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":1.}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":0x10}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":True}", NULL, "malformed", NULL},
    {"{" WHOLE ",'x':1}", NULL, "malformed", NULL},
    {"{" WHOLE "/**/}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":\"\t\"}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":\"\\x\"}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":\"\\u00\"}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":\"\\u0000\"}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"\\u0000\":1}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":\"\\ud800\"}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":\"\xff\"}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":\"\xc0\xaf\"}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":\"\xed\xa0\x80\"}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":\"caf\xe9\"}", NULL, "malformed", NULL},
    /* an overflow does not hide another fault */
    {"{" WHOLE ",\"x\":1e999,\"x\":1}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":99999999999999999999x}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":099999999999999999999}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":99999999999999999999.}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":1e999.5}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":[1e999 1e999]}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":[1e999,099999999999999999999]}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":[1e999,-099999999999999999999]}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":[1e999,99999999999999999999.]}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":[1e999,99999999999999999999e]}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":[1e999,1-99999999999999999999]}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":[1e999,--1e999]}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":[1e999,a1e999]}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":[1e999,1e999a]}", NULL, "malformed", NULL},
    /* nor change a text */
    {"{\"x\":1e999,\"message_id\":\"99999999999999999999\"," REST "}", NULL, NULL, "99999999999999999999"},
    {"{\"x\":1e999,\"message_id\":\"\\\"1e999\\\\\"," REST "}", "\"1e999\\", NULL, "\"1e999\\"},
    /* no object */
    {"null", "p", "malformed", "p"},
    {"42", "p", "malformed", "p"},
    {"\"x\"", NULL, "malformed", NULL},
    {"99999999999999999999", NULL, "malformed", NULL},
    {"true", NULL, "malformed", NULL},
    {"{}", NULL, "missing-id", NULL},
    {"{}", "p", "invalid-budget-id", "p"},
    /* duplicate keys, at any depth */
    {"{" WHOLE ",\"amount\":1}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":1,\"x\":1}", "m", "malformed", "m"},
    {"{" WHOLE ",\"meta\":{\"a\":1,\"\\u0061\":2}}", NULL, "malformed", NULL},
    {"{" WHOLE ",\"x\":[[{\"a\":1,\"a\":2}]]}", NULL, "malformed", NULL},
    /* white space */
    {" \t\r\n{ \"message_id\" : \"m\" ,\n" REST " } \t\r\n", NULL, NULL, "m"},
    {"\v{" WHOLE "}", NULL, "malformed", NULL},
    {"{" WHOLE "}\f", NULL, "malformed", NULL},
    /* which rule speaks first */
    {"{\"deducted_at\":0}", NULL, "malformed", NULL},
    {"{\"message_id\":1,\"meta\":1}", NULL, "malformed", NULL},
    {"{\"message_id\":1}", NULL, "invalid-id", NULL},
    {"{\"budget_id\":1}", NULL, "missing-id", NULL},
    {"{\"message_id\":\"m\",\"budget_id\":1,\"amount\":0}", NULL, "invalid-budget-id", "m"},
};

static void test_each_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_reason(text_of(cases[i].body), cases[i].property_id, cases[i].reason, cases[i].id);
    }
}

static void test_amounts(void **state)
{
    (void)state;
    static const struct {
        const char *amount;
        int64_t value; /* 0: invalid-amount */
    } amounts[] = {
        {"1", 1},
        {"\"1\"", 1},
        {"\"\\u0031\"", 1},
        {"9007199254740991", AMOUNT_MAX},
        {"\"9007199254740991\"", AMOUNT_MAX},
        {"0", 0},
        {"-0", 0},
        {"-1", 0},
        {"9007199254740992", 0},
        {"\"9007199254740992\"", 0},
        {"9223372036854775807", 0},
        {"9223372036854775808", 0},
        {"18446744073709551617", 0}, /* 2^64 + 1: 1 where it wraps */
        {"-99999999999999999999", 0},
        {"1.0", 0},
        {"2.5", 0},
        {"1e0", 0},
        {"1e999", 0},
        {"\"0\"", 0},
        {"\"01\"", 0},
        {"\"+1\"", 0},
        {"\"-1\"", 0},
        {"\" 1\"", 0},
        {"\"1 \"", 0},
        {"\"1.0\"", 0},
        {"\"0x1\"", 0},
        {"\"\"", 0},
        {"\"\xd9\xa1\"", 0}, /* an Arabic digit one */
        {"null", 0},
        {"true", 0},
        {"[1]", 0},
        {"{}", 0},
    };
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        char body[200];
        snprintf(body, sizeof body, "{\"message_id\":\"m\",\"budget_id\":\"b\",\"amount\":%s}",
                 amounts[i].amount);
        assert_reason(text_of(body), NULL, amounts[i].value == 0 ? "invalid-amount" : NULL, "m");
        if (amounts[i].value != 0) assert_int_equal(message.items[0].deduction.amount, amounts[i].value);
    }
    assert_reason(text_of("{\"message_id\":\"m\",\"budget_id\":\"b\"}"), NULL, "invalid-amount", "m");
}

static void test_every_field_is_read(void **state)
{
    (void)state;
    const char *body =
        " {\"\": [{}], \"x\": \"\\\\\", \"meta\": {\"n\": 18446744073709551617, \"s\":\"}\\\"\"} "
        ",\"message_id\":\"019a\","
        "\"deducted_at\":1732263296123456,\"user_id\":\"u\\u00e9\",\"budget_id\":\"camp:42\",\"amount\":3}\n";
    decode(text_of(body), NULL);
    assert_int_equal(message.reason, PARK_NONE);
    assert_false(message.is_batch);
    const struct deduction *deduction = &message.items[0].deduction;
    assert_text(deduction->message_id, "019a");
    assert_text(deduction->budget_id, "camp:42");
    assert_int_equal(deduction->amount, 3);
    assert_int_equal(deduction->deducted_at_us, 1732263296123456);
    assert_text(deduction->user_id, "u\xc3\xa9");
    assert_text(deduction->meta, "{\"n\": 18446744073709551617, \"s\":\"}\\\"\"}");
    assert_ptr_equal(message.items[0].source.data, body + 1);
    assert_int_equal(message.items[0].source.size, strlen(body) - 2);
}

static void test_what_is_absent_stays_absent(void **state)
{
    (void)state;
    decode(text_of("{" WHOLE "}"), NULL);
    assert_text(message.items[0].deduction.user_id, NULL);
    assert_text(message.items[0].deduction.meta, NULL);
    assert_int_equal(message.items[0].deduction.deducted_at_us, 0);
    decode(text_of("{" WHOLE ",\"user_id\":\"\",\"meta\":{ }}"), NULL);
    assert_text(message.items[0].deduction.user_id, "");
    assert_text(message.items[0].deduction.meta, "{ }");
}

static void test_details(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *detail;
    } details[] = {
        {"{\"message_id\":\"m\",\"budget_id\":\"b\",\"amount\":2.5}",
         "amount: 2.5 is not an integer of 1 to 9007199254740991"},
        {"{\"x\":1,\"amount\" : 99999999999999999999 ,\"message_id\":\"m\",\"budget_id\":\"b\"}",
         "amount: 99999999999999999999 is not an integer of 1 to 9007199254740991"},
        {"{\"message_id\":\"m\",\"budget_id\":\"b\",\"amount\":\"\xc3\xa9\"}",
         "amount: \"\\xc3\\xa9\" is not an integer of 1 to 9007199254740991"},
        {"{" WHOLE ",\"user_id\":[1,2]}", "user_id: [1,2] is not a string"},
        {"{" WHOLE ",\"meta\":\n\"0123456789012345678901234567890123456789012345678901234567890123456789\"}",
         "meta: \"01234567890123456789012345678901234567890123456789012345678... is not an object"},
        {"[]", "the array is empty"},
        {"\"a\nb\"", "byte 2: unexpected newline near '\"a'"},
        {"\"a\\u0000 without JSON_ALLOW_NUL\"", "byte 32: \\u0000 is not allowed"},
        {"7", "7 is not an object"},
        {"{" REST "}", "message_id: missing in the properties and in the body"},
    };
    for (size_t i = 0; i < sizeof details / sizeof details[0]; i++) {
        decode(text_of(details[i].body), NULL);
        assert_string_equal(message.detail, details[i].detail);
    }
    decode(text_of("{" WHOLE "}"), "p\n");
    assert_string_equal(message.detail, "message_id: the property \"p\\x0a\" and the body's \"m\" differ");
}

static void test_reasons_have_names(void **state)
{
    (void)state;
    static const char *const names[] = {"malformed",      "missing-id", "invalid-id",  "invalid-budget-id",
                                        "invalid-amount", "too-large",  "id-conflict", "unprocessable"};
    assert_null(park_reason_name(PARK_NONE));
    for (int i = 0; i < 8; i++) assert_string_equal(park_reason_name((enum park_reason)(i + 1)), names[i]);
    assert_string_equal(park_reason_name((enum park_reason)9), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_case),
        cmocka_unit_test(test_amounts),
        cmocka_unit_test(test_every_field_is_read),
        cmocka_unit_test(test_what_is_absent_stays_absent),
        cmocka_unit_test(test_details),
        cmocka_unit_test(test_reasons_have_names),
    };
    message_decoder_install();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
