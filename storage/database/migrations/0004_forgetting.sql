-- Whose an account is can be told with its period's key alone, which goes when the period is over.
CREATE TABLE account_keys (
    period  TEXT    NOT NULL PRIMARY KEY,
    key     BLOB    NOT NULL CHECK (length(key) = 32),
    ends_at INTEGER NOT NULL
) STRICT;

-- A forgotten job stays as a figure: its attempts count towards the caps on spend.
ALTER TABLE jobs ADD COLUMN is_forgotten INTEGER NOT NULL DEFAULT 0
    CHECK (is_forgotten IN (0, 1));

-- What was under way when a user was forgotten may still come to an end and be written down.
CREATE TRIGGER forgotten_jobs_stay_so AFTER UPDATE ON jobs
WHEN NEW.is_forgotten AND (
    NEW.message_id IS NOT NULL OR NEW.token IS NOT NULL OR NEW.url <> '' OR NEW.title <> ''
)
BEGIN
    UPDATE jobs SET message_id = NULL, token = NULL, url = '', title = '' WHERE id = NEW.id;
END;

CREATE TRIGGER forgotten_attempts_stay_so AFTER UPDATE ON attempts
WHEN (NEW.ref IS NOT NULL OR NEW.files <> '[]')
    AND EXISTS (SELECT 1 FROM jobs WHERE id = NEW.job_id AND is_forgotten)
BEGIN
    UPDATE attempts SET ref = NULL, files = '[]'
    WHERE job_id = NEW.job_id AND provider = NEW.provider AND number = NEW.number;
END;
