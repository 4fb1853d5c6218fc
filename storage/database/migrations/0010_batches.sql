-- Batches of several songs: one interaction and one reply, and a separate job for each song.

CREATE TABLE batches (
    id                TEXT    NOT NULL PRIMARY KEY,
    interaction_id    INTEGER NOT NULL UNIQUE,
    -- the request
    user_id           INTEGER NOT NULL,
    recipe            TEXT    NOT NULL,
    audio_format      TEXT    NOT NULL,
    entry             INTEGER NOT NULL,
    role_ids          TEXT    NOT NULL CHECK (json_valid(role_ids)),
    -- the reply
    channel_id        INTEGER NOT NULL,
    parent_channel_id INTEGER,
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
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    acknowledged_at   INTEGER,
    reason            TEXT,  -- why its songs are to end early
    is_final          INTEGER NOT NULL DEFAULT 0 CHECK (is_final IN (0, 1)),

    CHECK (shown_version <= wanted_version)
) STRICT;
CREATE UNIQUE INDEX batches_one_open_a_user ON batches (user_id) WHERE NOT is_final;
CREATE        INDEX batches_of_user         ON batches (user_id);
CREATE        INDEX batches_stale           ON batches (updated_at)
    WHERE shown_version < wanted_version;

-- A song waits until it has a job or the reason for its refusal.
CREATE TABLE batch_songs (
    batch_id          TEXT    NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
    number            INTEGER NOT NULL CHECK (number >= 1),
    filename          TEXT    NOT NULL,
    url               TEXT    NOT NULL,
    size_bytes        INTEGER NOT NULL CHECK (size_bytes >= 0),
    source_message_id INTEGER,
    job_id            TEXT UNIQUE REFERENCES jobs (id),
    reason            TEXT,
    facts             TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(facts)),

    PRIMARY KEY (batch_id, number),
    CHECK (job_id IS NULL OR reason IS NULL)
) STRICT, WITHOUT ROWID;

ALTER TABLE jobs ADD COLUMN batch_id TEXT;
CREATE INDEX jobs_of_batch ON jobs (batch_id) WHERE batch_id IS NOT NULL;
