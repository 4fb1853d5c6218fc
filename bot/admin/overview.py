"""The owner's overview: the state of each provider, the minutes it may bill, and job outcomes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.accounts.quotas import Quotas
from bot.domain.attempt import AttemptError
from bot.domain.clock import Clock
from bot.domain.errors import Reason
from bot.domain.guilds import Actor, Rank
from bot.domain.job import State
from bot.domain.periods import Period, PeriodKind, period_at
from bot.providers.interface import Capabilities, Device
from bot.scheduling.circuit_breaker import CircuitBreaker
from bot.scheduling.provider_queue import ProviderQueue
from storage.stores.statistics import Statistics, Turnover
from storage.stores.vendor_spending import ProviderUsage, Spending

MOST_ERRORS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderState:
    """A provider's current state."""

    title: str
    book: ProviderUsage
    """Minutes submitted to it today."""
    is_hosted: bool = True
    left_out: str | None = None
    """The reason why the provider is not used, as a phrase without a full stop."""
    rests_until: datetime | None = None
    cause: AttemptError | None = None
    """The cause of the provider's cooldown."""
    device: Device | None = None
    """What it runs on, if it runs on this machine and that is known."""
    inside: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Totals since a point in time."""

    jobs: Mapping[State, int]
    submitted: int
    """Minutes that hosted providers may bill for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Totals of today and of the current period, which may be the same."""

    period: Period
    today: Figures
    this_period: Figures
    turnover: Turnover
    daily_cap: int | None
    reasons: Sequence[tuple[Reason, int]]
    """The reasons why jobs failed in this period, most frequent first."""
    errors: Sequence[tuple[str, AttemptError, int]]
    """The reasons why attempts failed in this period: provider's title, reason and count."""


class Overview:
    """Collects the figures that the owner sees."""

    def __init__(
        self,
        *,
        providers: Iterable[Capabilities],
        devices: Callable[[], Mapping[str, Device]],
        left_out: Mapping[str, str],
        breaker: CircuitBreaker,
        queue: ProviderQueue,
        quotas: Quotas,
        statistics: Statistics,
        spending: Spending,
        clock: Clock,
        daily_cap: int | None,
    ) -> None:
        self._providers = tuple(providers)
        self._devices = devices
        self._left_out = left_out
        self._breaker = breaker
        self._queue = queue
        self._quotas = quotas
        self._statistics = statistics
        self._spending = spending
        self._clock = clock
        self._daily_cap = daily_cap

    async def providers(self, actor: Actor) -> tuple[ProviderState, ...]:
        """Return the state of every provider named in the settings, those in use first."""
        actor.must_be(Rank.OWNER)
        usage = await self._spending.provider_usage(self._midnight())
        used = (
            self._state(each, usage.get(each.name, ProviderUsage())) for each in self._providers
        )
        left_out = (
            ProviderState(title=name, left_out=why, book=usage.get(name, ProviderUsage()))
            for name, why in self._left_out.items()
        )
        return (*used, *left_out)

    async def stats(self, actor: Actor) -> Stats:
        """Return the totals of today and of the current period."""
        actor.must_be(Rank.OWNER)
        period = self._quotas.period
        since = period.starts_at
        titles = {each.name: each.title for each in self._providers}
        errors = await self._statistics.errors(since, MOST_ERRORS)
        return Stats(
            period=period,
            today=await self._figures(self._midnight()),
            this_period=await self._figures(since),
            turnover=await self._statistics.turnover(period),
            daily_cap=self._daily_cap,
            reasons=await self._statistics.reasons(since, MOST_ERRORS),
            errors=[(titles.get(name, name), error, count) for name, error, count in errors],
        )

    def _state(self, capabilities: Capabilities, book: ProviderUsage) -> ProviderState:
        name = capabilities.name
        cooldown_s = self._breaker.cooldown_s(name)
        counts = self._queue.counts()
        return ProviderState(
            title=capabilities.title,
            is_hosted=capabilities.is_hosted,
            device=self._devices().get(name),
            rests_until=self._clock.now() + timedelta(seconds=cooldown_s) if cooldown_s else None,
            cause=self._breaker.cause(name),
            inside=counts.get((name, "inside"), 0),
            waiting=counts.get((name, "waiting"), 0),
            book=book,
        )

    async def _figures(self, since: datetime) -> Figures:
        usage = await self._spending.provider_usage(since)
        return Figures(
            jobs=await self._statistics.jobs(since),
            submitted=sum(book.submitted for book in usage.values()),
        )

    def _midnight(self) -> datetime:
        return period_at(self._clock.now(), PeriodKind.DAY).starts_at
