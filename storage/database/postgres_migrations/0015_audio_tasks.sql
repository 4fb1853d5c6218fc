-- Audio tasks that bots send to workers. Only PostgreSQL has any.

-- A row for each task, until its bot has the result.
CREATE TABLE audio_tasks (
    id         text   NOT NULL PRIMARY KEY,
    version    text   NOT NULL,  -- of the bot; other versions have other tasks
    task       text   NOT NULL,  -- a message as children get it, with names in place of paths
    state      text   NOT NULL CHECK (state IN (
                   'sending', 'waiting', 'running', 'done', 'declined')),
    worker     text,
    answer     text,  -- a message as children send it, or the reason for which it is declined
    created_at bigint NOT NULL,
    asked_at   bigint NOT NULL  -- when the bot last said that it waits for this
);

ALTER TABLE workers ADD COLUMN audio_slots bigint NOT NULL DEFAULT 0 CHECK (audio_slots >= 0);
