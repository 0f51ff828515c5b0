/* What the decoder is made of, where no message reaches it. */
#include "core/message.h"
#include "core/message_parser.h"
#include "core/message_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void space_alone_trims_to_nothing(void **state)
{
    (void)state;
    assert_int_equal(scan_trim(text_of(" \t\r\n ")).size, 0);
    assert_int_equal(scan_trim(text_of("")).size, 0);
    assert_true(text_equal_string(scan_trim(text_of(" 1 2\n")), "1 2"));
}

/* A value of the heap that is let go while a parser is at work is the heap's all the same. */
static void memory_of_others_goes_back_to_the_heap(void **state)
{
    (void)state;
    json_t *before = json_loads("{\"a\":[1,2,3]}", 0, NULL);
    struct parser parser;
    struct parser_fault fault;
    size_t size;
    parser_begin(&parser);
    json_t *value = parser_read(&parser, text_of("{\"b\":4}"), true, &size, &fault);
    json_decref(before);
    assert_int_equal(json_integer_value(json_object_get(value, "b")), 4);
    parser_end(&parser);
}

int main(void)
{
    message_decoder_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(space_alone_trims_to_nothing),
        cmocka_unit_test(memory_of_others_goes_back_to_the_heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
