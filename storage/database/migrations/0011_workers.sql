-- Separations on other machines, and the workers there. Only PostgreSQL has any.

-- A row for each attempt at the provider `workers`, until its objects are deleted.
CREATE TABLE separations (
    job_id     TEXT    NOT NULL REFERENCES jobs (id),
    number     INTEGER NOT NULL CHECK (number >= 1),  -- of the attempt
    -- the work
    model      TEXT    NOT NULL,
    stems      TEXT    NOT NULL CHECK (json_valid(stems)),
    frames     INTEGER NOT NULL CHECK (frames >= 0),
    turn       INTEGER NOT NULL,
    -- its progress
    state      TEXT    NOT NULL CHECK (state IN (
                   'waiting', 'running', 'done', 'failed', 'cancelled')),
    lease      INTEGER NOT NULL DEFAULT 0,  -- raised by each worker that starts it
    worker     TEXT,
    permille   INTEGER NOT NULL DEFAULT 0 CHECK (permille BETWEEN 0 AND 1000),
    starts     INTEGER NOT NULL,  -- of this job on workers, including earlier attempts
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    -- its end
    files      TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(files)),
    error      TEXT,

    PRIMARY KEY (job_id, number)
) STRICT;
CREATE INDEX separations_open ON separations (job_id) WHERE state IN ('waiting', 'running');

CREATE TABLE workers (
    id      TEXT    NOT NULL PRIMARY KEY,
    name    TEXT    NOT NULL,
    version TEXT    NOT NULL,
    models  TEXT    NOT NULL CHECK (json_valid(models)),
    slots   INTEGER NOT NULL CHECK (slots >= 0),  -- 0 while it drains
    device  TEXT    NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;
