/* What happens to both ledgers from outside: they are reopened, hold a row in contempt, are saved and
 * restored. */
#ifndef BURSAR_TESTS_TWINS_LEDGER_STAGE_H
#define BURSAR_TESTS_TWINS_LEDGER_STAGE_H

#include "contract/twins_ledger.h"

static inline void stage_open(struct pair *pair)
{
    pair->fake->ledger = fake_ledger_open(pair->fake->store);
    pair->fake_tool = fake_ledger_open(pair->fake->store);
    pair->real->ledger = sqlite_open(pair->real, SQLITE_LEDGER_WORKER);
    pair->real_tool = sqlite_open(pair->real, SQLITE_LEDGER_TOOL);
}

static inline void stage_close(struct pair *pair)
{
    struct ledger **ledgers[] = {&pair->fake->ledger, &pair->fake_tool, &pair->real->ledger,
                                 &pair->real_tool};
    for (size_t i = 0; i < 4; i++) {
        ledger_close(*ledgers[i]);
        *ledgers[i] = NULL;
    }
}

static inline void stage_reopen(struct pair *pair)
{
    twins_note(&pair->twins, "reopen");
    stage_close(pair);
    stage_open(pair);
}

/* Both refuse the row of pair->refused, or none. With `silently` SQLite's trigger swallows it without an
 * error. */
static inline void stage_hold_refused(struct pair *pair, bool silently)
{
    bool none = pair->refused[0] == '\0';
    fake_ledger_refuse(pair->fake->store, none ? TEXT_NONE : text_of(pair->refused));
    const char *sql = "DROP TRIGGER IF EXISTS refuse";
    assert_int_equal(raw_execute(pair->real, sql), SQLITE_OK);
    if (none) return;
    sql = arena_format(&pair->arena,
                       "CREATE TRIGGER refuse BEFORE INSERT ON deduction WHEN new.message_id = '%s'"
                       " BEGIN SELECT RAISE(%s); END",
                       pair->refused, silently ? "IGNORE" : "ABORT, 'not this one'");
    assert_int_equal(raw_execute(pair->real, sql), SQLITE_OK);
}

/* One that comes soon. */
static inline void stage_refuse(struct pair *pair)
{
    pair->refused[0] = '\0';
    if (chance(&pair->twins, 80))
        snprintf(pair->refused, sizeof pair->refused, "m%zu", pair->next_id + roll(&pair->twins, 10));
    twins_note(&pair->twins, "refuse '%s'", pair->refused);
    stage_hold_refused(pair, chance(&pair->twins, 30));
}

static inline void stage_save(struct pair *pair)
{
    const char *path = arena_format(&pair->arena, "%s/backup.db", pair->real->folder);
    twins_note(&pair->twins, "save");
    fake_ledger_snapshot_free(pair->backup);
    pair->backup = fake_ledger_snapshot_take(pair->fake->store);
    remove(path);
    assert_int_equal(raw_execute(pair->real, arena_format(&pair->arena, "VACUUM INTO '%s'", path)),
                     SQLITE_OK);
}

static inline void file_copy(const char *from, const char *to)
{
    char bytes[65536];
    FILE *source = fopen(from, "rb"), *target = fopen(to, "wb");
    assert_true(source != NULL && target != NULL);
    for (size_t size; (size = fread(bytes, 1, sizeof bytes, source)) > 0;)
        assert_int_equal(fwrite(bytes, 1, size, target), size);
    assert_int_equal(fclose(target), 0);
    fclose(source);
}

static inline void stage_restore(struct pair *pair)
{
    twins_note(&pair->twins, "restore");
    if (pair->backup == NULL) return;
    stage_close(pair);
    fake_ledger_snapshot_restore(pair->fake->store, pair->backup);
    static const char *const suffixes[] = {"-wal", "-shm"};
    for (size_t i = 0; i < 2; i++) remove(arena_format(&pair->arena, "%s%s", pair->real->path, suffixes[i]));
    file_copy(arena_format(&pair->arena, "%s/backup.db", pair->real->folder), pair->real->path);
    stage_hold_refused(pair, false);
    stage_open(pair);
    pair->debt_count = 0;
    pair->cursor = (struct debt_cursor){0};
    pair->row_after = pair->parked_after = 0;
}

static inline void stage_pass_time(struct pair *pair)
{
    wall_us += roll(&pair->twins, 10) == 0 ? -(int64_t)roll(&pair->twins, 1000)
                                           : (int64_t)roll(&pair->twins, 2000000);
    fake_ledger_clock_set(pair->fake->store, wall_us);
}

#endif
