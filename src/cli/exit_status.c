#include "cli/exit_status.h"

#include <string.h>

enum exit_status exit_status_of(enum status status)
{
    switch (status) {
    case STATUS_OK: return EXIT_STATUS_WELL;
    case STATUS_RETRY: return EXIT_STATUS_UNAVAILABLE;
    case STATUS_UNKNOWN: return EXIT_STATUS_TRY_AGAIN;
    case STATUS_REFUSED: return EXIT_STATUS_DATA;
    case STATUS_CONFIG: return EXIT_STATUS_CONFIGURATION;
    case STATUS_INTERNAL: return EXIT_STATUS_INTERNAL;
    }
    return EXIT_STATUS_INTERNAL;
}

enum exit_status exit_status_of_ledger(enum status status, const struct error *error)
{
    /* The port promises that the text names this command when the schema is missing or older; for a worker
     * that is a reason to wait. */
    if (status == STATUS_RETRY && strstr(error->text, "bursar init") != NULL)
        return EXIT_STATUS_CONFIGURATION;
    return exit_status_of(status);
}

enum exit_status exit_status_worse(enum exit_status a, enum exit_status b)
{
    static const enum exit_status order[] = {
        EXIT_STATUS_INTERNAL, EXIT_STATUS_TRY_AGAIN, EXIT_STATUS_CONFIGURATION, EXIT_STATUS_UNAVAILABLE,
        EXIT_STATUS_USAGE,    EXIT_STATUS_DATA,      EXIT_STATUS_FOUND};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (a == order[i] || b == order[i]) return order[i];
    }
    return EXIT_STATUS_WELL;
}
