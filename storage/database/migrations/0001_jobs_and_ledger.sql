-- Times are epoch seconds in UTC. Sets that grow with the program (recipes, formats, providers,
-- reasons) are checked by the domain; sets that rules here depend on are checked here.

PRAGMA application_id = 1398031693;  -- 'STEM'

CREATE TABLE jobs (
    id                TEXT    NOT NULL PRIMARY KEY,
    interaction_id    INTEGER NOT NULL UNIQUE,
    -- the request
    user_id           INTEGER NOT NULL,
    filename          TEXT    NOT NULL,
    url               TEXT    NOT NULL,
    size_bytes        INTEGER NOT NULL CHECK (size_bytes >= 0),
    source_message_id INTEGER,
    recipe            TEXT    NOT NULL,
    audio_format      TEXT    NOT NULL,
    wanted_provider   TEXT,
    entry             INTEGER NOT NULL,
    -- the reply
    channel_id        INTEGER NOT NULL,
    context           TEXT    NOT NULL,
    application_id    INTEGER NOT NULL,
    guild_id          INTEGER,
    message_id        INTEGER,
    token             TEXT,
    token_expires_at  INTEGER,
    size_limit_bytes  INTEGER NOT NULL CHECK (size_limit_bytes > 0),
    locale            TEXT    NOT NULL,
    wanted_version    INTEGER NOT NULL DEFAULT 1,
    shown_version     INTEGER NOT NULL DEFAULT 0,
    -- the work
    state             TEXT    NOT NULL CHECK (state IN (
                          'received', 'held', 'submitting', 'processing', 'ready',
                          'delivered', 'kept', 'failed', 'cancelled')),
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    acknowledged_at   INTEGER,
    title             TEXT    NOT NULL,
    frames            INTEGER CHECK (frames > 0),
    minutes           INTEGER CHECK (minutes > 0),
    provider          TEXT,
    reason            TEXT,
    facts             TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(facts)),
    sent              TEXT,
    files_expired     INTEGER NOT NULL DEFAULT 0 CHECK (files_expired IN (0, 1)),
    is_final          INTEGER NOT NULL
                      AS (state IN ('delivered', 'kept', 'failed', 'cancelled')) VIRTUAL,

    CHECK (shown_version <= wanted_version)
) STRICT;

CREATE INDEX jobs_of_user    ON jobs (user_id, created_at);
CREATE INDEX jobs_unfinished ON jobs (user_id) WHERE NOT is_final;
CREATE INDEX jobs_stale      ON jobs (updated_at) WHERE shown_version < wanted_version;
CREATE INDEX jobs_with_files ON jobs (updated_at) WHERE NOT files_expired;

CREATE TABLE attempts (
    job_id        TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    provider      TEXT    NOT NULL,
    number        INTEGER NOT NULL CHECK (number >= 1),
    model         TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN (
                      'sending', 'accepted', 'done', 'refused',
                      'not_sent', 'uncertain', 'failed', 'abandoned')),
    cost_minutes  INTEGER NOT NULL CHECK (cost_minutes >= 0),
    submitted_at  INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    ref           TEXT,
    files         TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(files)),
    error         TEXT,
    may_have_cost INTEGER NOT NULL AS (state NOT IN ('refused', 'not_sent')) VIRTUAL,

    PRIMARY KEY (job_id, provider, number)
) STRICT;

CREATE INDEX attempts_with_cost ON attempts (submitted_at) WHERE cost_minutes > 0;

CREATE TABLE events (
    id         INTEGER PRIMARY KEY,
    job_id     TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    from_state TEXT,
    to_state   TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    note       TEXT    NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX events_of_job ON events (job_id, id);

-- Each row moves minutes from the debit account to the credit account, so the whole always sums
-- to zero. It outlives the jobs it names, hence no foreign key on job_id.
CREATE TABLE ledger (
    id        INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    period    TEXT    NOT NULL,
    kind      TEXT    NOT NULL CHECK (kind IN ('hold', 'post', 'void', 'grant', 'reset')),
    debit     TEXT    NOT NULL,
    credit    TEXT    NOT NULL,
    minutes   INTEGER NOT NULL CHECK (minutes > 0),
    job_id    TEXT,
    hold_id   INTEGER REFERENCES ledger (id),
    allowance INTEGER,  -- of a hold: what it was admitted under, grants included
    actor_id  INTEGER,  -- of a grant or a reset: who gave it

    CHECK (debit <> credit),
    CHECK ((kind IN ('hold', 'post', 'void')) = (job_id IS NOT NULL)),
    CHECK ((kind IN ('post', 'void')) = (hold_id IS NOT NULL)),
    CHECK ((kind = 'hold') = (allowance IS NOT NULL)),
    CHECK ((kind IN ('grant', 'reset')) = (actor_id IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX ledger_one_hold_a_job       ON ledger (job_id) WHERE kind = 'hold';
CREATE UNIQUE INDEX ledger_one_end_of_a_hold    ON ledger (hold_id) WHERE kind IN ('post', 'void');
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

CREATE TABLE allowances (
    user_id INTEGER PRIMARY KEY,
    minutes INTEGER NOT NULL CHECK (minutes >= 0),
    set_by  INTEGER NOT NULL,
    set_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
