-- A job whose stems were lost before anybody had them gets back what was posted: a refund. A
-- CHECK cannot be changed, so the ledger is written anew with one kind more, row by row as it was.
CREATE TABLE ledger_anew (
    id        INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    period    TEXT    NOT NULL,
    kind      TEXT    NOT NULL CHECK (kind IN (
                  'hold', 'post', 'void', 'refund', 'grant', 'reset')),
    debit     TEXT    NOT NULL,
    credit    TEXT    NOT NULL,
    minutes   INTEGER NOT NULL CHECK (minutes > 0),
    job_id    TEXT,
    hold_id   INTEGER REFERENCES ledger_anew (id),
    allowance INTEGER,  -- of a hold: what it was admitted under, grants included
    actor_id  INTEGER,  -- of a grant or a reset: who gave it

    CHECK (debit <> credit),
    CHECK ((kind IN ('hold', 'post', 'void', 'refund')) = (job_id IS NOT NULL)),
    CHECK ((kind IN ('post', 'void', 'refund')) = (hold_id IS NOT NULL)),
    CHECK ((kind = 'hold') = (allowance IS NOT NULL)),
    CHECK ((kind IN ('grant', 'reset')) = (actor_id IS NOT NULL))
) STRICT;

INSERT INTO ledger_anew (
    id, at, period, kind, debit, credit, minutes, job_id, hold_id, allowance, actor_id
)
SELECT id, at, period, kind, debit, credit, minutes, job_id, hold_id, allowance, actor_id
FROM ledger
ORDER BY id;

DROP TABLE ledger;
ALTER TABLE ledger_anew RENAME TO ledger;

CREATE UNIQUE INDEX ledger_one_hold_a_job       ON ledger (job_id) WHERE kind = 'hold';
CREATE UNIQUE INDEX ledger_one_end_of_a_hold    ON ledger (hold_id) WHERE kind IN ('post', 'void');
CREATE UNIQUE INDEX ledger_one_refund_of_a_hold ON ledger (hold_id) WHERE kind = 'refund';
CREATE        INDEX ledger_debits               ON ledger (debit, period);
CREATE        INDEX ledger_credits              ON ledger (credit, period);

CREATE TRIGGER ledger_refuses_update BEFORE UPDATE ON ledger
BEGIN
    SELECT raise(ABORT, 'the ledger is only appended to');
END;

CREATE TRIGGER ledger_refuses_delete BEFORE DELETE ON ledger
BEGIN
    SELECT raise(ABORT, 'the ledger is only appended to');
END;
