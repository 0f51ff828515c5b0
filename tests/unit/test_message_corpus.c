/* The fuzzer's seeds, and whatever it found and was worth keeping, on every build. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "fuzz/message_oracle.h"

#include <dirent.h>

/* This file is tests/unit/test_message_corpus.c. */
static void corpus_path(char *path, size_t size, const char *name)
{
    static const char source[] = __FILE__;
    const char *unit = strstr(source, "unit/test_message_corpus.c");
    assert_non_null(unit);
    snprintf(path, size, "%.*sfuzz/corpus/message/%s", (int)(unit - source), source, name);
}

static void check_file(const char *name)
{
    char path[4096];
    corpus_path(path, sizeof path, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *body = memory_alloc(size); /* of exactly that size, so that a sanitizer sees a read beyond it */
    assert_int_equal(fread(body, 1, size, file), size);
    fclose(file);
    oracle_check((struct text){body, size});
    for (size_t cut = 0; cut < size; cut++) oracle_check((struct text){body, cut});
    free(body);
}

static void test_corpus(void **state)
{
    (void)state;
    char path[4096];
    corpus_path(path, sizeof path, "");
    DIR *directory = opendir(path);
    assert_non_null(directory);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        check_file(entry->d_name);
        count++;
    }
    closedir(directory);
    assert_in_range(count, 40, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    message_decoder_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
