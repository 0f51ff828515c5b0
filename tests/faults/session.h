/* A scripted session with the ledger in an SQLite file: every operation of the port at least once, in an
 * order that a worker and its operator could have. A good disk records what the file holds after each step
 * and what each step answers; on a bad one the same steps must lead to the same contents, one by one. */
#ifndef BURSAR_TESTS_SESSION_H
#define BURSAR_TESTS_SESSION_H

#include "base/buffer.h"
#include "port/ledger.h"
#include "sqlite/sqlite_ledger.h"

#define SESSION_STEPS_MAX 40

struct session {
    char folder[64];
    char path[96];
    enum sqlite_ledger_role role;
    struct ledger *ledger;
    bool repeating; /* the step may have been written before, and the answer was lost */
    struct batch batch;
    struct arena arena;
    struct debt_list debts;
    struct error error;
    struct buffer answer; /* of the last step that answered STATUS_OK */
};

/* What a good disk made of it. */
struct script {
    size_t steps;
    char *contents[SESSION_STEPS_MAX + 1]; /* owned; [i]: after i steps */
    char *answers[SESSION_STEPS_MAX];      /* owned */
};

/* A folder of its own and a ledger that is not connected yet; session_close removes both. */
void session_open(struct session *session, enum sqlite_ledger_role role);
void session_close(struct session *session);

/* The ledger is closed, and a new one takes the same file. */
void session_reopen(struct session *session);

size_t session_steps(void);
const char *session_step_name(size_t step);

/* One call of the port. When `repeating`, a budget that exists already counts as created. */
enum status session_step(struct session *session, size_t step);

/* Whether the last answer is what a good disk gives. When `repeating`, the step's own rows may be duplicates.
 */
bool session_answer_is_right(const struct session *session, const struct script *script, size_t step);

/* All that the file holds, times left out, as text to be freed; each parked message counts once, for parking
 * again after a lost answer may write it again. NULL: the file cannot be read, or is damaged, or a budget's
 * sum is not that of its rows. */
char *session_content(const struct session *session);

void script_record(struct script *script, enum sqlite_ledger_role role);
void script_free(struct script *script);

/* The most steps, up to `most`, after which a good disk held this; -1: never. */
int script_steps_of(const struct script *script, const char *content, size_t most);

/* True when BURSAR_TEST_FULL=1 asks for the long run. */
bool session_full(void);

#endif
