"""Server pools: minutes that the owner gives a server, for its managers to hand out.

A pool never expires. Minutes handed out from it last until the period ends and count in that server
only; ledger_entries.py spends them before the user's own.
"""

from bot.domain.clock import Clock
from bot.domain.errors import Reason, Rejected
from bot.domain.job import UserId
from bot.domain.periods import Period
from storage.database.protocols import Connection, Database
from storage.stores.job_rows import seconds
from storage.stores.ledger_entries import HOUSE, Accounts, Transfer, pool_of
from storage.stores.lock_names import pool_in
from storage.stores.pseudonyms import account_pseudonym

_LEFT = """
SELECT
    coalesce(sum(minutes) FILTER (WHERE credit = :pool), 0)
        - coalesce(sum(minutes) FILTER (WHERE debit = :pool), 0) AS minutes
FROM ledger
WHERE debit = :pool OR credit = :pool
"""


class GuildPools:
    """Reads and moves pool minutes. It does not check who may do so."""

    def __init__(self, *, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def left(self, guild_id: int) -> int:
        """Return the minutes left in the server's pool."""
        [row] = await self._db.read(_LEFT, {"pool": _account(guild_id)})
        return int(row["minutes"])

    async def give(self, guild_id: int, minutes: int, period: Period, by: UserId) -> int:
        """Add minutes to the server's pool, and return its new total."""

        async def work(conn: Connection) -> int:
            await self._move(conn, HOUSE, _account(guild_id), minutes, period, by)
            return await _left(conn, guild_id)

        return await self._db.write(work, locks=[pool_in(guild_id)])

    async def take_back(self, guild_id: int, period: Period, by: UserId) -> int:
        """Empty the server's pool and return how many minutes it had. Users keep what they got."""

        async def work(conn: Connection) -> int:
            left = await _left(conn, guild_id)
            if left:
                await self._move(conn, _account(guild_id), HOUSE, left, period, by)
            return left

        return await self._db.write(work, locks=[pool_in(guild_id)])

    async def hand_out(
        self, guild_id: int, user_id: UserId, minutes: int, period: Period, by: UserId
    ) -> int:
        """Give a user minutes from the pool for this period, and return how many remain in it.

        Raises Rejected with POOL_TOO_SMALL.
        """

        async def work(conn: Connection) -> int:
            left = await _left(conn, guild_id)
            if minutes > left:
                raise Rejected(Reason.POOL_TOO_SMALL, left=left)
            pseudonym = await account_pseudonym(conn, user_id, period)
            share = Accounts.of_user(pseudonym, guild_id).available
            await self._move(conn, _account(guild_id), share, minutes, period, by)
            return left - minutes

        return await self._db.write(work, locks=[pool_in(guild_id)])

    async def _move(
        self, conn: Connection, debit: str, credit: str, minutes: int, period: Period, by: UserId
    ) -> None:
        await Transfer(
            kind="grant",
            debit=debit,
            credit=credit,
            minutes=minutes,
            period=period.key,
            at=seconds(self._clock.now()),
            actor_id=await account_pseudonym(conn, by, period),
        ).insert(conn)


def _account(guild_id: int) -> str:
    return Accounts(pool_of(guild_id)).available


async def _left(conn: Connection, guild_id: int) -> int:
    [row] = await conn.execute_fetchall(_LEFT, {"pool": _account(guild_id)})
    return int(row["minutes"])
