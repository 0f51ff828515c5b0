/* What `init` and `check` found of each service, as a table or JSON. */
#ifndef BURSAR_CLI_COMPONENTS_H
#define BURSAR_CLI_COMPONENTS_H

#include "cli/exit_status.h"
#include "cli/session.h"

#define COMPONENTS_MAX 8

struct component {
    const char *name;  /* "ledger" */
    char *target;      /* owned; a URL without its password */
    const char *state; /* "well", "away", "wrong" */
    struct error detail;
    enum exit_status exit;
};

struct components {
    size_t count;
    struct component list[COMPONENTS_MAX];
};

/* Adds what a call on a service came to. With STATUS_OK `detail` says what is well. */
void components_add(struct components *components, const char *name, const char *url, enum status status,
                    const struct error *error, const char *detail);

/* Prints the table, or with `json` {"well", "components": [{"component", "target", "state", "detail"}]}, and
 * on stderr a line for each that is not well. Returns the exit status. */
int components_print(const struct components *components, const char *command, bool json);

void components_free(struct components *components);

#endif
