/* The fake ledger and SQLite side by side: one clock for both, what to ask of them, and what they hold. */
#ifndef BURSAR_TESTS_TWINS_LEDGER_H
#define BURSAR_TESTS_TWINS_LEDGER_H

#include "contract/ledger_fixture.h"
#include "contract/twins.h"
#include "core/limits.h"

enum { BUDGETS = 8, BAD_BUDGETS = 3, CREDITS = 12, RECENT_IDS = 40 };

#define LONG_TEXT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *const budget_ids[BUDGETS + BAD_BUDGETS] = {"a",
                                                              "B",
                                                              "b",
                                                              "b1",
                                                              "camp:42",
                                                              "-_.:Z9",
                                                              LONG_TEXT LONG_TEXT,
                                                              "never-made",
                                                              "",
                                                              "no good",
                                                              LONG_TEXT LONG_TEXT "x"};
static const char *const credit_ids[CREDITS + 2] = {"first", "c1",
                                                    "c2",    "c3",
                                                    "c4",    "c5",
                                                    "c6",    "c7",
                                                    "c8",    "c9",
                                                    "C1",    LONG_TEXT LONG_TEXT,
                                                    "",      LONG_TEXT LONG_TEXT "x"};

/* What the linker puts in the place of the clock that the adapter reads (-Wl,--wrap=instant_wall_us). */
static int64_t wall_us = INT64_C(1767323045678901);
int64_t __wrap_instant_wall_us(void);
int64_t __wrap_instant_wall_us(void)
{
    return wall_us;
}

struct asked_credit {
    struct text budget_id, credit_id;
    int64_t amount;
};

struct pair {
    struct twins twins;
    struct fixture *fake, *real;
    struct ledger *fake_tool, *real_tool; /* second connections */
    size_t next_id;                       /* message ids are m0, m1, m2… */
    char refused[24];                     /* message id of the row that both refuse; empty: none */
    bool tokenless;                       /* no deduction has a token for a while */
    struct debt_cursor cursor;
    struct debt debts[600];
    size_t debt_count;
    struct asked_credit credits[8];      /* the last ones, to be asked for again */
    int64_t row_after, parked_after;     /* how far rows and parked messages were read */
    int64_t entries[16];                 /* sequences of the last entries of the journal, to be ended */
    struct fake_ledger_snapshot *backup; /* NULL: none yet; the real one lies beside the file */
    struct arena arena;                  /* the texts of the present operation */
    struct twins_lines fake_lines, real_lines;
};

/* The connection that the operation uses. */
struct use {
    struct ledger *fake, *real;
};

static inline struct use pick_connection(struct pair *pair)
{
    return chance(&pair->twins, 20) ? (struct use){pair->fake_tool, pair->real_tool}
                                    : (struct use){pair->fake->ledger, pair->real->ledger};
}

static inline struct text pick_message_id(struct pair *pair)
{
    size_t recent = pair->next_id < RECENT_IDS ? pair->next_id : RECENT_IDS;
    size_t number = pair->next_id;
    if (chance(&pair->twins, 50))
        number = pair->next_id++;
    else if (chance(&pair->twins, 80) && recent > 0)
        number = pair->next_id - 1 - roll(&pair->twins, recent);
    else if (recent > 0)
        number = roll(&pair->twins, pair->next_id);
    return text_of(arena_format(&pair->arena, number % 16 == 0 ? "m%zu" LONG_TEXT : "m%zu", number));
}

static inline struct text pick_budget_id(struct pair *pair)
{
    bool bad = roll(&pair->twins, 80) == 0;
    return text_of(budget_ids[bad ? BUDGETS + roll(&pair->twins, BAD_BUDGETS) : roll(&pair->twins, BUDGETS)]);
}

static inline struct text pick_credit_id(struct pair *pair)
{
    return text_of(credit_ids[roll(&pair->twins, roll(&pair->twins, 40) == 0 ? CREDITS + 2 : CREDITS)]);
}

/* Tokens lie around the times of closing. */
static inline int64_t pick_token(struct pair *pair)
{
    static const int64_t edges[] = {1, AMOUNT_MAX, AMOUNT_MAX + 1, 0};
    if (pair->tokenless || chance(&pair->twins, 20)) return 0;
    if (roll(&pair->twins, 60) == 0) return edges[roll(&pair->twins, sizeof edges / sizeof edges[0])];
    return 1000 + (int64_t)roll(&pair->twins, 100);
}

static inline struct text pick_text(struct pair *pair, size_t size_max, const char *letters)
{
    size_t kind = roll(&pair->twins, 120);
    if (kind < 60) return TEXT_NONE;
    if (kind < 70) return TEXT_LITERAL("");
    size_t size = kind < 119 ? 1 + roll(&pair->twins, 30) : size_max + roll(&pair->twins, 2);
    char *text = arena_alloc(&pair->arena, size * strlen(letters) + 1);
    text[0] = '\0';
    for (size_t i = 0; i < size; i++) memcpy(text + i * strlen(letters), letters, strlen(letters) + 1);
    return text_of(text);
}

#define BOTH_ANSWER(pair, fake_call, real_call)                                                              \
    do {                                                                                                     \
        enum status fake_status = (fake_call);                                                               \
        enum status real_status = (real_call);                                                               \
        if (fake_status != real_status)                                                                      \
            twins_fail(&(pair)->twins, "the fake answers %s, the real one %s: %s", status_name(fake_status), \
                       status_name(real_status), (pair)->real->error.text);                                  \
    } while (false)

#define SAME(field)      twins_same(&pair->twins, #field, i, (int64_t)one[i].field, (int64_t)two[i].field)
#define SAME_TEXT(field) same_text(pair, #field, i, one[i].field, two[i].field)

static inline const char *shown(struct pair *pair, struct text text)
{
    if (!text_is_present(text)) return "NULL";
    return arena_format(&pair->arena, "'" TEXT_FORMAT "'", TEXT_ARGUMENTS(text));
}

static inline void same_text(struct pair *pair, const char *what, size_t item, struct text fake,
                             struct text real)
{
    if (text_is_present(fake) == text_is_present(real) && text_equal(fake, real)) return;
    twins_fail(&pair->twins, "%s of item %zu is %s in the fake and %s in the real one", what, item,
               shown(pair, fake), shown(pair, real));
}

/* A query whose first column is the whole line. */
static inline void lines_of_sqlite(struct pair *pair, sqlite3 *database, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW)
        twins_line(&pair->real_lines, "%s", (const char *)sqlite3_column_text(statement, 0));
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
}

#define SHOWN(column) "coalesce('''' || " column " || '''', 'NULL')"

static inline void audit_of_sqlite(struct pair *pair, sqlite3 *database)
{
    lines_of_sqlite(
        pair, database,
        "SELECT printf('journal %d kind %d state %d at %d by %d ', sequence, kind, state,"
        " begun_at_us, amount) || " SHOWN("actor") " || " SHOWN("budget_id") " || " SHOWN(
            "message_id") " || " SHOWN("subject") " || " SHOWN("value_before") " || " SHOWN("value_after") " "
                                                                                                           "F"
                                                                                                           "R"
                                                                                                           "O"
                                                                                                           "M"
                                                                                                           " "
                                                                                                           "i"
                                                                                                           "n"
                                                                                                           "t"
                                                                                                           "e"
                                                                                                           "r"
                                                                                                           "v"
                                                                                                           "e"
                                                                                                           "n"
                                                                                                           "t"
                                                                                                           "i"
                                                                                                           "o"
                                                                                                           "n");
    lines_of_sqlite(pair, database,
                    "SELECT printf('run %d-%d %d%d%d budgets %d found %d %d %d %d %d %d %d %d mended %d ',"
                    " started_at_us, finished_at_us, repair, complete, clean, budgets, left_drift,"
                    " missing_key, uncleared, refund_due, credit_due, orphan, ledger_behind, untracked,"
                    " mended) || " SHOWN("actor") " FROM reconcile_run");
    lines_of_sqlite(pair, database,
                    "SELECT printf('sight %s %d %d %d %d ', budget_id, credited, deducted, settled, released)"
                    " || " SHOWN("server") " FROM sight");
}

static inline void content_of_sqlite(struct pair *pair)
{
    sqlite3 *database = raw_open(pair->real);
    lines_of_sqlite(
        pair, database,
        "SELECT printf('deduction %d %s %s %d@%d state %d reason %d refund %d at %d ', sequence, message_id,"
        " budget_id, amount, coalesce(deducted_at_us, 0), state, reason, refund, booked_at_us)"
        " || " SHOWN("user_id") " || ' ' || " SHOWN(
            "substr(meta, 1, 100)") " || ' ' || coalesce(length(meta), -1)"
                                    " FROM deduction");
    lines_of_sqlite(pair, database,
                    "SELECT printf('budget %s %d/%d state %d closed %d created %d updated %d ', id, settled, "
                    "total, state,"
                    " closed_at_us, created_at_us, updated_at_us) || " SHOWN("name") " || ' ' || " SHOWN(
                        "description") " || ' ' || " SHOWN("ext_params") " FROM budget");
    lines_of_sqlite(
        pair, database,
        "SELECT printf('credit %d %s %s %d applied %d created %d', sequence, budget_id, credit_id, amount,"
        " applied, created_at_us) FROM credit");
    lines_of_sqlite(pair, database,
                    "SELECT printf('parked %d %s at %d state %d ', sequence, reason, parked_at_us, state)"
                    " || " SHOWN("message_id") " || ' ' || " SHOWN("detail") " FROM parked");
    audit_of_sqlite(pair, database);
    sqlite3_close(database);
}

static inline void audit_of_fake(struct pair *pair)
{
    const struct fake_ledger_store *store = pair->fake->store;
    struct twins_lines *lines = &pair->fake_lines;
    for (size_t i = 0; i < fake_ledger_intervention_count(store); i++) {
        const struct intervention *row = fake_ledger_intervention(store, i);
        twins_line(lines, "journal %" PRId64 " kind %d state %d at %" PRId64 " by %" PRId64 " %s%s%s%s%s%s",
                   row->sequence, (int)row->kind, (int)row->state, row->at_us, row->amount,
                   shown(pair, row->actor), shown(pair, row->budget_id), shown(pair, row->message_id),
                   shown(pair, row->subject), shown(pair, row->before), shown(pair, row->after));
    }
    for (size_t i = 0; i < fake_ledger_run_count(store); i++) {
        const struct reconcile_run *row = fake_ledger_run(store, i);
        const char *found = "";
        for (int kind = 0; kind < FINDING_KIND_COUNT; kind++)
            found = arena_format(&pair->arena, "%s %" PRId64, found, row->found[kind]);
        twins_line(lines,
                   "run %" PRId64 "-%" PRId64 " %d%d%d budgets %" PRId64 " found%s mended %" PRId64 " %s",
                   row->started_at_us, row->finished_at_us, row->repair, row->complete, row->clean,
                   row->budgets, found, row->mended, shown(pair, row->actor));
    }
    for (size_t i = 0; i < fake_ledger_sight_count(store); i++) {
        const struct stock_sight *row = fake_ledger_sight(store, i);
        twins_line(lines, "sight " TEXT_FORMAT " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %s",
                   TEXT_ARGUMENTS(row->budget_id), row->credited, row->deducted, row->settled, row->released,
                   shown(pair, row->server));
    }
}

static inline void content_of_fake(struct pair *pair)
{
    const struct fake_ledger_store *store = pair->fake->store;
    struct twins_lines *lines = &pair->fake_lines;
    for (size_t i = 0; i < fake_ledger_deduction_count(store); i++) {
        const struct fake_deduction *row = fake_ledger_deduction(store, i);
        struct text meta = {row->meta.data, row->meta.size < 100 ? row->meta.size : 100};
        twins_line(lines,
                   "deduction %zu " TEXT_FORMAT " " TEXT_FORMAT " %" PRId64 "@%" PRId64
                   " state %d reason %d refund %d at %" PRId64 " %s %s %lld",
                   i + 1, TEXT_ARGUMENTS(row->message_id), TEXT_ARGUMENTS(row->budget_id), row->amount,
                   row->deducted_at_us, (int)row->state, (int)row->reason, (int)row->refund,
                   row->booked_at_us, shown(pair, row->user_id), shown(pair, meta),
                   text_is_present(row->meta) ? (long long)row->meta.size : -1LL);
    }
    for (size_t i = 0; i < fake_ledger_budget_count(store); i++) {
        const struct ledger_budget *row = &fake_ledger_budget(store, i)->budget;
        twins_line(lines,
                   "budget " TEXT_FORMAT " %" PRId64 "/%" PRId64 " state %d closed %" PRId64
                   " created %" PRId64 " updated %" PRId64 " %s %s %s",
                   TEXT_ARGUMENTS(row->id), row->settled, row->total, (int)row->state,
                   fake_ledger_budget(store, i)->closed_at_us, row->created_at_us, row->updated_at_us,
                   shown(pair, row->name), shown(pair, row->description), shown(pair, row->ext_params));
    }
    for (size_t i = 0; i < fake_ledger_credit_count(store); i++) {
        const struct fake_credit *row = fake_ledger_credit(store, i);
        twins_line(lines,
                   "credit %zu " TEXT_FORMAT " " TEXT_FORMAT " %" PRId64 " applied %d created %" PRId64,
                   i + 1, TEXT_ARGUMENTS(row->budget_id), TEXT_ARGUMENTS(row->credit_id), row->amount,
                   row->applied, row->created_at_us);
    }
    for (size_t i = 0; i < fake_ledger_parked_count(store); i++) {
        const struct fake_parked *row = fake_ledger_parked(store, i);
        twins_line(lines, "parked %zu %s at %" PRId64 " state %d %s %s", i + 1, park_reason_name(row->reason),
                   row->parked_at_us, (int)row->state, shown(pair, row->message_id),
                   shown(pair, row->detail));
    }
    audit_of_fake(pair);
}

static inline void compare_contents(struct pair *pair)
{
    content_of_fake(pair);
    content_of_sqlite(pair);
    arena_reset(&pair->arena);
    twins_same_lines(&pair->twins, &pair->fake_lines, &pair->real_lines);
}

#endif
