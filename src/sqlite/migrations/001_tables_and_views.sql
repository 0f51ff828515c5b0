-- The ledger. The numbers of states and reasons are those of src/core/deduction.h, 9007199254740991 is 2^53 - 1. The checks repeat what
-- the program takes care of: whatever else writes here, a row that breaks the ledger's promises cannot exist.

CREATE TABLE budget (
    id            TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 128 AND id NOT GLOB '*[^A-Za-z0-9._:-]*'),
    name          TEXT,
    description   TEXT,
    ext_params    TEXT CHECK (ext_params IS NULL OR (json_valid(ext_params) AND json_type(ext_params) = 'object')),
    total         INTEGER NOT NULL CHECK (total BETWEEN -1 AND 9007199254740991), -- -1: unlimited
    settled       INTEGER NOT NULL DEFAULT 0 CHECK (settled BETWEEN 0 AND 9007199254740991),
    state         INTEGER NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 2),
    closed_at_us  INTEGER NOT NULL DEFAULT 0 CHECK (closed_at_us BETWEEN 0 AND 9007199254740991), -- Redis's time
    created_at_us INTEGER NOT NULL CHECK (created_at_us > 0),
    updated_at_us INTEGER NOT NULL CHECK (updated_at_us > 0),
    CONSTRAINT never_over_total CHECK (total = -1 OR settled <= total),
    CONSTRAINT closing_has_a_time CHECK ((state = 0 AND closed_at_us = 0) OR (state = 1 AND closed_at_us > 0) OR state = 2)
) STRICT, WITHOUT ROWID;

CREATE TABLE deduction (
    sequence       INTEGER PRIMARY KEY,
    message_id     TEXT NOT NULL COLLATE BINARY UNIQUE CHECK (length(message_id) BETWEEN 1 AND 128),
    budget_id      TEXT NOT NULL COLLATE BINARY CHECK (length(budget_id) BETWEEN 1 AND 128),
    amount         INTEGER NOT NULL CHECK (amount BETWEEN 1 AND 9007199254740991),
    deducted_at_us INTEGER CHECK (deducted_at_us BETWEEN 1 AND 9007199254740991), -- the token; NULL: none
    state          INTEGER NOT NULL,
    reason         INTEGER NOT NULL,
    refund         INTEGER NOT NULL,
    booked_at_us   INTEGER NOT NULL CHECK (booked_at_us > 0),
    user_id        TEXT CHECK (length(user_id) <= 128),
    meta           TEXT CHECK (length(meta) <= 4096),
    CONSTRAINT state_reason_refund CHECK (
        (state = 0 AND reason = 0 AND refund = 0)
        OR (state = 1 AND reason BETWEEN 1 AND 4 AND refund BETWEEN 1 AND 2)
        OR (state = 2 AND reason BETWEEN 5 AND 6 AND refund BETWEEN 1 AND 2))
) STRICT;
CREATE INDEX deduction_refund_due ON deduction (refund) WHERE refund = 1;

CREATE TABLE credit (
    sequence      INTEGER PRIMARY KEY,
    budget_id     TEXT NOT NULL COLLATE BINARY REFERENCES budget (id),
    credit_id     TEXT NOT NULL COLLATE BINARY CHECK (length(credit_id) BETWEEN 1 AND 128),
    amount        INTEGER NOT NULL CHECK (amount BETWEEN -1 AND 9007199254740991), -- -1: unlimited
    applied       INTEGER NOT NULL DEFAULT 0 CHECK (applied BETWEEN 0 AND 1),
    created_at_us INTEGER NOT NULL CHECK (created_at_us > 0),
    UNIQUE (budget_id, credit_id)
) STRICT;
CREATE INDEX credit_due ON credit (applied) WHERE applied = 0;

CREATE TABLE parked (
    sequence     INTEGER PRIMARY KEY,
    message_id   TEXT, -- NULL: unreadable
    reason       TEXT NOT NULL CHECK (reason IN ('malformed', 'missing-id', 'invalid-id', 'invalid-budget-id', 'invalid-amount',
                                                 'too-large', 'id-conflict', 'unprocessable')),
    detail       TEXT,
    parked_at_us INTEGER NOT NULL CHECK (parked_at_us > 0),
    state        INTEGER NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 2)
) STRICT;
CREATE INDEX parked_waiting ON parked (message_id) WHERE state = 0;

CREATE VIEW v_budget AS
SELECT id, name, description, total, settled,
       CASE state WHEN 0 THEN 'active' WHEN 1 THEN 'closed' ELSE 'deleted' END AS state,
       ext_params,
       strftime('%Y-%m-%dT%H:%M:%S', created_at_us / 1000000, 'unixepoch') || printf('.%06dZ', created_at_us % 1000000) AS created_at,
       strftime('%Y-%m-%dT%H:%M:%S', updated_at_us / 1000000, 'unixepoch') || printf('.%06dZ', updated_at_us % 1000000) AS updated_at
FROM budget;

CREATE VIEW v_deduction AS
SELECT message_id, budget_id, amount, user_id, deducted_at_us,
       CASE state WHEN 0 THEN 'settled' WHEN 1 THEN 'rejected' ELSE 'voided' END AS state,
       CASE reason WHEN 1 THEN 'unknown-budget' WHEN 2 THEN 'closed-budget' WHEN 3 THEN 'deleted-budget' WHEN 4 THEN 'over-total'
                   WHEN 5 THEN 'orphaned' WHEN 6 THEN 'discarded' END AS reason,
       CASE refund WHEN 0 THEN 'none' WHEN 1 THEN 'due' ELSE 'done' END AS refund,
       strftime('%Y-%m-%dT%H:%M:%S', booked_at_us / 1000000, 'unixepoch') || printf('.%06dZ', booked_at_us % 1000000) AS booked_at
FROM deduction;

CREATE VIEW v_credit AS
SELECT credit_id, budget_id, amount, applied,
       strftime('%Y-%m-%dT%H:%M:%S', created_at_us / 1000000, 'unixepoch') || printf('.%06dZ', created_at_us % 1000000) AS created_at
FROM credit;

CREATE VIEW v_parked AS
SELECT message_id, reason, detail,
       strftime('%Y-%m-%dT%H:%M:%S', parked_at_us / 1000000, 'unixepoch') || printf('.%06dZ', parked_at_us % 1000000) AS parked_at,
       CASE state WHEN 0 THEN 'parked' WHEN 1 THEN 'replayed' ELSE 'discarded' END AS state
FROM parked;
