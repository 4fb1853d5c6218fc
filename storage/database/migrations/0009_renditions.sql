-- Renditions: a job's requested rendition, the analysis of its song, the replies that wait for a
-- rendition, and a user's last rendition of a song.

ALTER TABLE jobs ADD COLUMN rendition TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(rendition));
ALTER TABLE jobs ADD COLUMN analysis  TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(analysis));

-- A row exists while its reply shows that files are being made.
CREATE TABLE open_replies (
    interaction_id   INTEGER PRIMARY KEY,
    job_id           TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    user_id          INTEGER NOT NULL,
    rendition        TEXT    NOT NULL CHECK (json_valid(rendition)),
    audio_format     TEXT    NOT NULL,
    kind             TEXT    NOT NULL,
    application_id   INTEGER NOT NULL,
    token            TEXT    NOT NULL,
    token_expires_at INTEGER NOT NULL,
    locale           TEXT    NOT NULL
) STRICT;
CREATE INDEX open_replies_of_job ON open_replies (job_id);
CREATE INDEX open_replies_of_user ON open_replies (user_id);

CREATE TABLE last_renditions (
    pseudonym INTEGER NOT NULL,
    song      INTEGER NOT NULL,
    rendition TEXT    NOT NULL CHECK (json_valid(rendition)),
    chosen_at INTEGER NOT NULL,
    PRIMARY KEY (pseudonym, song)
) STRICT, WITHOUT ROWID;
CREATE INDEX last_renditions_by_age ON last_renditions (chosen_at);

DROP TRIGGER forgotten_jobs_stay_so;
CREATE TRIGGER forgotten_jobs_stay_so AFTER UPDATE ON jobs
WHEN NEW.is_forgotten AND (
    NEW.message_id IS NOT NULL OR NEW.token IS NOT NULL OR NEW.url <> '' OR NEW.title <> ''
    OR NEW.artist IS NOT NULL OR NEW.album IS NOT NULL OR NEW.rendition <> '{}'
    OR NEW.analysis <> '{}'
)
BEGIN
    UPDATE jobs
    SET message_id = NULL, token = NULL, url = '', title = '', artist = NULL, album = NULL,
        rendition = '{}', analysis = '{}'
    WHERE id = NEW.id;
END;
