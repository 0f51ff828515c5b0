/* What reconciling and dead letters need of every ledger, on the fake and on SQLite. */
#include "contract/ledger_audit_fixture.h"
#include "core/limits.h"

static void rows_come_in_the_order_of_booking(void **state)
{
    struct fixture *f = *state;
    struct ledger_row rows[4];
    size_t count = 99, seen = 0;
    budget_make(f, "a", 10);
    assert_ok(ledger_rows_scan(f->ledger, 0, &f->arena, rows, 4, &count, &f->error));
    assert_int_equal(count, 0);
    settle_one(f, "z", "a", 6, 101);
    settle_one(f, "y", "a", 5, 0);
    settle_one(f, "x", "nobody", 4, 103);
    struct ledger_void voids[] = {orphan("w", 3, 104)};
    assert_ok(ledger_voids_insert(f->ledger, ACTOR, voids, 1, &f->error));
    settle_one(f, "z", "a", 6, 101);
    const struct {
        const char *id, *budget;
        int64_t amount, token;
        enum deduction_state state;
        enum refund_state refund;
    } wanted[] = {{"z", "a", 6, 101, DEDUCTION_SETTLED, REFUND_NONE},
                  {"y", "a", 5, 0, DEDUCTION_REJECTED, REFUND_DUE},
                  {"x", "nobody", 4, 103, DEDUCTION_REJECTED, REFUND_DUE},
                  {"w", "a", 3, 104, DEDUCTION_VOIDED, REFUND_DUE}};
    int64_t after = 0;
    do {
        assert_ok(ledger_rows_scan(f->ledger, after, &f->arena, rows, 3, &count, &f->error));
        for (size_t i = 0; i < count; i++, seen++) {
            assert_true(seen < 4 && rows[i].sequence > after);
            assert_int_equal(rows[i].sequence, row_get(f, wanted[seen].id).sequence);
            assert_true(text_equal_string(rows[i].budget_id, wanted[seen].budget));
            assert_int_equal(rows[i].amount, wanted[seen].amount);
            assert_int_equal(rows[i].deducted_at_us, wanted[seen].token);
            assert_int_equal(rows[i].state, wanted[seen].state);
            assert_int_equal(rows[i].refund, wanted[seen].refund);
            after = rows[i].sequence;
        }
    } while (count == 3);
    assert_int_equal(seen, 4);
    assert_ok(ledger_rows_scan(f->ledger, after, &f->arena, rows, 4, &count, &f->error));
    assert_int_equal(count, 0);
}

static void credits_of_one_budget(void **state)
{
    struct fixture *f = *state;
    struct ledger_credit credits[3];
    size_t count = 99;
    bool applied = false;
    budget_make(f, "a", 10);
    budget_make(f, "b", TOTAL_UNLIMITED);
    for (int i = 0; i < 3; i++) {
        struct text id = text_of(arena_format(&f->arena, "c%d", 9 - i));
        assert_ok(ledger_budget_credit(f->ledger, TEXT_LITERAL("a"), id, i + 1, &applied, &f->error));
    }
    assert_ok(ledger_credit_mark(f->ledger, TEXT_LITERAL("a"), TEXT_LITERAL("c8"), &f->error));
    assert_ok(ledger_credits_list(f->ledger, TEXT_LITERAL("a"), 0, &f->arena, credits, 3, &count, &f->error));
    assert_int_equal(count, 3);
    static const char *const ids[] = {"first", "c9", "c8", "c7"};
    static const int64_t amounts[] = {10, 1, 2, 3};
    for (size_t i = 0; i < 3; i++) {
        assert_true(text_equal_string(credits[i].credit_id, ids[i]));
        assert_int_equal(credits[i].amount, amounts[i]);
        assert_int_equal(credits[i].applied, i == 2);
        assert_true(credits[i].created_at_us > 1);
        assert_true(i == 0 || credits[i].sequence > credits[i - 1].sequence);
    }
    assert_ok(ledger_credits_list(f->ledger, TEXT_LITERAL("a"), credits[2].sequence, &f->arena, credits, 3,
                                  &count, &f->error));
    assert_int_equal(count, 1);
    assert_true(text_equal_string(credits[0].credit_id, ids[3]));
    assert_ok(ledger_credits_list(f->ledger, TEXT_LITERAL("b"), 0, &f->arena, credits, 3, &count, &f->error));
    assert_int_equal(count, 1);
    assert_int_equal(credits[0].amount, TOTAL_UNLIMITED);
    assert_ok(ledger_credits_list(f->ledger, TEXT_LITERAL("A"), 0, &f->arena, credits, 3, &count, &f->error));
    assert_int_equal(count, 0);
}

static void whoever_inserts_first_has_decided(void **state)
{
    struct fixture *f = *state;
    budget_make(f, "a", 10);
    settle_one(f, "settled", "a", 6, 101);
    settle_one(f, "rejected", "a", 5, 102);
    struct ledger_void voids[] = {orphan("settled", 6, 101), orphan("new", 3, 103), orphan("rejected", 5, 1),
                                  orphan("new", 3, 103), orphan("thrown", 2, 0)};
    voids[4].reason = REASON_DISCARDED;
    voids[4].refund = REFUND_DONE;
    assert_ok(ledger_voids_insert(f->ledger, ACTOR, voids, 5, &f->error));
    const bool inserted[] = {false, true, false, false, true};
    for (size_t i = 0; i < 5; i++) assert_int_equal(voids[i].inserted, inserted[i]);
    struct ledger_deduction row = row_get(f, "new");
    assert_true(row.found && text_equal_string(row.budget_id, "a"));
    assert_int_equal(row.amount, 3);
    assert_int_equal(row.deducted_at_us, 103);
    assert_int_equal(row.state, DEDUCTION_VOIDED);
    assert_int_equal(row.reason, REASON_ORPHANED);
    assert_int_equal(row.refund, REFUND_DUE);
    assert_int_equal(row_get(f, "thrown").reason, REASON_DISCARDED);
    assert_int_equal(row_get(f, "thrown").refund, REFUND_DONE);
    assert_int_equal(row_get(f, "thrown").deducted_at_us, 0);
    assert_int_equal(row_get(f, "settled").state, DEDUCTION_SETTLED);
    assert_int_equal(row_get(f, "rejected").state, DEDUCTION_REJECTED);
    assert_int_equal(budget_get(f, "a").settled, 6);
    assert_int_equal(stats_get(f).refunds_due, 2); /* the rejected one, and the new one */
    const char *journal = "void done anna@host a new - - - 3\ndiscard done anna@host a thrown - - - 0";
    assert_string_equal(journal_get(f), journal);

    const struct batch_item *item = settle_one(f, "new", "a", 3, 103);
    assert_int_equal(item->verdict, VERDICT_DUPLICATE);
    assert_int_equal(item->known.state, DEDUCTION_VOIDED);
    assert_ok(ledger_voids_insert(f->ledger, ACTOR, voids, 5, &f->error));
    for (size_t i = 0; i < 5; i++) assert_false(voids[i].inserted);
    assert_ok(ledger_voids_insert(f->ledger, ACTOR, voids, 0, &f->error));
    assert_string_equal(journal_get(f), journal);
}

static void a_refused_void_takes_the_others_with_it(void **state)
{
    struct fixture *f = *state;
    budget_make(f, "a", 10);
    struct text longest = text_of(arena_format(&f->arena, "%0255d", 1));
    struct text too_long = text_of(arena_format(&f->arena, "%0256d", 1));
    struct ledger_void bad[] = {orphan("b", 0, 1), orphan("b", AMOUNT_MAX + 1, 1), orphan("", 1, 1),
                                orphan(longest.data, 1, 1), orphan("b", 1, AMOUNT_MAX + 1)};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ledger_void voids[] = {orphan("good", 1, 1), bad[i]};
        assert_status(ledger_voids_insert(f->ledger, ACTOR, voids, 2, &f->error), STATUS_REFUSED);
        assert_false(row_get(f, "good").found);
    }
    struct ledger_void good = orphan("good", AMOUNT_MAX, AMOUNT_MAX);
    assert_status(ledger_voids_insert(f->ledger, TEXT_LITERAL(""), &good, 1, &f->error), STATUS_REFUSED);
    assert_status(ledger_voids_insert(f->ledger, too_long, &good, 1, &f->error), STATUS_REFUSED);
    assert_false(row_get(f, "good").found);
    assert_string_equal(journal_get(f), "");
    assert_ok(ledger_voids_insert(f->ledger, longest, &good, 1, &f->error));
    assert_true(good.inserted);
}

static size_t open_get(struct fixture *f, enum intervention_kind kind, struct intervention *entries,
                       size_t capacity)
{
    size_t count = 99;
    assert_ok(ledger_interventions_open(f->ledger, kind, &f->arena, entries, capacity, &count, &f->error));
    return count;
}

static void what_a_crash_left_begun_is_found(void **state)
{
    struct fixture *f = *state;
    struct intervention entries[] = {{.kind = INTERVENTION_REPAIR,
                                      .actor = ACTOR,
                                      .budget_id = TEXT_LITERAL("a"),
                                      .subject = TEXT_LITERAL("left"),
                                      .before = TEXT_LITERAL("12"),
                                      .after = TEXT_LITERAL("10"),
                                      .amount = -2},
                                     {.kind = INTERVENTION_REPAIR, .actor = ACTOR, .amount = INT64_MAX},
                                     {.kind = INTERVENTION_REPLAY,
                                      .actor = ACTOR,
                                      .message_id = TEXT_LITERAL("m"),
                                      .before = TEXT_LITERAL("")},
                                     {.kind = INTERVENTION_EDIT, .state = INTERVENTION_DONE, .actor = ACTOR}};
    struct intervention open[4];
    assert_ok(ledger_interventions_begin(f->ledger, entries, 4, &f->error));
    for (size_t i = 1; i < 4; i++) assert_true(entries[i].sequence > entries[i - 1].sequence);
    fixture_reopen(f); /* the crash */
    assert_int_equal(open_get(f, INTERVENTION_EDIT, open, 4), 0);
    assert_int_equal(open_get(f, INTERVENTION_REPLAY, open, 4), 1);
    assert_true(text_equal_string(open[0].message_id, "m"));
    assert_true(text_is_present(open[0].before) && open[0].before.size == 0);
    assert_false(text_is_present(open[0].after) || text_is_present(open[0].budget_id));
    assert_int_equal(open_get(f, INTERVENTION_REPAIR, open, 1), 1);
    assert_int_equal(open_get(f, INTERVENTION_REPAIR, open, 4), 2);
    assert_int_equal(open[0].sequence, entries[0].sequence);
    assert_int_equal(open[0].kind, INTERVENTION_REPAIR);
    assert_int_equal(open[0].state, INTERVENTION_BEGUN);
    assert_true(open[0].at_us > 1 && open[0].sequence >= open[0].at_us);
    assert_true(text_equal(open[0].actor, ACTOR) && text_equal_string(open[0].budget_id, "a"));
    assert_true(text_equal_string(open[0].subject, "left") && text_equal_string(open[0].before, "12"));
    assert_true(text_equal_string(open[0].after, "10") && !text_is_present(open[0].message_id));
    assert_int_equal(open[0].amount, -2);
    assert_int_equal(open[1].amount, INT64_MAX);

    entries[0].state = INTERVENTION_DONE;
    entries[1].state = INTERVENTION_ABANDONED;
    for (int i = 0; i < 2; i++) assert_ok(ledger_interventions_end(f->ledger, entries, 2, &f->error));
    assert_int_equal(open_get(f, INTERVENTION_REPAIR, open, 4), 0);
    assert_int_equal(open_get(f, INTERVENTION_REPLAY, open, 4), 1);
    assert_string_equal(journal_get(f), "repair done anna@host a - left 12 10 -2\n"
                                        "repair abandoned anna@host - - - - - 9223372036854775807\n"
                                        "replay begun anna@host - m -  - 0\n"
                                        "edit done anna@host - - - - - 0");
}

static void an_entry_that_cannot_be_written_takes_the_others_with_it(void **state)
{
    struct fixture *f = *state;
    struct intervention entries[] = {{.kind = INTERVENTION_REPLAY, .actor = ACTOR},
                                     {.kind = INTERVENTION_REPLAY, .actor = TEXT_LITERAL("")}};
    assert_status(ledger_interventions_begin(f->ledger, entries, 2, &f->error), STATUS_REFUSED);
    assert_string_equal(journal_get(f), "");
    struct intervention ends[] = {{.sequence = journal_write(f, INTERVENTION_REPLAY, INTERVENTION_BEGUN, "m"),
                                   .state = INTERVENTION_DONE},
                                  {.sequence = 7, .state = INTERVENTION_DONE}};
    assert_status(ledger_interventions_end(f->ledger, ends, 2, &f->error), STATUS_REFUSED);
    assert_string_equal(journal_get(f), "replay begun anna@host - m - - - 0");
    assert_ok(ledger_interventions_end(f->ledger, ends, 1, &f->error));
    assert_string_equal(journal_get(f), "replay done anna@host - m - - - 0");
    assert_ok(ledger_interventions_begin(f->ledger, entries, 0, &f->error));
    assert_ok(ledger_interventions_end(f->ledger, ends, 0, &f->error));
}

static void parked_ids_are_looked_up(void **state)
{
    struct fixture *f = *state;
    park(f, "m", PARK_ID_CONFLICT);
    park(f, "m", PARK_UNPROCESSABLE);
    park(f, "n", PARK_INVALID_AMOUNT);
    park(f, NULL, PARK_MALFORMED);
    const struct text ids[] = {TEXT_LITERAL("m"), TEXT_LITERAL("other"), TEXT_LITERAL("n"),
                               TEXT_LITERAL("M")};
    struct parked_look looks[4];
    assert_ok(ledger_parked_look(f->ledger, ids, 4, looks, &f->error));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(looks[i].parked, i % 2 == 0);
        assert_false(looks[i].replayed);
    }
    struct parked_mark marks[] = {{.message_id = TEXT_LITERAL("m")}, {.message_id = TEXT_LITERAL("other")}};
    assert_ok(ledger_parked_mark(f->ledger, marks, 2, PARKED_REPLAYED, &f->error));
    assert_int_equal(stats_get(f).parked, 2);
    assert_true(look_get(f, "m").replayed && !look_get(f, "m").parked);
    park(f, "m", PARK_ID_CONFLICT); /* it came back */
    assert_true(look_get(f, "m").replayed && look_get(f, "m").parked);
    assert_ok(ledger_parked_mark(f->ledger, marks, 1, PARKED_DISCARDED, &f->error));
    assert_true(look_get(f, "m").replayed && !look_get(f, "m").parked);
    marks[0].message_id = TEXT_LITERAL("n");
    assert_ok(ledger_parked_mark(f->ledger, marks, 1, PARKED_DISCARDED, &f->error));
    assert_false(look_get(f, "n").replayed || look_get(f, "n").parked);
}

static void a_replay_is_remembered_for_ever(void **state)
{
    struct fixture *f = *state;
    static const enum intervention_kind kinds[] = {INTERVENTION_EDIT, INTERVENTION_DISCARD,
                                                   INTERVENTION_SETTLE, INTERVENTION_REPLAY,
                                                   INTERVENTION_IMPORT};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        for (int word = INTERVENTION_BEGUN; word <= INTERVENTION_ABANDONED; word++) {
            const char *id = arena_format(&f->arena, "m%zu-%d", i, word);
            journal_write(f, kinds[i], (enum intervention_state)word, id);
            bool again = kinds[i] == INTERVENTION_REPLAY || kinds[i] == INTERVENTION_IMPORT;
            assert_int_equal(look_get(f, id).replayed, again);
            assert_false(look_get(f, id).parked);
        }
    }
}

static void what_was_parked_since(void **state)
{
    struct fixture *f = *state;
    struct parked_entry entries[3];
    size_t count = 99;
    assert_int_equal(stats_get(f).last_parked_sequence, 0);
    assert_ok(ledger_parked_since(f->ledger, 0, &f->arena, entries, 3, &count, &f->error));
    assert_int_equal(count, 0);
    park(f, "m", PARK_ID_CONFLICT);
    int64_t first = stats_get(f).last_parked_sequence;
    park(f, NULL, PARK_MALFORMED);
    park(f, "n", PARK_TOO_LARGE);
    struct parked_mark mark = {.message_id = TEXT_LITERAL("n")};
    assert_ok(ledger_parked_mark(f->ledger, &mark, 1, PARKED_DISCARDED, &f->error));
    assert_ok(ledger_parked_since(f->ledger, first, &f->arena, entries, 3, &count, &f->error));
    assert_int_equal(count, 2);
    assert_true(entries[0].sequence > first);
    assert_false(text_is_present(entries[0].message_id));
    assert_true(text_equal_string(entries[0].reason, "malformed"));
    assert_true(entries[0].parked_at_us > 1);
    assert_true(text_equal_string(entries[1].message_id, "n"));
    assert_int_equal(entries[1].sequence, stats_get(f).last_parked_sequence);
    assert_ok(ledger_parked_since(f->ledger, 0, &f->arena, entries, 1, &count, &f->error));
    assert_int_equal(count, 1);
    assert_int_equal(entries[0].sequence, first);
}

static void unreadable_messages_are_marked_one_by_one(void **state)
{
    struct fixture *f = *state;
    park(f, NULL, PARK_MISSING_ID);
    for (int i = 0; i < 3; i++) park(f, NULL, PARK_MALFORMED);
    park(f, "malformed", PARK_MALFORMED);
    struct parked_mark marks[] = {{.reason = TEXT_LITERAL("malformed")},
                                  {.reason = TEXT_LITERAL("missing-id")},
                                  {.reason = TEXT_LITERAL("too-large")}};
    assert_ok(ledger_parked_mark(f->ledger, marks, 3, PARKED_REPLAYED, &f->error));
    assert_int_equal(stats_get(f).parked, 3);
    for (int i = 0; i < 3; i++) /* one more than there are */
        assert_ok(ledger_parked_mark(f->ledger, marks, 1, PARKED_DISCARDED, &f->error));
    assert_int_equal(stats_get(f).parked, 1);
    assert_true(look_get(f, "malformed").parked);
}

static void what_is_parked_later_is_left_alone(void **state)
{
    struct fixture *f = *state;
    park(f, "m", PARK_ID_CONFLICT);
    park(f, NULL, PARK_MALFORMED);
    int64_t up_to = stats_get(f).last_parked_sequence;
    park(f, "m", PARK_UNPROCESSABLE);
    park(f, NULL, PARK_MALFORMED);
    struct parked_mark marks[] = {{.message_id = TEXT_LITERAL("m"), .up_to = up_to},
                                  {.reason = TEXT_LITERAL("malformed"), .up_to = up_to},
                                  {.reason = TEXT_LITERAL("malformed"), .up_to = up_to}};
    assert_ok(ledger_parked_mark(f->ledger, marks, 3, PARKED_REPLAYED, &f->error));
    assert_int_equal(stats_get(f).parked, 2);
    assert_true(look_get(f, "m").parked && look_get(f, "m").replayed);
    marks[0].up_to = marks[1].up_to = 0;
    assert_ok(ledger_parked_mark(f->ledger, marks, 2, PARKED_REPLAYED, &f->error));
    assert_int_equal(stats_get(f).parked, 0);
}

#define TEST(name, kind) cmocka_unit_test_setup_teardown(name, setup_##kind, fixture_teardown)
#define SUITE(kind)                                                                                          \
    {                                                                                                        \
        TEST(rows_come_in_the_order_of_booking, kind), TEST(credits_of_one_budget, kind),                    \
            TEST(whoever_inserts_first_has_decided, kind),                                                   \
            TEST(a_refused_void_takes_the_others_with_it, kind),                                             \
            TEST(what_a_crash_left_begun_is_found, kind),                                                    \
            TEST(an_entry_that_cannot_be_written_takes_the_others_with_it, kind),                            \
            TEST(parked_ids_are_looked_up, kind), TEST(a_replay_is_remembered_for_ever, kind),               \
            TEST(what_was_parked_since, kind), TEST(unreadable_messages_are_marked_one_by_one, kind),        \
            TEST(what_is_parked_later_is_left_alone, kind),                                                  \
    }

int main(void)
{
    const struct CMUnitTest fake[] = SUITE(fake);
    const struct CMUnitTest sqlite[] = SUITE(sqlite);
    int failed = cmocka_run_group_tests_name("a ledger is audited: fake", fake, NULL, NULL);
    return failed + cmocka_run_group_tests_name("a ledger is audited: SQLite", sqlite, NULL, NULL);
}
