"""The owner's side: minutes submitted to hosted providers, and the two caps on them."""

from dataclasses import dataclass

from bot.accounts.quotas import Quotas
from bot.domain.clock import Clock
from bot.domain.job import Job
from bot.domain.minutes import SpendCap
from storage.stores.vendor_spending import Spending

ALLOWANCES_A_USER_MAY_SUBMIT = 2
"""Voided jobs cost the owner too, so this multiple of the allowance caps submitted minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendRoom:
    """The caps on submitting a job, as of when they were read."""

    caps: tuple[SpendCap, ...]
    is_affordable: bool
    """Whether the job fits under all of them; other jobs may use them up meanwhile."""


class SpendCaps:
    """Tells which caps apply to a job at a hosted provider, and whether it fits now."""

    def __init__(
        self, *, spending: Spending, quotas: Quotas, clock: Clock, daily_cap: int | None
    ) -> None:
        self._spending = spending
        self._quotas = quotas
        self._clock = clock
        self._daily_cap = daily_cap

    async def room(self, job: Job) -> SpendRoom:
        """Return the caps on this job's submit: its user's, and the day's where one is set."""
        caps = await self._caps(job)
        submitted = await self._spending.submitted(caps)
        needed = job.minutes or 0
        return SpendRoom(
            caps=caps,
            is_affordable=all(
                minutes + needed <= cap.minutes
                for cap, minutes in zip(caps, submitted, strict=True)
            ),
        )

    async def _caps(self, job: Job) -> tuple[SpendCap, ...]:
        user_id = job.request.user_id
        got = await self._quotas.minutes(user_id, job.membership)
        own = SpendCap(
            minutes=ALLOWANCES_A_USER_MAY_SUBMIT * got.total,
            since=self._quotas.period.starts_at,
            user_id=user_id,
            former_id=got.former_id,
        )
        if self._daily_cap is None:
            return (own,)
        midnight = self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        return (own, SpendCap(minutes=self._daily_cap, since=midnight))
