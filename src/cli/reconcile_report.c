#include "cli/reconcile_report.h"

#include "base/instant.h"
#include "base/memory.h"
#include "cli/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_US INT64_C(200000)

void reconcile_report_found(void *context, const struct finding *finding)
{
    struct reconcile_report *report = context;
    if (!finding->mended && finding->kind != FINDING_UNTRACKED) report->unmended++;
    if (report->count == RECONCILE_FINDINGS_MAX) {
        report->left_out++;
        return;
    }
    if (report->count == report->capacity) {
        report->capacity = report->capacity == 0 ? 64 : report->capacity * 2;
        report->findings = memory_resize(report->findings, report->capacity, sizeof *report->findings);
    }
    struct finding *kept = &report->findings[report->count++];
    *kept = *finding;
    kept->budget_id = arena_copy(&report->arena, finding->budget_id);
    kept->message_id = arena_copy(&report->arena, finding->message_id);
    kept->credit_id = arena_copy(&report->arena, finding->credit_id);
    if (finding->detail != NULL) kept->detail = arena_format(&report->arena, "%s", finding->detail);
}

void reconcile_report_progress(struct reconcile_report *report, const struct reconcile_summary *summary)
{
    int64_t now_us = instant_monotonic_us();
    if (!output_shows_progress() || now_us - report->shown_at_us < PROGRESS_US) return;
    report->shown_at_us = now_us;
    fprintf(stderr, "\r\033[K%lld rows read, %lld of %lld budgets, %zu findings", (long long)summary->rows,
            (long long)summary->looked_at, (long long)summary->budgets, report->count);
    fflush(stderr);
}

void reconcile_report_progress_end(const struct reconcile_report *report)
{
    if (report->shown_at_us != 0) fputs("\r\033[K", stderr);
}

static void set_number(json_t *object, const char *key, int64_t number)
{
    if (number != FINDING_NUMBER_NONE) json_object_set_new(object, key, json_integer(number));
}

static void set_text(json_t *object, const char *key, struct text text)
{
    if (text_is_present(text)) json_object_set_new(object, key, output_json_text(text));
}

static json_t *finding_json(const struct reconcile_report *report, const struct finding *finding)
{
    json_t *object = json_object();
    json_object_set_new(object, "kind", json_string(finding_kind_name(finding->kind)));
    set_text(object, "budget_id", finding->budget_id);
    set_text(object, "message_id", finding->message_id);
    set_text(object, "credit_id", finding->credit_id);
    set_number(object, "expected", finding->expected);
    set_number(object, "actual", finding->actual);
    set_number(object, "amount", finding->amount);
    json_object_set_new(object, "mended", json_boolean(finding->mended));
    json_object_set_new(object, "money", json_string(finding_meaning_name(finding_meaning_of(finding))));
    json_object_set_new(object, "remedy", json_string(finding_remedy(finding, report->settle_orphans)));
    set_text(object, "detail", text_of(finding->detail));
    return object;
}

static void print_json(const struct reconcile_report *report, const struct reconcile_summary *summary)
{
    json_t *findings = json_array();
    for (size_t i = 0; i < report->count; i++)
        json_array_append_new(findings, finding_json(report, &report->findings[i]));
    output_json(json_pack("{s:b, s:b, s:I, s:o, s:I, s:I, s:I, s:I}", "clean", (int)summary->clean,
                          "complete", (int)summary->complete, "budgets", (json_int_t)summary->budgets,
                          "findings", findings, "findings_left_out", (json_int_t)report->left_out, "mended",
                          (json_int_t)summary->mended, "unproven", (json_int_t)summary->unproven, "rows",
                          (json_int_t)summary->rows));
}

static const char *number_cell(struct arena *arena, int64_t number)
{
    return number == FINDING_NUMBER_NONE ? NULL : output_number(arena, number);
}

/* Why a repair did not, or would not, mend it: each reason of a budget once. */
static void print_reasons(const struct reconcile_report *of)
{
    const struct finding *said = NULL;
    for (size_t i = 0; i < of->count; i++) {
        const struct finding *finding = &of->findings[i];
        if (finding->mended || finding->kind == FINDING_UNTRACKED || finding->detail == NULL) continue;
        bool again = said != NULL && said->kind == finding->kind &&
                     text_equal(said->budget_id, finding->budget_id) &&
                     strcmp(said->detail, finding->detail) == 0;
        if (again) continue;
        report("reconcile: %s of budget " TEXT_FORMAT ": %s", finding_kind_name(finding->kind),
               TEXT_ARGUMENTS(finding->budget_id), finding->detail);
        said = finding;
    }
}

static void print_table(const struct reconcile_report *report, const struct reconcile_summary *summary)
{
    static const char *const headers[] = {"KIND",   "BUDGET", "ID",    "EXPECTED", "ACTUAL",
                                          "AMOUNT", "MENDED", "MONEY", "REPAIR"};
    struct table table = table_begin(headers, sizeof headers / sizeof headers[0]);
    for (size_t i = 0; i < report->count; i++) {
        const struct finding *finding = &report->findings[i];
        struct text id = text_is_present(finding->message_id) ? finding->message_id : finding->credit_id;
        table_add(&table, (const char *[]){
                              finding_kind_name(finding->kind),
                              finding->budget_id.data,
                              id.data,
                              number_cell(&table.arena, finding->expected),
                              number_cell(&table.arena, finding->actual),
                              number_cell(&table.arena, finding->amount),
                              finding->mended ? "yes" : "no",
                              finding_meaning_name(finding_meaning_of(finding)),
                              finding_remedy(finding, report->settle_orphans),
                          });
    }
    if (report->count > 0) table_print(&table);
    table_free(&table);
    if (!output_is_terminal()) return;
    if (report->count > 0) output_text(TEXT_LITERAL("\n"));
    output_format("%s: %lld budgets, %lld rows, %lld mended, %lld not mended%s\n",
                  summary->clean ? "clean" : "not clean", (long long)summary->budgets,
                  (long long)summary->rows, (long long)summary->mended, (long long)report->unmended,
                  summary->complete ? "" : "; not everything could be judged");
}

void reconcile_report_print(const struct reconcile_report *report, const struct reconcile_summary *summary,
                            bool json)
{
    if (json)
        print_json(report, summary);
    else
        print_table(report, summary);
    if (!json) print_reasons(report);
}

void reconcile_report_free(struct reconcile_report *report)
{
    free(report->findings);
    arena_free(&report->arena);
    *report = (struct reconcile_report){0};
}
