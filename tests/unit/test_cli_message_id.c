/* The UUIDv7 of a new message: its shape, its time, and that it grows, also in many threads and after a fork.
 */
#include "base/instant.h"
#include "bursar/producer.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void expect_shape(const char *id)
{
    static const char shape[] = "hhhhhhhh-hhhh-7hhh-vhhh-hhhhhhhhhhhh";
    assert_int_equal(strlen(id), strlen(shape));
    for (size_t i = 0; shape[i] != '\0'; i++) {
        const char *allowed = shape[i] == 'h'   ? "0123456789abcdef"
                              : shape[i] == 'v' ? "89ab"
                                                : (const char[]){shape[i], '\0'};
        if (strchr(allowed, id[i]) == NULL) fail_msg("%s at %zu", id, i);
    }
}

static void test_shape_and_time(void **state)
{
    (void)state;
    int64_t before = instant_wall_us() / 1000;
    char id[BURSAR_UUID_SIZE];
    bursar_message_id_generate(id);
    expect_shape(id);
    char digits[13] = "";
    memcpy(digits, id, 8);
    memcpy(digits + 8, id + 9, 4);
    int64_t at = strtoll(digits, NULL, 16);
    assert_true(at >= before && at <= instant_wall_us() / 1000 + 1);
}

static void test_each_is_greater_than_the_one_before(void **state)
{
    (void)state;
    char last[BURSAR_UUID_SIZE] = "", id[BURSAR_UUID_SIZE];
    for (int i = 0; i < 200000; i++) {
        bursar_message_id_generate(id);
        if (strcmp(last, id) >= 0) fail_msg("%s is followed by %s", last, id);
        memcpy(last, id, sizeof last);
    }
    expect_shape(last);
}

#define THREADS 4
#define EACH    20000

static char made[THREADS * EACH][BURSAR_UUID_SIZE];

static void *make(void *first)
{
    char(*mine)[BURSAR_UUID_SIZE] = first;
    for (int i = 0; i < EACH; i++) bursar_message_id_generate(mine[i]);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void test_threads_never_get_the_same(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make, made[i * EACH]), 0);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    qsort(made, THREADS * EACH, sizeof made[0], compare);
    for (int i = 1; i < THREADS * EACH; i++) assert_true(strcmp(made[i - 1], made[i]) < 0);
}

static void test_a_fork_does_not_repeat_its_parent(void **state)
{
    (void)state;
    char mine[BURSAR_UUID_SIZE], theirs[BURSAR_UUID_SIZE] = "";
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    bursar_message_id_generate(mine);
    if (child == 0) _exit(write(ends[1], mine, sizeof mine) == (ssize_t)sizeof mine ? 0 : 1);
    assert_int_equal(read(ends[0], theirs, sizeof theirs), sizeof theirs);
    expect_shape(theirs);
    assert_string_not_equal(mine, theirs);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape_and_time),
        cmocka_unit_test(test_each_is_greater_than_the_one_before),
        cmocka_unit_test(test_threads_never_get_the_same),
        cmocka_unit_test(test_a_fork_does_not_repeat_its_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
