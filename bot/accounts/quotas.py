"""A user's minutes: the allowance that applies to a request, and the minutes that are left."""

from collections.abc import Iterable

from bot.domain.clock import Clock
from bot.domain.job import Job, Membership, UserId
from bot.domain.minutes import Hold, Usage
from bot.domain.periods import Period, PeriodKind, period_at
from storage.stores.allowances import Allowances
from storage.stores.ledger import Ledger
from storage.stores.standing import PeriodMinutes, Standing, Standings


class Quotas:
    """Answers how many minutes a user has in the current period.

    A user has one account for their own minutes. How much of it they may spend depends on the
    server they ask from and their roles there; outside servers, neither server limits nor roles
    apply.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        allowances: Allowances,
        standings: Standings,
        clock: Clock,
        allowance: int,
        kind: PeriodKind,
        running: Iterable[Period] = (),
    ) -> None:
        """Periods in `running` keep the keys that they started with."""
        self._ledger = ledger
        self._allowances = allowances
        self._standings = standings
        self._clock = clock
        self._allowance = allowance
        self._kind = kind
        self._running = tuple(running)

    @property
    def period(self) -> Period:
        """The current period."""
        return period_at(self._clock.now(), self._kind, running=self._running)

    async def usage(self, user_id: UserId, membership: Membership | None = None) -> Usage:
        """Return the user's own account."""
        return (await self.standing(user_id, membership)).own

    async def paying_for(self, job: Job) -> Usage | None:
        """Return the account that paid for the job, or None once its period is over."""
        user_id, period = job.request.user_id, self.period
        paid_from = await self._ledger.paid_from(job.id)
        if paid_from is not None and paid_from.period_key != period.key:
            return None
        if paid_from is None or paid_from.guild_id is None:
            return await self.usage(user_id, job.membership)
        return await self._ledger.usage(user_id, period, 0, guild_id=paid_from.guild_id)

    async def standing(self, user_id: UserId, membership: Membership | None) -> Standing:
        """Return everything that decides whether the user may start a job now."""
        return await self._standings.standing(
            user_id, membership, self.period, plain=self._allowance
        )

    async def minutes(self, user_id: UserId, membership: Membership | None) -> PeriodMinutes:
        """Return the user's minutes in this period, across all servers."""
        return await self._standings.minutes(
            user_id, membership, self.period, plain=self._allowance
        )

    async def ceiling(self, user_id: UserId | None, membership: Membership | None) -> int:
        """Return what the owner allows per period, regardless of server limits.

        If `user_id` is None, return what the membership's roles give anyone.
        """
        terms = await self._allowances.terms_of(user_id, membership)
        return terms.ceiling(self._allowance)

    async def hold(self, job: Job, minutes: int) -> Hold:
        """Return the ledger entry that reserves `minutes`. Saving it fails if too few minutes are
        left.
        """
        return Hold(
            job_id=job.id,
            user_id=job.request.user_id,
            minutes=minutes,
            period=self.period,
            allowance=(await self.usage(job.request.user_id, job.membership)).allowance,
            guild_id=job.reply.guild_id,
        )
