-- Rows of ended jobs are kept for good, so what is looked for every few minutes needs an index that
-- leaves them out.

CREATE INDEX attempts_open ON attempts (job_id) WHERE state IN ('sending', 'accepted');

CREATE INDEX jobs_to_empty ON jobs (created_at) WHERE files_expired AND NOT is_forgotten;
