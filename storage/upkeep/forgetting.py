"""Taking people out of the store: what is theirs goes, and figures stay that name nobody."""

from aiosqlite import Connection

from bot.domain.job import UserId
from bot.domain.minutes import Period
from storage.database.connection import Database
from storage.stores.pseudonyms import account_pseudonym, former_id

# Attempts count towards the caps on spend, and the ledger names jobs, so rows are emptied and not
# deleted. Another number in place of the interaction's: it is unique.
_EMPTY_JOBS = """
UPDATE jobs SET
    is_forgotten = 1, files_expired = 1, shown_version = wanted_version,
    user_id = :former_id, interaction_id = -(random() & 0x7fffffffffffffff),
    filename = '', url = '', size_bytes = 0, source_message_id = NULL, digest = NULL,
    role_ids = '[]',
    channel_id = 0, parent_channel_id = NULL, guild_id = NULL, message_id = NULL,
    token = NULL, token_expires_at = NULL, locale = '',
    title = '', facts = '{}'
WHERE user_id = :user_id AND is_final
RETURNING id
"""
_EMPTY_ATTEMPTS = "UPDATE attempts SET ref = NULL, files = '[]' WHERE job_id = ?"
_EMPTY_EVENTS = "UPDATE events SET note = '' WHERE job_id = ?"
_OWED = """
SELECT count(*) AS replies
FROM jobs
WHERE user_id = ? AND acknowledged_at IS NOT NULL AND shown_version < wanted_version
"""


class Forgetting:
    """Empties the rows of those who want it."""

    def __init__(self, *, db: Database) -> None:
        self._db = db

    async def owed_replies(self, user_id: UserId) -> int:
        """Return how many of the user's replies do not show yet how their job ended."""
        [row] = await self._db.read(_OWED, (user_id,))
        return int(row["replies"])

    async def forget(self, user_id: UserId, period: Period) -> int:
        """Empty the user's finished jobs and return how many; nothing in the files shows them.

        What was submitted counts in `period` all the same, under the user's name in its accounts.
        """

        async def work(conn: Connection) -> int:
            alias = await account_pseudonym(conn, user_id, period)
            values = {"user_id": user_id, "former_id": former_id(alias)}
            ids = [tuple(row) for row in await conn.execute_fetchall(_EMPTY_JOBS, values)]
            await conn.executemany(_EMPTY_ATTEMPTS, ids)
            await conn.executemany(_EMPTY_EVENTS, ids)
            return len(ids)

        emptied = await self._db.write(work)
        await self._db.scrub()
        return emptied
