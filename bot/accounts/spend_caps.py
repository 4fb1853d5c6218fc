"""Caps on the minutes submitted to hosted providers, per user and per day."""

from dataclasses import dataclass

from bot.accounts.quotas import Quotas
from bot.domain.clock import Clock
from bot.domain.job import Job
from bot.domain.minutes import SpendCap
from storage.stores.vendor_spending import Spending

ALLOWANCES_A_USER_MAY_SUBMIT = 2
"""A user may submit this multiple of their allowance: voided jobs cost the owner money too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendRoom:
    """The caps that apply to a job, and whether it fits, as of one moment."""

    caps: tuple[SpendCap, ...]
    is_affordable: bool
    """Whether the job fits under all caps; other jobs may use them up in the meantime."""


class SpendCaps:
    """Finds the caps on a job at a hosted provider, and whether the job fits under them."""

    def __init__(
        self, *, spending: Spending, quotas: Quotas, clock: Clock, daily_cap: int | None
    ) -> None:
        self._spending = spending
        self._quotas = quotas
        self._clock = clock
        self._daily_cap = daily_cap

    async def room(self, job: Job) -> SpendRoom:
        """Return the user's cap and, if one is set, the daily cap."""
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
