"""Settle attempts that outlive their job, so that no provider works, or bills, for nothing.

A cancel, a failure or a kill can end a job while an attempt of it is open.
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
"""Rounds of freeing places between two reconciliations."""


class AttemptReconciler:
    """Ends attempts: tells their providers, and records what they may have cost.

    An attempt that its provider cannot stop keeps its place there until it ends, or until its
    deadline: a submit in its stead would only meet the provider's limit.
    """

    def __init__(self, *, core: Core) -> None:
        self._core = core
        self._jobs = core.jobs
        self._outlived: list[Attempt] = []

    async def run(self) -> None:
        """Reconcile at start and every ten minutes, and free places in between; until cancelled."""
        await self._whenever_possible(self.restore_places)
        while True:
            await self._whenever_possible(self.reconcile)
            for _ in range(ROUNDS_BETWEEN):
                await asyncio.sleep(FREE_PLACES_EVERY_S)
                await self.free_places()

    async def reconcile(self) -> None:
        """Settle every open attempt of a job that ended without a result. Safe to repeat."""
        for attempt in await self._jobs.left_open():
            # A broken adapter must not keep the bot from starting.
            settling = asyncio.gather(self._abandon_found(attempt), return_exceptions=True)
            _log_settled(attempt, *(await settling))

    async def restore_places(self) -> None:
        """Count the attempts that may still be running, as found after a restart."""
        since = self._core.clock.now() - self._core.timeout
        for attempt in await self._jobs.abandoned_since(since):
            provider = self._core.providers.get(attempt.provider)
            job = await self._jobs.get(attempt.job_id)
            if job is not None and provider is not None and not provider.capabilities.can_cancel:
                self.keep_place(job, attempt)

    async def free_places(self) -> None:
        """Free the places of attempts that outlived their jobs and have ended since."""
        outlived = list(self._outlived)
        ends = await asyncio.gather(*map(self._has_ended, outlived), return_exceptions=True)
        for attempt, has_ended in zip(outlived, ends, strict=True):
            if isinstance(has_ended, BaseException):
                log.error("%s: its attempt cannot be polled", attempt.job_id, exc_info=has_ended)
            elif has_ended:
                self._outlived.remove(attempt)
                self._core.queue.free(attempt.provider, attempt.job_id)

    async def abandon(self, job: Job, attempt: Attempt) -> None:
        """End an attempt whose job ended; what it may have cost stays on record.

        The provider is told before that is recorded, so after a kill in between it is told once
        more. An attempt whose submit is in flight just keeps its place; it is abandoned once it is
        answered.
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
        """Let an attempt that its provider still works on keep its place without its job."""
        if attempt.ref is not None:
            self._core.queue.outlive(attempt.provider, job)
            self._outlived.append(attempt)

    async def settle(self, attempt: Attempt) -> Attempt:
        """Return the attempt, ended if a process died while sending it.

        The provider may have got it, so only one that costs nothing counts as failed.
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
        """Ask the provider once to stop, if it supports that; return whether it did.

        A refusal is only logged.
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
