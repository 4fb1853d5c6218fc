"""The SQL statements of JobStore."""

from collections.abc import Iterable

from storage.groups.shard_group import OWN_ROWS


def _qualified(table: str, columns: Iterable[str], *, prefix: str = "") -> str:
    names = [column.strip() for column in columns]
    return ", ".join(f"{table}.{name} AS {prefix}{name}" for name in names)


_COLUMNS = """
    id, interaction_id,
    user_id, filename, url, size_bytes, source_message_id,
    recipe, audio_format, wanted_provider, entry, role_ids,
    channel_id, parent_channel_id, context, application_id, guild_id, message_id,
    token, token_expires_at, size_limit_bytes, locale, wanted_version,
    state, created_at, updated_at, acknowledged_at,
    title, frames, minutes, provider, reason, facts, sent, files_expired, digest, repeat_of,
    ends_early, is_voiceless, is_unnamed, artist, album, rendition, analysis, batch_id
"""
_SELECT = "SELECT" + _COLUMNS + "FROM jobs\n"
EVERY = _SELECT
ATTEMPT_COLUMNS = (
    "job_id",
    "provider",
    "number",
    "model",
    "state",
    "cost_minutes",
    "submitted_at",
    "updated_at",
    "ref",
    "files",
    "error",
)
ATTEMPT_PREFIX = "attempt_"
# One row for each attempt, so that a job and its attempts come from one snapshot.
WITH_ATTEMPTS = f"""
SELECT {_qualified("jobs", _COLUMNS.split(","))},
    {_qualified("attempts", ATTEMPT_COLUMNS, prefix=ATTEMPT_PREFIX)}
FROM jobs
LEFT JOIN attempts ON attempts.job_id = jobs.id
WHERE jobs.id = ?
ORDER BY attempts.rowid
"""  # noqa: S608 - made of constants
BY_ID = _SELECT + "WHERE id = ?"
IN_BATCH = _SELECT + "WHERE batch_id = ?"
BY_INTERACTION = _SELECT + "WHERE interaction_id = ?"
OF_USER = _SELECT + "WHERE user_id = ? ORDER BY created_at DESC, rowid DESC LIMIT ?"
WITH_STEMS = _SELECT + (
    "WHERE user_id = ? AND state IN ('delivered', 'kept') AND NOT files_expired "
    "ORDER BY created_at DESC, rowid DESC LIMIT ?"
)
MADE_BEFORE = _SELECT + (
    "WHERE user_id = ? AND digest = ? AND recipe = ? "
    "AND coalesce(wanted_provider, '') = coalesce(CAST(? AS text), '') "
    "AND state IN ('delivered', 'kept') AND NOT files_expired "
    "ORDER BY created_at DESC, rowid DESC LIMIT 1"
)
UNFINISHED = _SELECT + f"WHERE NOT is_final AND {OWN_ROWS} ORDER BY created_at, rowid"
UNFINISHED_ANYWHERE = "SELECT id FROM jobs WHERE NOT is_final"
# A job of a batch has no reply, so its version always counts as shown.
OWED = f"""
SELECT id, wanted_version FROM jobs
WHERE shown_version < wanted_version AND acknowledged_at IS NOT NULL AND {OWN_ROWS}
"""  # noqa: S608 - made of constants
_STALE_AMONG = """
WHERE shown_version < wanted_version AND acknowledged_at IS NOT NULL
    AND id IN (SELECT value FROM json_each(CAST(? AS text)))
ORDER BY updated_at, rowid
"""
STALE = _SELECT + _STALE_AMONG
EXPIRED = f"""
SELECT id FROM jobs
WHERE NOT files_expired AND updated_at < :before AND (is_final OR state = 'ready') AND {OWN_ROWS}
ORDER BY updated_at, rowid
"""  # noqa: S608 - made of constants
WITH_FILES = "SELECT id FROM jobs WHERE NOT files_expired"
# Ledger rows outlive jobs, so the ids in them are not reused either.
ID_TAKEN = """
SELECT 1 FROM jobs WHERE id = :id
UNION ALL
SELECT 1 FROM ledger WHERE job_id = :id AND kind = 'hold'
"""
_BEFORE_INSERT = """
SELECT
    (SELECT id FROM jobs WHERE interaction_id = :interaction_id) AS known,
    (SELECT count(*) FROM jobs WHERE user_id = :user_id AND NOT is_final) AS active,
"""
BEFORE_INSERT = _BEFORE_INSERT + "EXISTS (" + ID_TAKEN + ") AS is_taken"
_INSERT_VALUES = """
INSERT INTO jobs (
    id, interaction_id,
    user_id, filename, url, size_bytes, source_message_id,
    recipe, audio_format, wanted_provider, entry, role_ids,
    channel_id, parent_channel_id, context, application_id, guild_id, message_id,
    token, token_expires_at, size_limit_bytes, locale,
    state, created_at, updated_at, acknowledged_at,
    title, frames, minutes, provider, reason, facts, sent, rendition, batch_id, shown_version
) VALUES (
    :id, :interaction_id,
    :user_id, :filename, :url, :size_bytes, :source_message_id,
    :recipe, :audio_format, :wanted_provider, :entry, :role_ids,
    :channel_id, :parent_channel_id, :context, :application_id, :guild_id, :message_id,
    :token, :token_expires_at, :size_limit_bytes, :locale,
    :state, :created_at, :updated_at, :acknowledged_at,
    :title, :frames, :minutes, :provider, :reason, :facts, :sent, :rendition,
    :batch_id, CASE WHEN CAST(:batch_id AS text) IS NULL THEN 0 ELSE 1 END
)
"""
INSERT = _INSERT_VALUES + "RETURNING" + _COLUMNS
# After the acknowledgement only the reply writer sets the reply's message. A step with an older
# copy of the job must not overwrite it.
SAVE = """
UPDATE jobs SET
    state = :state, updated_at = :updated_at,
    title = :title, frames = :frames, minutes = :minutes, provider = :provider,
    reason = :reason, facts = :facts, sent = :sent, digest = :digest, repeat_of = :repeat_of,
    ends_early = :ends_early, is_voiceless = :is_voiceless, is_unnamed = :is_unnamed,
    artist = :artist, album = :album,
    acknowledged_at = coalesce(acknowledged_at, :acknowledged_at),
    message_id = CASE
        WHEN acknowledged_at IS NULL OR :reply_is_current THEN coalesce(:message_id, message_id)
        ELSE message_id
    END,
    wanted_version = wanted_version + 1,
    shown_version = CASE
        WHEN :reply_is_current OR batch_id IS NOT NULL THEN wanted_version + 1
        ELSE shown_version
    END
WHERE id = :id AND state = :expected
    AND (acknowledged_at IS NULL OR NOT :only_unacknowledged)
"""
ACKNOWLEDGE = """
UPDATE jobs SET
    acknowledged_at = :at, updated_at = :at, message_id = coalesce(:message_id, message_id),
    wanted_version = wanted_version + 1
WHERE id = :job_id AND state = 'received' AND acknowledged_at IS NULL
"""
STALE_BATCH = """
UPDATE batches SET updated_at = :at, wanted_version = wanted_version + 1 WHERE id = :batch_id
"""
# Only one transaction can turn a song into a job.
FILL_SLOT = """
UPDATE batch_songs SET job_id = :job_id, url = ''
WHERE batch_id = :batch_id AND number = :number AND job_id IS NULL AND reason IS NULL
"""
ADD_EVENT = """
INSERT INTO events (job_id, from_state, to_state, at, note)
VALUES (:job_id, :from_state, :to_state, :at, :note)
"""
EVERY_ATTEMPT = """
SELECT
    job_id, provider, number, model, state, cost_minutes, submitted_at, updated_at,
    ref, files, error
FROM attempts
"""
ATTEMPTS = EVERY_ATTEMPT + "WHERE job_id = ? ORDER BY rowid"
# Nearly all attempts are done, so done ones are looked for only among jobs whose files have not
# expired yet. The providers have nothing more to do for them anyway.
_LEFT_OPEN_BY_JOBS = f"""
WHERE rowid IN (
    SELECT attempts.rowid FROM attempts JOIN jobs ON jobs.id = attempts.job_id
    WHERE attempts.state IN ('sending', 'accepted')
        AND jobs.state IN ('failed', 'cancelled') AND {OWN_ROWS}
    UNION ALL
    SELECT attempts.rowid FROM jobs JOIN attempts ON attempts.job_id = jobs.id
    WHERE attempts.state = 'done'
        AND jobs.state IN ('failed', 'cancelled') AND NOT jobs.files_expired AND {OWN_ROWS}
)
ORDER BY rowid
"""  # noqa: S608 - made of constants
LEFT_OPEN = EVERY_ATTEMPT + _LEFT_OPEN_BY_JOBS
_ABANDONED_SINCE = f"""
WHERE state = 'abandoned' AND ref IS NOT NULL AND submitted_at >= :since
  AND job_id IN (SELECT id FROM jobs WHERE {OWN_ROWS})
ORDER BY rowid
"""  # noqa: S608 - made of constants
ABANDONED_SINCE = EVERY_ATTEMPT + _ABANDONED_SINCE
# A reference is set once; an older copy of the attempt must not clear it.
PUT_ATTEMPT = """
INSERT INTO attempts (
    job_id, provider, number, model, state, cost_minutes, submitted_at, updated_at,
    ref, files, error
) VALUES (
    :job_id, :provider, :number, :model, :state, :cost_minutes, :submitted_at, :updated_at,
    :ref, :files, :error
)
ON CONFLICT (job_id, provider, number) DO UPDATE SET
    state = excluded.state, updated_at = excluded.updated_at,
    ref = coalesce(excluded.ref, attempts.ref), files = excluded.files, error = excluded.error
"""
REPLY_SHOWN = """
UPDATE jobs SET
    shown_version = CASE WHEN shown_version < :version THEN :version ELSE shown_version END,
    message_id = coalesce(:message_id, message_id)
WHERE id = :id
"""
DROP_SECRETS = """
UPDATE jobs SET token = NULL, token_expires_at = NULL
WHERE id = ? AND is_final AND (shown_version = wanted_version OR acknowledged_at IS NULL)
"""
NOTE_ANALYSIS = "UPDATE jobs SET analysis = ? WHERE id = ? AND NOT is_forgotten"
READDRESS = "UPDATE jobs SET url = ? WHERE id = ? AND NOT files_expired"
# Signed query strings are secrets, and useless once the files are gone.
MARK_EXPIRED = """
UPDATE jobs SET
    files_expired = TRUE, token = NULL, token_expires_at = NULL, digest = NULL,
    url = substr(url, 1, instr(url || '?', '?') - 1)
WHERE id = ?
"""
FORGET_REMOTE_FILES = "UPDATE attempts SET files = '[]' WHERE job_id = ?"
