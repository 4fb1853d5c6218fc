"""The owner's side: minutes submitted to hosted providers, and the two caps on them."""

from bot.domain.clock import Clock
from bot.domain.job import Job
from bot.services.quotas import Quotas
from storage.ledger import Ledger

ALLOWANCES_A_USER_MAY_SUBMIT = 2
"""Voided jobs cost the owner too: a user's submitted minutes may pass the allowance only so far."""


class SpendCaps:
    """Says whether one more job may go to a hosted provider."""

    def __init__(
        self, *, ledger: Ledger, quotas: Quotas, clock: Clock, daily_cap: int | None
    ) -> None:
        self._ledger = ledger
        self._quotas = quotas
        self._clock = clock
        self._daily_cap = daily_cap

    async def can_afford(self, job: Job) -> bool:
        """Whether the job's minutes fit under the day's cap and under its user's."""
        minutes = job.minutes or 0
        now = self._clock.now()
        if self._daily_cap is not None:
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
            if await self._ledger.submitted_minutes(midnight) + minutes > self._daily_cap:
                return False
        usage = await self._quotas.usage(job.request.user_id)
        since = usage.period.starts_at
        submitted = await self._ledger.submitted_minutes_of(job.request.user_id, since)
        cap = ALLOWANCES_A_USER_MAY_SUBMIT * (usage.allowance + usage.granted)
        return submitted + minutes <= cap
