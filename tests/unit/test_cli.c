/* The command line's helpers: columns, exit statuses, bounded lines. */
#include "base/memory.h"
#include "cli/exit_status.h"
#include "cli/line_reader.h"
#include "cli/output.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <sys/wait.h>
#include <cmocka.h>

static void expect_rendered(const struct table *table, bool terminal, bool colour, const char *expected)
{
    struct buffer text = {0};
    table_render(table, terminal, colour, &text);
    assert_string_equal(text.data, expected);
    buffer_free(&text);
}

static void test_columns(void **state)
{
    static const char *const headers[] = {"ID", "NAME", "N"};
    (void)state;
    struct table table = table_begin(headers, 3);
    expect_rendered(&table, true, false, "ID  NAME  N\n");
    table_add(&table, (const char *[]){"b", "Frühling", "1"});
    table_add(&table, (const char *[]){"longer", NULL, ""});
    expect_rendered(&table, false, false, "b\tFrühling\t1\nlonger\t-\t\n");
    expect_rendered(&table, true, false, "ID      NAME      N\nb       Frühling  1\nlonger  -         \n");
    expect_rendered(&table, true, true,
                    "\033[1mID      NAME      N\033[0m\nb       Frühling  1\nlonger  -         \n");
    table_free(&table);
}

static void test_foreign_text_cannot_forge_a_row(void **state)
{
    static const struct {
        const char *cell, *shown;
    } cases[] = {
        {"a\tb\nc", "a\\tb\\nc"},
        {"\033[2Jx", "\\x1b[2Jx"},
        {"\r\x7f", "\\x0d\\x7f"},
        {"\xc2\x9b"
         "31m",
         "\\x9b31m"},
        {"\xc2\xa0\xc3\xbc", "\xc2\xa0\xc3\xbc"},
        {"\xc2", "\xc2"},
    };
    static const char *const headers[] = {"X"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct table table = table_begin(headers, 1);
        table_add(&table, &cases[i].cell);
        assert_string_equal(table.cells[0], cases[i].shown);
        table_free(&table);
    }
}

static void test_exit_statuses(void **state)
{
    (void)state;
    assert_int_equal(exit_status_of(STATUS_OK), 0);
    assert_int_equal(exit_status_of(STATUS_RETRY), 69);
    assert_int_equal(exit_status_of(STATUS_UNKNOWN), 75);
    assert_int_equal(exit_status_of(STATUS_REFUSED), 65);
    assert_int_equal(exit_status_of(STATUS_CONFIG), 78);
    assert_int_equal(exit_status_of(STATUS_INTERNAL), 70);
    assert_int_equal(exit_status_of_ledger(STATUS_RETRY, &(struct error){"no schema; run bursar init"}), 78);
    assert_int_equal(exit_status_of_ledger(STATUS_RETRY, &(struct error){"locked"}), 69);
}

static void test_the_worse_of_two_exit_statuses(void **state)
{
    static const enum exit_status from_worst[] = {70, 75, 78, 69, 64, 65, 1, 0};
    (void)state;
    for (size_t a = 0; a < sizeof from_worst / sizeof from_worst[0]; a++) {
        for (size_t b = a; b < sizeof from_worst / sizeof from_worst[0]; b++) {
            assert_int_equal(exit_status_worse(from_worst[a], from_worst[b]), from_worst[a]);
            assert_int_equal(exit_status_worse(from_worst[b], from_worst[a]), from_worst[a]);
        }
    }
}

/* A reader of what a child writes, in pieces of `piece` bytes. */
static struct line_reader reader_of(const char *text, size_t size, size_t piece)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        for (size_t at = 0; at < size; at += piece) {
            size_t more = size - at < piece ? size - at : piece;
            if (write(ends[1], text + at, more) != (ssize_t)more) _exit(1);
        }
        _exit(0);
    }
    close(ends[1]);
    return line_reader_begin(ends[0]);
}

static void reader_end(struct line_reader *reader)
{
    close(reader->descriptor);
    line_reader_free(reader);
    while (wait(NULL) > 0) continue;
}

static void expect_line(struct line_reader *reader, const char *expected)
{
    struct text line;
    assert_int_equal(line_reader_next(reader, &line), LINE_READ);
    assert_int_equal(line.size, strlen(expected));
    assert_memory_equal(line.data, expected, line.size);
}

static void test_lines(void **state)
{
    static const char text[] = "one\n\nthree\r\nlast";
    (void)state;
    for (size_t piece = 1; piece < sizeof text; piece++) {
        struct line_reader reader = reader_of(text, sizeof text - 1, piece);
        struct text line;
        expect_line(&reader, "one");
        expect_line(&reader, "");
        expect_line(&reader, "three\r");
        expect_line(&reader, "last");
        assert_int_equal(reader.number, 4);
        assert_int_equal(line_reader_next(&reader, &line), LINE_END);
        assert_int_equal(line_reader_next(&reader, &line), LINE_END);
        assert_true(line_reader_ready(&reader));
        reader_end(&reader);
    }
}

/* A file of nothing but NUL bytes is one line of them. */
static void test_bytes_that_are_no_text(void **state)
{
    static const char text[1000];
    (void)state;
    struct line_reader reader = reader_of(text, sizeof text, 300);
    struct text line;
    assert_int_equal(line_reader_next(&reader, &line), LINE_READ);
    assert_int_equal(line.size, sizeof text);
    assert_false(line_is_blank(line));
    assert_true(line_is_blank(TEXT_LITERAL(" \t\r")));
    assert_false(line_is_blank(TEXT_LITERAL(" x")));
    assert_int_equal(line_reader_next(&reader, &line), LINE_END);
    reader_end(&reader);
}

static void test_a_line_has_a_limit(void **state)
{
    static const struct {
        size_t size;
        bool newline, fits;
    } cases[] = {
        {LINE_SIZE_MAX, true, true},       {LINE_SIZE_MAX + 1, true, false},     {LINE_SIZE_MAX, false, true},
        {LINE_SIZE_MAX + 1, false, false}, {5 * LINE_SIZE_MAX + 7, true, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = cases[i].size;
        char *text = memory_alloc(size + 7);
        memset(text, 'x', size);
        if (cases[i].newline) memcpy(text + size, "\nafter\n", 7);
        struct line_reader reader = reader_of(text, size + (cases[i].newline ? 7 : 0), 100000);
        struct text line;
        enum line_event event = line_reader_next(&reader, &line);
        assert_int_equal(event, cases[i].fits ? LINE_READ : LINE_TOO_LONG);
        if (cases[i].fits) assert_int_equal(line.size, size);
        if (cases[i].newline) expect_line(&reader, "after");
        assert_int_equal(line_reader_next(&reader, &line), LINE_END);
        assert_true(reader.capacity <= 4 * LINE_SIZE_MAX);
        reader_end(&reader);
        free(text);
    }
}

static void test_ready_tells_whether_a_line_would_be_waited_for(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct line_reader reader = line_reader_begin(ends[0]);
    assert_false(line_reader_ready(&reader));
    assert_int_equal(write(ends[1], "a\nb\n", 4), 4);
    assert_true(line_reader_ready(&reader));
    expect_line(&reader, "a");
    assert_true(line_reader_ready(&reader));
    expect_line(&reader, "b");
    assert_false(line_reader_ready(&reader));
    close(ends[1]);
    assert_true(line_reader_ready(&reader));
    reader_end(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_foreign_text_cannot_forge_a_row),
        cmocka_unit_test(test_exit_statuses),
        cmocka_unit_test(test_the_worse_of_two_exit_statuses),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_bytes_that_are_no_text),
        cmocka_unit_test(test_a_line_has_a_limit),
        cmocka_unit_test(test_ready_tells_whether_a_line_would_be_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
