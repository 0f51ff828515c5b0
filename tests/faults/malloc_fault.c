/* Preloaded into a program, refuses it memory. In the environment:
 *   BURSAR_MALLOC_FAULT   N: the Nth allocation fails; N+: from then on all do; 0: none, they are only
 * counted BURSAR_MALLOC_COUNT   a file of 8 bytes that holds the number of allocations so far
 *   BURSAR_MALLOC_REPORT  a file that is told which call was refused, and where the program died of it */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FRAMES_MAX = 24 };

/* The allocator behind these, as glibc itself names it. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_uint_fast64_t uncounted;
static atomic_uint_fast64_t *count = &uncounted;
static uint64_t refused_first;
static bool refused_for_ever;
static int report = -1;
static __thread bool reporting;

static void report_line(const char *what, long number)
{
    char line[96];
    int length = snprintf(line, sizeof line, "%s %ld\n", what, number);
    if (write(report, line, (size_t)length) != length) return;
    void *frames[FRAMES_MAX];
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES_MAX), report);
}

static bool refused(void)
{
    if (refused_first == 0 || reporting) {
        if (!reporting) atomic_fetch_add(count, 1);
        return false;
    }
    uint64_t number = atomic_fetch_add(count, 1) + 1;
    if (number < refused_first || (number > refused_first && !refused_for_ever)) return false;
    if (number == refused_first && report >= 0) {
        reporting = true;
        report_line("refused", (long)number);
        reporting = false;
    }
    errno = ENOMEM;
    return true;
}

static void died(int number)
{
    reporting = true;
    report_line("died", number);
    signal(number, SIG_DFL);
    raise(number);
}

/* The program's threads block every signal; where one dies is told all the same. */
int sigfillset(sigset_t *set)
{
    memset(set, 0xff, sizeof *set);
    sigdelset(set, SIGSEGV);
    sigdelset(set, SIGBUS);
    sigdelset(set, SIGABRT);
    return 0;
}

static void count_map(const char *path)
{
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0) return;
    void *map = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (map != MAP_FAILED) count = map;
}

__attribute__((constructor)) static void begin(void)
{
    const char *fault = getenv("BURSAR_MALLOC_FAULT");
    const char *count_path = getenv("BURSAR_MALLOC_COUNT");
    const char *report_path = getenv("BURSAR_MALLOC_REPORT");
    void *frame;
    backtrace(&frame, 1); /* its first call loads a library */
    if (count_path != NULL) count_map(count_path);
    if (report_path != NULL) report = open(report_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (report >= 0) {
        signal(SIGSEGV, died);
        signal(SIGBUS, died);
        signal(SIGABRT, died);
    }
    if (fault == NULL) return;
    atomic_store(count, 0); /* what the loader allocated is not the program's */
    refused_for_ever = strchr(fault, '+') != NULL;
    refused_first = strtoull(fault, NULL, 10);
}

void *malloc(size_t size)
{
    return refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    return refused() ? NULL : __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size)
{
    return size > 0 && refused() ? NULL : __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size)
{
    return refused() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    void *got = memalign(alignment, size);
    if (got == NULL) return ENOMEM;
    *memory = got;
    return 0;
}
