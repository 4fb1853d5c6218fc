"""Figures for the owner, counted from what is stored; nothing is counted twice or lost."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.errors import Reason
from bot.domain.job import State
from bot.domain.quota import Period
from storage.database import Database
from storage.rows import seconds

SPEND = """
SELECT
    provider,
    count(*) AS attempts,
    coalesce(sum(cost_minutes) FILTER (WHERE may_have_cost), 0) AS submitted,
    coalesce(sum(cost_minutes) FILTER (WHERE state = 'uncertain'), 0) AS uncertain,
    coalesce(sum(cost_minutes) FILTER (WHERE state = 'abandoned'), 0) AS abandoned
FROM attempts
WHERE submitted_at >= ?
GROUP BY provider
"""
_JOBS = "SELECT state, count(*) AS jobs FROM jobs WHERE created_at >= ? GROUP BY state"
_MINUTES = "SELECT kind, sum(minutes) AS minutes FROM ledger WHERE period = ? GROUP BY kind"
_REASONS = """
SELECT reason, count(*) AS jobs
FROM jobs
WHERE created_at >= ? AND state = 'failed' AND reason IS NOT NULL
GROUP BY reason
ORDER BY jobs DESC, reason
LIMIT ?
"""
_ERRORS = """
SELECT provider, error, count(*) AS attempts
FROM attempts
WHERE submitted_at >= ? AND error IS NOT NULL
GROUP BY provider, error
ORDER BY attempts DESC, provider, error
LIMIT ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What one provider was sent, in attempts and in minutes that it may bill."""

    attempts: int = 0
    submitted: int = 0
    """All that may be billed, the two below included."""
    uncertain: int = 0
    abandoned: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turnover:
    """Everybody's minutes in one period."""

    held: int
    used: int
    given_back: int


class Statistics:
    """Reads figures; nothing here changes anything."""

    def __init__(self, *, db: Database) -> None:
        self._db = db

    async def spend(self, since: datetime) -> dict[str, Spend]:
        """Return what was sent since then, by provider."""
        rows = await self._db.read(SPEND, (seconds(since),))
        return {
            row["provider"]: Spend(
                attempts=row["attempts"],
                submitted=row["submitted"],
                uncertain=row["uncertain"],
                abandoned=row["abandoned"],
            )
            for row in rows
        }

    async def jobs(self, since: datetime) -> dict[State, int]:
        """Return how many of the jobs asked for since then are in which state."""
        rows = await self._db.read(_JOBS, (seconds(since),))
        return {State(row["state"]): row["jobs"] for row in rows}

    async def turnover(self, period: Period) -> Turnover:
        """Return what the period's holds came to."""
        rows = await self._db.read(_MINUTES, (period.key,))
        sums = {row["kind"]: int(row["minutes"]) for row in rows}
        held, used, void = (sums.get(kind, 0) for kind in ("hold", "post", "void"))
        return Turnover(held=held - used - void, used=used, given_back=void)

    async def reasons(self, since: datetime, limit: int) -> list[tuple[Reason, int]]:
        """Return why jobs asked for since then failed, most of them first."""
        rows = await self._db.read(_REASONS, (seconds(since), limit))
        return [(Reason(row["reason"]), row["jobs"]) for row in rows]

    async def errors(self, since: datetime, limit: int) -> list[tuple[str, str, int]]:
        """Return provider and error of attempts since then, the most frequent first."""
        rows = await self._db.read(_ERRORS, (seconds(since), limit))
        return [(row["provider"], row["error"], row["attempts"]) for row in rows]
