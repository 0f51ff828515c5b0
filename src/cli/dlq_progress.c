#include "cli/dlq.h"

#include "base/instant.h"
#include "cli/output.h"

#include <inttypes.h>
#include <stdio.h>

#define PROGRESS_PAUSE_US (MICROSECONDS_PER_SECOND / 10)
#define PROGRESS_WIDTH    30

static bool visible;

void progress_show(struct progress *progress, int64_t count, int64_t total)
{
    if (!output_shows_progress()) return;
    int64_t now_us = instant_monotonic_us();
    if (progress->begun_us == 0) progress->begun_us = progress->shown_us = now_us;
    if (now_us - progress->shown_us < PROGRESS_PAUSE_US) return;
    progress->shown_us = now_us;
    visible = true;
    double seconds = (double)(now_us - progress->begun_us) / (double)MICROSECONDS_PER_SECOND;
    double rate = seconds > 0 ? (double)count / seconds : 0;
    if (total <= 0) {
        fprintf(stderr, "\r\033[K%" PRId64 "  %.0f/s", count, rate);
        return;
    }
    char bar[PROGRESS_WIDTH + 1];
    int64_t filled = count >= total ? PROGRESS_WIDTH : count * PROGRESS_WIDTH / total;
    for (int i = 0; i < PROGRESS_WIDTH; i++) bar[i] = i < filled ? '=' : ' ';
    bar[PROGRESS_WIDTH] = '\0';
    fprintf(stderr, "\r\033[K[%s] %" PRId64 " of %" PRId64 "  %.0f/s", bar, count, total, rate);
    if (rate > 0) fprintf(stderr, "  %.0f s left", (double)(total - count) / rate);
}

void progress_clear(void)
{
    if (visible) fputs("\r\033[K", stderr);
    visible = false;
}
