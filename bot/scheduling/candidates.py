"""Collects the facts that routing needs, and routes jobs."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from bot.accounts.spend_caps import SpendRoom
from bot.domain.attempt import Attempt, AttemptError, AttemptState
from bot.domain.clock import Clock
from bot.domain.job import Job
from bot.providers.interface import Provider, lacks_worker
from bot.scheduling.circuit_breaker import CircuitBreaker
from bot.scheduling.plans import plan
from bot.scheduling.routing import Candidate, Route, route
from bot.scheduling.sources import Sources

LACKING_WORKER_S: Final = 5.0
"""How soon to look again for a worker. A job is woken earlier when one appears, if its turn is
near."""


class Candidates:
    """Routes jobs among the configured providers."""

    def __init__(
        self,
        *,
        providers: Mapping[str, Provider],
        breaker: CircuitBreaker,
        sources: Sources,
        clock: Clock,
        patience: timedelta,
    ) -> None:
        """`patience` is how long a job waits for providers, counted from its first failed try."""
        self._providers = providers
        self._breaker = breaker
        self._sources = sources
        self._clock = clock
        self._patience = patience

    async def route(self, job: Job, attempts: Sequence[Attempt], room: SpendRoom) -> Route:
        """Return the route for the job, given its attempts so far."""
        url = await self._sources.address_of(job)
        vain = [each.submitted_at for each in attempts if self._was_in_vain(each)]
        return route(
            job.request,
            attempts=attempts,
            candidates=[
                self._candidate(job, each, can_reach_file=url is not None, room=room)
                for each in self._providers.values()
            ],
            now=self._clock.now(),
            deadline=min(vain, default=job.updated_at) + self._patience,
        )

    def _was_in_vain(self, attempt: Attempt) -> bool:
        """Whether nothing was sent, or the attempt timed out and no worker has its model."""
        if attempt.error is AttemptError.TIMED_OUT:
            provider = self._providers.get(attempt.provider)
            return provider is not None and lacks_worker(provider, attempt.model)
        return attempt.state is AttemptState.NOT_SENT

    def _candidate(
        self, job: Job, provider: Provider, *, can_reach_file: bool, room: SpendRoom
    ) -> Candidate:
        capabilities = provider.capabilities
        made = plan(job.request.recipe, capabilities)
        is_unmanned = made is not None and lacks_worker(provider, made.model.name)
        cooldown_s = self._breaker.cooldown_s(capabilities.name)
        return Candidate(
            capabilities=capabilities,
            cooldown_s=max(cooldown_s, LACKING_WORKER_S) if is_unmanned else cooldown_s,
            needs_operator=self._breaker.needs_operator(capabilities.name),
            can_reach_file=can_reach_file or not capabilities.is_hosted,
            is_affordable=room.is_affordable or not capabilities.is_hosted,
        )
