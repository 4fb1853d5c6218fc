-- The same user's identical file, recipe and choice of provider shows the earlier result again.

ALTER TABLE jobs ADD COLUMN digest TEXT;
ALTER TABLE jobs ADD COLUMN repeat_of TEXT;

CREATE INDEX jobs_by_digest ON jobs (user_id, digest) WHERE digest IS NOT NULL;
