-- What a request brings along from the server it was made in.
ALTER TABLE jobs ADD COLUMN role_ids TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(role_ids));
ALTER TABLE jobs ADD COLUMN parent_channel_id INTEGER;

CREATE INDEX jobs_by_age     ON jobs (created_at);
CREATE INDEX attempts_by_age ON attempts (submitted_at);

-- The owner gives, in place of the plain allowance, beside what `allowances` gives one user.
CREATE TABLE role_allowances (
    guild_id INTEGER NOT NULL,
    role_id  INTEGER NOT NULL,
    minutes  INTEGER NOT NULL CHECK (minutes >= 0),
    set_by   INTEGER NOT NULL,
    set_at   INTEGER NOT NULL,

    PRIMARY KEY (guild_id, role_id)
) STRICT, WITHOUT ROWID;

-- A server's managers lower it again, for requests from their server.
CREATE TABLE limits (
    guild_id   INTEGER NOT NULL,
    subject    TEXT    NOT NULL CHECK (subject IN ('user', 'role')),
    subject_id INTEGER NOT NULL,
    minutes    INTEGER NOT NULL CHECK (minutes >= 0),
    set_by     INTEGER NOT NULL,
    set_at     INTEGER NOT NULL,

    PRIMARY KEY (guild_id, subject, subject_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE blocks (
    user_id  INTEGER NOT NULL,
    guild_id INTEGER NOT NULL,  -- 0: everywhere
    set_by   INTEGER NOT NULL,
    set_at   INTEGER NOT NULL,

    PRIMARY KEY (user_id, guild_id)
) STRICT, WITHOUT ROWID;

-- A server's own rules; NULL leaves a choice to this installation.
CREATE TABLE servers (
    guild_id     INTEGER PRIMARY KEY,
    channel_ids  TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(channel_ids)),
    recipe       TEXT,
    audio_format TEXT,
    delivery     TEXT,
    is_private   INTEGER CHECK (is_private IN (0, 1)),
    set_by       INTEGER NOT NULL,
    set_at       INTEGER NOT NULL
) STRICT;
