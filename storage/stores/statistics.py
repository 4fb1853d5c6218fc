"""Statistics on jobs and minutes for the owner. Costs are in vendor_spending.py."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.attempt import AttemptError
from bot.domain.errors import Reason
from bot.domain.job import State
from bot.domain.periods import Period
from storage.database.protocols import Database
from storage.stores.job_rows import seconds

_JOBS = "SELECT state, count(*) AS jobs FROM jobs WHERE created_at >= ? GROUP BY state"
_MINUTES = "SELECT kind, sum(minutes) AS minutes FROM ledger WHERE period = ? GROUP BY kind"
_KINDS = ("hold", "post", "void", "refund")
_WORDS = frozenset(Reason)
_STATES = frozenset(State)
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
class Turnover:
    """All users' minutes in one period."""

    held: int
    used: int
    given_back: int


class Statistics:
    """Reads statistics on jobs, minutes and failures."""

    def __init__(self, *, db: Database) -> None:
        self._db = db

    async def jobs(self, since: datetime) -> dict[State, int]:
        """Count the jobs requested at or after `since` by state.

        States that this version does not know are left out.
        """
        rows = await self._db.read(_JOBS, (seconds(since),))
        return {State(row["state"]): row["jobs"] for row in rows if row["state"] in _STATES}

    async def turnover(self, period: Period) -> Turnover:
        """Return the total minutes held, used and given back in the period."""
        rows = await self._db.read(_MINUTES, (period.key,))
        sums = {row["kind"]: int(row["minutes"]) for row in rows}
        held, post, void, refund = (sums.get(kind, 0) for kind in _KINDS)
        return Turnover(held=held - post - void, used=post - refund, given_back=void + refund)

    async def reasons(self, since: datetime, limit: int) -> list[tuple[Reason, int]]:
        """Count failure reasons of jobs requested at or after `since`, most frequent first.

        Reasons that this version does not know are left out.
        """
        rows = await self._db.read(_REASONS, (seconds(since), limit))
        return [(Reason(row["reason"]), row["jobs"]) for row in rows if row["reason"] in _WORDS]

    async def errors(self, since: datetime, limit: int) -> list[tuple[str, AttemptError, int]]:
        """Count errors by provider of attempts from `since` on, most frequent first."""
        rows = await self._db.read(_ERRORS, (seconds(since), limit))
        return [(row["provider"], AttemptError(row["error"]), row["attempts"]) for row in rows]
