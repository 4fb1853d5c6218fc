"""What users may use and have used; what that costs the owner is in spending.

Holds, posts and voids are made by JobStore.save, together with the state they belong to.
"""

from aiosqlite import Connection

from bot.domain.clock import Clock
from bot.domain.job import UserId
from bot.domain.quota import Period, Usage
from storage.database import Database
from storage.rows import seconds
from storage.transfers import HOUSE, USAGE, Accounts, Transfer, usage_of

_ALLOWANCE = "SELECT minutes FROM allowances WHERE user_id = ?"
_SET_ALLOWANCE = """
INSERT INTO allowances (user_id, minutes, set_by, set_at)
VALUES (:user_id, :minutes, :set_by, :set_at)
ON CONFLICT (user_id) DO UPDATE
SET minutes = excluded.minutes, set_by = excluded.set_by, set_at = excluded.set_at
"""
_FORGET_ALLOWANCE = "DELETE FROM allowances WHERE user_id = ?"


class Ledger:
    """Users' accounts by period, and the allowances that admins set."""

    def __init__(self, *, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def usage(self, user_id: UserId, period: Period, allowance: int) -> Usage:
        """Return the user's account in `period`, under `allowance`."""
        accounts = Accounts.of_user(user_id)
        rows = await self._db.read(USAGE, accounts.in_period(period))
        return usage_of(rows, period, allowance)

    async def grant(self, user_id: UserId, minutes: int, period: Period, by: UserId) -> None:
        """Give the user more minutes until the period ends."""
        gift = Transfer(
            kind="grant",
            debit=HOUSE,
            credit=Accounts.of_user(user_id).available,
            minutes=minutes,
            period=period.key,
            at=seconds(self._clock.now()),
            actor_id=by,
        )
        await self._db.write(gift.insert)

    async def reset(self, user_id: UserId, period: Period, by: UserId) -> int:
        """Give the used minutes back and return how many; open holds stay as they are."""
        accounts = Accounts.of_user(user_id)
        now = seconds(self._clock.now())

        async def give_back(conn: Connection) -> int:
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
                    actor_id=by,
                ).insert(conn)
            return used

        return await self._db.write(give_back)

    async def allowance_of(self, user_id: UserId) -> int | None:
        """Return the allowance set for this very user; None leaves it to the settings."""
        rows = await self._db.read(_ALLOWANCE, (user_id,))
        return rows[0]["minutes"] if rows else None

    async def set_allowance(self, user_id: UserId, minutes: int | None, by: UserId) -> None:
        """Set the user's own allowance; None takes it away again."""
        if minutes is None:
            await self._db.write(lambda conn: conn.execute(_FORGET_ALLOWANCE, (user_id,)))
            return
        now = seconds(self._clock.now())
        values = {"user_id": user_id, "minutes": minutes, "set_by": by, "set_at": now}
        await self._db.write(lambda conn: conn.execute(_SET_ALLOWANCE, values))
