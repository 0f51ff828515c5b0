#include "faults/session.h"

#include "base/memory.h"

#include <assert.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void ledger_make(struct session *session)
{
    struct sqlite_ledger_options options = {
        .path = session->path, .role = session->role, .busy_timeout_ms = 20};
    enum status status = sqlite_ledger_open(&options, &session->ledger, &session->error);
    assert(status == STATUS_OK);
}

void session_open(struct session *session, enum sqlite_ledger_role role)
{
    *session = (struct session){.role = role};
    /* Where there is a folder in memory, for these tests write the same few pages a thousand times. */
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(session->folder, sizeof session->folder, "%s/bursar-session-XXXXXX", base);
    const char *made = mkdtemp(session->folder);
    assert(made != NULL);
    snprintf(session->path, sizeof session->path, "%s/ledger.db", session->folder);
    batch_init(&session->batch, 64);
    ledger_make(session);
}

static int entry_remove(const char *path, const struct stat *found, int kind, struct FTW *walk)
{
    (void)found, (void)kind, (void)walk;
    return remove(path);
}

void session_close(struct session *session)
{
    ledger_close(session->ledger);
    nftw(session->folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
    batch_free(&session->batch);
    arena_free(&session->arena);
    arena_free(&session->debts.arena);
    buffer_free(&session->answer);
}

void session_reopen(struct session *session)
{
    ledger_close(session->ledger);
    ledger_make(session);
}

/* The rows as they are, and what must be true of any ledger. */
static const char content_sql[] =
    "SELECT 'ledger' || char(10) || coalesce((SELECT group_concat(line, char(10)) FROM ("
    " SELECT printf('budget %s %s %s %s %d %d %d %d', id, name, description, ext_params, total, settled,"
    "               state, closed_at_us) AS line FROM budget"
    " UNION ALL SELECT printf('credit %s %s %d %d', budget_id, credit_id, amount, applied) FROM credit"
    " UNION ALL SELECT DISTINCT printf('parked %s %s %s %d', message_id, reason, detail, state) FROM parked"
    " UNION ALL SELECT printf('deduction %s %s %d %s %d %d %d %s %s', message_id, budget_id, amount,"
    "               deducted_at_us, state, reason, refund, user_id, meta) FROM deduction ORDER BY 1)), '')"
    " WHERE NOT EXISTS (SELECT 1 FROM budget WHERE settled <>"
    "  (SELECT coalesce(sum(amount), 0) FROM deduction WHERE budget_id = id AND state = 0))";

/* The first column of the first row, to be freed; NULL: there is none, or it cannot be had. */
static char *query(sqlite3 *database, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    char *text = NULL;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        text = memory_copy_string((const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return text;
}

static char *content_read(sqlite3 *database)
{
    char *content = NULL;
    char *tables = query(database, "SELECT count(*) FROM sqlite_schema");
    char *whole = tables == NULL ? NULL : query(database, "PRAGMA integrity_check(1)");
    if (whole != NULL && strcmp(whole, "ok") == 0)
        content = strcmp(tables, "0") == 0 ? memory_copy_string("") : query(database, content_sql);
    free(tables);
    free(whole);
    return content;
}

char *session_content(const struct session *session)
{
    struct stat found;
    sqlite3 *database = NULL;
    if (stat(session->path, &found) != 0) return memory_copy_string("");
    char *content = NULL;
    int code = sqlite3_open_v2(session->path, &database, SQLITE_OPEN_READWRITE, NULL);
    if (code == SQLITE_OK) {
        sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
        content = content_read(database);
    }
    sqlite3_close(database);
    return content;
}

void script_record(struct script *script, enum sqlite_ledger_role role)
{
    struct session session;
    *script = (struct script){.steps = session_steps()};
    session_open(&session, role);
    script->contents[0] = session_content(&session);
    for (size_t i = 0; i < script->steps; i++) {
        enum status status = session_step(&session, i);
        if (status != STATUS_OK) fprintf(stderr, "%s: %s\n", session_step_name(i), session.error.text);
        assert(status == STATUS_OK);
        script->answers[i] = memory_copy_string(session.answer.size == 0 ? "" : session.answer.data);
        script->contents[i + 1] = session_content(&session);
        assert(script->contents[i + 1] != NULL);
    }
    session_close(&session);
}

void script_free(struct script *script)
{
    for (size_t i = 0; i < script->steps; i++) free(script->answers[i]);
    for (size_t i = 0; i <= script->steps; i++) free(script->contents[i]);
}

int script_steps_of(const struct script *script, const char *content, size_t most)
{
    for (size_t i = most + 1; i > 0; i--) {
        if (strcmp(script->contents[i - 1], content) == 0) return (int)(i - 1);
    }
    return -1;
}

bool session_full(void)
{
    const char *full = getenv("BURSAR_TEST_FULL");
    return full != NULL && strcmp(full, "1") == 0;
}
