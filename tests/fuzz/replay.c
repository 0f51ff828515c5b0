/* The main function of a target that is built as a test: every file of its corpus, and every beginning of it.
 *
 * usage: corpus_NAME FOLDER LEAST     fails where there are fewer than LEAST files */
#include "base/memory.h"
#include "fuzz/target.h"

#include <dirent.h>
#include <limits.h>

#define PREFIXES_OF_SIZE 4096 /* bytes: of a larger file only the whole is run */

static void run(const char *path)
{
    FILE *file = fopen(path, "rb");
    HOLDS(file != NULL);
    HOLDS(fseek(file, 0, SEEK_END) == 0);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *data = memory_alloc(size);
    HOLDS(fread(data, 1, size, file) == size);
    fclose(file);
    for (size_t cut = size <= PREFIXES_OF_SIZE ? 0 : size; cut <= size; cut++) {
        char *exact = memory_alloc(cut); /* of exactly that size, so that a sanitizer sees a read beyond it */
        memcpy(exact, data, cut);
        LLVMFuzzerTestOneInput((const uint8_t *)exact, cut);
        free(exact);
    }
    free(data);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s FOLDER LEAST\n", argv[0]);
        return 64;
    }
    LLVMFuzzerInitialize(&argc, &argv);
    DIR *folder = opendir(argv[1]);
    HOLDS(folder != NULL);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[PATH_MAX];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        fprintf(stderr, "%s\n", entry->d_name); /* ctest shows it where something does not hold */
        run(path);
        count++;
    }
    closedir(folder);
    return count >= atoi(argv[2]) ? 0 : 1;
}
