#include "cli/last_run.h"

#include "base/instant.h"

#define SECONDS_TEXT_SIZE 19 /* of instant_format's, up to the whole second */

static json_t *time_json(int64_t wall_us)
{
    char text[INSTANT_TEXT_SIZE];
    if (wall_us == 0) return json_null();
    instant_format(wall_us, text);
    return json_string(text);
}

json_t *last_run_json(const struct reconcile_run *run)
{
    json_t *findings = json_object();
    for (int kind = 0; kind < FINDING_KIND_COUNT; kind++)
        json_object_set_new(findings, finding_kind_name((enum finding_kind)kind),
                            json_integer(run->found[kind]));
    return json_pack("{s:o, s:o, s:o, s:b, s:b, s:b, s:I, s:o, s:I, s:I, s:o}", "started_at",
                     time_json(run->started_at_us), "finished_at", time_json(run->finished_at_us), "actor",
                     output_json_text(run->actor), "repair", (int)run->repair, "clean", (int)run->clean,
                     "complete", (int)run->complete, "budgets", (json_int_t)run->budgets, "findings",
                     findings, "mended", (json_int_t)run->mended, "not_mended",
                     (json_int_t)reconcile_run_not_mended(run), "last_complete_at",
                     time_json(run->complete_at_us));
}

const char *last_run_text(struct arena *arena, const struct reconcile_run *run)
{
    char time[INSTANT_TEXT_SIZE];
    instant_format(run->finished_at_us, time);
    int64_t not_mended = reconcile_run_not_mended(run);
    const char *result = run->clean        ? "clean"
                         : not_mended == 0 ? arena_format(arena, "%lld mended", (long long)run->mended)
                                           : arena_format(arena, "%lld not mended", (long long)not_mended);
    return arena_format(arena, "%.*sZ by " TEXT_FORMAT ": %s%s", SECONDS_TEXT_SIZE, time,
                        TEXT_ARGUMENTS(run->actor), result,
                        run->complete ? "" : ", not everything could be judged");
}
