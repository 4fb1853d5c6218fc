"""A user's minutes: how many the settings allow, and how many are left."""

from bot.domain.clock import Clock
from bot.domain.job import JobId, UserId
from bot.domain.quota import Hold, PeriodKind, Usage, period_at
from storage.ledger import Ledger


class Quotas:
    """Answers what a user may still split in the current period."""

    def __init__(self, *, ledger: Ledger, clock: Clock, allowance: int, kind: PeriodKind) -> None:
        self._ledger = ledger
        self._clock = clock
        self._allowance = allowance
        self._kind = kind

    async def usage(self, user_id: UserId) -> Usage:
        """Return the user's account in the current period."""
        period = period_at(self._clock.now(), self._kind)
        return await self._ledger.usage(user_id, period, await self._allowance_of(user_id))

    async def hold(self, job_id: JobId, user_id: UserId, minutes: int) -> Hold:
        """Return the ledger entry that reserves `minutes`; admitted only when it is saved."""
        return Hold(
            job_id=job_id,
            user_id=user_id,
            minutes=minutes,
            period=period_at(self._clock.now(), self._kind),
            allowance=await self._allowance_of(user_id),
        )

    async def _allowance_of(self, user_id: UserId) -> int:
        own = await self._ledger.allowance_of(user_id)
        return self._allowance if own is None else own
