#include "cli/components.h"

#include "base/memory.h"
#include "cli/output.h"
#include "cli/report.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

void components_add(struct components *components, const char *name, const char *url, enum status status,
                    const struct error *error, const char *detail)
{
    assert(components->count < COMPONENTS_MAX);
    struct component *component = &components->list[components->count++];
    *component = (struct component){
        .name = name, .target = config_url_redact(url), .exit = exit_status_of_ledger(status, error)};
    /* A service that refuses to be set up or asked is not bad input. */
    if (status == STATUS_REFUSED) component->exit = EXIT_STATUS_CONFIGURATION;
    if (component->exit == EXIT_STATUS_TRY_AGAIN) component->exit = EXIT_STATUS_UNAVAILABLE;
    component->state = status == STATUS_OK                          ? "well"
                       : component->exit == EXIT_STATUS_UNAVAILABLE ? "away"
                                                                    : "wrong";
    snprintf(component->detail.text, sizeof component->detail.text, "%s",
             status == STATUS_OK ? detail : error->text);
}

static void print_table(const struct components *components)
{
    static const char *const headers[] = {"COMPONENT", "TARGET", "STATE", "DETAIL"};
    struct table table = table_begin(headers, 4);
    for (size_t i = 0; i < components->count; i++) {
        const struct component *component = &components->list[i];
        table_add(&table, (const char *[]){component->name, component->target, component->state,
                                           component->detail.text});
    }
    table_print(&table);
    table_free(&table);
}

static void print_json(const struct components *components, bool well)
{
    json_t *list = json_array();
    for (size_t i = 0; i < components->count; i++) {
        const struct component *component = &components->list[i];
        json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:o}", "component", component->name, "target",
                                              output_json_text(text_of(component->target)), "state",
                                              component->state, "detail",
                                              output_json_text(text_of(component->detail.text))));
    }
    output_json(json_pack("{s:b, s:o}", "well", (int)well, "components", list));
}

int components_print(const struct components *components, const char *command, bool json)
{
    enum exit_status exit = EXIT_STATUS_WELL;
    for (size_t i = 0; i < components->count; i++) exit = exit_status_worse(exit, components->list[i].exit);
    if (json)
        print_json(components, exit == EXIT_STATUS_WELL);
    else
        print_table(components);
    for (size_t i = 0; i < components->count; i++) {
        const struct component *component = &components->list[i];
        if (component->exit != EXIT_STATUS_WELL)
            report("%s: %s: %s", command, component->name, component->detail.text);
    }
    return (int)exit;
}

void components_free(struct components *components)
{
    for (size_t i = 0; i < components->count; i++) free(components->list[i].target);
    components->count = 0;
}
