-- What reconciling and the handling of dead letters write down. The numbers of kinds and states are those of src/port/ledger_audit.h; the
-- columns of reconcile_run are the kinds of src/core/finding.h.

CREATE TABLE intervention (
    sequence     INTEGER PRIMARY KEY CHECK (sequence > 0),
    kind         INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 6),
    state        INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
    begun_at_us  INTEGER NOT NULL CHECK (begun_at_us > 0),
    actor        TEXT NOT NULL CHECK (length(CAST(actor AS BLOB)) BETWEEN 1 AND 255), -- user@host
    -- A dead letter may hold anything, and what is done about it must be written down all the same: no checks.
    budget_id    TEXT COLLATE BINARY,
    message_id   TEXT COLLATE BINARY,
    subject      TEXT,
    value_before TEXT,
    value_after  TEXT,
    amount       INTEGER NOT NULL -- by which the stock changes
) STRICT;
CREATE INDEX intervention_begun ON intervention (kind) WHERE state = 0;
CREATE INDEX intervention_replayed ON intervention (message_id) WHERE kind IN (3, 6);

CREATE TABLE reconcile_run (
    sequence       INTEGER PRIMARY KEY CHECK (sequence > 0),
    started_at_us  INTEGER NOT NULL CHECK (started_at_us > 0),
    finished_at_us INTEGER NOT NULL CHECK (finished_at_us > 0),
    actor          TEXT NOT NULL CHECK (length(CAST(actor AS BLOB)) BETWEEN 1 AND 255),
    repair         INTEGER NOT NULL CHECK (repair BETWEEN 0 AND 1),
    complete       INTEGER NOT NULL CHECK (complete BETWEEN 0 AND 1),
    clean          INTEGER NOT NULL CHECK (clean BETWEEN 0 AND 1),
    budgets        INTEGER NOT NULL CHECK (budgets >= 0),
    left_drift     INTEGER NOT NULL CHECK (left_drift >= 0),
    missing_key    INTEGER NOT NULL CHECK (missing_key >= 0),
    uncleared      INTEGER NOT NULL CHECK (uncleared >= 0),
    refund_due     INTEGER NOT NULL CHECK (refund_due >= 0),
    credit_due     INTEGER NOT NULL CHECK (credit_due >= 0),
    orphan         INTEGER NOT NULL CHECK (orphan >= 0),
    ledger_behind  INTEGER NOT NULL CHECK (ledger_behind >= 0),
    untracked      INTEGER NOT NULL CHECK (untracked >= 0),
    mended         INTEGER NOT NULL CHECK (mended >= 0)
) STRICT;

-- What Redis's totals of a budget were when it was last proven.
CREATE TABLE sight (
    budget_id  TEXT NOT NULL COLLATE BINARY PRIMARY KEY CHECK (length(budget_id) BETWEEN 1 AND 128),
    server     TEXT CHECK (length(server) BETWEEN 1 AND 64), -- Redis's run id; NULL: not known
    credited   INTEGER NOT NULL CHECK (credited BETWEEN 0 AND 9007199254740991),
    deducted   INTEGER NOT NULL CHECK (deducted BETWEEN 0 AND 9007199254740991),
    settled    INTEGER NOT NULL CHECK (settled BETWEEN 0 AND 9007199254740991),
    released   INTEGER NOT NULL CHECK (released BETWEEN 0 AND 9007199254740991),
    seen_at_us INTEGER NOT NULL CHECK (seen_at_us > 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX parked_of_id ON parked (message_id, state) WHERE message_id IS NOT NULL;
CREATE INDEX parked_without_id ON parked (reason) WHERE state = 0 AND message_id IS NULL;
CREATE INDEX credit_of_budget ON credit (budget_id);

CREATE VIEW v_intervention AS
SELECT sequence,
       strftime('%Y-%m-%dT%H:%M:%S', begun_at_us / 1000000, 'unixepoch') || printf('.%06dZ', begun_at_us % 1000000) AS begun_at,
       actor,
       CASE kind WHEN 0 THEN 'repair' WHEN 1 THEN 'void' WHEN 2 THEN 'settle' WHEN 3 THEN 'replay' WHEN 4 THEN 'edit'
                 WHEN 5 THEN 'discard' ELSE 'import' END AS kind,
       CASE state WHEN 0 THEN 'begun' WHEN 1 THEN 'done' ELSE 'abandoned' END AS state,
       budget_id, message_id, subject, value_before, value_after, amount
FROM intervention;

CREATE VIEW v_reconcile_run AS
SELECT sequence,
       strftime('%Y-%m-%dT%H:%M:%S', started_at_us / 1000000, 'unixepoch') || printf('.%06dZ', started_at_us % 1000000) AS started_at,
       strftime('%Y-%m-%dT%H:%M:%S', finished_at_us / 1000000, 'unixepoch') || printf('.%06dZ', finished_at_us % 1000000) AS finished_at,
       actor, repair, complete, clean, budgets, left_drift, missing_key, uncleared, refund_due, credit_due, orphan, ledger_behind, untracked,
       mended
FROM reconcile_run;
