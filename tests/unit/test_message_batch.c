/* Batch messages: what parks the whole message, and what parks one item. */
#include "unit/test_message.h"

#include <jansson.h>
#include <pthread.h>

#define GOOD(id) "{\"message_id\":\"" id "\",\"budget_id\":\"b\",\"amount\":1}"

static void assert_whole(const char *body, const char *reason)
{
    /* A property means nothing to a batch message. */
    assert_reason(text_of(body), "p", reason, NULL);
    assert_true(message.is_batch);
}

static void test_what_parks_the_whole_message(void **state)
{
    (void)state;
    static const char *const malformed[] = {
        "[]",
        " [ ] ",
        "[",
        "[ ",
        "[,]",
        "[" GOOD("1"),
        "[" GOOD("1") ",",
        "[" GOOD("1") ",]",
        "[," GOOD("1") "]",
        "[" GOOD("1") ",," GOOD("2") "]",
        "[" GOOD("1") " " GOOD("2") "]",
        "[" GOOD("1") ":" GOOD("2") "]",
        "[" GOOD("1") "}",
        "[" GOOD("1") "]]",
        "[" GOOD("1") "] x",
        "[" GOOD("1") "],",
        "[]x",
        "[" GOOD("1") "][" GOOD("2") "]",
        "[" GOOD("1") ",{\"a\":1,\"a\":2}]",
        "[" GOOD("1") ",{\"x\":{\"a\":1,\"a\":2}}]",
        "[" GOOD("1") ",{\"x\":\"\xff\"}]",
        "[" GOOD("1") ",{\"x\":NaN}]",
        "[" GOOD("1") ",nul]",
        "[" GOOD("1") ",01]",
        "[" GOOD("1") ",1 2]",
        "[" GOOD("1") ",12abc]",
        "[" GOOD("1") ",\"x]",
        "[" GOOD("1") ",\"\\u0000\"]",
        "[" GOOD("1") ",99999999999999999999x]",
        "[" GOOD("1") ",{\"x\":1e999,\"x\":1}]",
        "[\xef\xbb\xbf" GOOD("1") "]",
    };
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        assert_whole(malformed[i], "malformed");
}

static void test_a_raw_nul_is_no_white_space(void **state)
{
    (void)state;
    assert_reason(TEXT_LITERAL("[1\0,2]"), NULL, "malformed", NULL);
    assert_reason(TEXT_LITERAL("{\"budget_id\":\"b\",\"amount\":1\0}"), "p", "malformed", "p");
    assert_reason(TEXT_LITERAL("{\"budget_id\":\"b\",\"amount\":1}\0"), "p", "malformed", "p");
    assert_reason(TEXT_LITERAL("[" GOOD("1") "]\0"), NULL, "malformed", NULL);
}

static void test_an_item_is_parked_alone(void **state)
{
    (void)state;
    static const struct {
        const char *item;
        const char *reason;
        const char *id;
    } items[] = {
        {GOOD("1"), NULL, "1"},
        {"null", "malformed", NULL},
        {"7", "malformed", NULL},
        {"99999999999999999999", "malformed", NULL},
        {"-1e999", "malformed", NULL},
        {"\"x,]\\\"\"", "malformed", NULL},
        {"[" GOOD("2") "]", "malformed", NULL},
        {"[]", "malformed", NULL},
        {"{}", "missing-id", NULL},
        {"{\"budget_id\":\"b\",\"amount\":1}", "missing-id", NULL},
        {"{\"message_id\":3,\"budget_id\":\"b\",\"amount\":1}", "invalid-id", NULL},
        {"{\"message_id\":\"4\",\"budget_id\":\"b c\",\"amount\":1}", "invalid-budget-id", "4"},
        {"{\"message_id\":\"5\",\"budget_id\":\"b\",\"amount\":1.5}", "invalid-amount", "5"},
        {"{\"message_id\":\"6\",\"budget_id\":\"b\",\"amount\":18446744073709551617}", "invalid-amount", "6"},
        {"{\"message_id\":\"7\",\"budget_id\":\"b\",\"amount\":1,\"meta\":[]}", "malformed", "7"},
        {GOOD("8"), NULL, "8"},
        {GOOD("1"), NULL, "1"}, /* the same id twice is not the decoder's business */
    };
    size_t count = sizeof items / sizeof items[0];
    struct buffer body = {0};
    for (size_t i = 0; i < count; i++) buffer_format(&body, "%s \n%s\t", i == 0 ? " [" : ",", items[i].item);
    buffer_append_string(&body, "] ");
    decode((struct text){body.data, body.size}, "p");
    assert_int_equal(message.reason, PARK_NONE);
    assert_true(message.is_batch);
    assert_int_equal(message.count, count);
    for (size_t i = 0; i < count; i++) {
        const struct message_item *item = &message.items[i];
        const char *reason = park_reason_name(item->reason);
        assert_string_equal(reason == NULL ? "fine" : reason,
                            items[i].reason == NULL ? "fine" : items[i].reason);
        assert_int_equal(item->detail == NULL, items[i].reason == NULL);
        assert_text(item->deduction.message_id, items[i].id);
        assert_text(item->source, items[i].item);
        assert_in_range((uintptr_t)item->source.data, (uintptr_t)body.data, (uintptr_t)body.data + body.size);
    }
    buffer_free(&body);
}

/* An item of `size` bytes, filled up by `unit`, between two good ones. */
static void decode_large(size_t size, const char *unit)
{
    const char *head = "{\"message_id\":\"large\",\"budget_id\":\"b\",\"amount\":1,\"x\":[0";
    size_t count = (size - strlen(head) - 2) / strlen(unit);
    struct text most = repeated(head, unit, count, "");
    struct text rest = repeated("", " ", size - most.size - 2, "]}");
    struct buffer body = {0};
    buffer_format(&body, "[%s,", GOOD("1"));
    buffer_append(&body, most);
    buffer_append(&body, rest);
    buffer_format(&body, ",%s]", GOOD("2"));
    decode((struct text){body.data, body.size}, NULL);
    if (message.reason != PARK_NONE) fail_msg("%s", message.detail);
    assert_int_equal(message.count, 3);
    assert_int_equal(message.items[0].reason, PARK_NONE);
    assert_int_equal(message.items[1].source.size, size);
    assert_memory_equal(message.items[1].source.data, head, strlen(head));
    assert_int_equal(message.items[2].reason, PARK_NONE);
    assert_text(message.items[2].deduction.message_id, "2");
    text_free(most);
    text_free(rest);
    buffer_free(&body);
}

static void test_the_size_of_an_item(void **state)
{
    (void)state;
    static const char *const units[] = {",\"xxxxxxx\"",          ",0", ",[{}]", ",99999999999999999999",
                                        ",\"\xf0\x9f\xa7\xa7\"", "   "};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        decode_large(DEDUCTION_BODY_SIZE_MAX, units[i]);
        assert_int_equal(message.items[1].reason, PARK_NONE);
        for (size_t more = 1; more < 12; more++) { /* whatever the cut of the window goes through */
            decode_large(DEDUCTION_BODY_SIZE_MAX + more, units[i]);
            assert_int_equal(message.items[1].reason, PARK_TOO_LARGE);
            assert_text(message.items[1].deduction.message_id, "large");
        }
        decode_large(DEDUCTION_BODY_SIZE_MAX * 4, units[i]);
        assert_int_equal(message.items[1].reason, PARK_TOO_LARGE);
    }
}

static void test_a_tree_too_large_to_build(void **state)
{
    (void)state;
    decode_large(BATCH_BODY_SIZE_MAX - 200, ",{}");
    assert_int_equal(message.items[1].reason, PARK_TOO_LARGE);
    assert_text(message.items[1].deduction.message_id, NULL); /* not looked into */
}

static void assert_repeated(const char *before, const char *unit, size_t count, const char *after,
                            const char *reason)
{
    struct text body = repeated(before, unit, count, after);
    assert_reason(body, NULL, reason, NULL);
    text_free(body);
}

static void test_a_large_item_is_parsed_all_the_same(void **state)
{
    (void)state;
    assert_repeated("[{\"x\":1,\"y\":\"", "x", DEDUCTION_BODY_SIZE_MAX, "\",\"x\":2}]", "malformed");
    assert_repeated("[{\"y\":\"", "x", DEDUCTION_BODY_SIZE_MAX, "\"]]", "malformed");
    assert_repeated("[{\"y\":\"", "x", DEDUCTION_BODY_SIZE_MAX, "\xff\"}]", "malformed");
    assert_repeated("[\"", "x", DEDUCTION_BODY_SIZE_MAX, "]", "malformed");
    assert_repeated("[", "9", DEDUCTION_BODY_SIZE_MAX + 1, "x]", "malformed");
    assert_repeated("[0", "0", DEDUCTION_BODY_SIZE_MAX + 1, "]", "malformed");
}

static void test_a_large_scalar(void **state)
{
    (void)state;
    static const char *const brackets[][2] = {{"[", "]"}, {"[\"", "\"]"}, {"[-", " ]"}, {"[{},", ",{}]"}};
    for (size_t i = 0; i < sizeof brackets / sizeof brackets[0]; i++) {
        struct text body = repeated(brackets[i][0], "9", DEDUCTION_BODY_SIZE_MAX + 5, brackets[i][1]);
        decode(body, NULL);
        assert_int_equal(message.reason, PARK_NONE);
        assert_int_equal(message.items[i == 3 ? 1 : 0].reason, PARK_TOO_LARGE);
        text_free(body);
    }
}

static void test_the_number_of_items(void **state)
{
    (void)state;
    struct text body = repeated("[" GOOD("1"), "," GOOD("2"), BATCH_ITEMS_MAX - 1, "]");
    decode(body, NULL);
    assert_int_equal(message.reason, PARK_NONE);
    assert_int_equal(message.count, BATCH_ITEMS_MAX);
    assert_text(message.items[0].deduction.message_id, "1");
    for (size_t i = 1; i < BATCH_ITEMS_MAX; i++) assert_text(message.items[i].deduction.message_id, "2");
    text_free(body);
    assert_repeated("[" GOOD("1"), "," GOOD("2"), BATCH_ITEMS_MAX, "]", "too-large");
    assert_repeated("[0", ",0", 2000000, "]", "too-large");
    assert_repeated("[0", ",1e999", 690000, "]",
                    "too-large"); /* each is read twice; must not cost the square */
    assert_repeated("[0", ",0", 2000000, ",]", "malformed");
}

static void test_details_name_the_byte(void **state)
{
    (void)state;
    decode(text_of("[{},{\"a\" 1}]"), NULL);
    assert_string_equal(message.detail, "byte 10: ':' expected near '1'");
    decode(text_of("[{} {}]"), NULL);
    assert_string_equal(message.detail, "byte 4: ',' or ']' expected after an item");
    decode(text_of("[{}] {}"), NULL);
    assert_string_equal(message.detail, "byte 4: end of the body expected after the array");
    decode(text_of("[1e999,1e999 1e999]"), NULL);
    assert_string_equal(message.detail, "byte 13: ',' or ']' expected after an item");
}

/* In a body that exceeds the window too. */
static void test_a_fault_is_found_where_it_lies(void **state)
{
    (void)state;
    struct text body = repeated("[" GOOD("1") ",{\"a\":tru}", ",0", DEDUCTION_BODY_SIZE_MAX, "]");
    decode(body, NULL);
    assert_int_equal(message.reason, PARK_MALFORMED);
    assert_memory_equal(message.detail, "byte 55: ", 9);
    text_free(body);
}

static void *decode_many(void *argument)
{
    const struct text *body = argument;
    struct arena own = {0};
    size_t good = 0;
    for (int i = 0; i < 200; i++) {
        struct message mine;
        arena_reset(&own);
        message_decode(*body, TEXT_NONE, &own, &mine);
        for (size_t k = 0; k < mine.count; k++) good += mine.items[k].reason == PARK_NONE;
    }
    arena_free(&own);
    return (void *)good;
}

static void test_threads_do_not_share(void **state)
{
    (void)state;
    struct text body = repeated("[" GOOD("1") ",{\"x\":1e999}", "," GOOD("2"), 20, "]");
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, decode_many, &body), 0);
    for (int i = 0; i < 4; i++) {
        void *good;
        pthread_join(threads[i], &good);
        assert_int_equal((size_t)good, 200 * 21);
    }
    text_free(body);
}

/* Outside a decode the parser's memory is the heap's, also what is freed after one. */
static void test_the_parser_is_free_for_others(void **state)
{
    (void)state;
    json_t *before = json_loads("{\"a\":[1,2,3]}", 0, NULL);
    decode(text_of("[" GOOD("1") "]"), NULL);
    char *text = json_dumps(before, JSON_COMPACT);
    assert_string_equal(text, "{\"a\":[1,2,3]}");
    free(text);
    json_decref(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_parks_the_whole_message),
        cmocka_unit_test(test_a_raw_nul_is_no_white_space),
        cmocka_unit_test(test_an_item_is_parked_alone),
        cmocka_unit_test(test_the_size_of_an_item),
        cmocka_unit_test(test_a_tree_too_large_to_build),
        cmocka_unit_test(test_a_large_item_is_parsed_all_the_same),
        cmocka_unit_test(test_a_large_scalar),
        cmocka_unit_test(test_the_number_of_items),
        cmocka_unit_test(test_details_name_the_byte),
        cmocka_unit_test(test_a_fault_is_found_where_it_lies),
        cmocka_unit_test(test_threads_do_not_share),
        cmocka_unit_test(test_the_parser_is_free_for_others),
    };
    message_decoder_install();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
