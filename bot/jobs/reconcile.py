"""Settles attempts that outlive their jobs, so that no provider works, or bills, for nothing.

A cancel, a failure or a kill can end a job while one of its attempts is open.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.domain.attempt import Attempt, AttemptError, AttemptState
from bot.domain.errors import ProviderError, StoreUnavailable
from bot.domain.job import Job
from bot.jobs.job_runtime import Core
from bot.providers.interface import Running
from storage.database.write_retry import retry_write

log = logging.getLogger(__name__)

FREE_PLACES_EVERY_S = 15.0
ROUNDS_BETWEEN = 40
"""The number of calls of `free_places` between two reconciliations."""


class AttemptReconciler:
    """Ends open attempts: tells their providers, and records what they may have cost.

    An attempt that its provider cannot stop keeps its place in the queue until it ends or its
    deadline passes, because a further submit would exceed the provider's limit.
    """

    def __init__(self, *, core: Core) -> None:
        self._core = core
        self._jobs = core.jobs
        self._outlived: list[Attempt] = []

    async def run(self) -> None:
        """Reconcile at start and every ten minutes, and free places in between, until cancelled."""
        await self._whenever_possible(self.restore_places)
        while True:
            await self._whenever_possible(self.reconcile)
            for _ in range(ROUNDS_BETWEEN):
                await self.free_places()
                await self._whenever_possible(self._sweep_shared_places)
                await asyncio.sleep(FREE_PLACES_EVERY_S)

    async def reconcile(self) -> None:
        """Settle every open attempt of jobs that ended without a result. Safe to repeat."""
        for attempt in await self._jobs.left_open():
            # An error in an adapter must not keep the bot from starting.
            settling = asyncio.gather(self._abandon_found(attempt), return_exceptions=True)
            _log_settled(attempt, *(await settling))

    async def restore_places(self) -> None:
        """After a restart, restore the places of attempts that may still be running."""
        since = self._core.clock.now() - self._core.timeout
        for attempt in await self._jobs.abandoned_since(since):
            provider = self._core.providers.get(attempt.provider)
            job = await self._jobs.get(attempt.job_id)
            if job is not None and provider is not None and not provider.capabilities.can_cancel:
                self.keep_place(job, attempt)

    async def restore_shared_places(self) -> None:
        """At start, free the group's places that no attempt needs. Raises StoreUnavailable."""
        if self._core.shared_places is not None:
            since = self._core.clock.now() - self._core.timeout
            await self._core.shared_places.restore(since=since)

    async def _sweep_shared_places(self) -> None:
        if self._core.shared_places is not None:
            await self._core.shared_places.sweep()

    async def free_places(self) -> None:
        """Free the places of attempts that outlived their jobs and have since ended."""
        outlived = list(self._outlived)
        ends = await asyncio.gather(*map(self._has_ended, outlived), return_exceptions=True)
        for attempt, has_ended in zip(outlived, ends, strict=True):
            if isinstance(has_ended, BaseException):
                log.error("%s: its attempt cannot be polled", attempt.job_id, exc_info=has_ended)
            elif has_ended:
                self._outlived.remove(attempt)
                self._core.queue.free(attempt.provider, attempt.job_id)

    async def abandon(self, job: Job, attempt: Attempt) -> None:
        """End an attempt whose job has ended, keeping a record of what it may have cost.

        The provider is told before that is recorded, so a kill in between leads to a second cancel.
        An attempt whose submit is in flight keeps its place and is abandoned when the answer
        arrives.
        """
        if attempt.state is AttemptState.SENDING:
            if self._core.runtimes.is_sending(attempt.job_id):
                self._core.queue.outlive(attempt.provider, job)
            else:
                await self.settle(attempt)
        elif attempt.state in (AttemptState.ACCEPTED, AttemptState.DONE):
            is_stopped = await self.cancel_remote(attempt)
            ended = attempt.ended(self._core.clock.now(), AttemptState.ABANDONED)
            if attempt.state is AttemptState.DONE or is_stopped:
                self._core.queue.free(attempt.provider, job.id)
            else:
                self.keep_place(job, ended)
            await self.record(ended)

    def keep_place(self, job: Job, attempt: Attempt) -> None:
        """Keep an attempt's place after its job has ended, while its provider still works on it."""
        if attempt.ref is not None:
            self._core.queue.outlive(attempt.provider, job)
            self._outlived.append(attempt)

    async def settle(self, attempt: Attempt) -> Attempt:
        """End an attempt whose process died during the submit; return the attempt.

        The provider may have received the submit, so the attempt is uncertain unless the provider
        costs nothing.
        """
        if attempt.state is not AttemptState.SENDING:
            return attempt
        provider = self._core.providers.get(attempt.provider)
        is_harmless = provider is not None and provider.capabilities.is_resubmittable
        state = AttemptState.FAILED if is_harmless else AttemptState.UNCERTAIN
        settled = attempt.ended(self._core.clock.now(), state, AttemptError.INTERRUPTED)
        await self._jobs.record(settled)
        return settled

    async def cancel_remote(self, attempt: Attempt) -> bool:
        """Ask the provider once to stop, if it supports that; return whether it stopped.

        A refusal is logged, not raised.
        """
        provider = self._core.providers.get(attempt.provider)
        if provider is None or not provider.capabilities.can_cancel or attempt.ref is None:
            return False
        try:
            await provider.cancel(attempt.ref)
        except ProviderError as exc:
            error = type(exc).__name__
            log.warning("%s: %s did not cancel it: %s", attempt.job_id, attempt.provider, error)
            return False
        return True

    async def record(self, attempt: Attempt) -> None:
        """Record how an attempt ended, retrying while the store is unavailable."""
        await retry_write(
            lambda: self._jobs.record(attempt), what=f"the answer for {attempt.job_id}"
        )

    async def _abandon_found(self, attempt: Attempt) -> None:
        if (job := await self._jobs.get(attempt.job_id)) is not None:
            await self.abandon(job, attempt)
            # No step releases the place of a job that was already ended, perhaps by another bot.
            self._core.queue.release(job.id)

    async def _has_ended(self, attempt: Attempt) -> bool:
        provider = self._core.providers.get(attempt.provider)
        is_late = self._core.clock.now() - attempt.submitted_at > self._core.timeout
        if provider is None or attempt.ref is None or is_late:
            return True
        try:
            return not isinstance(await provider.poll(attempt.ref), Running)
        except ProviderError:
            return False

    async def _whenever_possible(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except StoreUnavailable as exc:
            log.warning("open attempts of ended jobs wait for the store: %s", exc)


def _log_settled(attempt: Attempt, failure: BaseException | None) -> None:
    if failure is None:
        log.info("%s: its attempt at %s is settled", attempt.job_id, attempt.provider)
    else:
        log.error("%s: its attempt stays open", attempt.job_id, exc_info=failure)
