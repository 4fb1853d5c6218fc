-- What the card says of a result, and the tags that go with its stems.

ALTER TABLE jobs ADD COLUMN is_voiceless INTEGER NOT NULL DEFAULT 0 CHECK (is_voiceless IN (0, 1));
ALTER TABLE jobs ADD COLUMN is_unnamed   INTEGER NOT NULL DEFAULT 0 CHECK (is_unnamed IN (0, 1));
ALTER TABLE jobs ADD COLUMN artist       TEXT;
ALTER TABLE jobs ADD COLUMN album        TEXT;

DROP TRIGGER forgotten_jobs_stay_so;
CREATE TRIGGER forgotten_jobs_stay_so AFTER UPDATE ON jobs
WHEN NEW.is_forgotten AND (
    NEW.message_id IS NOT NULL OR NEW.token IS NOT NULL OR NEW.url <> '' OR NEW.title <> ''
    OR NEW.artist IS NOT NULL OR NEW.album IS NOT NULL
)
BEGIN
    UPDATE jobs
    SET message_id = NULL, token = NULL, url = '', title = '', artist = NULL, album = NULL
    WHERE id = NEW.id;
END;
