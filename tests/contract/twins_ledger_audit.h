/* The operations of port/ledger_audit.h on both ledgers. */
#ifndef BURSAR_TESTS_TWINS_LEDGER_AUDIT_H
#define BURSAR_TESTS_TWINS_LEDGER_AUDIT_H

#include "contract/twins_ledger.h"

static inline struct text pick_actor(struct pair *pair)
{
    if (roll(&pair->twins, 40) > 0) return TEXT_LITERAL("anna@host");
    return chance(&pair->twins, 30)
               ? TEXT_LITERAL("")
               : text_of(arena_format(&pair->arena, "%0*d", 254 + (int)roll(&pair->twins, 3), 1));
}

static inline void rows_scan(struct pair *pair, struct use use)
{
    static struct ledger_row one[500], two[500];
    size_t one_count = 99, two_count = 98,
           capacity = chance(&pair->twins, 70) ? 1 + roll(&pair->twins, 9) : 500;
    twins_note(&pair->twins, "scan %zu after %" PRId64, capacity, pair->row_after);
    BOTH_ANSWER(pair,
                ledger_rows_scan(use.fake, pair->row_after, &pair->arena, one, capacity, &one_count,
                                 &pair->fake->error),
                ledger_rows_scan(use.real, pair->row_after, &pair->arena, two, capacity, &two_count,
                                 &pair->real->error));
    twins_same(&pair->twins, "count", 0, (int64_t)one_count, (int64_t)two_count);
    for (size_t i = 0; i < one_count; i++) {
        SAME(sequence);
        SAME_TEXT(budget_id);
        SAME(amount);
        SAME(deducted_at_us);
        SAME(state);
        SAME(refund);
    }
    if (one_count > 0) pair->row_after = one[one_count - 1].sequence;
    if (chance(&pair->twins, one_count < capacity ? 50 : 5)) pair->row_after = 0;
}

static inline void credits_list(struct pair *pair, struct use use)
{
    struct ledger_credit one[9], two[9];
    size_t one_count = 99, two_count = 98, capacity = 1 + roll(&pair->twins, 9);
    struct text budget_id = pick_budget_id(pair);
    int64_t after = chance(&pair->twins, 60) ? 0 : (int64_t)roll(&pair->twins, 60);
    twins_note(&pair->twins, "credits of %.10s after %" PRId64, budget_id.data, after);
    BOTH_ANSWER(pair,
                ledger_credits_list(use.fake, budget_id, after, &pair->arena, one, capacity, &one_count,
                                    &pair->fake->error),
                ledger_credits_list(use.real, budget_id, after, &pair->arena, two, capacity, &two_count,
                                    &pair->real->error));
    twins_same(&pair->twins, "count", 0, (int64_t)one_count, (int64_t)two_count);
    for (size_t i = 0; i < one_count; i++) {
        SAME(sequence);
        SAME_TEXT(credit_id);
        SAME(amount);
        SAME(applied);
        SAME(created_at_us);
    }
}

static inline void voids_insert(struct pair *pair, struct use use)
{
    static const int64_t amounts[] = {0, -1, AMOUNT_MAX, AMOUNT_MAX + 1};
    struct ledger_void one[8], two[8];
    size_t count = roll(&pair->twins, 9);
    struct text actor = pick_actor(pair);
    twins_note(&pair->twins, "void");
    for (size_t i = 0; i < count; i++) {
        one[i] =
            (struct ledger_void){.message_id = pick_message_id(pair),
                                 .budget_id = pick_budget_id(pair),
                                 .amount = roll(&pair->twins, 60) == 0 ? amounts[roll(&pair->twins, 4)]
                                                                       : 1 + (int64_t)roll(&pair->twins, 6),
                                 .deducted_at_us = pick_token(pair),
                                 .reason = chance(&pair->twins, 60) ? REASON_ORPHANED : REASON_DISCARDED,
                                 .refund = chance(&pair->twins, 70) ? REFUND_DUE : REFUND_DONE};
        if (i > 0 && chance(&pair->twins, 10)) one[i].message_id = one[i - 1].message_id;
        twins_note(&pair->twins, " %.8s:%" PRId64, one[i].message_id.data, one[i].amount);
        two[i] = one[i];
    }
    enum status status = ledger_voids_insert(use.fake, actor, one, count, &pair->fake->error);
    BOTH_ANSWER(pair, status, ledger_voids_insert(use.real, actor, two, count, &pair->real->error));
    for (size_t i = 0; i < count && status == STATUS_OK; i++) SAME(inserted);
}

static inline void interventions_begin(struct pair *pair, struct use use)
{
    struct intervention one[5], two[5];
    size_t count = roll(&pair->twins, 6);
    twins_note(&pair->twins, "begin %zu", count);
    for (size_t i = 0; i < count; i++) {
        one[i] =
            (struct intervention){.kind = (enum intervention_kind)roll(&pair->twins, 7),
                                  .state = chance(&pair->twins, 70) ? INTERVENTION_BEGUN : INTERVENTION_DONE,
                                  .actor = pick_actor(pair),
                                  .subject = pick_text(pair, 30, "s"),
                                  .before = pick_text(pair, 70, "\xc3\xa9"),
                                  .after = pick_text(pair, 70, "a"),
                                  .amount = (int64_t)roll(&pair->twins, 100) - 50};
        if (chance(&pair->twins, 60)) one[i].budget_id = pick_budget_id(pair);
        if (chance(&pair->twins, 60)) one[i].message_id = pick_message_id(pair);
        two[i] = one[i];
    }
    enum status status = ledger_interventions_begin(use.fake, one, count, &pair->fake->error);
    BOTH_ANSWER(pair, status, ledger_interventions_begin(use.real, two, count, &pair->real->error));
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        SAME(sequence);
        pair->entries[roll(&pair->twins, 16)] = one[i].sequence;
    }
}

static inline void interventions_end(struct pair *pair, struct use use)
{
    struct intervention ends[4];
    size_t count = roll(&pair->twins, 5);
    twins_note(&pair->twins, "end");
    for (size_t i = 0; i < count; i++) {
        ends[i] = (struct intervention){.sequence = pair->entries[roll(&pair->twins, 16)],
                                        .state = (enum intervention_state)roll(&pair->twins, 3)};
        twins_note(&pair->twins, " %" PRId64, ends[i].sequence);
    }
    BOTH_ANSWER(pair, ledger_interventions_end(use.fake, ends, count, &pair->fake->error),
                ledger_interventions_end(use.real, ends, count, &pair->real->error));
}

static inline void interventions_open(struct pair *pair, struct use use)
{
    struct intervention one[9], two[9];
    size_t one_count = 99, two_count = 98, capacity = 1 + roll(&pair->twins, 9);
    enum intervention_kind kind = (enum intervention_kind)roll(&pair->twins, 7);
    twins_note(&pair->twins, "open %d", (int)kind);
    BOTH_ANSWER(pair,
                ledger_interventions_open(use.fake, kind, &pair->arena, one, capacity, &one_count,
                                          &pair->fake->error),
                ledger_interventions_open(use.real, kind, &pair->arena, two, capacity, &two_count,
                                          &pair->real->error));
    twins_same(&pair->twins, "count", 0, (int64_t)one_count, (int64_t)two_count);
    for (size_t i = 0; i < one_count; i++) {
        SAME(sequence);
        SAME(kind);
        SAME(state);
        SAME(at_us);
        SAME_TEXT(actor);
        SAME_TEXT(budget_id);
        SAME_TEXT(message_id);
        SAME_TEXT(subject);
        SAME_TEXT(before);
        SAME_TEXT(after);
        SAME(amount);
    }
}

static inline void parked_look(struct pair *pair, struct use use)
{
    struct text ids[20];
    struct parked_look one[20], two[20];
    size_t count = 1 + roll(&pair->twins, 20);
    twins_note(&pair->twins, "look");
    for (size_t i = 0; i < count; i++) ids[i] = pick_message_id(pair);
    BOTH_ANSWER(pair, ledger_parked_look(use.fake, ids, count, one, &pair->fake->error),
                ledger_parked_look(use.real, ids, count, two, &pair->real->error));
    for (size_t i = 0; i < count; i++) {
        SAME(parked);
        SAME(replayed);
    }
}

static inline void parked_since(struct pair *pair, struct use use)
{
    struct parked_entry one[9], two[9];
    size_t one_count = 99, two_count = 98, capacity = 1 + roll(&pair->twins, 9);
    twins_note(&pair->twins, "parked after %" PRId64, pair->parked_after);
    BOTH_ANSWER(pair,
                ledger_parked_since(use.fake, pair->parked_after, &pair->arena, one, capacity, &one_count,
                                    &pair->fake->error),
                ledger_parked_since(use.real, pair->parked_after, &pair->arena, two, capacity, &two_count,
                                    &pair->real->error));
    twins_same(&pair->twins, "count", 0, (int64_t)one_count, (int64_t)two_count);
    for (size_t i = 0; i < one_count; i++) {
        SAME(sequence);
        SAME_TEXT(message_id);
        SAME_TEXT(reason);
        SAME(parked_at_us);
    }
    if (one_count > 0) pair->parked_after = one[one_count - 1].sequence;
    if (chance(&pair->twins, one_count < capacity ? 50 : 5)) pair->parked_after = 0;
}

static inline void parked_mark(struct pair *pair, struct use use)
{
    struct parked_mark marks[6];
    size_t count = roll(&pair->twins, 7);
    enum parked_state state = chance(&pair->twins, 50) ? PARKED_REPLAYED : PARKED_DISCARDED;
    twins_note(&pair->twins, "mark %d", (int)state);
    for (size_t i = 0; i < count; i++) {
        enum park_reason reason = (enum park_reason)(PARK_NONE + 1 + (int)roll(&pair->twins, 8));
        marks[i] = (struct parked_mark){.reason = text_of(park_reason_name(reason))};
        if (chance(&pair->twins, 70)) marks[i].message_id = pick_message_id(pair);
    }
    BOTH_ANSWER(pair, ledger_parked_mark(use.fake, marks, count, state, &pair->fake->error),
                ledger_parked_mark(use.real, marks, count, state, &pair->real->error));
}

static inline void runs(struct pair *pair, struct use use)
{
    struct reconcile_run one[1] = {{.started_at_us = 1000 + (int64_t)roll(&pair->twins, 100),
                                    .finished_at_us = 1000 + (int64_t)roll(&pair->twins, 100),
                                    .actor = pick_actor(pair),
                                    .repair = chance(&pair->twins, 50),
                                    .complete = chance(&pair->twins, 50),
                                    .clean = chance(&pair->twins, 50),
                                    .budgets = (int64_t)roll(&pair->twins, 100),
                                    .mended = (int64_t)roll(&pair->twins, 100) - 1}},
                         two[1] = {{.started_at_us = 0}};
    const size_t i = 0;
    bool one_found = false, two_found = false;
    for (int kind = 0; kind < FINDING_KIND_COUNT; kind++)
        one->found[kind] = (int64_t)roll(&pair->twins, 200) - 1;
    twins_note(&pair->twins, "run");
    BOTH_ANSWER(pair, ledger_run_record(use.fake, one, &pair->fake->error),
                ledger_run_record(use.real, one, &pair->real->error));
    BOTH_ANSWER(pair, ledger_run_last(use.fake, &pair->arena, one, &one_found, &pair->fake->error),
                ledger_run_last(use.real, &pair->arena, two, &two_found, &pair->real->error));
    twins_same(&pair->twins, "found", 0, one_found, two_found);
    if (!one_found) return;
    SAME(started_at_us);
    SAME(finished_at_us);
    SAME_TEXT(actor);
    SAME(repair);
    SAME(complete);
    SAME(clean);
    SAME(budgets);
    SAME(mended);
    for (int kind = 0; kind < FINDING_KIND_COUNT; kind++) SAME(found[kind]);
}

static inline void sights(struct pair *pair, struct use use)
{
    struct stock_sight one[4], two[4];
    struct text ids[4];
    size_t count = 1 + roll(&pair->twins, 4);
    twins_note(&pair->twins, "sights");
    for (size_t i = 0; i < count; i++) {
        one[i] =
            (struct stock_sight){.budget_id = pick_budget_id(pair),
                                 .server = pick_text(pair, 64, "r"),
                                 .credited = roll(&pair->twins, 40) == 0 ? AMOUNT_MAX + 1 : AMOUNT_MAX,
                                 .deducted = (int64_t)roll(&pair->twins, 100),
                                 .settled = (int64_t)roll(&pair->twins, 100) - (roll(&pair->twins, 40) == 0),
                                 .released = (int64_t)roll(&pair->twins, 100)};
    }
    BOTH_ANSWER(pair, ledger_sights_record(use.fake, one, count, &pair->fake->error),
                ledger_sights_record(use.real, one, count, &pair->real->error));
    for (size_t i = 0; i < count; i++) ids[i] = pick_budget_id(pair);
    BOTH_ANSWER(pair, ledger_sights_read(use.fake, ids, count, &pair->arena, one, &pair->fake->error),
                ledger_sights_read(use.real, ids, count, &pair->arena, two, &pair->real->error));
    for (size_t i = 0; i < count; i++) {
        SAME_TEXT(budget_id);
        SAME_TEXT(server);
        SAME(credited);
        SAME(deducted);
        SAME(settled);
        SAME(released);
    }
}

static inline void take_lock(struct pair *pair, struct use use)
{
    enum ledger_lock lock = chance(&pair->twins, 50) ? LEDGER_LOCK_RECONCILE : LEDGER_LOCK_DEAD_LETTERS;
    twins_note(&pair->twins, "lock %d", (int)lock);
    BOTH_ANSWER(pair, ledger_lock(use.fake, lock, &pair->fake->error),
                ledger_lock(use.real, lock, &pair->real->error));
    if (chance(&pair->twins, 50)) return;
    twins_note(&pair->twins, " and unlock");
    ledger_unlock(use.fake, lock);
    ledger_unlock(use.real, lock);
}

#endif
