#include "cli/run_pages.h"

#include <string.h>

enum { HTTP_OK = 200, HTTP_NOT_FOUND = 404, HTTP_UNAVAILABLE = 503 };

/* Alive unless stuck: a service that is away is no reason to be restarted, for that would not bring it back.
 */
static int page_livez(const struct worker_view *view, struct buffer *body)
{
    if (view->stalled) {
        buffer_append_string(body,
                             "stalled: messages are ready, every service answers, and nothing is booked\n");
        return HTTP_UNAVAILABLE;
    }
    buffer_append_string(body, "ok\n");
    return HTTP_OK;
}

static void component(struct buffer *body, const char *name, bool up)
{
    buffer_format(body, "%s %s\n", name, up ? "up" : "down");
}

static int page_readyz(const struct worker_view *view, struct buffer *body)
{
    component(body, "broker", view->broker_up);
    component(body, "ledger", view->ledger_up);
    component(body, "redis", view->stock_up);
    if (view->stopping) buffer_append_string(body, "stopping\n");
    return view->broker_up && view->ledger_up && view->stock_up && !view->stopping ? HTTP_OK
                                                                                   : HTTP_UNAVAILABLE;
}

int run_pages_answer(void *context, const char *path, struct buffer *body, const char **content_type)
{
    const struct run_pages *pages = context;
    if (strcmp(path, "/metrics") == 0) {
        *content_type = METRICS_CONTENT_TYPE;
        metrics_render(pages->metrics, body);
        return HTTP_OK;
    }
    struct worker_view view;
    loop_observe(pages->loop, &view);
    if (strcmp(path, "/livez") == 0) return page_livez(&view, body);
    if (strcmp(path, "/readyz") == 0) return page_readyz(&view, body);
    buffer_append_string(body, "not found; there are /livez, /readyz and /metrics\n");
    return HTTP_NOT_FOUND;
}
