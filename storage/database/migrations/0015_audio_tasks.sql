-- Audio tasks that bots send to workers. Only PostgreSQL has any.

-- A row for each task, until its bot has the result.
CREATE TABLE audio_tasks (
    id         TEXT    NOT NULL PRIMARY KEY,
    version    TEXT    NOT NULL,  -- of the bot; other versions have other tasks
    task       TEXT    NOT NULL,  -- a message as children get it, with names in place of paths
    state      TEXT    NOT NULL CHECK (state IN (
                   'sending', 'waiting', 'running', 'done', 'declined')),
    worker     TEXT,
    answer     TEXT,  -- a message as children send it, or the reason for which it is declined
    created_at INTEGER NOT NULL,
    asked_at   INTEGER NOT NULL  -- when the bot last said that it waits for this
) STRICT;

ALTER TABLE workers ADD COLUMN audio_slots INTEGER NOT NULL DEFAULT 0 CHECK (audio_slots >= 0);
