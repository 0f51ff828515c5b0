/* What a command prints, kept instead of printed. */
#ifndef BURSAR_FUZZ_QUIET_H
#define BURSAR_FUZZ_QUIET_H

#include "base/buffer.h"
#include "fuzz/target.h"

#include <sys/mman.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
void __sanitizer_set_report_fd(void *descriptor);
#define REPORT_TO(descriptor) __sanitizer_set_report_fd((void *)(uintptr_t)(descriptor))
#else
#define REPORT_TO(descriptor) (void)(descriptor)
#endif

struct quiet {
    FILE *standard_output;
    char *output; /* owned */
    size_t output_size;
    struct buffer errors; /* of standard error */
};

static int quiet_errors_file, quiet_errors_true;

/* Once a process. What a sanitizer has to say goes on to the true standard error. */
static inline void quiet_begin(void)
{
    quiet_errors_file = memfd_create("stderr", MFD_CLOEXEC);
    quiet_errors_true = dup(STDERR_FILENO);
    HOLDS(quiet_errors_file >= 0 && quiet_errors_true >= 0);
    REPORT_TO(quiet_errors_true);
}

/* From here to quiet_release; *quiet keeps its address. */
static inline void quiet_capture(struct quiet *quiet)
{
    *quiet = (struct quiet){.standard_output = stdout};
    stdout = open_memstream(&quiet->output, &quiet->output_size);
    HOLDS(stdout != NULL);
    HOLDS(ftruncate(quiet_errors_file, 0) == 0 && lseek(quiet_errors_file, 0, SEEK_SET) == 0);
    HOLDS(dup2(quiet_errors_file, STDERR_FILENO) == STDERR_FILENO);
}

static inline void quiet_release(struct quiet *quiet)
{
    fclose(stdout);
    stdout = quiet->standard_output;
    HOLDS(dup2(quiet_errors_true, STDERR_FILENO) == STDERR_FILENO);
    off_t size = lseek(quiet_errors_file, 0, SEEK_END);
    HOLDS(size >= 0);
    char part[4096];
    for (off_t at = 0; at < size;) {
        ssize_t got = pread(quiet_errors_file, part, sizeof part, at);
        HOLDS(got > 0);
        buffer_append(&quiet->errors, (struct text){part, (size_t)got});
        at += got;
    }
}

static inline void quiet_free(struct quiet *quiet)
{
    free(quiet->output);
    buffer_free(&quiet->errors);
}

#endif
