"""Users' accounts of minutes. The owner's costs are in vendor_spending.py.

JobStore.save writes holds, posts and voids in one transaction with the job's new state.
"""

from dataclasses import dataclass

from bot.domain.clock import Clock
from bot.domain.job import JobId, UserId
from bot.domain.minutes import Usage
from bot.domain.periods import Period
from storage.database.protocols import Connection, Database
from storage.stores.job_rows import seconds
from storage.stores.ledger_entries import HOUSE, USAGE, Accounts, Transfer, usage_of
from storage.stores.lock_names import account_of
from storage.stores.pseudonyms import Pseudonyms, account_pseudonym

_PAID_FROM = "SELECT debit, period FROM ledger WHERE job_id = ? AND kind = 'hold'"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidFrom:
    """The account that a job's minutes come from, in the period of the hold."""

    guild_id: int | None
    """The server that gave them; None for the user's own."""
    period_key: str


class Ledger:
    """Users' accounts, one set per period.

    A user has their own account, and another in each server that gave them minutes. `guild_id`
    selects a server's.
    """

    def __init__(self, *, db: Database, clock: Clock) -> None:
        self._db = db
        self._pseudonyms = Pseudonyms(db=db)
        self._clock = clock

    async def usage(
        self, user_id: UserId, period: Period, allowance: int, guild_id: int | None = None
    ) -> Usage:
        """Return the user's account in `period`, under `allowance`."""
        accounts = Accounts.of_user(await self._pseudonyms.of(user_id, period.key), guild_id)
        [row] = await self._db.read(USAGE, accounts.in_period(period))
        return usage_of(row, period, allowance, guild_id)

    async def paid_from(self, job_id: JobId) -> PaidFrom | None:
        """Return the account that pays for the job, or None if nothing was held for it."""
        rows = await self._db.read(_PAID_FROM, (job_id,))
        if not rows:
            return None
        guild_id = Accounts.with_available(rows[0]["debit"]).guild_id
        return PaidFrom(guild_id=guild_id, period_key=rows[0]["period"])

    async def grant(self, user_id: UserId, minutes: int, period: Period, by: UserId) -> None:
        """Give the user more minutes until the period ends."""
        now = seconds(self._clock.now())

        async def give(conn: Connection) -> None:
            await Transfer(
                kind="grant",
                debit=HOUSE,
                credit=Accounts.of_user(await account_pseudonym(conn, user_id, period)).available,
                minutes=minutes,
                period=period.key,
                at=now,
                actor_id=await account_pseudonym(conn, by, period),
            ).insert(conn)

        await self._db.write(give)

    async def reset(self, user_id: UserId, period: Period, by: UserId) -> int:
        """Give the used minutes back and return how many. Open holds are not affected."""
        now = seconds(self._clock.now())

        async def give_back(conn: Connection) -> int:
            accounts = Accounts.of_user(await account_pseudonym(conn, user_id, period))
            [row] = await conn.execute_fetchall(USAGE, accounts.in_period(period))
            used = int(row["used"])
            if used:
                await Transfer(
                    kind="reset",
                    debit=accounts.used,
                    credit=accounts.available,
                    minutes=used,
                    period=period.key,
                    at=now,
                    actor_id=await account_pseudonym(conn, by, period),
                ).insert(conn)
            return used

        return await self._db.write(give_back, locks=[account_of(user_id)])
