/* `bursar dlq list` and `show`. */
#include "cli/dlq.h"

#include "base/instant.h"
#include "base/memory.h"
#include "cli/letter_json.h"
#include "cli/output.h"
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>

/* Anybody can write a reason into a header: what goes beyond so many is counted as one. */
#define GROUPS_MAX 100
#define OTHERS     "(others)"

struct group {
    char *reason; /* owned */
    int64_t count;
    int64_t oldest_us, newest_us; /* 0: not known */
};

struct groups {
    struct group items[GROUPS_MAX + 1];
    size_t count;
};

static struct group *group_of(struct groups *groups, struct text reason)
{
    for (size_t i = 0; i < groups->count; i++)
        if (text_equal_string(reason, groups->items[i].reason)) return &groups->items[i];
    if (groups->count > GROUPS_MAX) return &groups->items[GROUPS_MAX];
    struct group *group = &groups->items[groups->count++];
    if (groups->count > GROUPS_MAX) reason = TEXT_LITERAL(OTHERS);
    char *name = memory_alloc(reason.size + 1);
    memcpy(name, reason.data, reason.size);
    name[reason.size] = '\0';
    *group = (struct group){.reason = name};
    return group;
}

static bool count_letter(void *context, struct letter *letter)
{
    struct group *group = group_of(context, letter->reason);
    int64_t at_us = letter->parked_at_us;
    group->count++;
    if (at_us == 0) return true;
    if (group->oldest_us == 0 || at_us < group->oldest_us) group->oldest_us = at_us;
    if (at_us > group->newest_us) group->newest_us = at_us;
    return true;
}

static int by_count(const void *a, const void *b)
{
    const struct group *first = a, *second = b;
    if (first->count != second->count) return first->count < second->count ? 1 : -1;
    return strcmp(first->reason, second->reason);
}

static const char *instant_text(int64_t at_us, char text[INSTANT_TEXT_SIZE])
{
    if (at_us == 0) return NULL;
    instant_format(at_us, text);
    return text;
}

static json_t *instant_json(int64_t at_us)
{
    char text[INSTANT_TEXT_SIZE];
    return at_us == 0 ? json_null() : json_string(instant_text(at_us, text));
}

static void print_groups(const struct groups *groups, bool json)
{
    static const char *const headers[] = {"REASON", "COUNT", "OLDEST", "NEWEST"};
    struct table table = table_begin(headers, sizeof headers / sizeof headers[0]);
    json_t *array = json_array();
    for (size_t i = 0; i < groups->count; i++) {
        const struct group *group = &groups->items[i];
        char oldest[INSTANT_TEXT_SIZE], newest[INSTANT_TEXT_SIZE];
        json_array_append_new(
            array, json_pack("{s:o, s:I, s:o, s:o}", "reason", output_json_text(text_of(group->reason)),
                             "count", (json_int_t)group->count, "oldest", instant_json(group->oldest_us),
                             "newest", instant_json(group->newest_us)));
        table_add(&table, (const char *[]){group->reason, output_number(&table.arena, group->count),
                                           instant_text(group->oldest_us, oldest),
                                           instant_text(group->newest_us, newest)});
    }
    if (json)
        output_json(array);
    else
        json_decref(array);
    if (!json) table_print(&table);
    table_free(&table);
}

int dlq_list(struct dlq *dlq, const struct dlq_request *request)
{
    struct letter_walk walk;
    struct groups *groups = memory_alloc_zero(1, sizeof *groups);
    int exit = dlq_look(dlq, request, &walk, count_letter, groups);
    if (exit == EXIT_STATUS_WELL) {
        qsort(groups->items, groups->count, sizeof groups->items[0], by_count);
        print_groups(groups, request->json);
    }
    for (size_t i = 0; i < groups->count; i++) free(groups->items[i].reason);
    free(groups);
    letter_walk_free(&walk);
    return exit;
}

struct showing {
    bool json;
    struct arena arena;
};

static void print_letter(const struct letter *letter)
{
    json_t *line = letter_json(letter);
    static const char *const keys[] = {"message_id", "reason",      "detail",     "parked_at", "replays",
                                       "exchange",   "routing_key", "properties", "headers"};
    static const char *const headers[] = {"KEY", "VALUE"};
    struct table table = table_begin(headers, 2);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const json_t *value = json_object_get(line, keys[i]);
        if (json_is_null(value) || (json_is_object(value) && json_object_size(value) == 0)) continue;
        char *text = json_dumps(value, JSON_ENCODE_ANY);
        table_add(&table, (const char *[]){keys[i], json_is_string(value) ? json_string_value(value) : text});
        free(text);
    }
    table_add(&table, (const char *[]){"body", json_string_value(json_object_get(line, "body"))});
    table_print(&table);
    output_text(TEXT_LITERAL("\n"));
    table_free(&table);
    json_decref(line);
}

static bool show_letter(void *context, struct letter *letter)
{
    struct showing *showing = context;
    progress_clear();
    arena_reset(&showing->arena);
    letter_decode(letter, &showing->arena);
    if (showing->json)
        output_json_line(letter_json(letter));
    else
        print_letter(letter);
    return output_is_well();
}

int dlq_show(struct dlq *dlq, const struct dlq_request *request)
{
    struct letter_walk walk;
    struct showing showing = {.json = request->json};
    int exit = dlq_look(dlq, request, &walk, show_letter, &showing);
    arena_free(&showing.arena);
    letter_walk_free(&walk);
    return exit;
}
