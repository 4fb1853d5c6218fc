"""The owner's side: minutes submitted to hosted providers, and how far a cap is from being full."""

from collections.abc import Sequence

from aiosqlite import Connection

from bot.domain.errors import SpendCapReached
from bot.domain.quota import SpendCap
from storage.database import Database
from storage.rows import Values, seconds

_SUBMITTED = """
SELECT coalesce(sum(attempts.cost_minutes), 0) AS minutes
FROM attempts
JOIN jobs ON jobs.id = attempts.job_id
WHERE attempts.cost_minutes > 0 AND attempts.may_have_cost AND attempts.submitted_at >= :since
  AND (:user_id IS NULL OR jobs.user_id = :user_id)
"""


class Spending:
    """Reads what providers may bill for, whatever came of it."""

    def __init__(self, *, db: Database) -> None:
        self._db = db

    async def submitted(self, cap: SpendCap) -> int:
        """Return the minutes that count against a cap."""
        [row] = await self._db.read(_SUBMITTED, _counted(cap))
        return int(row["minutes"])


async def admit(conn: Connection, minutes: int, caps: Sequence[SpendCap]) -> None:
    """Let a new attempt pass, or raise SpendCapReached, inside the caller's transaction."""
    for cap in caps:
        [row] = await conn.execute_fetchall(_SUBMITTED, _counted(cap))
        if row["minutes"] + minutes > cap.minutes:
            raise SpendCapReached(f"{minutes} min do not fit under {cap.minutes}")


def _counted(cap: SpendCap) -> Values:
    return {"since": seconds(cap.since), "user_id": cap.user_id}
