#include "cli/dlq_tell.h"

#include "base/instant.h"
#include "cli/output.h"
#include "cli/report.h"

#include <inttypes.h>
#include <stdio.h>

void tell_begin(struct telling *telling, const char *verb, bool json, bool dry_run)
{
    *telling = (struct telling){.verb = verb, .json = json, .dry_run = dry_run};
    if (json) output_text(TEXT_LITERAL("{\"letters\": ["));
}

static void tell_json(struct telling *telling, const struct letter *letter, enum letter_fate fate,
                      const char *detail)
{
    json_t *line = json_pack("{s:o, s:o, s:s, s:o}", "message_id", output_json_text(letter->message_id),
                             "reason", output_json_text(letter->reason), "fate", letter_fate_name(fate),
                             "detail", output_json_text(text_of(detail)));
    if (telling->letters > 0) output_text(TEXT_LITERAL(", "));
    output_json_part(line, 0);
    json_decref(line);
}

void tell_letter(void *context, const struct letter *letter, enum letter_fate fate, const char *detail)
{
    struct telling *telling = context;
    telling->counts[fate]++;
    if (fate == FATE_REPLAYED || fate == FATE_DISCARDED) return;
    progress_clear();
    if (telling->json) {
        tell_json(telling, letter, fate, detail);
    } else {
        static const char *const headers[] = {"MESSAGE", "REASON", "FATE", "DETAIL"};
        struct table table = table_begin(headers, sizeof headers / sizeof headers[0]);
        struct arena *arena = &table.arena;
        table_add(&table,
                  (const char *[]){arena_copy(arena, letter->message_id).data,
                                   arena_copy(arena, letter->reason).data, letter_fate_name(fate), detail});
        struct buffer text = {0};
        table_render(&table, false, false, &text); /* a row at a time: there may be a hundred thousand */
        output_text((struct text){text.data, text.size});
        buffer_free(&text);
        table_free(&table);
    }
    telling->letters++;
}

static void end_json(const struct telling *telling, const struct telling_end *end)
{
    output_format("], \"matched\": %" PRId64 ", \"done\": %" PRId64 ", \"left\": %" PRId64
                  ", \"dry_run\": %s",
                  end->matched, end->done, end->matched - end->done, telling->dry_run ? "true" : "false");
    if (end->has_came_back) output_format(", \"came_back\": %" PRId64, end->came_back);
    if (end->has_refunds)
        output_format(", \"voided\": %" PRId64 ", \"refunded\": %" PRId64 ", \"refunds_due\": %" PRId64,
                      end->voided, end->refunded, end->refunds_due);
    json_t *fates = json_object(), *why = output_json_text(text_of(end->why_stopped));
    for (size_t fate = 0; fate < FATE_COUNT; fate++)
        if (telling->counts[fate] > 0)
            json_object_set_new(fates, letter_fate_name((enum letter_fate)fate),
                                json_integer(telling->counts[fate]));
    output_text(TEXT_LITERAL(", \"fates\": "));
    output_json_part(fates, 0);
    output_text(TEXT_LITERAL(", \"stopped\": "));
    output_json_part(why, 0);
    output_text(TEXT_LITERAL("}\n"));
    json_decref(fates);
    json_decref(why);
}

void tell_end(struct telling *telling, const struct telling_end *end)
{
    if (telling->json) {
        end_json(telling, end);
        return;
    }
    static const char *const headers[] = {"MATCHED", "DONE", "LEFT", "DRY RUN"};
    struct table table = table_begin(headers, sizeof headers / sizeof headers[0]);
    table_add(&table, (const char *[]){output_number(&table.arena, end->matched),
                                       output_number(&table.arena, end->done),
                                       output_number(&table.arena, end->matched - end->done),
                                       telling->dry_run ? "yes" : "no"});
    table_print(&table);
    table_free(&table);
}

static int add_instant(char *text, size_t room, bool given, const char *option, int64_t at_us)
{
    char instant[INSTANT_TEXT_SIZE];
    if (!given) return 0;
    instant_format(at_us, instant);
    return snprintf(text, room, " %s %s", option, instant);
}

const char *tell_again(const struct dlq_request *request, int64_t done, char text[AGAIN_SIZE])
{
    int64_t limit = request->dry_run ? request->limit : request->limit - done;
    const struct letter_filter *filter = &request->filter;
    bool as_it_is = limit <= 0 && !filter->has_since && !filter->has_until;
    int size = snprintf(text, AGAIN_SIZE, "run it again%s", as_it_is ? "" : " with");
    if (limit > 0) size += snprintf(text + size, AGAIN_SIZE - (size_t)size, " --limit %" PRId64, limit);
    size +=
        add_instant(text + size, AGAIN_SIZE - (size_t)size, filter->has_since, "--since", filter->since_us);
    (void)add_instant(text + size, AGAIN_SIZE - (size_t)size, filter->has_until, "--until", filter->until_us);
    return text;
}

int tell_interrupted(const struct dlq_request *request, const struct telling *telling,
                     const struct telling_end *end)
{
    char again[AGAIN_SIZE];
    int64_t rest = end->matched;
    for (size_t fate = 0; fate < FATE_COUNT; fate++) rest -= telling->counts[fate];
    if (rest == 0) return EXIT_STATUS_WELL;
    return report_exit(EXIT_STATUS_TRY_AGAIN,
                       "dlq %s: interrupted; %" PRId64 " of %" PRId64 " messages were not reached; %s",
                       request->verb, rest, end->matched, tell_again(request, end->done, again));
}
