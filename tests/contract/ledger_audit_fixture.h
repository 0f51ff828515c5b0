/* What the tests of port/ledger_audit.h share: short words for its steps, and the journal as text. */
#ifndef BURSAR_TESTS_LEDGER_AUDIT_FIXTURE_H
#define BURSAR_TESTS_LEDGER_AUDIT_FIXTURE_H

#include "contract/ledger_fixture.h"

#define ACTOR TEXT_LITERAL("anna@host")

static inline struct ledger_stats stats_get(struct fixture *f)
{
    struct ledger_stats stats;
    assert_ok(ledger_stats(f->ledger, &stats, &f->error));
    return stats;
}

static inline struct ledger_void orphan(const char *message_id, int64_t amount, int64_t deducted_at_us)
{
    return (struct ledger_void){.message_id = text_of(message_id),
                                .budget_id = TEXT_LITERAL("a"),
                                .amount = amount,
                                .deducted_at_us = deducted_at_us,
                                .reason = REASON_ORPHANED,
                                .refund = REFUND_DUE};
}

static inline void park(struct fixture *f, const char *message_id, enum park_reason reason)
{
    struct parked_row row = {.message_id = text_of(message_id), .reason = reason};
    assert_ok(ledger_record_parked(f->ledger, &row, 1, &f->error));
}

static inline struct parked_look look_get(struct fixture *f, const char *message_id)
{
    struct text id = text_of(message_id);
    struct parked_look look = {true, true};
    assert_ok(ledger_parked_look(f->ledger, &id, 1, &look, &f->error));
    return look;
}

/* Writes one entry into the journal; its sequence. */
static inline int64_t journal_write(struct fixture *f, enum intervention_kind kind,
                                    enum intervention_state state, const char *message_id)
{
    struct intervention entry = {
        .kind = kind, .state = state, .actor = ACTOR, .message_id = text_of(message_id)};
    assert_ok(ledger_interventions_begin(f->ledger, &entry, 1, &f->error));
    return entry.sequence;
}

static inline const char *journal_text(struct fixture *f, struct text text)
{
    return text_is_present(text) ? arena_format(&f->arena, TEXT_FORMAT, TEXT_ARGUMENTS(text)) : "-";
}

/* The whole journal, an entry a line: kind, state, actor, budget, message, subject, before, after, amount. */
static inline const char *journal_get(struct fixture *f)
{
    if (f->store == NULL) {
        const char *text = raw_text(
            f, "SELECT group_concat(kind || ' ' || state || ' ' || actor || ' ' || coalesce(budget_id, '-')"
               " || ' ' || coalesce(message_id, '-') || ' ' || coalesce(subject, '-') || ' ' ||"
               " coalesce(value_before, '-') || ' ' || coalesce(value_after, '-') || ' ' || amount, char(10))"
               " FROM (SELECT * FROM v_intervention ORDER BY sequence)");
        return text == NULL ? "" : text;
    }
    static const char *const kinds[] = {"repair", "void", "settle", "replay", "edit", "discard", "import"};
    static const char *const states[] = {"begun", "done", "abandoned"};
    const char *text = "";
    for (size_t i = 0; i < fake_ledger_intervention_count(f->store); i++) {
        const struct intervention *entry = fake_ledger_intervention(f->store, i);
        text = arena_format(&f->arena, "%s%s%s %s %s %s %s %s %s %s %lld", text, i == 0 ? "" : "\n",
                            kinds[entry->kind], states[entry->state], journal_text(f, entry->actor),
                            journal_text(f, entry->budget_id), journal_text(f, entry->message_id),
                            journal_text(f, entry->subject), journal_text(f, entry->before),
                            journal_text(f, entry->after), (long long)entry->amount);
    }
    return text;
}

#endif
