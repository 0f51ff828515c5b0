/* The pure parts of what handles dead letters: bodies, edits, filters, times, base64, saved lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/instant.h"
#include "cli/letter_json.h"
#include "deadletter/id_set.h"
#include "deadletter/letter_body.h"
#include "deadletter/letter_edit.h"
#include "deadletter/letter_fate.h"
#include "deadletter/letter_filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void assert_text(struct text found, const char *wanted)
{
    if (wanted == NULL ? text_is_present(found) : !text_equal_string(found, wanted))
        fail_msg("'" TEXT_FORMAT "' is not '%s'", TEXT_ARGUMENTS(found), wanted == NULL ? "absent" : wanted);
}

static void test_members_are_found_where_they_stand(void **state)
{
    static const struct {
        const char *body, *member;
    } cases[] = {
        {"{\"a\":1}", "1"},
        {" { \"b\" : \"a\" , \"a\"\t:\n\"x,}\" } ", "\"x,}\""},
        {"{\"b\":{\"a\":2},\"c\":[1,{\"a\":3}],\"a\":{\"d\":[]}}", "{\"d\":[]}"},
        {"{\"b\":\"\\\"a\\\":1\",\"a\":4}", "4"},
        {"{\"a\":5,\"a\":6}", "5"},
        {"{\"a\":12", "12"},
        {"{\"b\":{\"a\":2}}", NULL},
        {"{\"A\":1}", NULL},
        {"[\"a\",1]", NULL},
        {"\"a\"", NULL},
        {"", NULL},
        {"{", NULL},
        {"{\"a\"", NULL},
        {"{\"a\":", NULL},
        {"{\"a\" 1}", NULL},
        {"{a:1}", NULL},
        {"{\"b\":,\"a\":1}", NULL},
        {"{\"b\":\"unfinished,\"a\":1", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct text body = text_of(cases[i].body);
        assert_text(letter_body_member(body, "a"), cases[i].member);
        /* As large as it is and no larger. */
        char exact[64];
        memcpy(exact + sizeof exact - body.size, body.data, body.size);
        assert_text(letter_body_member((struct text){exact + sizeof exact - body.size, body.size}, "a"),
                    cases[i].member);
    }
    assert_text(letter_body_string(TEXT_LITERAL("{\"a\":\"x\"}"), "a"), "x");
    assert_text(letter_body_string(TEXT_LITERAL("{\"a\":\"\"}"), "a"), "");
    assert_text(letter_body_string(TEXT_LITERAL("{\"a\":\"\\u0041\"}"), "a"), NULL);
    assert_text(letter_body_string(TEXT_LITERAL("{\"a\":1}"), "a"), NULL);
}

static void test_a_member_is_replaced_and_nothing_else(void **state)
{
    static const struct {
        const char *body, *after;
    } cases[] = {
        {"{\"a\" : \"x\" , \"b\":1}", "{\"a\" : 7 , \"b\":1}"},
        {" {\"b\":1} ", " {\"a\":7,\"b\":1} "},
        {"{ }", "{\"a\":7 }"},
        {"{}", "{\"a\":7}"},
        {"[1]", NULL},
    };
    struct arena arena = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_text(letter_body_replace(text_of(cases[i].body), "a", TEXT_LITERAL("7"), &arena),
                    cases[i].after);
    arena_free(&arena);
}

static struct letter letter_of(const char *body, const char *property_id, struct arena *arena)
{
    struct letter letter = {.body = text_of(body), .property_id = text_of(property_id)};
    letter_decode(&letter, arena);
    return letter;
}

static void test_what_an_edit_mends(void **state)
{
    static const struct {
        const char *body, *amount, *budget_id, *after;
    } cases[] = {
        {"{\"message_id\":\"m\",\"budget_id\":\"b\",\"amount\":0}", "3", NULL,
         "{\"message_id\":\"m\",\"budget_id\":\"b\",\"amount\":3}"},
        {"{\"message_id\":\"m\",\"budget_id\":\"b\"}", "3", NULL,
         "{\"amount\":3,\"message_id\":\"m\",\"budget_id\":\"b\"}"},
        {"{\"message_id\":\"m\",\"budget_id\":\" \",\"amount\":\"x\"}", "3", "c",
         "{\"message_id\":\"m\",\"budget_id\":\"c\",\"amount\":3}"},
        {"{\"message_id\":\"m\",\"budget_id\":\" \",\"amount\":\"x\"}", "3", NULL, NULL},
        {"{\"message_id\":\"m\",\"budget_id\":\"b\",\"amount\":2}", "3", NULL, NULL},
        {"{\"budget_id\":\"b\",\"amount\":0}", "3", NULL, NULL},
        {"[{\"message_id\":\"m\",\"budget_id\":\"b\",\"amount\":0}]", "3", NULL, NULL},
        {"{\"message_id\":\"m\",\"budget_id\":\"b\",\"amount\":0,\"user_id\":1}", "3", NULL, NULL},
        {"no json", "3", "c", NULL},
    };
    struct arena arena = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct letter letter = letter_of(cases[i].body, NULL, &arena);
        struct letter_edit edit = {text_of(cases[i].amount), text_of(cases[i].budget_id)};
        struct letter_edited edited;
        letter_edit_apply(&edit, &letter, &arena, &edited);
        if (cases[i].after == NULL) {
            assert_non_null(edited.why_not);
            continue;
        }
        if (edited.why_not != NULL) fail_msg("%s: %s", cases[i].body, edited.why_not);
        assert_text(edited.body, cases[i].after);
        assert_text(edited.message.items[0].deduction.message_id, "m");
    }
    arena_free(&arena);
}

static void test_an_edit_agrees_with_redis(void **state)
{
    static const struct {
        int64_t token;
        struct stock_query query;
        bool agrees;
    } cases[] = {
        {0, {.state = PENDING_UNKNOWN}, true},
        {5, {.state = PENDING_UNKNOWN}, false},
        {5, {.state = PENDING_PENDING, .amount = 3, .deducted_at_us = 5}, true},
        {0, {.state = PENDING_PENDING, .amount = 3, .deducted_at_us = 5}, true},
        {5, {.state = PENDING_PENDING, .amount = 4, .deducted_at_us = 5}, false},
        {5, {.state = PENDING_PENDING, .amount = 3, .deducted_at_us = 6}, false},
        {5, {.state = PENDING_SETTLED, .amount = 9, .deducted_at_us = 5}, true},
    };
    struct arena arena = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct message_item item = {.deduction = {.amount = 3, .deducted_at_us = cases[i].token}};
        struct letter_edited edited = {.message = {.count = 1, .items = &item}};
        if ((letter_edit_disagrees(&edited, &cases[i].query, &arena) == NULL) != cases[i].agrees)
            fail_msg("case %zu", i);
    }
    arena_free(&arena);
}

static void test_times(void **state)
{
    static const struct {
        const char *text;
        int64_t at_us; /* -1: none */
    } cases[] = {
        {"1970-01-01T00:00:01Z", 1000000},
        {"2026-01-02T03:04:05.678901Z", INT64_C(1767323045678901)},
        {"2026-01-02 03:04:05.6789019z", INT64_C(1767323045678901)},
        {"2026-01-02T03:04:05.5+01:30", INT64_C(1767317645500000)},
        {"2026-01-02T03:04:05-00:01", INT64_C(1767323105000000)},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000000)},
        {"2023-02-29T00:00:00Z", -1},
        {"2026-13-01T00:00:00Z", -1},
        {"2026-01-02T24:00:00Z", -1},
        {"2026-01-02T03:04:05", -1},
        {"2026-01-02T03:04:05.Z", -1},
        {"2026-01-02T03:04:05ZZ", -1},
        {"2026-01-02T03:04:05+1:30", -1},
        {"2026-01-02", -1},
        {"", -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t at_us = 4711;
        bool valid = instant_parse(text_of(cases[i].text), &at_us);
        if (valid != (cases[i].at_us >= 0) || at_us != (valid ? cases[i].at_us : 4711))
            fail_msg("%s: %d %lld", cases[i].text, valid, (long long)at_us);
    }
    int64_t ignored;
    assert_false(instant_parse(TEXT_NONE, &ignored));
}

static void test_base64(void **state)
{
    static const char *const pairs[][2] = {{"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
                                           {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe", "//4="}};
    static const char *const bad[] = {
        "Z", "Zg=", "Zg", "Z===", "Zg==Zg==", "Zh==", "Zm9=", "Zm9v\n", "Zm-_", "===="};
    struct arena arena = {0};
    struct text decoded;
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        struct buffer encoded = {0};
        base64_encode(text_of(pairs[i][0]), &encoded);
        assert_string_equal(encoded.data == NULL ? "" : encoded.data, pairs[i][1]);
        assert_true(base64_decode(text_of(pairs[i][1]), &arena, &decoded));
        assert_text(decoded, pairs[i][0]);
        buffer_free(&encoded);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        if (base64_decode(text_of(bad[i]), &arena, &decoded)) fail_msg("%s", bad[i]);
    arena_free(&arena);
}

static void test_the_filters(void **state)
{
    static const char body[] = "{\"message_id\":\"m\",\"budget_id\":\"b\",\"amount\":1}";
    const struct text ids[] = {TEXT_LITERAL("x"), TEXT_LITERAL("m")}, others[] = {TEXT_LITERAL("x")};
    const struct {
        struct letter_filter filter;
        bool accepts;
    } cases[] = {
        {{.reason = TEXT_NONE}, true},
        {{.reason = TEXT_LITERAL("malformed")}, true},
        {{.reason = TEXT_LITERAL("malforme")}, false},
        {{.has_since = true, .since_us = 100}, true},
        {{.has_since = true, .since_us = 101}, false},
        {{.has_since = true}, true},
        {{.has_until = true, .until_us = 101}, true},
        {{.has_until = true, .until_us = 100}, false},
        {{.has_until = true}, false},
        {{.match = TEXT_LITERAL("\"b\"")}, true},
        {{.match = TEXT_LITERAL("")}, true},
        {{.match = TEXT_LITERAL("\"c\"")}, false},
        {{.ids = ids, .id_count = 2}, true},
        {{.ids = others, .id_count = 1}, false},
        {{.budget_id = TEXT_LITERAL("b")}, true},
        {{.budget_id = TEXT_LITERAL("c")}, false},
    };
    struct arena arena = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct letter letter = {
            .body = text_of(body), .reason = TEXT_LITERAL("malformed"), .parked_at_us = 100};
        if (letter_filter_accepts(&cases[i].filter, &letter, &arena) != cases[i].accepts)
            fail_msg("case %zu", i);
    }
    /* Of a letter whose time is not known no time filter can be true. */
    struct letter timeless = {.body = text_of(body)};
    assert_false(letter_filter_accepts(&(struct letter_filter){.has_since = true}, &timeless, &arena));
    assert_true(letter_filter_accepts(&(struct letter_filter){.id_count = 0}, &timeless, &arena));
    arena_free(&arena);
}

static void test_when_every_item_must_be_meant(void **state)
{
    static const char mixed[] = "[{\"message_id\":\"m\",\"budget_id\":\"b\",\"amount\":1},"
                                "{\"message_id\":\"n\",\"budget_id\":\"c\",\"amount\":1}]";
    static const char half_read[] = "[{\"message_id\":\"m\",\"budget_id\":\"b\",\"amount\":1},"
                                    "{\"message_id\":\"n\",\"budget_id\":\"b\",\"amount\":0},7]";
    static const char pure[] = "[{\"message_id\":\"m\",\"budget_id\":\"b\",\"amount\":1}]";
    static const char single[] = "{\"message_id\":\"m\",\"budget_id\":\"b\",\"amount\":1}";
    const struct text both[] = {TEXT_LITERAL("m"), TEXT_LITERAL("n")}, other[] = {TEXT_LITERAL("p")};
    const struct text budget = TEXT_LITERAL("b");
    const struct {
        const char *body;
        struct letter_filter filter;
        bool any, every;
    } cases[] = {
        {mixed, {.budget_id = budget}, true, false},
        {mixed, {.ids = both, .id_count = 1}, true, false},
        {mixed, {.ids = both, .id_count = 2}, true, true},
        {mixed, {.ids = both, .id_count = 2, .budget_id = budget}, true, false},
        {mixed, {.match = TEXT_LITERAL("\"n\"")}, true, true},
        {half_read, {.budget_id = budget}, true, false},
        {half_read, {.ids = both, .id_count = 2}, true, false},
        {pure, {.budget_id = budget}, true, true},
        {pure, {.ids = other, .id_count = 1}, true, false}, /* its property, which means nothing */
        {single, {.budget_id = budget}, true, true},
        {single, {.ids = both, .id_count = 2}, true, true},
        {"[{]", {.ids = other, .id_count = 1}, true, false},
        {"[{]", {.reason = TEXT_LITERAL("malformed")}, true, true},
    };
    struct arena arena = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int every = 0; every < 2; every++) {
            struct letter letter = {.body = text_of(cases[i].body), .reason = TEXT_LITERAL("malformed")};
            struct letter_filter filter = cases[i].filter;
            filter.every_item = every;
            if (cases[i].body != single) letter.property_id = TEXT_LITERAL("p");
            if (letter_filter_accepts(&filter, &letter, &arena) != (every ? cases[i].every : cases[i].any))
                fail_msg("case %zu, every %d", i, every);
        }
    }
    arena_free(&arena);
}

static void test_reasons(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"delivery_limit", "delivery-limit", true},
        {"id-conflict", "id_conflict", true},
        {"a-b_c", "a_b-c", true},
        {"malformed", "malformed", true},
        {"malformed", "malforme", false},
        {"a-b", "a b", false},
        {"a-b", "ab", false},
        {"", "", true},
        {"Expired", "expired", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (letter_reason_is(text_of(cases[i].a), text_of(cases[i].b)) != cases[i].same)
            fail_msg("case %zu", i);
}

static void test_a_set_of_ids(void **state)
{
    struct id_set set = {0};
    char id[24];
    (void)state;
    assert_false(id_set_has(&set, TEXT_LITERAL("1")));
    for (int i = 0; i < 5000; i++) {
        snprintf(id, sizeof id, "%d", i % 4000);
        id_set_add(&set, text_of(id));
    }
    assert_int_equal(set.count, 4000);
    for (int i = 0; i < 8000; i++) {
        snprintf(id, sizeof id, "%d", i);
        assert_int_equal(id_set_has(&set, text_of(id)), i < 4000);
    }
    id_set_free(&set);
}

static void test_every_fate_has_a_name(void **state)
{
    (void)state;
    for (size_t fate = 0; fate < FATE_COUNT; fate++)
        assert_non_null(letter_fate_name((enum letter_fate)fate));
}

static void test_saved_lines(void **state)
{
    struct arena arena = {0};
    struct letter_line line;
    char why[256];
    (void)state;
    struct letter letter = {
        .body = {"\0\xff", 2}, .properties = {"\x20\0", 2}, .reason = TEXT_LITERAL("unknown")};
    letter_decode(&letter, &arena);
    json_t *saved = letter_json_whole(&letter);
    char *text = json_dumps(saved, 0);
    assert_true(letter_line_parse(text_of(text), &arena, &line, why, sizeof why));
    assert_true(text_equal(line.body, letter.body) && text_equal(line.properties, letter.properties));
    assert_text(line.reason, "unknown");
    assert_text(line.message_id, NULL);
    json_decref(saved);
    free(text);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_are_found_where_they_stand),
        cmocka_unit_test(test_a_member_is_replaced_and_nothing_else),
        cmocka_unit_test(test_what_an_edit_mends),
        cmocka_unit_test(test_an_edit_agrees_with_redis),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_the_filters),
        cmocka_unit_test(test_when_every_item_must_be_meant),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_a_set_of_ids),
        cmocka_unit_test(test_every_fate_has_a_name),
        cmocka_unit_test(test_saved_lines),
    };
    message_decoder_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
