"""The owner's side: minutes submitted to hosted providers, and the two caps on them."""

from bot.accounts.quotas import Quotas
from bot.domain.clock import Clock
from bot.domain.job import Job
from bot.domain.minutes import SpendCap
from storage.stores.spending import Spending

ALLOWANCES_A_USER_MAY_SUBMIT = 2
"""Voided jobs cost the owner too: a user's submitted minutes may pass the allowance only so far."""


class SpendCaps:
    """Says under which caps a job may go to a hosted provider, and whether it fits just now."""

    def __init__(
        self, *, spending: Spending, quotas: Quotas, clock: Clock, daily_cap: int | None
    ) -> None:
        self._spending = spending
        self._quotas = quotas
        self._clock = clock
        self._daily_cap = daily_cap

    async def of(self, job: Job) -> tuple[SpendCap, ...]:
        """Return the caps on this job's submits: its user's, and the day's where one is set."""
        user_id = job.request.user_id
        own = SpendCap(
            minutes=ALLOWANCES_A_USER_MAY_SUBMIT
            * await self._quotas.total(user_id, job.membership),
            since=self._quotas.period.starts_at,
            user_id=user_id,
            period=self._quotas.period.key,
        )
        if self._daily_cap is None:
            return (own,)
        midnight = self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        return (own, SpendCap(minutes=self._daily_cap, since=midnight))

    async def have_room(self, job: Job) -> bool:
        """Whether the job fits under all of its caps; others may take the room meanwhile."""
        for cap in await self.of(job):
            if await self._spending.submitted(cap) + (job.minutes or 0) > cap.minutes:
                return False
        return True
