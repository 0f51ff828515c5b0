#include "cli/session.h"

#include "cli/report.h"

enum exit_status session_open(struct session *session, const struct options *options, int services)
{
    *session = (struct session){0};
    struct config_source source = options_config_source(options);
    struct error *error = &session->error;
    enum status status = config_load(&source, &session->config, error);
    if (status == STATUS_OK && (services & SESSION_LEDGER)) {
        status = wiring_ledger(&session->config, WIRING_TOOL, &session->ledger, error);
    }
    if (status == STATUS_OK && (services & SESSION_STOCK))
        status = wiring_stock(&session->config, &session->stock, error);
    if (status == STATUS_OK && (services & SESSION_BROKER)) {
        status = wiring_publisher(&session->config, "bursar command", NULL, &session->publisher, error);
    }
    if (status != STATUS_OK) report("%s", error->text);
    return exit_status_of(status);
}

void session_close(struct session *session)
{
    publisher_close(session->publisher);
    stock_close(session->stock);
    ledger_close(session->ledger);
    arena_free(&session->arena);
    config_free(&session->config);
}
