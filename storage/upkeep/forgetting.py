"""Deletion of personal data and old jobs' details, keeping anonymous totals."""

from datetime import datetime

from bot.domain.job import UserId
from bot.domain.periods import Period
from storage.database.protocols import Connection, Database
from storage.stores.job_rows import Values, seconds
from storage.stores.last_renditions import FORGET as FORGET_LAST_RENDITIONS
from storage.stores.pseudonyms import account_pseudonym, former_id, lasting_pseudonym
from storage.upkeep.scrubbing import Scrubber, ask_for_scrub

EMPTIED_AT_A_TIME = 500

# Rows are emptied, not deleted, because attempts count towards spend caps and the ledger refers to
# jobs. The interaction's id is replaced by a random number because the column is unique.
_EMPTY = """
UPDATE jobs SET
    is_forgotten = TRUE, files_expired = TRUE, shown_version = wanted_version,
    user_id = :former_id, interaction_id = -random_id(),
    filename = '', url = '', size_bytes = 0, source_message_id = NULL, digest = NULL,
    role_ids = '[]',
    channel_id = 0, parent_channel_id = NULL, guild_id = NULL, message_id = NULL,
    token = NULL, token_expires_at = NULL, locale = '',
    title = '', artist = NULL, album = NULL, facts = '{}', rendition = '{}', analysis = '{}',
    batch_id = NULL
"""
_THEIRS = """
WHERE user_id = :user_id AND is_final
RETURNING id
"""
_OLD = """
WHERE id IN (
    SELECT id FROM jobs
    WHERE created_at < :before AND is_final AND files_expired AND NOT is_forgotten
    LIMIT :limit
)
RETURNING id
"""
_NOBODY = -1
_FORGET_OPEN_REPLIES = """
DELETE FROM open_replies
WHERE user_id = :user_id OR job_id IN (SELECT id FROM jobs WHERE user_id = :former_id)
"""
# The jobs of these batches stay as anonymous figures, without the batch.
_FORGET_BATCHES = """
DELETE FROM batches WHERE user_id = :user_id AND (is_final OR reason IS NOT NULL)
"""
_DROP_OLD_BATCHES = "DELETE FROM batches WHERE created_at < :before AND is_final"
_EMPTY_ATTEMPTS = "UPDATE attempts SET ref = NULL, files = '[]' WHERE job_id = ?"
_EMPTY_EVENTS = "UPDATE events SET note = '' WHERE job_id = ?"
_OWED = """
SELECT count(*) AS replies
FROM (
    SELECT acknowledged_at, shown_version, wanted_version FROM jobs WHERE user_id = :user_id
    UNION ALL
    SELECT acknowledged_at, shown_version, wanted_version FROM batches WHERE user_id = :user_id
) AS replies
WHERE acknowledged_at IS NOT NULL AND shown_version < wanted_version
"""


class Forgetting:
    """Empties the rows of old jobs and of users who ask for it."""

    def __init__(self, *, db: Database, scrubber: Scrubber | None = None) -> None:
        self._db = db
        self._scrubber = scrubber or Scrubber(db=db)

    async def owed_replies(self, user_id: UserId) -> int:
        """Count the user's replies that do not yet show their job's latest state."""
        [row] = await self._db.read(_OWED, {"user_id": user_id})
        return int(row["replies"])

    async def forget(self, user_id: UserId, period: Period) -> int:
        """Empty the user's finished jobs and return their number.

        Submitted minutes still count in `period`, under the user's pseudonym. The database's files
        are scrubbed now, or a little later if they have just been scrubbed.
        """
        lasting = await lasting_pseudonym(self._db, user_id)

        async def work(conn: Connection) -> int:
            pseudonym = await account_pseudonym(conn, user_id, period)
            values: Values = {"user_id": user_id, "former_id": former_id(pseudonym)}
            emptied = await _empty(conn, _EMPTY + _THEIRS, values)
            await conn.execute(_FORGET_BATCHES, values)
            await conn.execute(FORGET_LAST_RENDITIONS, (lasting,))
            await conn.execute(_FORGET_OPEN_REPLIES, values)
            await ask_for_scrub(conn)
            return emptied

        emptied = await self._db.write(work)
        await self._scrubber.scrub_if_due()
        return emptied

    async def empty_old(self, before: datetime, *, limit: int = EMPTIED_AT_A_TIME) -> int:
        """Empty finished jobs created before `before` whose files are gone; return their number.

        Their owners are not recorded, so these jobs no longer count towards any user's cap.
        """
        values: Values = {"before": seconds(before), "limit": limit, "former_id": _NOBODY}

        async def work(conn: Connection) -> int:
            await conn.execute(_DROP_OLD_BATCHES, values)
            return await _empty(conn, _EMPTY + _OLD, values)

        return await self._db.write(work)


async def _empty(conn: Connection, statement: str, values: Values) -> int:
    ids = [(row["id"],) for row in await conn.execute_fetchall(statement, values)]
    await conn.executemany(_EMPTY_ATTEMPTS, ids)
    await conn.executemany(_EMPTY_EVENTS, ids)
    return len(ids)
