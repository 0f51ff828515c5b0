/* What `bursar run` answers over HTTP: /livez, /readyz, /metrics. */
#ifndef BURSAR_CLI_RUN_PAGES_H
#define BURSAR_CLI_RUN_PAGES_H

#include "base/buffer.h"
#include "worker/loop.h"
#include "worker/metrics.h"

struct run_pages {
    struct loop *loop;             /* borrowed */
    const struct metrics *metrics; /* borrowed */
};

/* An http_handler; `context` is a struct run_pages. */
int run_pages_answer(void *context, const char *path, struct buffer *body, const char **content_type);

#endif
